-- Which matters should the city take up this month (每月一题)? Categories by score = voices x persistence x unresolved.
--
-- voices: contacts of the last 30 complete days; baseline: those of the 30 days before. persistence: of a contact of the month taken at
-- random, the share of the last 12 weeks (seven complete days) in which its grid had one about the same: 1 where it comes from the same
-- places all the time. unresolved = cases / n: of the n cases of these contacts that are followed (a step of theirs is known, and they
-- were neither merged nor voided), those not closed by now, or reopened since. low, high: Wilson's 95 % bounds of unresolved;
-- score_low, score_high: the score at these bounds. rank: by score, of those with at least 20 cases; with fewer too_few_cases, and with
-- fewer than four whole weeks short_history: no score. Contacts without a grid (unlocated) are voices but have no persistence.
--
-- Source: monthly issues of Beijing's hotline 12345 (每月一题: frequent, common, hard matters). Cautions: what came yesterday is open in
-- every category; compare categories, not months with holidays; a city whose closings are not fed in has no score. Reads 84 days of
-- cells and 30 days of events.
WITH places AS (
    SELECT category, grid_id, weeks, sum(CASE WHEN age < 30 THEN voices ELSE 0 END) AS voices,
        sum(CASE WHEN age >= 30 AND age < 60 THEN voices ELSE 0 END) AS voices_before,
        count(DISTINCT CASE WHEN age < 7 * weeks THEN age / 7 END) AS weeks_with
    FROM (
        SELECT *, least(max(age) OVER () / 7, 12) AS weeks
        FROM (
            SELECT
                coalesce(category, 'unknown') AS category,
                grid_id,
                CAST(round((date_part('epoch', local_day(:as_of)) - date_part('epoch', local_day(hour))) / 86400) AS BIGINT) - 1 AS age,
                voices
            FROM cell_parts
            WHERE kind IN ('hotline_call', 'grid_report') AND hour < local_day(:as_of)
                AND hour >= local_day(local_day(:as_of) - INTERVAL '85 days' + INTERVAL '12 hours')
        ) AS parts
    ) AS aged
    GROUP BY category, grid_id, weeks
),
topics AS (
    SELECT
        category,
        weeks,
        sum(voices) AS voices,
        sum(voices_before) AS voices_before,
        count(grid_id) FILTER (WHERE voices > 0) AS grids,
        CAST(sum(voices * weeks_with) FILTER (WHERE grid_id IS NOT NULL) AS DOUBLE)
            / nullif(weeks * sum(voices) FILTER (WHERE grid_id IS NOT NULL), 0) AS persistence
    FROM places
    GROUP BY category, weeks
),
-- One line a case: who told it in the month, and where it stands.
cases AS (
    SELECT
        case_id,
        max(coalesce(category, 'unknown')) FILTER (WHERE kind <> 'case_step') AS category,
        count(*) FILTER (WHERE kind = 'case_step') AS steps,
        count(*) FILTER (WHERE stage IN ('merge', 'void')) AS gone,
        max(occurred_at) FILTER (WHERE stage = 'archive') AS closed_at,
        max(occurred_at) FILTER (WHERE stage = 'reopen') AS reopened_at
    FROM events
    WHERE case_id IS NOT NULL AND kind IN ('hotline_call', 'grid_report', 'case_step') AND occurred_at <= :as_of
        AND occurred_at >= local_day(local_day(:as_of) - INTERVAL '30 days' + INTERVAL '12 hours')
        AND (kind = 'case_step' OR occurred_at < local_day(:as_of))
    GROUP BY case_id
),
followed AS (
    SELECT category, count(*) AS n, count(*) FILTER (WHERE closed_at IS NULL OR reopened_at > closed_at) AS cases
    FROM cases
    WHERE category IS NOT NULL AND steps > 0 AND gone = 0
    GROUP BY category
),
scored AS (
    SELECT *, CASE WHEN reason IS NULL THEN voices * persistence * (unresolved).rate END AS score
    FROM (
        SELECT
            topics.category, weeks, voices, voices_before, grids, persistence, coalesce(cases, 0) AS cases, coalesce(n, 0) AS n, wilson(cases, n) AS unresolved,
            CASE WHEN weeks < 4 THEN 'short_history' WHEN coalesce(n, 0) < 20 THEN 'too_few_cases' END AS reason
        FROM topics LEFT JOIN followed ON followed.category = topics.category
        WHERE voices > 0
    ) AS rated
)
SELECT
    category,
    CASE WHEN score IS NOT NULL THEN row_number() OVER (ORDER BY score DESC NULLS LAST, category) END AS rank,
    score,
    voices * persistence * CASE WHEN reason IS NULL THEN (unresolved).low END AS score_low,
    voices * persistence * CASE WHEN reason IS NULL THEN (unresolved).high END AS score_high,
    voices,
    voices_before AS baseline,
    grids,
    persistence,
    weeks,
    CASE WHEN reason IS NULL THEN (unresolved).rate END AS unresolved,
    CASE WHEN reason IS NULL THEN (unresolved).low END AS low,
    CASE WHEN reason IS NULL THEN (unresolved).high END AS high,
    cases,
    n,
    reason,
    score IS NOT NULL AND row_number() OVER (ORDER BY score DESC NULLS LAST, category) <= 10 AS listed
FROM scored
