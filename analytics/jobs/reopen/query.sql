-- Does what is closed stay closed? Of each category, and of all ('*'): the cases first closed (stage archive) in the 90 days that ended
-- `days` ago, so that each was followed for `days`. Days: 7, 14, 30, 90.
--
-- measure 'reopen': share of them that had a step reopen within `days` after. measure 'relapse' (假性整改): share of them about whose
-- address and category a new contact came within `days` after. value = cases / n with the same n for both; unplaced of them have no
-- address, so that no relapse of theirs can be seen: where there are many, relapse is a lower bound. low and high are Wilson's 95 %
-- interval. Under 20 cases the rate is told with reason too_few_cases and no interval, to rank nobody.
--
-- Source: reopening and relapse rates of citizen hotlines; Wilson 1927. Cautions: cases closed in the last `days` are in no rate: half of
-- a follow-up would look like success; a case first closed more than 180 days ago and again since counts as closed then. Reads 180 days
-- of events, whatever the history.
WITH windows (days) AS (VALUES (7), (14), (30), (90)),
steps AS (
    SELECT
        case_id,
        coalesce(max(category), 'unknown') AS category,
        max(address_id) AS address_id,
        min(occurred_at) FILTER (WHERE stage = 'archive') AS closed_at,
        array_agg(occurred_at) FILTER (WHERE stage = 'reopen') AS reopened
    FROM events
    WHERE kind = 'case_step' AND stage IN ('archive', 'reopen') AND case_id IS NOT NULL
        AND occurred_at > :as_of - INTERVAL '180 days' AND occurred_at <= :as_of
    GROUP BY case_id
),
-- Closings and contacts of an address and category in one line of time: what comes after a closing is its relapse.
lines AS (
    SELECT case_id, category, address_id, closed_at AS at, true AS closing, reopened FROM steps WHERE closed_at IS NOT NULL
    UNION ALL
    SELECT case_id, coalesce(category, 'unknown'), address_id, occurred_at, false, NULL
    FROM events
    WHERE kind IN ('hotline_call', 'grid_report') AND address_id IS NOT NULL AND occurred_at > :as_of - INTERVAL '180 days' AND occurred_at <= :as_of
),
closings AS (
    SELECT
        case_id,
        category,
        address_id,
        date_part('epoch', :as_of) - date_part('epoch', at) AS watched,
        date_part('epoch', next_contact) - date_part('epoch', at) AS relapsed_after,
        date_part('epoch', array_min(reopenings)) - date_part('epoch', at) AS reopened_after
    FROM (
        SELECT *, reopened AS reopenings,
            min(CASE WHEN closing THEN NULL ELSE at END) OVER (PARTITION BY address_id, category ORDER BY at ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS next_contact
        FROM lines
    ) AS followed
    WHERE closing
),
counted AS (
    SELECT
        coalesce(category, '*') AS category,
        days,
        count(*) AS closed,
        count(*) - count(address_id) AS unplaced,
        count(*) FILTER (WHERE reopened_after BETWEEN 0 AND days * 86400) AS reopened,
        count(*) FILTER (WHERE address_id IS NOT NULL AND relapsed_after <= days * 86400) AS relapsed
    FROM windows CROSS JOIN closings
    WHERE watched >= days * 86400 AND watched < (days + 90) * 86400
    GROUP BY GROUPING SETS ((category, days), (days))
),
measured AS (
    SELECT category, days, 'reopen' AS measure, reopened AS cases, closed AS n, unplaced FROM counted
    UNION ALL
    SELECT category, days, 'relapse' AS measure, relapsed AS cases, closed AS n, unplaced FROM counted
)
SELECT
    category,
    measure,
    days,
    concat(CAST(days AS VARCHAR), 'd') AS period,
    CAST(cases AS DOUBLE) / n AS value,
    cases,
    n,
    unplaced,
    CASE WHEN n >= 20 THEN bounds['low'] END AS low,
    CASE WHEN n >= 20 THEN bounds['high'] END AS high,
    CASE WHEN n < 20 THEN 'too_few_cases' END AS reason
FROM (SELECT *, wilson(cases, n) AS bounds FROM measured WHERE n > 0) AS rated
