//! What an analyst reads about `space_time_scan`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Is there a cluster of cases now, where, and since when?", "当前是否存在案件聚集？在哪里？从何时开始？"),
    explanation: Words::new(
        "Lays circles of every size around every grid, each over the last 1, 2, … max_days days, and finds the cylinder whose \
        cases are least explained by how busy its grids and its days are anyway. The days are then dealt over the cases at \
        random, replications times, to see how high the best cylinder of chance alone would reach. It needs cases only, no \
        population. Rows come best first; later ones share no grid with a better one.",
        "以每个网格为圆心画各种大小的圆，时间取最近 1、2、……、max_days 天，找出最不能由“本来就忙的地方、本来就忙的日子”解释的圆\
        柱；再把日期随机发给各案件，重复 replications 次，看纯属偶然时最强的圆柱能有多高。只需案件，不需人口。结果按强弱排列，\
        后面的与更强的不共用网格。",
    ),
    formula: "μ = C_zone · C_window / C  (C: all cases)\n\
        LLR = c ln(c / μ) + (C − c) ln((C − c) / (C − μ))  if c > μ and c ≥ 2, else 0\n\
        p_value = (1 + #{replicates with max LLR ≥ LLR}) / (R + 1)\n\
        p_gumbel = 1 − exp(−exp((m − LLR) / β)),  β = sd √6 / π,  m = mean − 0.5772 β  (mean, sd of the replicates' maxima)\n\
        recurrence_interval_days = 1 / p_value",
    results: &[
        Meaning::new("rank", Unit::None, "1 for the best", "1 为最强"),
        Meaning::new("center", Unit::None, "the grid in the middle of the circle", "圆心网格"),
        Meaning::new("grids", Unit::None, "the grids of the circle, nearest first", "圆内网格，由近及远"),
        Meaning::new("radius", Unit::Radius, "from the centre to the farthest of them", "圆心到最远网格的距离"),
        Meaning::new(
            "start_day",
            Unit::Days,
            "first day of the window, as `day` counts; to_timestamp(start_day * 86400) where day is a date",
            "窗口首日，与 day 同一计数；day 为日期时可用 to_timestamp(start_day * 86400) 还原",
        ),
        Meaning::new("end_day", Unit::Days, "last day of the window: the newest day or as_of", "窗口末日：最新日或 as_of"),
        Meaning::new("observed", Unit::Cases, "cases of the cylinder", "圆柱内案件数"),
        Meaning::new("expected", Unit::Cases, "μ: what its grids and its days let expect", "μ：按其网格与日期应有的案件数"),
        Meaning::new("llr", Unit::None, "log likelihood ratio", "对数似然比"),
        Meaning::new(
            "p_value",
            Unit::Share,
            "of the Monte Carlo test, already corrected for all circles and windows",
            "蒙特卡洛 p 值，已对全部圆与窗口做过校正",
        ),
        Meaning::new(
            "p_gumbel",
            Unit::Share,
            "the tail of a Gumbel distribution fitted to the replicates, for p below 1/(R + 1)",
            "对模拟最大值拟合 Gumbel 分布所得的尾概率，用于小于 1/(R + 1) 的 p",
        ),
        Meaning::new(
            "recurrence_interval_days",
            Unit::Days,
            "days between two such alarms by chance, for one scan a day",
            "每日扫描一次时，偶然出现此类警报的平均间隔",
        ),
    ],
    undefined: &[
        Undefined::when(
            "No row where there is no case, or no cylinder with at least 2 cases and more than expected: the list is empty. \
            p_gumbel is NULL where the replicates do not vary.",
            "没有案件，或没有案件数不少于 2 且多于期望的圆柱时，列表为空。模拟最大值毫无差异时 p_gumbel 为 NULL。",
        ),
        Undefined::when("A row with a NULL part is left out: missing is not zero.", "任一列为 NULL 的行不参与计算：缺失不等于零。"),
    ],
    cautions: &[
        Words::new(
            "Give every grid a row, with 0 cases on a day without any, or circles pass over it as if it were not there.",
            "每个网格都要有行（没有案件的日子记 0），否则圆会当它不存在。",
        ),
        Words::new(
            "Only what changed counts: a grid busy all the time, or a day busy everywhere, is no cluster. But a feed that starts \
            late, or grids that grow unevenly over a long study period, look like one: take weeks to a few months.",
            "只有变化才算：一直忙的网格、处处都忙的日子都不是聚集。但中途接入的数据源，或长期内各网格增长不均，会像聚集：研究期取数\
            周到数月为宜。",
        ),
        Words::new("The newest day must be complete, alike for all grids.", "最新一天必须完整，且各网格一致。"),
        Words::new(
            "A daily scan at recurrence interval 365 raises about one false alarm a year, for each category scanned. Fourteen \
            categories: fourteen a year.",
            "以 365 天为阈值每日扫描，每个类别每年约误报一次；十四个类别就是十四次。",
        ),
        Words::new(
            "p_value cannot fall below 1/(R + 1): rank the strongest by p_gumbel.",
            "p_value 不会小于 1/(R + 1)：最强的几个请按 p_gumbel 排序。",
        ),
        Words::new(
            "p of a lower rank is that of the best cylinder of chance: conservative for second places.",
            "次要聚集的 p 也是与偶然情形下的最强圆柱相比，偏保守。",
        ),
        Words::new(
            "The circle says about where: its edge grids may be ordinary. jobs.clusters shows each with its cases.",
            "圆只说明大致位置：边缘网格可能本属正常。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Was there a cluster of illegal parking on 26 October? An event had begun in the centre the day before.",
            "10 月 26 日是否有乱停乱放聚集？前一天市中心有活动开始。",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH days AS (
  SELECT DISTINCT CAST(day AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day
  FROM grid_days
),
counted AS (
  SELECT grid_id, CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '乱停乱放'
  GROUP BY 1, 2
),
cases AS (
  SELECT grids.grid_id, lon, lat, days.day, coalesce(calls, 0) AS calls
  FROM grids
  CROSS JOIN days
  LEFT JOIN counted ON counted.grid_id = grids.grid_id AND counted.day = days.day
  WHERE finest
),
found AS (
  SELECT unnest(space_time_scan(grid_id, lon, lat, day, calls, max_radius => 3, as_of => DATE '2026-10-26')) AS cluster
  FROM cases
)
SELECT (cluster).rank AS rank, array_to_string((cluster).grids, ' ') AS grids, round((cluster).radius, 2) AS radius_km,
  CAST(to_timestamp((cluster).start_day * 86400) AS DATE) AS since, (cluster).observed AS observed,
  round((cluster).expected, 1) AS expected, round((cluster).llr, 2) AS llr, (cluster).p_value AS p_value,
  CAST(round((cluster).recurrence_interval_days) AS BIGINT) AS interval_days
FROM found
ORDER BY rank",
        shown: 5,
        reads: Words::new(
            "The first cluster beats all 999 replicates: p_value is the least there can be. The others are what chance brings on \
            any day; a p near 1 says so.",
            "第一个聚集胜过全部 999 次模拟，p_value 已是最小值。其余只是任何一天都可能偶然出现的，p 接近 1 正说明这一点。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Classes { grid: "grids", class: "rank" },
            says: Words::new("the grids of each cluster by rank", "各聚集所含网格，按名次"),
        }),
    },
    literature: &[
        "Kulldorff, M., Heffernan, R., Hartman, J., Assunção, R., Mostashari, F. (2005). A space–time permutation scan \
        statistic for disease outbreak detection. PLoS Medicine 2(3), e59.",
        "Abrams, A. M., Kleinman, K., Kulldorff, M. (2010). Gumbel based p-value approximations for spatial scan statistics. \
        International Journal of Health Geographics 9, 61.",
        "SaTScan User Guide (ties, secondary clusters, recurrence intervals).",
    ],
};
