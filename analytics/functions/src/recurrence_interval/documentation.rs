//! What an analyst reads about `recurrence_interval`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("If nothing were going on, how many days apart would such alarms be?", "若一切正常，此类警报平均相隔多少天？"),
    explanation: Words::new(
        "Turns p into a time a duty officer can weigh: p = 0.01 once a day is an alarm every hundred days. New York City's \
        disease surveillance takes 100 days as a signal and 365 as a strong one.",
        "把 p 换成值班人员好掂量的时间：每天分析一次、p = 0.01，即每一百天一次。纽约市的疾病监测以 100 天为信号、365 天为强信号。",
    ),
    formula: "RI = days / p",
    results: &[Meaning::new("", Unit::Days, "between two alarms of this strength by chance", "偶然出现同等强度警报的平均间隔")],
    undefined: &[Undefined::when(
        "p is NULL, not above 0 or above 1; days is NULL or not above 0.",
        "p 为 NULL、不大于 0 或大于 1；days 为 NULL 或不大于 0。",
    )],
    cautions: &[
        Words::new(
            "p must be that of one analysis, not yet corrected for the days before. If it was corrected for A − 1 earlier analyses: \
            days / (1 − (1 − p)^(1/A)).",
            "p 须为单次分析的 p，未对此前各天做过校正。若已对 A − 1 次做过校正：days / (1 − (1 − p)^(1/A))。",
        ),
        Words::new(
            "The interval is for one series. K series analysed daily raise about 365 K / RI alarms a year by chance.",
            "间隔针对单个序列。K 个序列每日分析，偶然警报每年约 365 K / RI 次。",
        ),
        Words::new(
            "Analyses of overlapping windows are not independent: alarms then come in runs, and the interval counts days, not runs.",
            "窗口重叠的分析并不独立：警报会成串出现，而间隔数的是天，不是串。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "How often would chance bring a day like 27 October in each category?",
            "各类别中，像 10 月 27 日这样的一天偶然多久出现一次？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH daily AS (
  SELECT category_code, CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  GROUP BY 1, 2
),
past AS (
  SELECT category_code, avg(calls) AS mean, var(calls) / avg(calls) AS dispersion
  FROM daily
  WHERE day BETWEEN DATE '2026-09-29' AND DATE '2026-10-26'
  GROUP BY category_code
),
tested AS (
  SELECT daily.category_code, calls, nb_tail(calls, mean, dispersion) AS p
  FROM daily
  JOIN past ON past.category_code = daily.category_code
  WHERE day = DATE '2026-10-27'
)
SELECT category_code, calls, round(p, 5) AS p, round(recurrence_interval(p, 1), 1) AS days
FROM tested
ORDER BY days DESC, category_code",
        shown: 14,
        reads: Words::new(
            "With fourteen categories a day, one at fourteen days is due every day. Only intervals well beyond that tell something.",
            "每天看十四个类别，平均每天就会有一个达到十四天。远超这一水平的间隔才说明问题。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["category_code"], value: "days", bounds: None, against: Some("14") },
            says: Words::new(
                "days between such days by chance; the line is what fourteen categories bring daily",
                "偶然情形的间隔天数；竖线为十四个类别每天都会出现的水平",
            ),
        }),
    },
    literature: &["Kleinman, K., Lazarus, R., Platt, R. (2004). A generalized linear mixed models approach for detecting incident \
        clusters of disease in small areas. American Journal of Epidemiology 159(3), 217–224."],
};
