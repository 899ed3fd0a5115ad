-- A reading: sno station, total docks, bicycles to rent, free docks to return, infoTime the station's own clock.
SELECT
    sno || '-' || regexp_replace("infoTime", '[^0-9]', '', 'g') AS event_id,
    sno AS device_id,
    "infoTime" AS occurred_at,
    'available_bikes' AS observed_property,
    available_rent_bikes AS value,
    'bikes' AS value_unit,
    total AS attribute_docks,
    available_return_bikes AS attribute_free_docks
FROM raw
