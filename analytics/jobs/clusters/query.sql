-- Is there a cluster of cases now, where, since when? Each category by itself: the prospective space-time permutation scan over the last
-- 35 complete days (at least 21), windows that end with the newest of them.
--
-- events: cases of the cluster; baseline: expected of its grids and days; p: of the highest ratio of 999 permutations; interval_days:
-- how many days apart chance would bring one like it (of p_gumbel where p is the least there can be). n: cases of the study period.
-- signal: at least cluster_interval_min days and cluster_count_min cases, and on the newest day more cases than a day's part of the
-- baseline, so that a cluster is reported again only with new cases beyond the usual ones. state: 'ongoing' if the scan as of the day before already found a cluster that shares a grid with it and
-- beats all of 99 permutations, else 'new'; NULL where chance would do. Both are derived from the events alone, so an earlier as_of gives
-- what that day gave.
-- The newest day is complete when as much time has passed since its end as 95 % of each source's events take to be received
-- (completeness_curve). Least cases, radius and days: detector_settings by category. Categories without a case on the
-- newest day are not scanned; those with fewer than 30 cases in all have only their reason: too_few_cases.
--
-- Source: Kulldorff et al. 2005. Cautions: K categories at a threshold of RI days raise about K / RI false signals a day; category '*' is
-- not scanned, since categories differ in where and when. (Each step is read by one other, because the engine runs it anew for each.)
WITH clock AS (
    SELECT 1 + CAST(ceil(greatest(
        coalesce(max(complete_hours), 0) / 24.0 - (date_part('epoch', :as_of) - date_part('epoch', local_day(:as_of))) / 86400, 0.0)) AS BIGINT) AS judged
    FROM completeness_curve(:as_of)
),
-- The newest complete day has age 0. The oldest day of the history began before it and is not whole.
days AS (
    SELECT *, max(age) OVER () AS bins, sum(CASE WHEN age = 0 THEN events ELSE 0 END) OVER (PARTITION BY category) AS cases_newest
    FROM (
        SELECT grid_id, category, age, judged, CAST(sum(events) AS BIGINT) AS events
        FROM (
            SELECT
                grid_id,
                coalesce(category, 'unknown') AS category,
                judged,
                CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - judged AS age,
                events
            FROM clock CROSS JOIN cell_parts
            WHERE kind IN ('hotline_call', 'grid_report') AND hour > :as_of - INTERVAL '50 days' AND hour <= :as_of
        ) AS parts
        WHERE age BETWEEN 0 AND 35 AND grid_id IN (SELECT grid_id FROM grids WHERE finest)
        GROUP BY grid_id, category, age, judged
    ) AS counted
    WHERE events > 0
),
categories AS (
    SELECT
        counted.category,
        judged,
        cases,
        bins,
        CASE WHEN bins < 21 THEN 'short_history' WHEN cases < 30 THEN 'too_few_cases' END AS reason,
        CAST(coalesce(own.cluster_days_max, usual.cluster_days_max) AS BIGINT) AS days_max,
        coalesce(own.cluster_radius_max, usual.cluster_radius_max) AS radius_max,
        coalesce(own.cluster_count_min, usual.cluster_count_min) AS count_min,
        coalesce(own.cluster_interval_min, usual.cluster_interval_min) AS interval_min,
        grid_ids,
        ages,
        counts
    FROM (SELECT * FROM detector_settings WHERE category = 'default') AS usual
    CROSS JOIN (
        SELECT category, judged, bins, sum(events) AS cases, array_agg(grid_id) AS grid_ids, array_agg(age) AS ages, array_agg(events) AS counts
        FROM days WHERE cases_newest > 0 AND age < bins GROUP BY category, judged, bins
    ) AS counted
    LEFT JOIN detector_settings AS own ON own.category = counted.category
),
-- Every grid has a row with no case on the oldest day, or circles would pass over it.
cases AS (
    SELECT scanned.*, lon, lat
    FROM (
        SELECT category, judged, cases, reason, days_max, radius_max, count_min, interval_min,
            unnest(array_concat(grid_ids, every)) AS grid_id,
            unnest(array_concat(ages, array_repeat(bins - 1, array_length(every)))) AS age,
            unnest(array_concat(counts, array_repeat(CAST(0 AS BIGINT), array_length(every)))) AS events
        FROM (SELECT array_agg(grid_id) AS every FROM grids WHERE finest) AS places CROSS JOIN categories
    ) AS scanned
    JOIN grids ON grids.grid_id = scanned.grid_id
),
scans AS (
    SELECT category, judged, cases, reason, count_min, interval_min,
        space_time_scan(grid_id, lon, lat, -age, events, max_days => days_max, max_share => 0.3, max_radius => radius_max, as_of => 0)
            FILTER (WHERE reason IS NULL) AS clusters,
        space_time_scan(grid_id, lon, lat, -age, events, max_days => days_max, max_share => 0.3, max_radius => radius_max, as_of => -1,
            replications => 99) FILTER (WHERE reason IS NULL AND age > 0) AS clusters_before,
        array_agg(grid_id) FILTER (WHERE age = 0) AS grids_newest,
        array_agg(events) FILTER (WHERE age = 0) AS events_newest
    FROM cases
    GROUP BY category, judged, cases, reason, count_min, interval_min
),
spots AS (
    SELECT *, recurrence_interval(CASE WHEN spot['p_value'] <= 0.001 THEN coalesce(spot['p_gumbel'], 0.001) ELSE spot['p_value'] END, 1) AS interval_days
    FROM (
        SELECT category, judged, cases, reason, count_min, interval_min, clusters_before, grids_newest, events_newest,
            unnest(CASE WHEN reason IS NULL THEN clusters ELSE make_array(NULL) END) AS spot
        FROM scans
    ) AS unfolded
),
told AS (
    SELECT
        category,
        judged,
        coalesce(spot['rank'], 1) AS rank,
        spot['center'] AS center,
        array_to_string(spot['grids'], ' ') AS grids,
        spot['radius'] AS radius_km,
        spot['start_day'] AS start_day,
        spot['observed'] AS events,
        spot['expected'] AS baseline,
        spot['llr'] AS llr,
        spot['p_value'] AS p,
        spot['p_gumbel'] AS p_gumbel,
        interval_days,
        cases AS n,
        sum(CASE WHEN array_has(spot['grids'], grid_newest) THEN event_newest ELSE 0 END) AS events_newest,
        coalesce(interval_days >= interval_min AND spot['observed'] >= count_min, false) AS rare,
        spot['expected'] / (1 - spot['start_day']) AS baseline_newest,
        coalesce(
            (clusters_before[1]['p_value'] <= 0.01 AND array_has_any(clusters_before[1]['grids'], spot['grids']))
            OR (clusters_before[2]['p_value'] <= 0.01 AND array_has_any(clusters_before[2]['grids'], spot['grids']))
            OR (clusters_before[3]['p_value'] <= 0.01 AND array_has_any(clusters_before[3]['grids'], spot['grids'])), false) AS known,
        reason
    FROM (
        SELECT category, judged, cases, reason, count_min, interval_min, clusters_before, spot, interval_days,
            unnest(grids_newest) AS grid_newest, unnest(events_newest) AS event_newest
        FROM spots WHERE reason IS NOT NULL OR spot['rank'] <= 3
    ) AS with_newest
    GROUP BY category, judged, cases, reason, count_min, interval_min, clusters_before, spot, interval_days
)
SELECT
    category,
    rank,
    CAST(rank AS VARCHAR) AS rank_text,
    center,
    grids,
    radius_km,
    local_day(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast(CAST(judged - start_day AS BIGINT) * 86400000000, 'Duration(Microsecond)')) AS start_day,
    local_day(local_day(:as_of) + INTERVAL '12 hours' - arrow_cast(judged * 86400000000, 'Duration(Microsecond)')) AS end_day,
    events,
    baseline,
    llr,
    p,
    p_gumbel,
    interval_days,
    interval_days * 86400 AS interval_seconds,
    n,
    events_newest,
    CASE WHEN rare THEN CASE WHEN known THEN 'ongoing' ELSE 'new' END END AS state,
    CASE WHEN rare AND events_newest > baseline_newest THEN 1 ELSE 0 END AS signal,
    reason IS NULL AND (rank = 1 OR (rare AND events_newest > baseline_newest)) AS exported,
    reason
FROM told
WHERE rank = 1 OR (rare AND events_newest > baseline_newest)
