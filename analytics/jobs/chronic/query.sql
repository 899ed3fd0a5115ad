-- Which grids stay hot about the same matter, week after week or month after month? Each grid and category that was hot in one of the
-- last 12 whole weeks (seven complete days) or the last 4 whole months (30 complete days).
--
-- Hot: Getis-Ord Gi* of the step's counts above 0 with q < 0.05 over all grids of the finest level within category and step; the normal
-- approximation of Gi* needs one event in every two grids, steps with less are nowhere hot. chronic: hot in at least 6 of 12 weeks, or in
-- at least 3 of 4 months. value: hot weeks, of n weeks looked at; months_hot, of n_months. persistence: share of the n weeks in which the
-- grid had a contact about it; low and high: Wilson's 95 % bounds of the share of hot weeks. events: contacts of those weeks;
-- baseline: their mean over all grids; q: of the newest week. While there are fewer weeks, what is not chronic yet has short_history.
-- category '*' is all categories.
--
-- Source: chronic places of citizen hotlines (治理类街乡镇, 每月一题); Getis and Ord 1992. Cautions: counts, so a chronic grid may be one
-- with many people; twelve weeks tested one by one let chance make 6 of them hot in no grid of a million. Reads 121 days of cells,
-- whatever the history.
WITH spans (step, days, steps) AS (VALUES ('week', 7, 12), ('month', 30, 4)),
days AS (
    SELECT
        grid_id,
        coalesce(category, 'unknown') AS category,
        CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - 1 AS age,
        sum(events) AS events
    FROM cell_parts
    WHERE kind IN ('hotline_call', 'grid_report') AND grid_id IN (SELECT grid_id FROM grids WHERE finest)
        AND hour >= local_day(local_day(:as_of) - INTERVAL '121 days' + INTERVAL '12 hours')
        AND hour < local_day(:as_of)
    GROUP BY 1, 2, 3
),
-- Whole steps there are; the oldest day of the history began before it and is not whole.
depth AS (
    SELECT step, days, least(CAST(history / days AS BIGINT), steps) AS steps
    FROM spans CROSS JOIN (SELECT max(age) AS history FROM days) AS oldest
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
filled AS (
    SELECT maps.*, coalesce(counted.events, 0) AS events
    FROM (
        SELECT grid_id, neighbours, places.n AS grids, category, step, steps, back, total >= 0.5 * places.n AS dense
        FROM (SELECT category, step, steps, back, sum(events) AS total FROM counted GROUP BY category, step, steps, back) AS maps
        CROSS JOIN (SELECT grid_id, neighbours, count(*) OVER () AS n FROM grids WHERE finest) AS places
    ) AS maps
    LEFT JOIN counted
        ON counted.grid_id = maps.grid_id AND counted.category = maps.category AND counted.step = maps.step AND counted.back = maps.back
),
tested AS (
    SELECT *, fdr((gi).p) OVER (PARTITION BY category, step, back) AS q
    FROM (SELECT *, gi_star(grid_id, events, neighbours) OVER (PARTITION BY category, step, back) AS gi FROM filled) AS stars
),
-- A step without any event of the category has no row: how many were looked at is known from the depth.
shares AS (
    SELECT
        grid_id,
        category,
        grids,
        count(*) FILTER (WHERE step = 'week' AND hot) AS weeks_hot,
        count(*) FILTER (WHERE step = 'month' AND hot) AS months_hot,
        count(*) FILTER (WHERE step = 'week' AND events > 0) AS weeks_with,
        coalesce(sum(events) FILTER (WHERE step = 'week'), 0) AS events,
        max((gi).z) FILTER (WHERE step = 'week' AND back = 0) AS z,
        max(q) FILTER (WHERE step = 'week' AND back = 0) AS q
    FROM (SELECT *, coalesce(dense AND (gi).z > 0 AND q < 0.05, false) AS hot FROM tested) AS judged
    GROUP BY grid_id, category, grids
),
looked AS (
    SELECT max(steps) FILTER (WHERE step = 'week') AS weeks, max(steps) FILTER (WHERE step = 'month') AS months FROM depth
)
SELECT
    grid_id,
    category,
    weeks_hot AS value,
    weeks AS n,
    months_hot,
    months AS n_months,
    CAST(weeks_with AS DOUBLE) / weeks AS persistence,
    (wilson(weeks_hot, weeks)).low AS low,
    (wilson(weeks_hot, weeks)).high AS high,
    events,
    baseline,
    z,
    q,
    weeks_hot >= 6 OR months_hot >= 3 AS chronic,
    CASE WHEN (weeks < 12 OR months < 4) AND weeks_hot < 6 AND months_hot < 3 THEN 'short_history' END AS reason
FROM (SELECT *, CAST(sum(events) OVER (PARTITION BY category) AS DOUBLE) / grids AS baseline FROM looked CROSS JOIN shares) AS told
WHERE weeks_hot > 0 OR months_hot > 0
