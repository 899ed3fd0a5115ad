//! What an analyst reads about `fdr`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "Which results still stand when many were tested at once? q is the share of false alarms one accepts.",
        "同时检验许多结果时，哪些仍然成立？q 为可接受的误报比例。",
    ),
    explanation: Words::new(
        "Of 1,000 grids where nothing happens, 50 have p < 0.05. fdr turns p into q: call everything with q < 0.05 a finding, \
        and at most 5 % of the findings are expected to be false.",
        "1000 个平安无事的网格中，约有 50 个 p < 0.05。fdr 把 p 转为 q：若把 q < 0.05 的都算作发现，则发现之中预期至多 5% 为误\
        报。",
    ),
    formula: "p₍₁₎ ≤ … ≤ p₍ₙ₎\n\
        q₍ₖ₎ = min { min(1, n p₍ⱼ₎ / j) : j ≥ k }",
    results: &[Meaning::new(
        "",
        Unit::Share,
        "q: the smallest share of false findings at which this one is still a finding",
        "q：该结果仍算发现时，可容许的最小误报比例",
    )],
    undefined: &[Undefined::when(
        "p is NULL, NaN or outside 0 to 1. Such a row has no q and does not count in n.",
        "p 为 NULL、NaN 或不在 0–1 之间。该行没有 q，也不计入 n。",
    )],
    cautions: &[
        Words::new(
            "The partition is the family. All that could have raised an alarm belongs to it: drop quiet grids first and q is too \
            small.",
            "分区就是检验族。凡是可能报警的都应在内：若先去掉平静的网格，q 会偏小。",
        ),
        Words::new(
            "Over time steps take one family a step, as ArcGIS does: q then speaks of the findings of that step, not of the year.",
            "多个时间步时每步为一族（ArcGIS 亦如此）：q 说的是这一步的发现，而不是全年的。",
        ),
        Words::new(
            "q controls a share, not a number: among no true findings, a family now and then still has one with q < 0.05, in one of \
            twenty families.",
            "q 控制的是比例而非个数：即使毫无真实发现，每二十族中仍会有一族出现 q < 0.05。",
        ),
        Words::new(
            "Proven for independent tests and for positively dependent ones, such as neighbouring grids; for others it is a habit \
            that works.",
            "在检验独立或正相关（如相邻网格）时有证明；其他情形只是经验上可用。",
        ),
        Words::new(
            "An equal p has an equal q. esda's fdr returns one threshold instead (and α/n when nothing passes), so it cannot be \
            compared row by row.",
            "p 相等则 q 相等。esda 的 fdr 返回的是一个阈值（无一通过时返回 α/n），不能逐行比对。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Which categories were above their last four weeks on 28 October, judged one by one and all together?",
            "10 月 28 日哪些类别高于前四周？逐个看与合起来看有何不同？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH daily AS (
  SELECT category_code, CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  GROUP BY 1, 2
),
past AS (
  SELECT category_code, avg(calls) AS mean, greatest(var(calls) / avg(calls), 1.0) AS dispersion
  FROM daily
  WHERE day BETWEEN DATE '2026-09-30' AND DATE '2026-10-27'
  GROUP BY category_code
),
tested AS (
  SELECT daily.category_code, calls, mean, nb_tail(calls, mean, dispersion) AS p
  FROM daily
  JOIN past ON past.category_code = daily.category_code
  WHERE day = DATE '2026-10-28'
)
SELECT row_number() OVER (ORDER BY p, category_code) AS place, category_code, calls, round(mean, 1) AS mean,
  round(p, 5) AS p, round(fdr(p) OVER (), 5) AS q
FROM tested
ORDER BY place",
        shown: 14,
        reads: Words::new(
            "Fourteen categories are judged, so the p of each is weighed against fourteen chances. What is left below 0.05 in q is \
            worth a look.",
            "共检验 14 个类别，所以每个 p 都要放在 14 次机会中衡量。q 仍低于 0.05 的才值得细看。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Lines { x: "place", lines: &["p", "q"] },
            says: Words::new("p and q of the categories, smallest p first", "各类别的 p 与 q，按 p 从小到大"),
        }),
    },
    literature: &[
        "Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal Statistical Society B \
        57(1), 289–300.",
        "Benjamini, Y., Yekutieli, D. (2001). The control of the false discovery rate in multiple testing under dependency. \
        Annals of Statistics 29(4), 1165–1188.",
    ],
};
