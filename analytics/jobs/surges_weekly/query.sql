-- Is this week more than the same season of past years lets expect? The newest seven complete days of each grid and category against
-- up to five years before them: Farrington's flexible method. grid_id '*' is the whole city, category '*' all categories. (Days against
-- the weeks before: surges.)
--
-- week: where the seven days begin; weeks count back from there, so that each day has a new answer. Complete: as in surges, so long ago
-- that 95 % of each source's events have been received (completeness_hours, by completeness_curve); the days after it wait.
-- baseline, upper, dispersion, trend: of the fit, alpha 0.01; score: (events - baseline) / (upper - baseline). p: this count or more, negative
-- binomial about the baseline; q: over all n fits of the city or of its grids. surging: score above 1, q < surge_week_q_max and at
-- least surge_week_count_min events (detector_settings by category; chosen on 2023, a year of Taipei's hotline without a labelled day,
-- looked at every second week: 84 surges a year where a count of 5 and a q of 0.01 gave 260).
-- A week in which the whole city brought nothing is missing, not zero. years: as many whole years as there are, 2 to 5; with less the
-- reason is short_history.
--
-- Source: Farrington et al. 1996; Noufaily et al. 2013. Cost: reads five years and three weeks of cells, of the grids and categories that
-- had surge_week_count_min events in the newest week. The series given to farrington begins where the newest week's reference begins: no
-- other week has that much before it, so one week a series is fitted, whatever the history. Cautions: a year is 52 weeks; a holiday that
-- moves (Lunar New Year) is not where it was; q is over what was fitted, so small counts are no burden on it.
WITH clock AS (
    SELECT completeness_hours, 1 + CAST(ceil(greatest(
        completeness_hours / 24.0 - (date_part('epoch', :as_of) - date_part('epoch', local_day(:as_of))) / 86400, 0.0)) AS BIGINT) AS judged
    FROM (SELECT coalesce(max(complete_hours), 0) AS completeness_hours FROM completeness_curve(:as_of)) AS slowest
),
-- Grids and categories that may have enough this week; the others are only parts of the city.
active AS (
    SELECT coalesce(grid_id, 'unlocated') AS grid_id, coalesce(category, 'unknown') AS category
    FROM cell_parts
    WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '45 days' AND hour <= :as_of
    GROUP BY 1, 2
    HAVING sum(events) >= (SELECT min(surge_week_count_min) FROM detector_settings)
),
-- The newest complete week has age 0; weeks after it wait. The oldest one began before the history and is not whole.
weeks AS (
    SELECT *, max(age) OVER () AS whole
    FROM (
        SELECT coalesce(grid_id, '*') AS grid_id, coalesce(category, '*') AS category, age, judged, completeness_hours, sum(events) AS events
        FROM (
            SELECT coalesce(active.grid_id, 'others') AS grid_id, parts.category, age, judged, completeness_hours, sum(events) AS events
            FROM (
                SELECT
                    coalesce(grid_id, 'unlocated') AS grid_id,
                    coalesce(category, 'unknown') AS category,
                    CAST(floor((round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) - judged) / 7.0) AS BIGINT) AS age,
                    judged,
                    completeness_hours,
                    events
                FROM clock CROSS JOIN cell_parts
                WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '1890 days' AND hour <= :as_of
            ) AS parts
            LEFT JOIN active ON active.grid_id = parts.grid_id AND active.category = parts.category
            WHERE age >= 0
            GROUP BY 1, 2, 3, 4, 5
        ) AS summed
        GROUP BY GROUPING SETS (
            (grid_id, category, age, judged, completeness_hours), (category, age, judged, completeness_hours), (age, judged, completeness_hours))
    ) AS counted
    WHERE grid_id <> 'others'
),
-- A row a grid and category: its weeks as lists, so that those with too little this week are left out before they are spelt out.
series AS (
    SELECT
        lists.*,
        52 * years + 4 AS bins,
        -- Weeks in which the city brought anything.
        first_value(ages) OVER (ORDER BY CASE WHEN grid_id = '*' AND lists.category = '*' THEN 0 ELSE 1 END) AS known,
        coalesce(own.surge_week_count_min, usual.surge_week_count_min) AS count_min,
        coalesce(own.surge_week_q_max, usual.surge_week_q_max) AS q_max
    FROM (SELECT * FROM detector_settings WHERE category = 'default') AS usual
    CROSS JOIN (
        SELECT
            grid_id, category, judged, completeness_hours, grid_id = '*' AS of_city,
            least(CAST(floor((whole - 4) / 52.0) AS BIGINT), 5) AS years,
            coalesce(sum(events) FILTER (WHERE age = 0), 0) AS events,
            array_agg(age) AS ages,
            array_agg(events) AS counts
        FROM weeks
        WHERE age < whole
        GROUP BY grid_id, category, judged, completeness_hours, whole
    ) AS lists
    LEFT JOIN detector_settings AS own ON own.category = lists.category
),
-- Its weeks, a zero for each week the city knows, and a NULL for each it does not.
spelt AS (
    SELECT grid_id, category, judged, completeness_hours, of_city, years, bins, events, count_min, q_max,
        unnest(array_concat(ages, known, unknown)) AS back,
        unnest(array_concat(counts, array_repeat(CAST(0 AS BIGINT), cardinality(known)), array_repeat(CAST(NULL AS BIGINT), cardinality(unknown)))) AS level
    FROM (SELECT *, array_except(range(0, bins), known) AS unknown FROM series WHERE of_city OR events >= count_min) AS lists
),
fitted AS (
    SELECT *, farrington(level, years => greatest(years, 2)) OVER (PARTITION BY grid_id, category ORDER BY back DESC) AS fit
    FROM (
        SELECT grid_id, category, judged, completeness_hours, of_city, years, events, count_min, q_max, back, sum(level) AS level
        FROM spelt
        WHERE years >= 2 AND back < bins OR back = 0
        GROUP BY grid_id, category, judged, completeness_hours, of_city, years, events, count_min, q_max, back
    ) AS weekly
),
tested AS (
    SELECT *, fdr(p) OVER (PARTITION BY of_city) AS q, count(p) OVER (PARTITION BY of_city) AS n
    FROM (
        -- Half a case more than was seen in the weeks compared with: years without one do not make one impossible.
        SELECT *, nb_tail(events, greatest((fit).expected, 0.5 / (7 * years)), (fit).dispersion) AS p
        FROM fitted
        WHERE back = 0
    ) AS newest
)
SELECT
    grid_id,
    category,
    local_day(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast((judged + 6) * 86400000000, 'Duration(Microsecond)')) AS week,
    events,
    (fit).expected AS baseline,
    (fit).upper AS upper,
    (fit).score AS score,
    (fit).dispersion AS dispersion,
    (fit).trend AS trend,
    p,
    q,
    n,
    CASE WHEN years >= 2 THEN years ELSE 0 END AS years,
    completeness_hours,
    (fit).reason AS reason,
    coalesce((fit).alarm AND q < q_max AND events >= count_min, false) AS surging,
    CASE WHEN (fit).alarm AND q < q_max AND events >= count_min THEN 1 ELSE 0 END AS surge,
    of_city OR coalesce((fit).alarm AND q < q_max AND events >= count_min, false) AS exported
FROM tested
