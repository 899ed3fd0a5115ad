//! What an analyst reads about `poisson_upper`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("How many cases are still ordinary for this mean?", "在该均值下，多少案件仍属正常？"),
    explanation: Words::new(
        "The bound above which a count is an alarm of level alpha, if cases come independently and their mean is known. The \
        simplest rule there is; right for rare events that do not come in clumps.",
        "若案件相互独立到达且均值已知，水平为 alpha 的报警上限。最简单的规则，适用于不成串的稀少事件。",
    ),
    formula: "min { u : P(X > u) ≤ α },  X ~ Poisson(μ)",
    results: &[Meaning::new("", Unit::Cases, "more than this alarms", "超过该值即报警")],
    undefined: &[Undefined::when(
        "mean is NULL, negative, not finite or beyond 10⁹; alpha does not lie between 0 and 1.",
        "mean 为 NULL、负数、非有限数或超过 10⁹；alpha 不在 0 与 1 之间。",
    )],
    cautions: &[
        Words::new(
            "Real counts vary more than Poisson: weekdays, weather, repeated callers. Check var(x) / avg(x); well above 1, take \
            nb_upper.",
            "真实计数的波动大于泊松：星期、天气、重复来电。先看 var(x) / avg(x)，明显大于 1 时请用 nb_upper。",
        ),
        Words::new(
            "The bound is a whole number, so the true rate of false alarms lies below alpha, for small means far below.",
            "上限为整数，实际误报率低于 alpha，均值小时低得多。",
        ),
        Words::new(
            "A mean of 0 gives the bound 0: any case alarms. Half a case more than was seen is a common remedy.",
            "均值为 0 时上限为 0：任何案件都会报警。常用的补救是在观察值上加半件。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "In which hours of 26 October were there more calls about illegal parking than that hour usually has? An event was on \
            in the centre.",
            "10 月 26 日哪些小时的乱停乱放来电多于该小时的平常水平？当天市中心有活动。",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH hours AS (
  SELECT date_part('hour', called_at AT TIME ZONE 'Asia/Shanghai') AS hour,
    count(*) FILTER (WHERE called_at >= '2026-10-26T00:00:00+08:00') AS calls,
    count(*) FILTER (WHERE called_at < '2026-10-25T00:00:00+08:00') / 28.0 AS mean
  FROM hotline_calls
  WHERE category_code = '乱停乱放' AND called_at >= '2026-09-27T00:00:00+08:00' AND called_at < '2026-10-27T00:00:00+08:00'
  GROUP BY 1
)
SELECT hour, calls, round(mean, 2) AS mean, poisson_upper(mean, alpha => 0.01) AS upper, calls > poisson_upper(mean, alpha => 0.01) AS alarm
FROM hours
ORDER BY hour",
        shown: 24,
        reads: Words::new(
            "Twenty-four hours at alpha 0.01: one alarm in four days is chance. The mean is that of all weekdays together, so a \
            commuting hour on a Monday stands a little high anyway.",
            "24 个小时、alpha 0.01：约四天就会偶然报警一次。均值不区分星期，所以周一的通勤时段本来就略高。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Series { bars: "calls", lines: &["mean", "upper"], marked: Some("alarm") },
            says: Words::new(
                "calls by hour, the usual mean, the upper bound, and the hours that alarm",
                "各小时来电、平常均值、上限与报警小时",
            ),
        }),
    },
    literature: &["Loader, C. (2000). Fast and accurate computation of binomial probabilities.", "Any text on the Poisson distribution."],
};
