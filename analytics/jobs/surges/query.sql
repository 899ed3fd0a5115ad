-- Is there more than the days before let expect? The newest complete day of each grid and category against up to four weeks before it.
-- grid_id '*' is the whole city, category '*' all categories. (Weeks against the same season of past years: surges_weekly.)
--
-- Complete: so long ago that 95 % of each source's events have been received by now (completeness_hours, by completeness_curve, which
-- allows for what has not come yet; a source without received_at counts as prompt). Days that run or wait are told for the city:
-- incomplete_bin.
-- baseline: mean of up to 28 days, at least 14, before a guard of two, times what the weekday is to the city's mean day in this
-- category (as if ten more cases had come evenly: few cases know no weekday). p: this count or more, negative binomial with the
-- dispersion of those days and the error of their mean. q: over all n grids and categories that had cases since.
-- c1, c2, c3: the EARS charts on the weekday-standardized counts; score and upper are C2's. A surge is a count of at least
-- surge_count_min where one of the charts alarms and q < surge_q_max (detector_settings by category).
--
-- Source: Hutwagner et al. 2003; Noufaily et al. 2013 for the bound. Cautions: a grid whose day had no case is tested but has no row;
-- a holiday is not a weekday, so the first after one may surge; an earlier as_of judges by what has arrived until now. (Each step is read
-- by one other, because the engine runs it anew for each.)
WITH clock AS (
    SELECT completeness_hours, 1 + CAST(ceil(greatest(
        completeness_hours / 24.0 - (date_part('epoch', :as_of) - date_part('epoch', local_day(:as_of))) / 86400, 0.0)) AS BIGINT) AS judged
    FROM (SELECT coalesce(max(complete_hours), 0) AS completeness_hours FROM completeness_curve(:as_of)) AS slowest
),
-- The newest complete day has age 0, those that run or wait are below. The oldest day of the history began before it and is not whole.
days AS (
    SELECT *, greatest(least(max(age) OVER () - 3, 28), 0) AS bins, grid_id = '*' AS of_city, category = '*' AS of_all
    FROM (
        SELECT coalesce(grid_id, '*') AS grid_id, coalesce(category, '*') AS category, age, judged, completeness_hours, sum(events) AS events
        FROM (
            SELECT
                coalesce(grid_id, 'unlocated') AS grid_id,
                coalesce(category, 'unknown') AS category,
                CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - judged AS age,
                judged,
                completeness_hours,
                events
            FROM clock CROSS JOIN cell_parts
            WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '45 days' AND hour <= :as_of
        ) AS parts
        WHERE age <= 31
        GROUP BY GROUPING SETS (
            (grid_id, category, age, judged, completeness_hours), (grid_id, age, judged, completeness_hours),
            (category, age, judged, completeness_hours), (age, judged, completeness_hours))
    ) AS counted
),
-- What the city had in the baseline, in all and on days of this weekday, of which there are so many.
weekdays AS (
    SELECT
        *,
        sum(CASE WHEN of_city AND age BETWEEN 3 AND 2 + bins THEN events ELSE 0 END) OVER (PARTITION BY category) AS city,
        sum(CASE WHEN of_city AND age BETWEEN 3 AND 2 + bins THEN events ELSE 0 END) OVER (PARTITION BY category, (age + 7) % 7) AS of_weekday,
        CAST((bins + 6 - ((age + 7) % 7 + 4) % 7) / 7 AS BIGINT) AS weekdays
    FROM days
),
levels AS (
    SELECT *, events / factor AS level
    FROM (SELECT *, (of_weekday + 10.0) / (city * weekdays / CAST(greatest(bins, 1) AS DOUBLE) + 10.0) AS factor FROM weekdays) AS factors
),
pairs AS (
    SELECT
        grid_id, category, of_city, of_all, bins, judged, completeness_hours,
        coalesce(sum(events) FILTER (WHERE age = 0), 0) AS events,
        max(factor) FILTER (WHERE age = 0) AS factor,
        -- Half a case more than was seen: weeks without one do not make one impossible.
        -- (Summed as decimals, so that the order of the rows leaves no trace.)
        (coalesce(CAST(sum(CAST(level AS DECIMAL(38, 12))) FILTER (WHERE age BETWEEN 3 AND 2 + bins) AS DOUBLE), 0.0) + 0.5) / nullif(bins, 0) AS mean,
        coalesce(CAST(sum(CAST(level * level AS DECIMAL(38, 12))) FILTER (WHERE age BETWEEN 3 AND 2 + bins) AS DOUBLE), 0.0) AS squares,
        array_agg(age) FILTER (WHERE age BETWEEN 0 AND 11) AS ages,
        array_agg(level) FILTER (WHERE age BETWEEN 0 AND 11) AS levels
    FROM levels
    WHERE age >= 0
    GROUP BY grid_id, category, of_city, of_all, bins, judged, completeness_hours
),
tested AS (
    SELECT *, fdr(p) OVER (PARTITION BY of_city, of_all) AS q, count(p) OVER (PARTITION BY of_city, of_all) AS n
    FROM (
        SELECT *, nb_tail(events, baseline, dispersion) AS p
        FROM (
            SELECT
                *,
                CASE WHEN bins >= 14 THEN mean * coalesce(factor, 1.0) END AS baseline,
                greatest((squares - bins * mean * mean) / ((bins - 1) * mean), 1.0) * (1.0 + 1.0 / bins) AS dispersion
            FROM pairs
        ) AS expected
    ) AS counts
),
judged AS (
    SELECT
        tested.*,
        coalesce(own.surge_count_min, usual.surge_count_min) AS count_min,
        coalesce(own.surge_sigma_min, usual.surge_sigma_min) AS sigma_min,
        coalesce(own.surge_q_max, usual.surge_q_max) AS q_max
    FROM (SELECT * FROM detector_settings WHERE category = 'default') AS usual
    CROSS JOIN tested
    LEFT JOIN detector_settings AS own ON own.category = tested.category
    WHERE tested.events > 0 OR of_city
),
-- Charts need a row a day, those without cases too; they are drawn where there is something to see. C3 looks back twelve days.
charts AS (
    SELECT
        *,
        ears_c1(level, min_sigma => sigma_min) OVER (PARTITION BY grid_id, category ORDER BY back DESC) AS c1,
        ears_c2(level, min_sigma => sigma_min) OVER (PARTITION BY grid_id, category ORDER BY back DESC) AS c2,
        ears_c3(level, min_sigma => sigma_min) OVER (PARTITION BY grid_id, category ORDER BY back DESC) AS c3
    FROM (
        SELECT *, coalesce(levels[CAST(array_position(ages, back) AS BIGINT)], 0.0) AS level
        FROM (
            SELECT *, unnest(range(0, CASE WHEN baseline IS NOT NULL AND (events >= count_min OR of_city) THEN 12 ELSE 1 END)) AS back
            FROM judged
        ) AS unfolded
    ) AS daily
)
SELECT
    grid_id,
    category,
    local_day(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast(judged * 86400000000, 'Duration(Microsecond)')) AS day,
    events,
    baseline,
    CASE WHEN baseline IS NOT NULL THEN dispersion END AS dispersion,
    c2['score'] AS score,
    c2['upper'] AS upper,
    p,
    q,
    n,
    c1['alarm'] AS c1,
    c2['alarm'] AS c2,
    c3['alarm'] AS c3,
    completeness_hours,
    CASE WHEN baseline IS NULL THEN 'short_history' END AS reason,
    coalesce((c1['alarm'] OR c2['alarm'] OR c3['alarm']) AND q < q_max AND events >= count_min, false) AS surging,
    CASE WHEN (c1['alarm'] OR c2['alarm'] OR c3['alarm']) AND q < q_max AND events >= count_min THEN 1 ELSE 0 END AS surge,
    of_city OR coalesce(q < q_max AND events >= count_min, false) AS exported
FROM charts
WHERE back = 0
UNION ALL
SELECT
    grid_id, category, local_day(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast((judged + age) * 86400000000, 'Duration(Microsecond)')) AS day,
    events, NULL AS baseline, NULL AS dispersion, NULL AS score, NULL AS upper, NULL AS p, NULL AS q, 0 AS n, NULL AS c1, NULL AS c2, NULL AS c3,
    completeness_hours, 'incomplete_bin' AS reason, age >= 0 AS surging, 0 AS surge, age >= 0 AS exported
FROM days
WHERE age < 0 AND of_city
