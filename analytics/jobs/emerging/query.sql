-- What kind of hot or cold spot is each grid: new, consecutive, intensifying, persistent, diminishing, sporadic, oscillating, historical?
--
-- Getis-Ord Gi* of the counts of each step (14 complete days, or 12 times seven complete days), q over all grids of the finest level
-- within category and step (false discovery rate a step, as ArcGIS does), then one of 17 classes by emerging_hotspot over the steps,
-- of which at least ten with events are needed, else short_history. category '*' is all categories.
-- Where a category has less than one event a step in every two grids the normal approximation of Gi* calls any two cases beside each
-- other hot: such categories are left out. What is too few by day may be enough by week.
-- value: events of the last step; baseline: mean of the steps before; z, q: of the last step; share_hot: of all steps; trend_p:
-- Mann-Kendall of the z. n: grids compared.
--
-- Source: Esri, How Emerging Hot Spot Analysis works (by its published description). Caution: counts, so that a persistent hotspot may
-- be a place where many people are; hotspots tells the excess over the grid's own weeks. Only what has a class is told, and category '*'.
WITH spans (step, days, steps) AS (VALUES ('day', 1, 14), ('week', 7, 12)),
words (class, class_zh) AS (
    VALUES ('new_hot', '新增热点'), ('consecutive_hot', '连续热点'), ('intensifying_hot', '加剧热点'), ('persistent_hot', '持续热点'),
        ('diminishing_hot', '减弱热点'), ('sporadic_hot', '偶发热点'), ('oscillating_hot', '振荡热点'), ('historical_hot', '历史热点'),
        ('new_cold', '新增冷点'), ('consecutive_cold', '连续冷点'), ('intensifying_cold', '加剧冷点'), ('persistent_cold', '持续冷点'),
        ('diminishing_cold', '减弱冷点'), ('sporadic_cold', '偶发冷点'), ('oscillating_cold', '振荡冷点'), ('historical_cold', '历史冷点'),
        ('none', '无明显模式')
),
days AS (
    SELECT
        grid_id,
        coalesce(category, 'unknown') AS category,
        CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - 1 AS age,
        sum(events) AS events
    FROM cell_parts
    WHERE kind IN ('hotline_call', 'grid_report') AND grid_id IN (SELECT grid_id FROM grids WHERE finest)
        AND hour >= local_day(local_day(:as_of) - INTERVAL '85 days' + INTERVAL '12 hours')
        AND hour < local_day(:as_of)
    GROUP BY 1, 2, 3
),
-- Whole steps there are; the oldest day of the history began before it and is not whole.
depth AS (
    SELECT step, days, least(CAST(history / days AS BIGINT), steps) AS steps FROM spans CROSS JOIN (SELECT max(age) AS history FROM days) AS oldest
),
counted AS (
    SELECT grid_id, coalesce(category, '*') AS category, step, steps, back, sum(events) AS events
    FROM (
        SELECT grid_id, category, step, steps, age / depth.days AS back, events
        FROM depth CROSS JOIN days
        WHERE age < steps * depth.days
    ) AS stepped
    GROUP BY GROUPING SETS ((grid_id, category, step, steps, back), (grid_id, step, steps, back))
),
places AS (
    SELECT grid_id, neighbours, count(*) OVER () AS n FROM grids WHERE finest
),
heads AS (
    SELECT category, step, steps, CAST(sum(events) AS DOUBLE) / steps AS everyday FROM counted GROUP BY category, step, steps
),
filled AS (
    SELECT maps.*, coalesce(events, 0) AS events
    FROM (
        SELECT grid_id, neighbours, n, category, step, back
        FROM (SELECT category, step, everyday, unnest(range(0, steps)) AS back FROM heads WHERE steps >= 10) AS steps
        CROSS JOIN places
        WHERE everyday >= 0.5 * n
    ) AS maps
    LEFT JOIN counted
        ON counted.grid_id = maps.grid_id AND counted.category = maps.category AND counted.step = maps.step AND counted.back = maps.back
),
scored AS (
    SELECT *, fdr(gi['p']) OVER (PARTITION BY category, step, back) AS q
    FROM (SELECT *, gi_star(grid_id, events, neighbours) OVER (PARTITION BY category, step, back) AS gi FROM filled) AS stars
),
classed AS (
    SELECT
        grid_id,
        category,
        step,
        n,
        max(events) FILTER (WHERE back = 0) AS events,
        avg(events) FILTER (WHERE back > 0) AS baseline,
        max(gi['z']) FILTER (WHERE back = 0) AS z,
        max(gi['p']) FILTER (WHERE back = 0) AS p,
        max(q) FILTER (WHERE back = 0) AS q,
        emerging_hotspot(gi['z'], q ORDER BY back DESC) AS emerging,
        mann_kendall(gi['z'] ORDER BY back DESC) AS trend
    FROM scored
    GROUP BY grid_id, category, step, n
)
SELECT
    grid_id,
    category,
    step,
    emerging['class'] AS class,
    class_zh,
    replace(emerging['class'], '_', ' ') AS class_en,
    events,
    baseline,
    z,
    p,
    q,
    emerging['share_hot'] AS share_hot,
    trend['z'] AS trend_z,
    trend['p'] AS trend_p,
    emerging['steps'] AS steps,
    n,
    emerging['reason'] AS reason,
    1 AS one,
    coalesce(emerging['class'] <> 'none', false) AS exported
FROM words RIGHT JOIN classed ON words.class = emerging['class']
WHERE category = '*' OR emerging['class'] <> 'none'
