-- The parts of what job surges says of one grid and category: by hour, category, channel and so on; of the whole city by grid too.
--
-- The job's baseline is a sum over the events of up to 28 days: one that came on a day of weekday factor f counts for factor / (f * bins)
-- of it, where factor is that of the day judged, and half a case more is added to the sum. So the baseline parts as the events do, and
-- part 'half_case' of each aspect is what was added. value counts the events of the day judged, expected those before it that fall to
-- the part, contribution is their difference. 'location' and 'lateness' part the day's events alone, 'baseline' what is usual by day.
-- Days, completeness and factors are those of the job's query, which says what they mean. (Grid, category and instant are put in.)
WITH clock AS (
    SELECT judged, greatest(least(CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(first_hour))) / 86400) AS BIGINT) - judged, 31) - 3, 0) AS bins
    FROM (
        SELECT 1 + CAST(ceil(greatest(completeness_hours / 24.0
            - (date_part('epoch', :as_of) - date_part('epoch', local_day(:as_of))) / 86400, 0.0)) AS BIGINT) AS judged
        FROM (SELECT coalesce(max(complete_hours), 0) AS completeness_hours FROM completeness_curve(:as_of)) AS slowest
    ) AS complete
    CROSS JOIN (
        SELECT min(hour) AS first_hour
        FROM cell_parts
        WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '45 days' AND hour <= :as_of
    ) AS oldest
    WHERE first_hour IS NOT NULL
),
-- What the city's days of each weekday are to its mean day; weekday 0 is that of the day judged.
city AS (
    SELECT (age + 7) % 7 AS weekday, sum(events) AS events
    FROM (
        SELECT CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - judged AS age, bins, events
        FROM clock CROSS JOIN cell_parts
        WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '45 days' AND hour <= :as_of
            AND (:category = '*' OR coalesce(category, 'unknown') = :category)
    ) AS days
    WHERE age BETWEEN 3 AND 2 + bins
    GROUP BY 1
),
factors AS (
    SELECT weekday, (events + 10.0) / (sum(events) OVER () * weekdays / CAST(greatest(bins, 1) AS DOUBLE) + 10.0) AS factor
    FROM (
        SELECT weeks.weekday, bins, coalesce(events, 0) AS events, CAST((bins + 6 - (weeks.weekday + 4) % 7) / 7 AS BIGINT) AS weekdays
        FROM (SELECT bins, unnest(range(0, 7)) AS weekday FROM clock) AS weeks
        LEFT JOIN city ON city.weekday = weeks.weekday
    ) AS counted
),
-- The events of grid and category, and those that came too late to be counted.
own AS (
    SELECT
        coalesce(grid_id, 'unlocated') AS grid_id,
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
        AND (:grid = '*' OR coalesce(grid_id, 'unlocated') = :grid)
        AND date_trunc('hour', occurred_at) > :as_of - INTERVAL '45 days'
        AND occurred_at > :as_of - INTERVAL '46 days'
        AND occurred_at < date_trunc('hour', :as_of) + INTERVAL '1 hour'
        AND (:category = '*' OR coalesce(category, 'unknown') = :category)
    GROUP BY 1, 2, 3, 4, 5, 6
    UNION ALL
    SELECT 'unlocated', 'unknown', 'unknown', 'unknown', 'refused', date_trunc('hour', occurred_at), 0, count(*)
    FROM late_events
    WHERE kind IN ('hotline_call', 'grid_report')
        AND (:grid = '*' OR coalesce(grid_id, 'unlocated') = :grid)
        AND occurred_at > :as_of - INTERVAL '45 days'
        AND occurred_at < date_trunc('hour', :as_of) + INTERVAL '1 hour'
        AND (:category = '*' OR coalesce(category, 'unknown') = :category)
    GROUP BY 6
),
aged AS (
    SELECT own.*, judged, bins, CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - judged AS age
    FROM clock CROSS JOIN own
),
weighed AS (
    SELECT
        grid_id, category, channel, located_by, delay, hour, judged, bins, age,
        CASE WHEN age = 0 THEN events ELSE 0 END AS observed,
        CASE WHEN age = 0 THEN refused ELSE 0 END AS refused,
        CASE WHEN age BETWEEN 3 AND 2 + bins THEN events ELSE 0 END AS before,
        CASE WHEN age BETWEEN 3 AND 2 + bins THEN events / (factor * bins) ELSE 0.0 END AS expected
    FROM aged JOIN factors ON factors.weekday = (age + 70) % 7
    UNION ALL
    SELECT 'half_case', 'half_case', 'half_case', 'half_case', 'half_case', NULL, judged, bins, NULL, 0, 0, 0, 0.5 / nullif(bins, 0) FROM clock
),
-- Where nothing came on the day judged the job knows no factor for it.
scaled AS (
    SELECT
        grid_id, category, channel, located_by, delay, hour, judged, observed, refused, before,
        CASE WHEN bins >= 14 THEN expected * CASE WHEN sum(observed) OVER () > 0 THEN day.factor ELSE 1.0 END END AS expected
    FROM weighed CROSS JOIN (SELECT factor FROM factors WHERE weekday = 0) AS day
),
parts AS (
    SELECT
        aspect,
        CASE aspect
            WHEN 'hour' THEN coalesce(lpad(CAST(CAST((date_part('epoch', hour) - date_part('epoch', local_day(hour))) / 3600 AS BIGINT) AS VARCHAR), 2, '0'), 'half_case')
            WHEN 'grid' THEN grid_id
            WHEN 'category' THEN category
            WHEN 'channel' THEN channel
            WHEN 'location' THEN located_by
            WHEN 'lateness' THEN delay
            WHEN 'baseline' THEN coalesce(CAST(CAST(local_day(hour) + INTERVAL '12 hours' AS DATE) AS VARCHAR), 'half_case')
            ELSE CAST(CAST(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast(judged * 86400000000, 'Duration(Microsecond)') AS DATE) AS VARCHAR)
        END AS part,
        CAST(sum(CASE WHEN aspect = 'baseline' THEN before WHEN aspect = 'lateness' THEN observed + refused ELSE observed END) AS DOUBLE) AS value,
        sum(CASE WHEN aspect IN ('summary', 'hour', 'grid', 'category', 'channel') THEN expected END) AS expected,
        sum(CASE WHEN aspect = 'baseline' THEN expected WHEN aspect IN ('location', 'lateness') THEN observed ELSE observed - coalesce(expected, 0.0) END) AS contribution
    FROM (SELECT *, unnest(['summary', 'hour', 'grid', 'category', 'channel', 'location', 'lateness', 'baseline']) AS aspect FROM scaled) AS told
    GROUP BY 1, 2
)
SELECT 'surges' AS detector, 'day' AS period, 'excess' AS measure, aspect, part, value, expected, contribution, CAST(NULL AS DOUBLE) AS scale,
    :as_of AS as_of
FROM parts
WHERE (aspect <> 'grid' OR :grid = '*') AND (aspect = 'summary' OR value <> 0.0 OR expected <> 0.0 OR contribution <> 0.0)
