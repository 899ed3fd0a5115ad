-- How long until the same matter comes again? Contacts of the last 180 days about an address and category, each watched until the next
-- one about the same, or until now. category '*' is all of them.
--
-- days: 1, 2, 3, 7, 14, 30, 60 and 90 after a contact. at_risk: contacts after which nothing had come before that day, watched until its
-- end; cases: those followed on that very day; hazard: cases / at_risk. survival: Kaplan-Meier's share of contacts not followed within
-- `days`, low and high its 95 % bounds. On each row, of the category: n contacts, gaps (contacts that were followed), and of these gaps
-- p25_days, median_days and p75_days. Under 20 contacts: too_few_cases, and no
-- share; none watched for so long: short_history.
-- A gap counts as days begun (a call an hour later is one day), watching as days that ended.
--
-- Source: Kaplan and Meier 1958. Cautions: quartiles are of gaps that ended, so of short ones; survival counts those still open. Several
-- people telling one event are gaps too. Reads 180 days of events, whatever the history.
WITH contacts AS (
    SELECT
        coalesce(category, 'unknown') AS category,
        (date_part('epoch', :as_of) - date_part('epoch', occurred_at)) / 86400 AS watched,
        -- Days until the next.
        (date_part('epoch', lead(occurred_at) OVER (PARTITION BY address_id, category ORDER BY occurred_at)) - date_part('epoch', occurred_at)) / 86400 AS gap
    FROM events
    WHERE kind IN ('hotline_call', 'grid_report') AND address_id IS NOT NULL
        AND occurred_at > :as_of - INTERVAL '180 days' AND occurred_at <= :as_of
),
spells AS (
    SELECT category, gap, gap IS NOT NULL AS observed, CASE WHEN gap IS NULL THEN floor(watched) ELSE greatest(ceil(gap), 1.0) END AS duration FROM contacts
),
windows (days) AS (VALUES (1), (2), (3), (7), (14), (30), (60), (90)),
counted AS (
    SELECT
        coalesce(category, '*') AS category,
        days,
        count(*) FILTER (WHERE duration >= days) AS at_risk,
        count(*) FILTER (WHERE observed AND duration = days) AS cases
    FROM windows CROSS JOIN spells
    GROUP BY GROUPING SETS ((category, days), (days))
),
heads AS (
    SELECT
        coalesce(category, '*') AS category,
        count(*) AS n,
        kaplan_meier(duration, observed) AS curve,
        array_agg(gap ORDER BY gap) FILTER (WHERE observed) AS ordered
    FROM spells
    GROUP BY GROUPING SETS ((category), ())
),
steps AS (
    SELECT category, n, coalesce(array_length(ordered), 0) AS gaps,
        ordered[CAST(ceil(array_length(ordered) / 4.0) AS BIGINT)] AS p25_days,
        ordered[CAST(ceil(array_length(ordered) / 2.0) AS BIGINT)] AS median_days,
        ordered[CAST(ceil(3 * array_length(ordered) / 4.0) AS BIGINT)] AS p75_days,
        unnest(CASE WHEN ordered IS NULL THEN make_array(NULL) ELSE curve END) AS step
    FROM heads
),
told AS (
    SELECT
        category, n, gaps, p25_days, median_days, p75_days, days,
        (array_agg(step['survival'] ORDER BY step['time'] DESC) FILTER (WHERE step['time'] <= days))[1] AS survival,
        (array_agg(step['low'] ORDER BY step['time'] DESC) FILTER (WHERE step['time'] <= days))[1] AS low,
        (array_agg(step['high'] ORDER BY step['time'] DESC) FILTER (WHERE step['time'] <= days))[1] AS high
    FROM windows CROSS JOIN steps
    GROUP BY category, n, gaps, p25_days, median_days, p75_days, days
)
SELECT
    told.category,
    told.days,
    concat(CAST(told.days AS VARCHAR), 'd') AS period,
    at_risk,
    cases,
    CASE WHEN n >= 20 THEN CAST(cases AS DOUBLE) / nullif(at_risk, 0) END AS hazard,
    CASE WHEN n >= 20 AND at_risk > 0 THEN coalesce(survival, 1.0) END AS survival,
    CASE WHEN n >= 20 AND at_risk > 0 THEN low END AS low,
    CASE WHEN n >= 20 AND at_risk > 0 THEN high END AS high,
    n,
    gaps,
    p25_days,
    median_days,
    p75_days,
    median_days * 86400 AS median_seconds,
    CASE WHEN n < 20 THEN 'too_few_cases' WHEN at_risk = 0 THEN 'short_history' END AS reason,
    n >= 20 AND told.days = 1 AS first
FROM told JOIN counted ON counted.category = told.category AND counted.days = told.days
