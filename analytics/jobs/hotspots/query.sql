-- Getis-Ord Gi* over the grids of the finest level, with Benjamini-Hochberg q within each category, period and measure.
--
-- measure = 'count' asks where it is hot: events of the last 24 hours or 7 days, the present hour as far as it has come.
-- measure = 'excess' asks where it is hotter than usual: the same events against the mean of the same hours of the week in the up
-- to four weeks before, as 2 (sqrt(events + 3/8) - sqrt(baseline + 3/8)), which has variance 1 for Poisson counts (Anscombe 1948).
-- With less than two weeks before the period it is undefined: short_history. (The small side of a cross join stands first: the
-- engine makes a batch for each of its rows.)
WITH clock AS (
    SELECT
        date_trunc('hour', :as_of) AS this_hour,
        CAST(round(1000000 * (date_part('epoch', :as_of) - date_part('epoch', date_trunc('hour', :as_of)))) AS BIGINT) AS elapsed
),
periods (period, hours) AS (VALUES ('24h', 24), ('7d', 168)),
recent AS (
    SELECT
        grid_id,
        coalesce(category, 'unknown') AS category,
        CAST((date_part('epoch', this_hour) - date_part('epoch', hour)) / 3600 AS BIGINT) AS age,
        sum(events) AS events
    FROM clock CROSS JOIN cell_parts
    WHERE kind IN ('hotline_call', 'grid_report')
        AND grid_id IS NOT NULL
        AND hour > date_trunc('hour', :as_of) - INTERVAL '840 hours'
        AND hour <= :as_of
    GROUP BY 1, 2, 3
),
depth AS (
    SELECT period, hours, greatest(least(CAST((history - hours) / 168 AS BIGINT), 4), 0) AS weeks
    FROM periods CROSS JOIN (SELECT coalesce(max(age), 0) + 1 AS history FROM recent) AS oldest
),
counted AS (
    SELECT
        grid_id,
        category,
        period,
        sum(CASE WHEN age < hours THEN events ELSE 0 END) AS events,
        -- In events times microseconds of their hours, whole numbers, so that the order of the rows leaves no trace in the sum.
        sum(CASE WHEN age >= 168 AND age < 168 * weeks + hours AND age % 168 < hours
            THEN events * (CASE WHEN age % 168 = 0 THEN elapsed ELSE 3600000000 END) ELSE 0 END) AS before
    FROM clock CROSS JOIN depth CROSS JOIN recent
    GROUP BY grid_id, category, period, weeks
),
all_categories AS (
    SELECT grid_id, category, period, events, before FROM counted
    UNION ALL
    SELECT grid_id, '*' AS category, period, sum(events) AS events, sum(before) AS before FROM counted GROUP BY grid_id, period
),
places AS (
    SELECT places.grid_id, places.neighbours, heads.category, heads.period, heads.weeks
    FROM (
        SELECT category, depth.period, depth.weeks FROM depth CROSS JOIN (SELECT DISTINCT category FROM all_categories) AS categories
    ) AS heads
    CROSS JOIN (SELECT grid_id, neighbours FROM grids WHERE finest) AS places
),
filled AS (
    SELECT
        places.grid_id,
        places.neighbours,
        places.category,
        places.period,
        CAST(coalesce(events, 0) AS BIGINT) AS events,
        CASE WHEN weeks >= 2 THEN coalesce(before, 0) / 3600000000.0 / weeks END AS baseline
    FROM places
    LEFT JOIN all_categories
        ON all_categories.grid_id = places.grid_id AND all_categories.category = places.category AND all_categories.period = places.period
),
valued AS (
    SELECT *, 'count' AS measure, CAST(events AS DOUBLE) AS value FROM filled
    UNION ALL
    SELECT *, 'excess' AS measure, 2.0 * (sqrt(events + 0.375) - sqrt(baseline + 0.375)) AS value FROM filled
),
scored AS (
    SELECT
        *,
        gi_star(grid_id, value, neighbours) OVER (PARTITION BY category, period, measure) AS gi,
        count(value) OVER (PARTITION BY category, period, measure) AS n
    FROM valued
),
tested AS (
    SELECT *, fdr(gi['p']) OVER (PARTITION BY category, period, measure) AS q FROM scored
)
SELECT
    grid_id,
    category,
    period,
    measure,
    events,
    baseline,
    value,
    gi['z'] AS z,
    gi['p'] AS p,
    q,
    n,
    CASE WHEN measure = 'excess' AND baseline IS NULL THEN 'short_history' ELSE gi['reason'] END AS reason,
    coalesce(gi['z'] > 0 AND q < 0.05, false) AS hot,
    category = '*' OR coalesce(gi['z'] > 0 AND q < 0.05, false) AS exported
FROM tested
WHERE category = '*' OR events > 0 OR q < 0.05
