//! What an analyst reads about `mann_kendall`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Does a series rise or fall over time?", "序列随时间上升还是下降？"),
    explanation: Words::new(
        "Counts over all pairs of steps how often the later one is higher, less how often it is lower. It asks for no straight \
        line and no normal values, and a single extreme day moves it little. z above 0: rising, below 0: falling.",
        "对所有成对的时间步，数一数后者更高的次数减去更低的次数。不要求直线趋势，也不要求正态分布，个别极端值影响很小。z 为正表\
        示上升，为负表示下降。",
    ),
    formula: "S = Σ sign(xⱼ − xᵢ)  (i < j)\n\
        Var(S) = [n (n − 1)(2n + 5) − Σ t (t − 1)(2t + 5)] / 18  (t: sizes of groups of ties)\n\
        z = (S − 1) / √Var (S > 0),  0 (S = 0),  (S + 1) / √Var (S < 0);  p = 2 (1 − Φ(|z|))",
    results: &[
        Meaning::new("s", Unit::None, "pairs that rise less pairs that fall", "上升对数减下降对数"),
        Meaning::new("variance", Unit::None, "of S if there were no trend, ties counted", "无趋势时 S 的方差（已计并列）"),
        Meaning::new("z", Unit::None, "S in standard deviations, with continuity correction", "S 折合多少个标准差（含连续性校正）"),
        Meaning::new("p", Unit::Share, "two-sided", "双侧 p 值"),
        Meaning::new("reason", Unit::None, "why the rest is NULL", "其余结果为 NULL 的原因"),
    ],
    undefined: &[
        Undefined::because(
            Reason::ShortHistory,
            "Fewer than 3 values are left after NULL, NaN and infinite ones.",
            "去掉 NULL、NaN 与无穷值后，数值不足 3 个。",
        ),
        Undefined::because(Reason::ZeroVariance, "All values are equal.", "所有数值相同。"),
    ],
    cautions: &[
        Words::new(
            "The steps must be independent. Days with a weekly rhythm are not, nor are overlapping windows: p is then too small. \
            Take weeks, or standardize by weekday.",
            "各步须相互独立。带周内节律的日数据、相互重叠的窗口都不独立，p 会偏小：请用周数据，或先按星期几标准化。",
        ),
        Words::new(
            "It says whether, not how fast: for a slope take Sen's median of slopes or a regression.",
            "它只回答有无趋势，不回答快慢：斜率可用 Sen 中位数斜率或回归。",
        ),
        Words::new("The normal curve wants about 10 values; with fewer read p as a hint.", "正态近似约需 10 个数值；更少时 p 只作参考。"),
        Words::new(
            "A rise and a fall of equal length cancel: z near 0 is no proof that nothing happened.",
            "先升后降会相互抵消：z 接近 0 不等于没有变化。",
        ),
        Words::new(
            "NULL is left out, not zero; the order comes from ORDER BY inside the call, never from the rows.",
            "NULL 被略去而不当作零；顺序由调用内的 ORDER BY 决定，与行序无关。",
        ),
    ],
    example: Example {
        asks: Words::new("Which categories rose or fell over the six weeks?", "六周里哪些类别上升、哪些下降？"),
        city: DemoCity::Weeks,
        statement: "\
WITH weekly AS (
  SELECT category_code, date_trunc('week', called_at AT TIME ZONE 'Asia/Shanghai') AS week, count(*) AS calls
  FROM hotline_calls
  WHERE called_at >= '2026-09-21T00:00:00+08:00'
  GROUP BY 1, 2
),
trends AS (
  SELECT category_code, sum(calls) AS calls, mann_kendall(calls ORDER BY week) AS trend
  FROM weekly
  GROUP BY category_code
)
SELECT category_code, calls, (trend).s AS s, round((trend).z, 2) AS z, round((trend).p, 4) AS p, (trend).reason AS reason
FROM trends
ORDER BY z DESC, category_code",
        shown: 14,
        reads: Words::new(
            "Six weeks have 15 pairs, so S lies between −15 and 15 and only a nearly unbroken rise or fall passes. Four of fourteen \
            categories have p = 0.024; over the fourteen fdr makes that q = 0.085, a hint and no finding.",
            "六周只有 15 对，S 在 −15 到 15 之间，几乎要一路升或一路降才会显著。14 个类别中有四个 p = 0.024；对 14 个做 fdr 后 q = \
            0.085，只算线索，不算发现。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["category_code"], value: "z", bounds: None, against: Some("1.96") },
            says: Words::new("z of each category; the line is p = 0.05", "各类别的 z；竖线为 p = 0.05"),
        }),
    },
    literature: &[
        "Mann, H. B. (1945). Nonparametric tests against trend. Econometrica 13(3), 245–259.",
        "Kendall, M. G. (1975). Rank Correlation Methods, chapter 4 (ties). Griffin.",
    ],
};
