-- Events and voices by grid and category: each of the last 24 hours, each of the last 28 days of the city's calendar, and the
-- rolling 24 hours as one bin. The present hour and day count as far as they have come. Grids or bins without events have no row.
WITH recent AS (
    SELECT coalesce(grid_id, 'unlocated') AS grid_id, coalesce(category, 'unknown') AS category, hour, sum(events) AS events, sum(voices) AS voices
    FROM cell_parts
    WHERE kind IN ('hotline_call', 'grid_report')
        -- Noon of the first day and back to its midnight, because a day of a summer-time change has 23 or 25 hours.
        AND hour >= local_day(local_day(:as_of) - INTERVAL '27 days' + INTERVAL '12 hours')
        AND hour <= :as_of
    GROUP BY grid_id, category, hour
),
today AS (
    SELECT * FROM recent WHERE hour > date_trunc('hour', :as_of) - INTERVAL '24 hours'
),
binned AS (
    SELECT grid_id, category, 'hour' AS bin, hour AS bin_start, events, voices FROM today
    UNION ALL
    SELECT grid_id, category, '24h' AS bin, date_trunc('hour', :as_of) - INTERVAL '23 hours' AS bin_start, events, voices FROM today
    UNION ALL
    SELECT grid_id, category, 'day' AS bin, local_day(hour) AS bin_start, events, voices FROM recent
)
SELECT
    grid_id,
    coalesce(category, '*') AS category,
    bin,
    bin_start,
    sum(events) AS events,
    sum(voices) AS voices,
    bin = '24h' AS rolling
FROM binned
GROUP BY GROUPING SETS ((grid_id, category, bin, bin_start), (grid_id, bin, bin_start))
HAVING sum(events) > 0
