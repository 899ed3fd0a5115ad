//! What an analyst reads about `emerging_hotspot`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "What kind of hot or cold spot is a grid over time: new, consecutive, intensifying, persistent, and so on?",
        "该网格在时间上属于哪类热点或冷点：新增、连续、加剧、持续等？",
    ),
    explanation: Words::new(
        "Reads the history of a grid's Gi* scores step by step and names it: one of eight hot classes, eight cold ones, or \
        none. A step is hot if q < 0.05 and z > 0, cold if q < 0.05 and z < 0. The final step decides the side; the first rule \
        that fits decides the class.",
        "逐步读取网格的 Gi* 得分历史并归类：八种热点、八种冷点或无。某步 q < 0.05 且 z > 0 为热，q < 0.05 且 z < 0 为冷。由最后\
        一步决定冷热，由首条符合的规则决定类别。",
    ),
    formula: "final step neither:        hot in ≥ 90 % of steps → historical, else none\n\
        final step hot, ≥ 90 % hot: z rising (p < 0.05) → intensifying, falling → diminishing, else persistent\n\
        final step hot, < 90 % hot: first hot step → new;  one run of ≥ 2 to the end → consecutive;  ever cold before → oscillating;  else → sporadic\n\
        cold: the same with signs turned",
    results: &[
        Meaning::new(
            "class",
            Unit::None,
            "new, consecutive, intensifying, persistent, diminishing, sporadic, oscillating or historical, then _hot or _cold; or \
            none",
            "类别：new 新增、consecutive 连续、intensifying 加剧、persistent 持续、diminishing 减弱、sporadic 零星、oscillating 振\
            荡、historical 历史，后接 _hot 或 _cold；或 none 无",
        ),
        Meaning::new("share_hot", Unit::Share, "hot steps among all steps", "热点步数所占比例"),
        Meaning::new("steps", Unit::Bins, "steps with z and q", "有 z 与 q 的步数"),
        Meaning::new("reason", Unit::None, "why class is NULL", "class 为 NULL 的原因"),
    ],
    undefined: &[Undefined::because(Reason::ShortHistory, "Fewer than 10 steps have z and q.", "有 z 与 q 的步数不足 10 步。")],
    cautions: &[
        Words::new(
            "q must come from fdr over the grids of each step: fdr(p) OVER (PARTITION BY step).",
            "q 应为对每一步全部网格做 fdr 的结果：fdr(p) OVER (PARTITION BY step)。",
        ),
        Words::new(
            "Classes speak of the steps chosen: with days a grid flickers, with weeks it persists. Name the step beside the class.",
            "类别取决于所选步长：按日会闪烁，按周则成持续。引用类别时须写明步长。",
        ),
        Words::new(
            "A step whose z or q is NULL is left out, so the final step is the last one known.",
            "z 或 q 为 NULL 的步被略去，因此“最后一步”是最后一个已知步。",
        ),
        Words::new(
            "Never let neighbours in time lie after the step: it leaks the future, and yesterday's class changes tomorrow.",
            "时间邻域绝不可取到该步之后：那会泄漏未来，昨天的类别明天还会变。",
        ),
        Words::new(
            "Esri's text leaves cases open; here a former cold spot that is hot for the first time is new, and the final step \
            decides the side. Not compared with ArcGIS output.",
            "Esri 的文字说明有未尽之处；本函数规定：曾为冷点、首次变热记为 new，冷热以最后一步为准。未与 ArcGIS 输出比对。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "What kind of spot was each grid for water on the roads, in fourteen steps of three days up to 30 October?",
            "截至 10 月 30 日，以三天为一步共十四步，各网格的道路积水属于哪类热点？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH counted AS (
  SELECT grid_id, CAST(floor(date_part('epoch', called_at AT TIME ZONE 'Asia/Shanghai') / 86400 / 3) AS BIGINT) AS step, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水' AND called_at < '2026-10-31T00:00:00+08:00'
  GROUP BY 1, 2
),
maps AS (
  SELECT steps.step, grids.grid_id, name_zh, neighbours, coalesce(calls, 0) AS calls
  FROM grids
  CROSS JOIN (SELECT DISTINCT step FROM counted) AS steps
  LEFT JOIN counted ON counted.grid_id = grids.grid_id AND counted.step = steps.step
  WHERE finest
),
scored AS (
  SELECT *, gi_star(grid_id, calls, neighbours) OVER (PARTITION BY step) AS hot
  FROM maps
),
tested AS (
  SELECT *, fdr((hot).p) OVER (PARTITION BY step) AS q
  FROM scored
),
classes AS (
  SELECT grid_id, name_zh, sum(calls) AS calls, emerging_hotspot((hot).z, q ORDER BY step) AS e,
    array_agg(CASE WHEN q < 0.05 AND (hot).z > 0 THEN 'H' WHEN q < 0.05 THEN 'C' ELSE '.' END ORDER BY step) AS history
  FROM tested
  GROUP BY grid_id, name_zh
)
SELECT grid_id, name_zh, calls, array_to_string(history, '') AS history, (e).class AS class, round((e).share_hot, 2) AS share_hot
FROM classes
WHERE (e).share_hot > 0
ORDER BY (e).class = 'none', class, share_hot DESC, grid_id",
        shown: 14,
        reads: Words::new(
            "The history shows what the class sums up: H hot, C cold, a dot neither. Grids that were hot in an earlier cloudburst \
            but not in the final step have class none, however often it was; the map shows where the water stands now.",
            "history 一列可见类别由何而来：H 热，C 冷，点为无。此前暴雨时曾热、最后一步不热的网格，无论热过几次都归为 none；图上显\
            示的是眼下的热点。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Classes { grid: "grid_id", class: "class" },
            says: Words::new("the class of each grid that was ever hot", "曾为热点的网格所属类别"),
        }),
    },
    literature: &[
        "Esri. How Emerging Hot Spot Analysis works. ArcGIS Pro documentation (the definitions of the classes).",
        "Ord, J. K., Getis, A. (1995). Geographical Analysis 27(4), 286–306.",
        "Mann, H. B. (1945). Econometrica 13(3), 245–259.",
    ],
};
