//! What an analyst reads about `gi_star_permutation`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "Is a grid hot or cold compared with random rearrangements of the map? For few neighbours and sparse counts.",
        "与随机重排相比该网格是否为热点或冷点？适用于邻居少、计数稀疏的情形。",
    ),
    explanation: Words::new(
        "z is that of gi_star. p asks no normal curve: the grid keeps its own value, the values of all other grids are dealt \
        over its neighbours again and again, and p is the share of deals at least as extreme as what was seen, on the side of \
        z.",
        "z 与 gi_star 相同；p 不依赖正态近似：网格自身数值保持不变，把其余网格的数值一次次随机发给它的邻居，p 就是在 z 所在一侧、\
        至少与实际同样极端的重排所占的比例。",
    ),
    formula: "p = (M + 1) / (R + 1)\n\
        M = #{r : Σⱼ wᵢⱼ x⁽ʳ⁾ⱼ ≥ Σⱼ wᵢⱼ xⱼ}  (hot side; ≤ on the cold side; the smaller of the two)",
    results: &[
        Meaning::new("z", Unit::None, "Gi*, as gi_star gives it", "Gi*，与 gi_star 相同"),
        Meaning::new(
            "p",
            Unit::Share,
            "one-sided, toward the side of the smaller tail; at least 1/(R + 1)",
            "单侧 p 值（取较小的一尾）；最小为 1/(R + 1)",
        ),
        Meaning::new("reason", Unit::None, "why z and p are NULL", "z、p 为 NULL 的原因"),
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
            "All values of the partition are equal, or there is one grid only.",
            "分区内所有数值相同，或只有一个网格。",
        ),
        Undefined::because(
            Reason::AllGrids,
            "The grid and its neighbours are the whole map: nothing is left to compare with.",
            "该网格与其邻居就是全图，没有可比较的其余部分。",
        ),
    ],
    cautions: &[
        Words::new("p is one-sided: double it before comparing it with p of gi_star.", "p 为单侧：与 gi_star 的 p 比较前应乘以 2。"),
        Words::new(
            "p cannot fall below 1/(R + 1). Over 1,000 grids fdr needs about p < 0.05/1,000 for a first discovery, which 999 \
            permutations cannot show: take permutations => 99999.",
            "p 不会小于 1/(R + 1)。1000 个网格做 fdr 时，首个发现约需 p < 0.05/1000，999 次重排达不到：请取 permutations => 99999。",
        ),
        Words::new(
            "The own value is held: only the neighbours are tested. A single high grid among ordinary neighbours is an outlier, not \
            a hot spot.",
            "自身数值固定不动，检验的只是邻居。普通邻居中的单个高值是离群值，不是热点。",
        ),
        Words::new(
            "The same seed gives the same p in any order of rows and on any number of threads; another seed gives another p, within \
            √(p(1 − p)/R).",
            "相同种子在任何行序、任何线程数下给出相同的 p；换种子 p 会变动，幅度约为 √(p(1 − p)/R)。",
        ),
        Words::new(
            "Ties count as extreme on both sides. esda leaves them out on the low side and so has smaller p for cold spots.",
            "相等的情形在两侧都计为极端；esda 在低侧不计，故其冷点 p 值偏小。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "How far does p of the normal curve go wrong on the sparse map of gi_star's example?",
            "在 gi_star 例子的稀疏地图上，正态近似的 p 值偏离多少？",
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
  SELECT *, gi_star(grid_id, calls, neighbours) OVER () AS normal,
    gi_star_permutation(grid_id, calls, neighbours, permutations => 9999) OVER () AS dealt
  FROM map
)
SELECT row_number() OVER (ORDER BY (normal).z DESC, grid_id) AS place, grid_id, calls, round((normal).z, 2) AS z,
  round((normal).p / 2, 9) AS p_normal, round((dealt).p, 5) AS p_dealt
FROM scored
ORDER BY place
LIMIT 20",
        shown: 10,
        reads: Words::new(
            "Both p are one-sided. The normal curve makes the hottest neighbourhoods look thousands of times rarer than they are: \
            few grids hold nearly all the calls, and any grid that happens to touch one of them gets a high sum.",
            "两列 p 均为单侧。正态近似把最热的邻域说得比实际罕见成千上万倍：来电几乎全集中在少数网格，任何网格只要与其中一个相邻，\
            邻域之和就很高。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Lines { x: "place", lines: &["p_normal", "p_dealt"] },
            says: Words::new("p by the normal curve and by dealing, from the hottest grid on", "从最热的网格起，正态近似与随机重排的 p 值"),
        }),
    },
    literature: &[
        "Ord, J. K., Getis, A. (1995). Local spatial autocorrelation statistics. Geographical Analysis 27(4), 286–306.",
        "Anselin, L. (1995). Local indicators of spatial association – LISA. Geographical Analysis 27(2), 93–115 (conditional \
        permutation).",
        "Davison, A. C., Hinkley, D. V. (1997). Bootstrap Methods and their Application, section 4.2 (the + 1). Cambridge \
        University Press.",
    ],
};
