-- Each feed that ever spoke: how old its newest event is by the city's clock, how long it has been silent by the wall clock, and
-- what became of its records of the last 24 hours. Silent is: nothing for a quarter of an hour and for five usual gaps.
--
-- A gap is usual when it is that of the 24 hours before the feed's last record. Of the last 24 hours it would grow while the feed
-- is silent, until five of them were longer than the silence and a dead feed was live again. Seven days are the longest silence
-- told; five gaps are five days at most, so what said nothing for seven is silent.
-- (Minutes are counted first, so that the records are read once.)
WITH minutes AS (
    SELECT
        source,
        date_trunc('minute', ingested_at) AS minute,
        max(ingested_at) AS last_at,
        count(*) AS records,
        count(*) FILTER (WHERE ingested_at > :now - INTERVAL '24 hours') AS records_24h,
        count(*) FILTER (WHERE ingested_at > :now - INTERVAL '24 hours' AND disposition = 'accepted') AS events_24h,
        count(*) FILTER (WHERE ingested_at > :now - INTERVAL '24 hours' AND disposition = 'quarantined') AS rejected_24h
    FROM records
    WHERE ingested_at > :now - INTERVAL '7 days'
    GROUP BY 1, 2
),
heard AS (
    SELECT *, max(last_at) OVER (PARTITION BY source) AS last_ingested_at FROM minutes
),
recent AS (
    SELECT
        source,
        last_ingested_at,
        sum(CASE WHEN minute > last_ingested_at - INTERVAL '24 hours' THEN records ELSE 0 END) AS records_before,
        sum(records_24h) AS records_24h,
        sum(events_24h) AS events_24h,
        sum(rejected_24h) AS rejected_24h
    FROM heard
    GROUP BY source, last_ingested_at
),
feeds AS (
    SELECT
        coalesce(recent.source, watermarks.source) AS source,
        watermark AS last_event_at,
        last_ingested_at,
        coalesce(records_24h, 0) AS records_24h,
        coalesce(events_24h, 0) AS events_24h,
        coalesce(rejected_24h, 0) AS rejected_24h,
        greatest(900.0, 5.0 * 86400.0 / greatest(coalesce(records_before, 1), 1)) AS silence_max_seconds
    FROM recent FULL JOIN system.watermarks AS watermarks ON recent.source = watermarks.source
),
aged AS (
    SELECT
        *,
        date_part('epoch', :as_of) - date_part('epoch', last_event_at) AS age_seconds,
        coalesce(date_part('epoch', :now) - date_part('epoch', last_ingested_at), 7.0 * 86400.0) AS silence_seconds
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
    CASE WHEN records_24h = 0 THEN 'too_few_cases' END AS reason,
    CASE WHEN silence_seconds > silence_max_seconds THEN 'silent' ELSE 'live' END AS status,
    CASE WHEN silence_seconds > silence_max_seconds THEN 1 ELSE 0 END AS silent
FROM aged
