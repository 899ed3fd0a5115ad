-- Each feed that ever spoke: how old its newest event is by the city's clock, how long it has been silent by the wall clock, and
-- what became of its records of the last 24 hours. Silent is: nothing for a quarter of an hour and for five usual gaps.
WITH recent AS (
    SELECT
        source,
        max(ingested_at) AS last_ingested_at,
        count(*) AS records_24h,
        count(*) FILTER (WHERE disposition = 'accepted') AS events_24h,
        count(*) FILTER (WHERE disposition = 'quarantined') AS rejected_24h
    FROM records
    WHERE ingested_at > :now - INTERVAL '24 hours'
    GROUP BY source
),
feeds AS (
    SELECT
        coalesce(recent.source, watermarks.source) AS source,
        watermark AS last_event_at,
        last_ingested_at,
        coalesce(records_24h, 0) AS records_24h,
        coalesce(events_24h, 0) AS events_24h,
        coalesce(rejected_24h, 0) AS rejected_24h
    FROM recent FULL JOIN system.watermarks AS watermarks ON recent.source = watermarks.source
),
aged AS (
    SELECT
        *,
        date_part('epoch', :as_of) - date_part('epoch', last_event_at) AS age_seconds,
        coalesce(date_part('epoch', :now) - date_part('epoch', last_ingested_at), 86400.0) AS silence_seconds
    FROM feeds
)
SELECT
    source,
    last_event_at,
    last_ingested_at,
    age_seconds,
    silence_seconds,
    events_24h,
    records_24h,
    rejected_24h,
    CAST(rejected_24h AS DOUBLE) / nullif(records_24h, 0) AS reject_rate,
    CASE WHEN silence_seconds > greatest(900.0, 5.0 * 86400.0 / greatest(records_24h, 1)) THEN 'silent' ELSE 'live' END AS status,
    CASE WHEN silence_seconds > greatest(900.0, 5.0 * 86400.0 / greatest(records_24h, 1)) THEN 1 ELSE 0 END AS silent
FROM aged
