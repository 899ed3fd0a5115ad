-- Does one event bring another nearby soon after, and which places are therefore at raised risk, until when? Of each category, over the
-- last 60 days of events with coordinates.
--
-- row_kind 'band': pairs of events in a band of distance and of time (Knox) against chance, which deals the times over the events: value
-- pairs, baseline expected, ratio, p of 199 permutations, q over the nine bands of the category, n events (50 at least, else
-- too_few_cases). raised: ratio above 1.2, q < 0.05 and 20 pairs. The bands end at 1, 2 and 4 times near_distance metres and near_days
-- days of detector_settings; id names the ends of one.
-- row_kind 'place': where the nearest band is raised, each event (id) younger than near_days: within `distance` metres of it the next one
-- is `ratio` times as likely as chance lets expect, until risk_until.
--
-- Source: Knox 1964; Mantel 1967. Cautions: several calls about one event are near repeats too, and the same address is near; a ratio in all
-- bands at once is a city growing busier. Of each category the newest 2,000 events are taken: pairs grow with the square.
WITH points AS (
    SELECT *
    FROM (
        SELECT
            coalesce(category, 'unknown') AS category,
            event_id,
            grid_id,
            lon,
            lat,
            -- Metres east and north of the city's middle: within a city the earth is flat to a part in a thousand.
            lon * 111320.0 * cos(radians(avg(lat) OVER ())) AS x,
            lat * 110574.0 AS y,
            occurred_at,
            row_number() OVER (PARTITION BY category ORDER BY occurred_at DESC, event_id) AS place
        FROM events
        WHERE kind IN ('hotline_call', 'grid_report') AND lon IS NOT NULL AND lat IS NOT NULL
            AND occurred_at > :as_of - INTERVAL '60 days' AND occurred_at <= :as_of
    ) AS ordered
    WHERE place <= 2000
),
events_near AS (
    SELECT points.*, coalesce(own.near_distance, usual.near_distance) AS distance, coalesce(own.near_days, usual.near_days) AS days
    FROM (SELECT * FROM detector_settings WHERE category = 'default') AS usual
    CROSS JOIN points
    LEFT JOIN detector_settings AS own ON own.category = points.category
),
tables AS (
    SELECT
        category,
        distance,
        days,
        count(*) AS n,
        knox(x, y, date_part('epoch', occurred_at) / 86400, distances => make_array(distance, 2 * distance, 4 * distance),
            days => make_array(days, 2 * days, 4 * days), permutations => 199, seed => 1) AS cells,
        -- Only what is young enough to make a place.
        array_agg(event_id ORDER BY place) FILTER (WHERE recent) AS event_ids,
        array_agg(grid_id ORDER BY place) FILTER (WHERE recent) AS grid_ids,
        array_agg(occurred_at ORDER BY place) FILTER (WHERE recent) AS times,
        array_agg(lon ORDER BY place) FILTER (WHERE recent) AS lons,
        array_agg(lat ORDER BY place) FILTER (WHERE recent) AS lats
    FROM (SELECT *, date_part('epoch', :as_of) - date_part('epoch', occurred_at) < days * 86400 AS recent FROM events_near) AS aged
    GROUP BY category, distance, days
),
bands AS (
    SELECT
        *,
        cell['distance_to'] = distance AND cell['days_to'] = days AS nearest,
        coalesce(cell['ratio'] > 1.2 AND cell['q'] < 0.05 AND cell['pairs'] >= 20, false) AS raised
    FROM (SELECT *, unnest(CASE WHEN n >= 50 THEN cells ELSE make_array(NULL) END) AS cell FROM tables) AS unfolded
)
SELECT
    'band' AS row_kind,
    category,
    concat(CAST(coalesce(cell['distance_to'], distance) AS VARCHAR), ' m ', CAST(coalesce(cell['days_to'], days) AS VARCHAR), ' d') AS id,
    CAST(coalesce(cell['distance_to'], distance) AS DOUBLE) AS distance,
    CAST(coalesce(cell['days_to'], days) AS DOUBLE) AS days,
    cell['pairs'] AS value,
    cell['expected'] AS baseline,
    cell['ratio'] AS ratio,
    cell['p'] AS p,
    cell['q'] AS q,
    n,
    raised,
    CAST(NULL AS VARCHAR) AS grid_id,
    CAST(NULL AS DOUBLE) AS lon,
    CAST(NULL AS DOUBLE) AS lat,
    NULL AS risk_since,
    NULL AS risk_until,
    coalesce(nearest, false) AS exported,
    CASE WHEN n < 50 THEN 'too_few_cases' END AS reason
FROM bands
UNION ALL
SELECT
    'place' AS row_kind, category, event_id AS id, distance, days, 1 AS value, CAST(NULL AS DOUBLE) AS baseline, ratio, p, q, n, true AS raised, grid_id, lon, lat, risk_since,
    risk_since + arrow_cast(CAST(days * 86400000000 AS BIGINT), 'Duration(Microsecond)') AS risk_until, false AS exported, CAST(NULL AS VARCHAR) AS reason
FROM (
    SELECT category, distance, days, cell['ratio'] AS ratio, cell['p'] AS p, cell['q'] AS q, n,
        unnest(event_ids) AS event_id, unnest(grid_ids) AS grid_id, unnest(times) AS risk_since, unnest(lons) AS lon, unnest(lats) AS lat
    FROM bands
    WHERE raised AND nearest
) AS places
