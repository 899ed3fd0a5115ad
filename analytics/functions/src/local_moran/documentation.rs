//! What an analyst reads about `local_moran`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Is a grid like its neighbours (cluster) or unlike them (outlier)?", "该网格与邻居相似（聚集）还是相异（离群）？"),
    explanation: Words::new(
        "Compares a grid's own value with the mean of its neighbours. z above 0: like them, both high (high_high) or both low \
        (low_low). z below 0: unlike them, a high grid among low ones (high_low) or a low one among high ones (low_high).",
        "比较网格自身数值与邻居均值。z 为正表示相似：同高（high_high）或同低（low_low）；z 为负表示相异：低值之中的高值（\
        high_low），或高值之中的低值（low_high）。",
    ),
    formula: "Iᵢ = (zᵢ / m₂) · (Σⱼ zⱼ) / kᵢ,  zᵢ = xᵢ − x̄,  m₂ = Σ z² / n,  j ∈ neighboursᵢ\n\
        E = −zᵢ² / (m₂ (n − 1))\n\
        Var = (zᵢ / m₂)² · n / (n − 2) · (1 / kᵢ − 1 / (n − 1)) · (m₂ − zᵢ² / (n − 1))\n\
        z = (Iᵢ − E) / √Var,  p = 2 (1 − Φ(|z|))",
    results: &[
        Meaning::new("i", Unit::None, "local Moran's I", "局部 Moran's I"),
        Meaning::new(
            "z",
            Unit::None,
            "its score under random labelling, the own value kept",
            "固定自身数值、随机置换其余数值时的标准化得分",
        ),
        Meaning::new("p", Unit::Share, "two-sided, of this one grid", "该网格自身的双侧 p 值"),
        Meaning::new(
            "quadrant",
            Unit::None,
            "high_high, low_low, high_low or low_high: the grid, then its neighbours, against the mean",
            "high_high、low_low、high_low、low_high：先网格、后邻居，各与全图均值比",
        ),
        Meaning::new("reason", Unit::None, "why z is NULL", "z 为 NULL 的原因"),
    ],
    undefined: &[
        Undefined::because(
            Reason::MissingValue,
            "The value is NULL: missing is not zero. Where no case means zero, say so with coalesce.",
            "数值为 NULL：缺失不等于零。若“没有案件”确实就是零，请用 coalesce 写明。",
        ),
        Undefined::because(
            Reason::NotFinite,
            "The value is NaN or infinite; it is treated as missing.",
            "数值为 NaN 或无穷大，按缺失处理。",
        ),
        Undefined::because(Reason::MissingGrid, "grid_id is NULL.", "grid_id 为 NULL。"),
        Undefined::because(
            Reason::DuplicateGrid,
            "The grid stands in the partition more than once, so it has no one value: aggregate first, or add what tells the rows \
            apart to PARTITION BY.",
            "同一分区内该网格出现多次，没有唯一数值：请先聚合，或把区分各行的列加入 PARTITION BY。",
        ),
        Undefined::because(
            Reason::ZeroVariance,
            "All values of the partition are equal, or there is one grid only. Or all but the own value are equal: then there is I, \
            but however the others are dealt the neighbours stay the same, and nothing can be scored.",
            "分区内所有数值相同，或只有一个网格；或除自身外其余数值全部相同：此时有 I，但无论如何置换，邻居都不变，无从计分。",
        ),
        Undefined::because(
            Reason::AllGrids,
            "The grid and its neighbours are the whole map: nothing is left to compare with.",
            "该网格与其邻居就是全图，没有可比较的其余部分。",
        ),
        Undefined::because(Reason::NoNeighbours, "No neighbour of the grid has a value.", "该网格没有带数值的邻居。"),
        Undefined::because(
            Reason::AtMean,
            "The own value is the mean: I is 0 and there is no score.",
            "自身数值恰为均值：I 为 0，没有得分。",
        ),
    ],
    cautions: &[
        Words::new(
            "z above 0 does not mean hot: a quiet quarter is a cluster too. Read the quadrant with it.",
            "z 为正不等于热点：安静的片区同样是聚集。须与象限一起读。",
        ),
        Words::new(
            "The quadrant is given for every grid; only where q is small does it mean something.",
            "每个网格都有象限，但只有 q 值小时才有意义。",
        ),
        Words::new(
            "p rests on the normal curve: as with gi_star it is too small where counts are sparse.",
            "p 值依赖正态近似：与 gi_star 一样，计数稀疏时偏小。",
        ),
        Words::new(
            "Neighbouring grids share their neighbours, so findings come in clumps; take fdr over the map and read the clump, not \
            each grid.",
            "相邻网格共享邻居，结果常成片出现：请对全图做 fdr，并把成片结果当作一个来读。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Of the grids in and around the water, which had the water themselves?",
            "积水一带的网格中，哪些是自身积水，哪些只是挨着？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH flooded AS (
  SELECT grid_id, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水' AND called_at >= '2026-10-25T00:00:00+08:00'
  GROUP BY grid_id
),
map AS (
  SELECT grids.grid_id, name_zh, neighbours, coalesce(calls, 0) AS calls
  FROM grids
  LEFT JOIN flooded ON flooded.grid_id = grids.grid_id
  WHERE finest
),
scored AS (
  SELECT *, local_moran(grid_id, calls, neighbours) OVER () AS moran
  FROM map
),
tested AS (
  SELECT *, fdr((moran).p) OVER () AS q
  FROM scored
)
SELECT grid_id, name_zh, calls, (moran).quadrant AS quadrant, round((moran).i, 2) AS i, round((moran).z, 2) AS z, round(q, 7) AS q
FROM tested
WHERE q < 0.05
ORDER BY q, grid_id",
        shown: 10,
        reads: Words::new(
            "The two flooded grids are high_high, and so are neighbours with a few calls of their own. low_high grids have fewer \
            than the mean: they only border the water, which gi_star cannot tell.",
            "两个积水网格为 high_high，自身也有几件来电的邻居亦然；low_high 的网格低于均值，只是挨着积水处——这是 gi_star 分不出来的。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Classes { grid: "grid_id", class: "quadrant" },
            says: Words::new("the quadrant of each grid with q < 0.05", "q < 0.05 的网格所属象限"),
        }),
    },
    literature: &[
        "Anselin, L. (1995). Local indicators of spatial association – LISA. Geographical Analysis 27(2), 93–115.",
        "Sokal, R. R., Oden, N. L., Thomson, B. A. (1998). Local spatial autocorrelation in a biological model. Geographical \
        Analysis 30(4), 331–354 (conditional moments).",
    ],
};
