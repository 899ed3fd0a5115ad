-- The parts of what job hotspots says of one grid and category: by neighbour, and by hour, day, category, channel and so on.
--
-- Counts, baselines and values are those of the job's query, which says what they mean. Aspect 'neighbour' parts the numerator of Gi*:
-- value is a grid's own, expected the mean of the map, contribution the one less the other; scale is the denominator, so that z is their
-- sum over scale. The other aspects part the grid's own events: value counts those of the period, expected those of the weeks before
-- that fall to the part, contribution their difference. 'location' and 'lateness' part the events alone, 'baseline' what is usual by week.
-- (Grid, category and instant are put in. A grid that is not of the finest level is on no map and has no row.)
WITH clock AS (
    SELECT
        date_trunc('hour', :as_of) AS this_hour,
        (date_part('epoch', :as_of) - date_part('epoch', date_trunc('hour', :as_of))) / 3600.0 AS elapsed
),
centre AS (SELECT neighbours FROM grids WHERE grid_id = :grid AND finest),
periods (period, hours) AS (VALUES ('24h', 24), ('7d', 168)),
depth AS (
    SELECT period, hours, this_hour, elapsed, greatest(least(CAST((history - hours) / 168 AS BIGINT), 4), 0) AS weeks
    FROM clock
    CROSS JOIN periods
    CROSS JOIN (
        SELECT coalesce(CAST((date_part('epoch', date_trunc('hour', :as_of)) - date_part('epoch', min(hour))) / 3600 AS BIGINT), 0) + 1 AS history
        FROM cell_parts
        WHERE kind IN ('hotline_call', 'grid_report')
            AND grid_id IS NOT NULL
            AND hour > date_trunc('hour', :as_of) - INTERVAL '840 hours'
            AND hour <= :as_of
    ) AS oldest
),
counted AS (
    SELECT
        grid_id,
        period,
        sum(CASE WHEN age < hours THEN events ELSE 0 END) AS events,
        sum(CASE WHEN age >= 168 AND age < 168 * weeks + hours AND age % 168 < hours
            THEN events * (CASE WHEN age % 168 = 0 THEN elapsed ELSE 1.0 END) ELSE 0.0 END) / nullif(weeks, 0) AS baseline
    FROM depth
    CROSS JOIN (
        SELECT grid_id, CAST((date_part('epoch', this_hour) - date_part('epoch', hour)) / 3600 AS BIGINT) AS age, sum(events) AS events
        FROM clock CROSS JOIN cell_parts
        WHERE kind IN ('hotline_call', 'grid_report')
            AND grid_id IS NOT NULL
            AND hour > date_trunc('hour', :as_of) - INTERVAL '840 hours'
            AND hour <= :as_of
            AND (:category = '*' OR coalesce(category, 'unknown') = :category)
        GROUP BY 1, 2
    ) AS recent
    GROUP BY grid_id, period, weeks
),
filled AS (
    SELECT
        places.grid_id,
        depth.period,
        coalesce(events, 0) AS events,
        CASE WHEN weeks >= 2 THEN coalesce(baseline, 0.0) END AS baseline
    FROM depth
    CROSS JOIN (SELECT grid_id FROM grids WHERE finest) AS places
    LEFT JOIN counted ON counted.grid_id = places.grid_id AND counted.period = depth.period
),
compared AS (
    SELECT
        *,
        avg(value) OVER (PARTITION BY period, measure) AS mean,
        stddev_pop(value) OVER (PARTITION BY period, measure) AS deviation,
        count(value) OVER (PARTITION BY period, measure) AS n
    FROM (
        SELECT grid_id, period, measure, CASE measure WHEN 'count' THEN CAST(events AS DOUBLE) ELSE 2.0 * (sqrt(events + 0.375) - sqrt(baseline + 0.375)) END AS value
        FROM (VALUES ('count'), ('excess')) AS measures (measure) CROSS JOIN filled
    ) AS valued
),
star AS (
    SELECT period, measure, grid_id, value, mean, deviation, CAST(n AS DOUBLE) AS n, count(value) OVER (PARTITION BY period, measure) AS members
    FROM centre CROSS JOIN compared
    WHERE value IS NOT NULL AND (grid_id = :grid OR array_has(neighbours, grid_id))
),
-- The grid's own events, and those that came too late to be counted. A grid without any still has a row.
own AS (
    SELECT
        coalesce(category, 'unknown') AS category,
        coalesce(channel, 'unknown') AS channel,
        coalesce(located_by, 'unknown') AS located_by,
        CASE
            WHEN received_at IS NULL THEN 'unknown'
            WHEN received_at - occurred_at <= INTERVAL '1 hour' THEN 'hour'
            WHEN received_at - occurred_at <= INTERVAL '24 hours' THEN 'day'
            ELSE 'later'
        END AS delay,
        date_trunc('hour', occurred_at) AS hour,
        count(*) AS events,
        0 AS refused
    FROM events
    WHERE kind IN ('hotline_call', 'grid_report')
        AND grid_id = :grid
        AND occurred_at >= date_trunc('hour', :as_of) - INTERVAL '839 hours'
        AND occurred_at < date_trunc('hour', :as_of) + INTERVAL '1 hour'
        AND (:category = '*' OR coalesce(category, 'unknown') = :category)
    GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT 'unknown', 'unknown', 'unknown', 'refused', date_trunc('hour', occurred_at), 0, count(*)
    FROM late_events
    WHERE kind IN ('hotline_call', 'grid_report')
        AND grid_id = :grid
        AND occurred_at >= date_trunc('hour', :as_of) - INTERVAL '167 hours'
        AND occurred_at < date_trunc('hour', :as_of) + INTERVAL '1 hour'
        AND (:category = '*' OR coalesce(category, 'unknown') = :category)
    GROUP BY 5
    UNION ALL
    SELECT 'unknown', 'unknown', 'unknown', 'unknown', date_trunc('hour', :as_of), 0, 0 FROM centre
),
weighed AS (
    SELECT
        period, category, channel, located_by, delay, age / 168 AS week,
        this_hour - arrow_cast(age % 168 * 3600000000, 'Duration(Microsecond)') AS hour,
        CASE WHEN age < hours THEN events ELSE 0 END AS observed,
        CASE WHEN age < hours THEN refused ELSE 0 END AS refused,
        CASE WHEN weeks >= 2 THEN before / weeks END AS expected,
        CASE WHEN weeks >= 2 THEN before ELSE 0.0 END AS before
    FROM (
        SELECT
            *,
            CASE WHEN age >= 168 AND age < 168 * weeks + hours AND age % 168 < hours
                THEN events * (CASE WHEN age % 168 = 0 THEN elapsed ELSE 1.0 END) ELSE 0.0 END AS before
        FROM (
            SELECT depth.*, own.*, CAST((date_part('epoch', this_hour) - date_part('epoch', own.hour)) / 3600 AS BIGINT) AS age
            FROM centre CROSS JOIN depth CROSS JOIN own
        ) AS aged
    ) AS shifted
),
-- What each aspect tells of the weighed events.
parts AS (
    SELECT
        period,
        aspect,
        CASE aspect
            WHEN 'hour' THEN lpad(CAST(CAST((date_part('epoch', hour) - date_part('epoch', local_day(hour))) / 3600 AS BIGINT) AS VARCHAR), 2, '0')
            WHEN 'day' THEN CAST(CAST(local_day(hour) + INTERVAL '12 hours' AS DATE) AS VARCHAR)
            WHEN 'category' THEN category
            WHEN 'channel' THEN channel
            WHEN 'location' THEN located_by
            WHEN 'lateness' THEN delay
            WHEN 'baseline' THEN CAST(week AS VARCHAR)
            ELSE ''
        END AS part,
        CAST(sum(CASE WHEN aspect = 'baseline' THEN before WHEN aspect = 'lateness' THEN observed + refused ELSE observed END) AS DOUBLE) AS value,
        sum(CASE WHEN aspect IN ('summary', 'hour', 'day', 'category', 'channel') THEN expected END) AS expected,
        sum(CASE WHEN aspect = 'baseline' THEN expected WHEN aspect IN ('location', 'lateness') THEN observed ELSE observed - coalesce(expected, 0.0) END) AS contribution
    FROM (SELECT *, unnest(['summary', 'hour', 'day', 'category', 'channel', 'location', 'lateness', 'baseline']) AS aspect FROM weighed) AS told
    GROUP BY 1, 2, 3
)
SELECT 'hotspots' AS detector, period, measure, 'neighbour' AS aspect, grid_id AS part, value, mean AS expected, value - mean AS contribution,
    deviation * sqrt((n * members - members * members) / (n - 1.0)) AS scale, :as_of AS as_of
FROM star
UNION ALL
SELECT 'hotspots', period, measure, aspect, part, value, expected, contribution, NULL, :as_of
FROM (VALUES ('count'), ('excess')) AS measures (measure) CROSS JOIN parts
WHERE aspect = 'summary' OR value <> 0.0 OR expected <> 0.0 OR contribution <> 0.0
