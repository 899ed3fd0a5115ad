-- A dispatch record of hotline 1999: 案件編號 case id, 派工項目 type, 案件地址 address, 立案日期 date, 立案時間 time.
WITH cleaned AS (
    SELECT
        案件編號 AS case_number,
        btrim(派工項目) AS dispatch_type,
        btrim(案件地址) AS place,
        立案日期 AS opened_on,
        -- 2020-05 writes times as decimals (`000400.0`); elsewhere colons and lost leading zeros occur.
        lpad(replace(regexp_replace(立案時間, '\.0+$', ''), ':', ''), 6, '0') AS opened_time,
        立案時間 AS written_time,
        -- The publisher's rows as published, for an identity where the case id has lost its serial number.
        concat_ws('|', coalesce(案件編號, ''), coalesce(派工項目, ''), coalesce(案件地址, ''), coalesce(立案日期, ''), coalesce(立案時間, '')) AS published
    FROM raw
),
judged AS (
    SELECT
        *,
        -- Thirteen digits: the day and five digits of serial number. From 2023-05 on the serial number is cut to one digit
        -- (`202404211`) or the number is rounded (`2.02504E+12`), so ids repeat thousands of times.
        case_number ~ '^[0-9]{13}$' AS has_serial,
        -- An address with an unquoted comma moves everything behind it one column to the right, and the time falls off the end.
        (opened_on IS NULL OR written_time IS NULL OR NOT opened_on ~ '^[0-9]{8}$') AS shifted
    FROM cleaned
)
SELECT
    CASE
        WHEN has_serial THEN case_number
        ELSE 'row-' || substr(encode(sha256(published), 'hex'), 1, 32)
    END AS event_id,
    CASE WHEN has_serial THEN case_number END AS case_id,
    opened_on || opened_time AS occurred_at,
    'phone' AS channel,
    -- One name for one matter: the street light type was renamed in 2024-11, and one type was garbled in export.
    CASE dispatch_type
        WHEN '路燈故障或設施損壞' THEN '路燈不亮或損壞'
        WHEN '河濱公園自??道及堤外?道破損、散?物、油漬及樹倒' THEN '河濱公園自行車道及堤外便道破損、散落物、油漬及樹倒'
        ELSE dispatch_type
    END AS category,
    CASE WHEN dispatch_type IN ('路燈故障或設施損壞', '河濱公園自??道及堤外?道破損、散?物、油漬及樹倒') THEN dispatch_type END AS attribute_type,
    place AS address,
    -- Until 2018 private addresses are cut to the district: that names no place that could have a case again.
    CASE WHEN char_length(place) > 3 THEN normalize_address(place) END AS address_id,
    CASE WHEN shifted THEN 'shifted_row' END AS reject_reason,
    CASE WHEN shifted THEN '立案日期 holds ' || coalesce('"' || opened_on || '"', 'nothing') || ', 立案時間 ' || coalesce('"' || written_time || '"', 'nothing')
        || ': a comma in the address or a cut record moved the columns' END AS reject_detail
FROM judged
