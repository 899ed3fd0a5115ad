-- What share of each source's events is received within so many hours of occurring? F(delay) by the reverse-time hazard.
--
-- Of the events of the last 35 days that had been received by the instant. One whose delay is longer than its age has not come yet, so
-- young events show short delays only (right truncation), and their share would be too high. For each delay d therefore
-- g(d) = events of delay d / events of delay at most d, both of those at least d hours old, which would have shown it; F(d) is the product
-- of 1 - g over the longer delays there were. complete_hours is the least delay at which F is at least 0.95.
--
-- Delays are rounded up and ages down to hours, and what then is younger than its delay is left out. So those at risk at d are the events
-- with delay <= d <= age: each enters at its delay and leaves after its age, and one sum over the hours counts them. Delays above 28 days
-- are left out: the longest is then still judged by a week of events. Counts are whole numbers and the sums of logarithms run in the order
-- of the hours, so that the order of the rows leaves no trace. A source that does not say when it received has no row.
--
-- Source: Kalbfleisch and Lawless 1991; Lawless 1994. (The instant is put in.)
WITH aged AS (
    SELECT source, delay, age, count(*) AS events
    FROM (
        SELECT
            source,
            CAST(ceil(greatest(arrow_cast(received_at, 'Int64') - arrow_cast(occurred_at, 'Int64'), 0) / 3600000000.0) AS BIGINT) AS delay,
            (arrow_cast(:as_of, 'Int64') - arrow_cast(occurred_at, 'Int64')) / 3600000000 AS age
        FROM events
        WHERE kind IN ('hotline_call', 'grid_report') AND received_at <= :as_of
            AND occurred_at > :as_of - INTERVAL '35 days' AND occurred_at <= :as_of
    ) AS hours
    WHERE delay <= least(age, 672)
    GROUP BY source, delay, age
),
steps AS (
    SELECT
        source,
        CASE side WHEN 0 THEN delay ELSE age + 1 END AS hours,
        sum(CASE side WHEN 0 THEN events ELSE 0 END) AS events,
        sum(CASE side WHEN 0 THEN events ELSE -events END) AS change
    FROM (SELECT *, unnest(range(0, 2)) AS side FROM aged) AS sides
    GROUP BY 1, 2
),
hazards AS (
    SELECT source, hours, events, at_risk, events / CAST(at_risk AS DOUBLE) AS hazard
    FROM (SELECT source, hours, events, sum(change) OVER (PARTITION BY source ORDER BY hours) AS at_risk FROM steps) AS risks
    WHERE events > 0
),
shares AS (
    SELECT
        source,
        hours,
        events,
        at_risk,
        -- Rounded, so that 19 of 20 are 0.95. (The logarithm of nothing is no number to go on with.)
        round(exp(coalesce(sum(ln(greatest(1.0 - hazard, 1e-300)))
            OVER (PARTITION BY source ORDER BY hours DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0.0)), 12) AS share
    FROM hazards
)
SELECT
    source,
    hours,
    events,
    at_risk,
    share,
    min(CASE WHEN share >= 0.95 THEN hours END) OVER (PARTITION BY source) AS complete_hours
FROM shares
