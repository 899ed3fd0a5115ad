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
            "Which grids had more calls about water on the roads on 28 and 29 October than their four weeks before, judged one by \
            one and all together?",
            "10 月 28–29 日，哪些网格的道路积水来电多于自身此前四周？逐个看与合起来看有何不同？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH counted AS (
  SELECT grid_id, count(*) FILTER (WHERE called_at >= '2026-10-28T00:00:00+08:00') AS calls,
    count(*) FILTER (WHERE called_at < '2026-10-28T00:00:00+08:00') AS before
  FROM hotline_calls
  WHERE category_code = '道路积水' AND called_at >= '2026-09-30T00:00:00+08:00' AND called_at < '2026-10-30T00:00:00+08:00'
  GROUP BY grid_id
),
compared AS (
  SELECT grids.grid_id, name_zh, coalesce(calls, 0) AS calls, (coalesce(before, 0) + 0.5) / 14 AS mean
  FROM grids
  LEFT JOIN counted ON counted.grid_id = grids.grid_id
  WHERE finest
),
tested AS (
  SELECT *, nb_tail(calls, mean, dispersion => 1.5) AS p
  FROM compared
),
corrected AS (
  SELECT *, fdr(p) OVER () AS q
  FROM tested
)
SELECT row_number() OVER (ORDER BY p, grid_id) AS place, grid_id, name_zh, calls, round(mean, 2) AS mean, round(p, 7) AS p, round(q, 6) AS q
FROM corrected
ORDER BY place
LIMIT 20",
        shown: 10,
        reads: Words::new(
            "120 grids are judged, so six would have p < 0.05 if nothing had happened. q tells the flooded ones from those six. All \
            120 must go in: fdr is taken before the rows are cut to twenty.",
            "共检验 120 个网格，即使平安无事也会有六个 p < 0.05；q 把真正积水的与这六个分开。120 个必须全部参与：先做 fdr，再截取前\
            二十行。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Lines { x: "place", lines: &["p", "q"] },
            says: Words::new("p and q of the twenty grids with the smallest p", "p 最小的二十个网格的 p 与 q"),
        }),
    },
    literature: &[
        "Benjamini, Y., Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal Statistical Society B \
        57(1), 289–300.",
        "Benjamini, Y., Yekutieli, D. (2001). The control of the false discovery rate in multiple testing under dependency. \
        Annals of Statistics 29(4), 1165–1188.",
    ],
};
