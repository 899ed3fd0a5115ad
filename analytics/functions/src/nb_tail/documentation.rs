//! What an analyst reads about `nb_tail`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("How likely would chance alone bring this many cases or more?", "仅凭偶然出现这么多（或更多）案件的概率是多少？"),
    explanation: Words::new(
        "The p-value of a count, given what was expected and how much counts scatter. With dispersion 1 it is Poisson; above 1 \
        negative binomial, whose tail is longer. It is the p that goes into fdr when many grids or categories are judged at \
        once.",
        "给定期望与离散程度，求某一计数的 p 值。dispersion 为 1 时是泊松分布；大于 1 时为负二项分布，尾部更长。同时判断许多网格\
        或类别时，送入 fdr 的就是它。",
    ),
    formula: "p = P(X ≥ cases),  X ~ NegBin(mean μ, variance φ μ),  size = μ / (φ − 1);  Poisson(μ) if φ ≤ 1",
    results: &[Meaning::new("", Unit::Share, "the probability of this many or more", "达到或超过该件数的概率")],
    undefined: &[Undefined::when(
        "cases or mean is NULL, negative, not finite or beyond 10⁹; dispersion is not a number or beyond 10⁴.",
        "cases 或 mean 为 NULL、负数、非有限数或超过 10⁹；dispersion 非数值或超过 10⁴。",
    )],
    cautions: &[
        Words::new(
            "dispersion is variance / mean, not the size parameter of R's dnbinom: size = mean / (dispersion − 1).",
            "dispersion 是方差/均值，不是 R 中 dnbinom 的 size：size = mean / (dispersion − 1)。",
        ),
        Words::new(
            "A mean estimated from n bins is itself uncertain and makes p too small: multiply the dispersion by 1 + 1/n, as \
            jobs.surges does.",
            "由 n 个时段估出的均值本身不确定，会使 p 偏小：可把 dispersion 乘以 1 + 1/n（jobs.surges 即如此）。",
        ),
        Words::new(
            "A variance below the mean is taken as Poisson. City counts nearly always scatter more: weather, weekdays, one caller \
            who rings ten times.",
            "方差小于均值时按泊松处理。城市计数几乎总是更分散：天气、星期、同一人打十次电话。",
        ),
        Words::new("p of no cases is 1. Parts of a case are cut off.", "0 件的 p 为 1。小数部分舍去。"),
    ],
    example: Example {
        asks: Words::new(
            "How likely are so many calls about water on the roads in a day, by Poisson and with the scatter seen in October?",
            "一天有这么多道路积水来电的概率多大？泊松与按十月实际离散度各是多少？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH days AS (
  SELECT CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水'
  GROUP BY 1
),
past AS (
  SELECT avg(calls) AS mean, var(calls) / avg(calls) AS dispersion
  FROM days
  WHERE day BETWEEN DATE '2026-09-30' AND DATE '2026-10-27'
)
SELECT cases, round(mean, 1) AS mean, round(dispersion, 2) AS dispersion,
  round(nb_tail(cases, mean), 6) AS p_poisson, round(nb_tail(cases, mean, dispersion), 6) AS p
FROM past
CROSS JOIN (SELECT unnest(range(20, 125, 5)) AS cases) AS counts
ORDER BY cases",
        shown: 21,
        reads: Words::new(
            "Poisson calls a day impossible that comes every month. The dispersion is what makes the difference, so estimate it.",
            "泊松认为不可能的一天，其实每个月都会遇到。差别全在离散度，所以要估计它。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Lines { x: "cases", lines: &["p_poisson", "p"] },
            says: Words::new("the probability of so many cases or more", "达到或超过该件数的概率"),
        }),
    },
    literature: &[
        "Noufaily, A. et al. (2013). Statistics in Medicine 32(7), 1206–1222.",
        "Loader, C. (2000). Fast and accurate computation of binomial probabilities.",
    ],
};
