-- Repeat rate, repeat share and voices per matter over the last 7, 30 and 90 days; category '*' is all of them.
--
-- A contact repeats when its key (address and category for 'matter', pseudonym for 'caller') had a contact at most the window
-- before it: repeat_rate = repeat_contacts / contacts, low and high its Wilson 95 % interval (as if contacts came one by one: several calls
-- about one event are less). left_censored counts contacts whose look-back reaches behind the stored history: the rate is then a lower
-- bound, and the reason short_history says so. Reads 180 days of events, whatever the history.
WITH contacts AS (
    SELECT coalesce(category, 'unknown') AS category, address_id, caller, occurred_at
    FROM events
    WHERE kind IN ('hotline_call', 'grid_report')
        AND occurred_at > :as_of - INTERVAL '180 days'
        AND occurred_at <= :as_of
),
keyed AS (
    SELECT 'matter' AS key, category, concat(address_id, ' ', category) AS id, occurred_at FROM contacts WHERE address_id IS NOT NULL
    UNION ALL
    SELECT 'matter' AS key, '*' AS category, concat(address_id, ' ', category) AS id, occurred_at FROM contacts WHERE address_id IS NOT NULL
    UNION ALL
    SELECT 'caller' AS key, category, caller AS id, occurred_at FROM contacts WHERE caller IS NOT NULL
    UNION ALL
    SELECT 'caller' AS key, '*' AS category, caller AS id, occurred_at FROM contacts WHERE caller IS NOT NULL
),
gaps AS (
    SELECT
        key,
        category,
        id,
        date_part('epoch', :as_of) - date_part('epoch', occurred_at) AS age,
        date_part('epoch', occurred_at) - date_part('epoch', lag(occurred_at) OVER (PARTITION BY key, category, id ORDER BY occurred_at)) AS gap
    FROM keyed
),
history AS (
    SELECT date_part('epoch', :as_of) - date_part('epoch', min(hour)) AS seconds
    FROM cell_parts
    WHERE kind IN ('hotline_call', 'grid_report')
),
windows (days, period) AS (VALUES (7, '7d'), (30, '30d'), (90, '90d')),
matters AS (
    SELECT
        key,
        category,
        days,
        period,
        id,
        count(*) AS contacts,
        count(*) FILTER (WHERE gap <= days * 86400) AS repeats,
        count(*) FILTER (WHERE gap IS NULL AND age + days * 86400 > seconds) AS left_censored
    FROM history CROSS JOIN windows CROSS JOIN gaps
    WHERE age < days * 86400
    GROUP BY key, category, days, period, id
)
SELECT
    *,
    (wilson(repeat_contacts, contacts)).low AS low,
    (wilson(repeat_contacts, contacts)).high AS high,
    CASE WHEN left_censored > 0 THEN 'short_history' END AS reason
FROM (
    SELECT
        key,
        category,
        days,
        period,
        sum(contacts) AS contacts,
        sum(repeats) AS repeat_contacts,
        CAST(sum(repeats) AS DOUBLE) / sum(contacts) AS repeat_rate,
        count(*) AS matters,
        count(*) FILTER (WHERE contacts >= 2) AS repeat_matters,
        CAST(count(*) FILTER (WHERE contacts >= 2) AS DOUBLE) / count(*) AS repeat_share,
        CAST(sum(contacts) AS DOUBLE) / count(*) AS voices_per_matter,
        sum(left_censored) AS left_censored
    FROM matters
    GROUP BY key, category, days, period
) AS rates
