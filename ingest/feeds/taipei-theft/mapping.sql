-- A case: 編號 number within its file, 案類 type, 發生日期 date of the Republic's calendar, 發生時段 two hours such as 08~10, 發生地點 blurred place.
WITH dated AS (
    SELECT
        *,
        roc_date(發生日期) AS happened_on,
        -- `08~10`, `08-10`, `23~01`: the case counts at the start of its hours.
        lpad(split_part(replace(btrim(發生時段), '-', '~'), '~', 1), 2, '0') AS from_hour
    FROM raw
)
SELECT
    -- Numbers start at 1 in each type's file.
    案類 || '-' || 編號 AS event_id,
    案類 || '-' || 編號 AS case_id,
    CAST(happened_on AS text) || ' ' || from_hour || ':00' AS occurred_at,
    'report' AS stage,
    案類 AS category,
    發生地點 AS address,
    normalize_address(發生地點) AS address_id,
    發生時段 AS attribute_hours,
    -- A year of two digits lies before 2011 and these files start in 2014: a digit is missing.
    CASE WHEN happened_on < DATE '2000-01-01' OR (happened_on IS NULL AND 發生日期 IS NOT NULL) THEN 'bad_time' END AS reject_reason,
    '發生日期 is "' || 發生日期 || '", not a date of seven digits such as 1040101' AS reject_detail
FROM dated
