//! What an analyst reads about `gi_star`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "Where are high values (hot) or low values (cold) together, compared with the whole map?",
        "哪些网格及其邻居的数值明显高于（热点）或低于（冷点）全市？",
    ),
    explanation: Words::new(
        "Each grid is judged together with its neighbours: their sum is compared with what as many grids would have if the \
        values lay on the map at random. z above 0 is a hot neighbourhood, z below 0 a cold one. On a map without any pattern \
        one grid in twenty still has |z| above 1.96, so take p through fdr before calling a grid hot.",
        "把每个网格与其邻居合在一起看：邻域之和，与数值随机散布于全图时同样多网格的应有之和相比。z 为正是热点邻域，为负是冷点邻\
        域。即使全图毫无规律，约每二十个网格仍会有一个 |z| 超过 1.96，所以判定热点之前应先用 fdr 校正 p 值。",
    ),
    formula: "Gi*ᵢ = (Σⱼ wᵢⱼ xⱼ − x̄ Wᵢ) / (S √((n Σⱼ wᵢⱼ² − Wᵢ²) / (n − 1)))\n\
        Wᵢ = Σⱼ wᵢⱼ,  wᵢⱼ = 1 (j = i or j ∈ neighboursᵢ), else 0\n\
        x̄ = Σx / n,  S² = Σx² / n − x̄²\n\
        p = 2 (1 − Φ(|z|))",
    results: &[
        Meaning::new(
            "z",
            Unit::None,
            "Gi*: standard deviations the neighbourhood lies above (+) or below (−) what chance would give",
            "Gi*：邻域之和高于（+）或低于（−）随机情形多少个标准差",
        ),
        Meaning::new("p", Unit::Share, "two-sided, of this one grid, by the normal curve", "该网格自身的双侧 p 值（正态近似）"),
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
        Words::new(
            "z is that of the neighbourhood: a grid without a single case is hot if its neighbours are. local_moran tells such \
            grids apart.",
            "z 说的是邻域：自身一件也没有的网格，只要邻居高也会是热点。要区分这类网格请用 local_moran。",
        ),
        Words::new(
            "Counts follow people: a map of raw counts shows where they live. Divide by residents, or compare each grid with its \
            own past, as jobs.hotspots does.",
            "件数随人口走：直接用件数，得到的往往是人口分布图。请除以常住人口，或与各网格自身的过去相比（jobs.hotspots 即如此）。",
        ),
        Words::new(
            "The normal curve is a poor guide where counts are sparse or skewed or neighbours few: one crowded grid then makes its \
            whole surroundings significant. gi_star_permutation gives p without it.",
            "计数稀疏、分布偏斜或邻居很少时，正态近似并不可靠：一个特别高的网格会使周围都“显著”。此时用 gi_star_permutation 求 p 值。",
        ),
        Words::new(
            "p is that of one grid. Over a map take fdr, one family a map; over time steps one family a step. The z and p that \
            ArcGIS shows are not corrected either, only its Gi_Bin is.",
            "p 值只针对单个网格。整张图须用 fdr 校正，每张图为一族；多个时间步则每步为一族。ArcGIS 给出的 z、p 同样未经校正，只有 \
            Gi_Bin 做了 FDR 校正。",
        ),
        Words::new(
            "Weights are 1 or 0 and the grid itself counts, hence the star. Row-standardized weights give the same z; the branch \
            transform=\"R\" of Python's esda does not, because it puts Σw where Σw² belongs.",
            "权重取 1 或 0，并计入网格自身（即“星号”）。行标准化不改变 z；Python esda 的 transform=\"R\" 分支误把 Σw² 写作 Σw，结果\
            不同，不可作为对照。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Where was water on the roads in the last week of October? The city was hit by a cloudburst on the 28th.",
            "十月最后一周哪里道路积水？28 日有一场暴雨。",
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
  SELECT *, gi_star(grid_id, calls, neighbours) OVER () AS hot
  FROM map
)
SELECT grid_id, name_zh, calls, round((hot).z, 2) AS z, round((hot).p, 9) AS p, round(fdr((hot).p) OVER (), 7) AS q
FROM scored
ORDER BY z DESC, grid_id",
        shown: 10,
        reads: Words::new(
            "Two grids had the water; the grids around them are hot because of them, some with hardly a call of their own. Read a \
            hot spot as \"around here\", then look at the counts.",
            "真正积水的是两个网格；周围网格因它们而“热”，有的自身几乎没有来电。热点应读作“这一带”，再回头看各格件数。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Map { grid: "grid_id", value: "z" },
            says: Words::new("z of each grid: the redder, the hotter the neighbourhood", "各网格的 z：颜色越红，邻域越热"),
        }),
    },
    literature: &[
        "Getis, A., Ord, J. K. (1992). The analysis of spatial association by use of distance statistics. Geographical Analysis \
        24(3), 189–206.",
        "Ord, J. K., Getis, A. (1995). Local spatial autocorrelation statistics: distributional issues and an application. \
        Geographical Analysis 27(4), 286–306, equation 14.",
    ],
};
