-- Getis-Ord Gi* over the grids of the finest level, with Benjamini-Hochberg q within each category, period and measure.
--
-- measure = 'count' asks where it is hot: events of the last 24 hours or 7 days, the present hour as far as it has come.
-- measure = 'excess' asks where it is hotter than usual: the same events against the mean of the same hours of the week in the up
-- to four weeks before, as 2 (sqrt(events + 3/8) - sqrt(baseline + 3/8)), which has variance 1 for Poisson counts (Anscombe 1948).
-- With less than two weeks before the period it is undefined: short_history.
--
-- hot: z above 0, q < hotspot_q_max, and a case of its own. Judged is only where the normal approximation of Gi* bears it: with at least
-- hotspot_count_min cases in the grid and its neighbours and hotspot_map_count_min on the whole map (detector_settings by category);
-- else the reason is too_few_cases, z, p and q stand as they are, and nothing is hot. Without that one case in a place that usually has
-- none is hot with all its neighbours. The settings were chosen on 2019 and 2023, years of Taipei's hotline without a labelled day, for
-- about one alarm a look; `make labelled-days` prints what came of them in other years.
--
-- (The small side of a cross join stands first: the engine makes a batch for each of its rows. What a grid has goes to its neighbours
-- before it is counted, because each step that is read twice is run twice.)
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
around AS (
    SELECT
        near AS grid_id,
        category,
        period,
        sum(CASE WHEN near = grid_id THEN events ELSE 0 END) AS events,
        sum(CASE WHEN near = grid_id THEN before ELSE 0 END) AS before,
        sum(events) AS events_around
    FROM (
        SELECT
            all_categories.*,
            unnest(CASE WHEN events <> 0 THEN array_append(neighbours, all_categories.grid_id) ELSE [all_categories.grid_id] END) AS near
        FROM (SELECT grid_id, neighbours FROM grids WHERE finest) AS places
        JOIN all_categories ON all_categories.grid_id = places.grid_id
    ) AS spread
    GROUP BY near, category, period
),
places AS (
    SELECT places.grid_id, places.neighbours, heads.*
    FROM (
        SELECT
            categories.category,
            depth.period,
            depth.weeks,
            coalesce(own.hotspot_count_min, usual.hotspot_count_min) AS count_min,
            coalesce(own.hotspot_map_count_min, usual.hotspot_map_count_min) AS map_count_min,
            coalesce(own.hotspot_q_max, usual.hotspot_q_max) AS q_max
        FROM (SELECT * FROM detector_settings WHERE category = 'default') AS usual
        CROSS JOIN depth
        CROSS JOIN (SELECT DISTINCT category FROM all_categories) AS categories
        LEFT JOIN detector_settings AS own ON own.category = categories.category
    ) AS heads
    CROSS JOIN (SELECT grid_id, neighbours FROM grids WHERE finest) AS places
),
filled AS (
    SELECT
        places.*,
        CAST(coalesce(events, 0) AS BIGINT) AS events,
        CAST(coalesce(events_around, 0) AS BIGINT) AS events_around,
        CASE WHEN weeks >= 2 THEN coalesce(before, 0) / 3600000000.0 / weeks END AS baseline
    FROM places
    LEFT JOIN around ON around.grid_id = places.grid_id AND around.category = places.category AND around.period = places.period
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
        count(value) OVER (PARTITION BY category, period, measure) AS n,
        sum(events) OVER (PARTITION BY category, period, measure) AS events_on_map
    FROM valued
),
tested AS (
    SELECT *, fdr(gi['p']) OVER (PARTITION BY category, period, measure) AS q FROM scored
),
judged AS (
    SELECT
        *,
        CASE
            WHEN measure = 'excess' AND baseline IS NULL THEN 'short_history'
            WHEN gi['z'] IS NULL THEN gi['reason']
            WHEN events_around < count_min OR events_on_map < map_count_min THEN 'too_few_cases'
        END AS reason,
        gi['z'] > 0 AND q < q_max AND events > 0 AND events_around >= count_min AND events_on_map >= map_count_min AS hot
    FROM tested
)
SELECT
    grid_id,
    category,
    period,
    measure,
    events,
    events_around,
    baseline,
    value,
    gi['z'] AS z,
    gi['p'] AS p,
    q,
    n,
    reason,
    coalesce(hot, false) AS hot,
    CASE WHEN hot THEN 1 ELSE 0 END AS one,
    category = '*' OR coalesce(hot, false) AS exported
FROM judged
WHERE category = '*' OR events > 0 OR q < 0.05
