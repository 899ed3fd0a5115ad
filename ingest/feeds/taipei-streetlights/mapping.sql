-- A report: 查報序號 id, 行政區 district without 區, 查報地點 place, 故障情形 what was written about it, 查報日期 local time.
-- What was written is free text in which people name themselves and others, so it stays outside; the place does not need it.
WITH placed AS (
    SELECT
        *,
        -- Places break lines inside; the district goes first, as in the hotline's addresses, so that both are located alike.
        行政區 || '區' || btrim(regexp_replace(查報地點, '\s+', ' ', 'g')) AS place
    FROM raw
)
SELECT
    查報序號 AS event_id,
    查報序號 AS case_id,
    查報日期 AS occurred_at,
    'report' AS stage,
    '路燈不亮或損壞' AS category,
    place AS address,
    normalize_address(place) AS address_id,
    CASE WHEN 行政區 LIKE '非%' THEN 'outside the city: 行政區 is ' || 行政區 END AS reject_reason
FROM placed
