//! What an analyst reads about `nb_upper`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "How many cases are still ordinary for this mean, if they scatter more than by chance?",
        "在该均值与离散程度下，多少案件仍属正常？",
    ),
    explanation: Words::new(
        "The bound above which a count is an alarm of level alpha, for counts that vary more than Poisson. It is poisson_upper \
        with a longer tail: the larger the dispersion, the more cases are still ordinary.",
        "计数波动大于泊松时，水平为 alpha 的报警上限。相当于尾部更长的 poisson_upper：离散度越大，仍属正常的件数越多。",
    ),
    formula: "min { u : P(X > u) ≤ α },  X ~ NegBin(mean μ, variance φ μ),  size = μ / (φ − 1);  Poisson(μ) if φ ≤ 1",
    results: &[Meaning::new("", Unit::Cases, "more than this alarms", "超过该值即报警")],
    undefined: &[Undefined::when(
        "mean is NULL, negative, not finite or beyond 10⁹; dispersion is NULL or beyond 10⁴; alpha does not lie between 0 and \
            1.",
        "mean 为 NULL、负数、非有限数或超过 10⁹；dispersion 为 NULL 或超过 10⁴；alpha 不在 0 与 1 之间。",
    )],
    cautions: &[
        Words::new(
            "dispersion is variance / mean, not the size parameter of R's qnbinom: size = mean / (dispersion − 1).",
            "dispersion 是方差/均值，不是 R 中 qnbinom 的 size：size = mean / (dispersion − 1)。",
        ),
        Words::new(
            "The mean is taken as known. With few days behind it the bound is too low: multiply the dispersion by 1 + 1/n.",
            "均值被视为已知；天数少时上限偏低：可把 dispersion 乘以 1 + 1/n。",
        ),
        Words::new(
            "alpha is for one count. Many counts judged at once need nb_tail and fdr, not one bound each.",
            "alpha 针对单个计数。同时判断许多计数应使用 nb_tail 与 fdr，而不是各设上限。",
        ),
        Words::new(
            "Past outbreaks in the days behind mean and dispersion raise the bound: leave them out, or take farrington, which gives \
            them little weight.",
            "估计均值与离散度的日子若含暴发，上限会被抬高：请排除，或用会降低其权重的 farrington。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Which categories had more calls on 27 October than four ordinary weeks allow?",
            "10 月 27 日哪些类别的来电超出前四周的正常范围？",
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
)
SELECT daily.category_code, calls, round(mean, 1) AS mean, round(dispersion, 2) AS dispersion,
  poisson_upper(mean) AS poisson, nb_upper(mean, dispersion) AS upper, calls > nb_upper(mean, dispersion) AS alarm
FROM daily
JOIN past ON past.category_code = daily.category_code
WHERE day = DATE '2026-10-27'
ORDER BY calls DESC, daily.category_code",
        shown: 14,
        reads: Words::new(
            "Where the dispersion is near 1 both bounds agree; where it is large the Poisson bound would alarm on ordinary days.",
            "离散度接近 1 时两种上限一致；离散度大时，泊松上限会把平常的日子也当成警报。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["category_code"], value: "calls", bounds: Some(("mean", "upper")), against: None },
            says: Words::new("calls of the day, with the range from the mean to the upper bound", "当日来电，横线为均值到上限的范围"),
        }),
    },
    literature: &[
        "Noufaily, A. et al. (2013). An improved algorithm for outbreak detection in multiple surveillance systems. Statistics \
        in Medicine 32(7), 1206–1222 (the plug-in bound).",
        "Loader, C. (2000). Fast and accurate computation of binomial probabilities.",
    ],
};
