-- What has stopped speaking that used to speak? Devices by their own gaps, grids by what a source brought from them at these hours before.
-- (Whether a whole feed is silent is told by feed_health, by the wall clock. This goes by the city's clock: if a feed as a whole stands
-- still while others go on, all its devices and grids are told here.)
--
-- device: value is the silence in seconds since its last event, baseline its longest usual gap (the 99th of a hundred in the 14 days
-- before that event). p: of a silence so long or longer, (1 + s / (n g)) ^ -n with n gaps of mean g: the exponential with its mean
-- estimated from n gaps. A device that speaks on a clock is not exponential, so it must also have been silent for three of its longest
-- usual gaps and an hour. At least 20 gaps, else too_few_cases.
-- grid: value is the events of the last 24 complete hours, none; baseline the mean of the 7 to 27 times 24 hours before; p that of none,
-- (1 + 1 / d) ^ -k after k events in d days, likewise. Only where 5 a day are expected, else too little is to be heard from a grid.
-- q: over all devices, or all such grids, of a source (n). silent: p < 0.001 and q < 0.01, and what is said above.
--
-- Source: the predictive distribution of an exponential with unknown mean (a Lomax distribution). Cautions: silence has harmless causes (a
-- holiday, maintenance); a device silent for more than 14 days is no longer told; an earlier as_of sees what arrived later.
WITH device_gaps AS (
    SELECT
        device_id,
        source,
        grid_id,
        occurred_at,
        date_part('epoch', occurred_at) - date_part('epoch', lag(occurred_at) OVER (PARTITION BY source, device_id ORDER BY occurred_at)) AS gap
    FROM events
    WHERE device_id IS NOT NULL AND occurred_at > :as_of - INTERVAL '14 days' AND occurred_at <= :as_of
),
device_ranks AS (
    SELECT *, row_number() OVER (PARTITION BY source, device_id ORDER BY gap DESC NULLS LAST) AS place, count(gap) OVER (PARTITION BY source, device_id) AS gaps
    FROM device_gaps
),
devices AS (
    SELECT
        'device' AS row_kind,
        device_id AS id,
        source,
        max(grid_id) AS grid_id,
        max(occurred_at) AS last_at,
        gaps,
        avg(gap) AS mean_gap,
        max(gap) FILTER (WHERE place > gaps / 100) AS long_gap,
        date_part('epoch', :as_of) - date_part('epoch', max(occurred_at)) AS silence
    FROM device_ranks
    GROUP BY device_id, source, gaps
),
grid_hours AS (
    SELECT *, least(CAST((max(age) OVER () + 1) / 24 AS BIGINT), 28) - 1 AS bins
    FROM (
        SELECT
            grid_id,
            source,
            -- Hours before the last complete one.
            CAST((date_part('epoch', date_trunc('hour', :as_of)) - date_part('epoch', hour)) / 3600 AS BIGINT) - 1 AS age,
            events
        FROM cell_parts
        WHERE kind IN ('hotline_call', 'grid_report') AND grid_id IS NOT NULL AND hour < date_trunc('hour', :as_of) AND hour > :as_of - INTERVAL '29 days'
    ) AS parts
),
grid_sums AS (
    SELECT
        grid_id,
        source,
        bins,
        sum(CASE WHEN age < 24 THEN events ELSE 0 END) AS events_24h,
        sum(CASE WHEN age >= 24 AND age < 24 * (bins + 1) THEN events ELSE 0 END) AS events_before,
        min(age) AS age
    FROM grid_hours
    GROUP BY grid_id, source, bins
),
told AS (
    SELECT
        row_kind,
        id,
        source,
        grid_id,
        last_at,
        silence AS value,
        long_gap AS baseline,
        gaps AS n_of_history,
        CASE WHEN gaps >= 20 AND mean_gap > 0 THEN power(1.0 + silence / (gaps * mean_gap), -gaps) END AS p,
        CASE WHEN gaps < 20 THEN 'too_few_cases' WHEN mean_gap = 0 THEN 'zero_variance' END AS reason,
        silence > greatest(3.0 * long_gap, 3600.0) AS beyond
    FROM devices
    UNION ALL
    SELECT
        'grid' AS row_kind,
        grid_id AS id,
        source,
        grid_id,
        date_trunc('hour', :as_of) - arrow_cast((age + 1) * 3600000000, 'Duration(Microsecond)') AS last_at,
        CAST(events_24h AS DOUBLE) AS value,
        CAST(events_before AS DOUBLE) / bins AS baseline,
        events_before AS n_of_history,
        CASE WHEN events_24h <= 0 THEN power(1.0 + 1.0 / bins, -events_before) ELSE 1.0 END AS p,
        CAST(NULL AS VARCHAR) AS reason,
        true AS beyond
    FROM grid_sums
    WHERE bins >= 7 AND events_before >= 5 * bins
)
SELECT
    row_kind,
    id,
    source,
    grid_id,
    last_at,
    value,
    baseline,
    n_of_history,
    p,
    q,
    n,
    reason,
    CASE WHEN coalesce(beyond AND p < 0.001 AND q < 0.01, false) THEN 1 ELSE 0 END AS silent,
    row_kind = 'device' OR coalesce(p < 0.001 AND q < 0.01, false) AS exported
FROM (
    SELECT *, fdr(p) OVER (PARTITION BY row_kind, source) AS q, count(p) OVER (PARTITION BY row_kind, source) AS n FROM told
) AS tested
WHERE row_kind = 'device' OR value <= 0
