// Every SQL statement of the page, and nothing else: what a number on the screen means can be read here and repeated in psql.
import type { View } from "./view.ts";

/** `*` stands for all categories in the jobs' results. */
export const ALL = "*";

/** Beyond this a wall shows no more; the statement says so itself, so that the door need not send it. */
export const GRIDS_MAX = 5000;

/** A text as a SQL literal. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function instant(ms: number): string {
  return `TIMESTAMP '${new Date(ms).toISOString()}'`;
}

export function feeds(): string {
  return `SELECT source, last_event_at, last_ingested_at, age_seconds, events_24h, records_24h, rejected_24h, status, as_of, table_version
FROM jobs.feed_health ORDER BY source LIMIT 200`;
}

/** Events of the last 24 hours, as the map counts them: this hour as far as it has come, and the 23 before it; sensors are not events. */
export function volume(): string {
  return `SELECT SUM(events) AS events, SUM(CASE WHEN grid_id = 'unlocated' THEN events ELSE 0 END) AS unlocated, MAX(as_of) AS as_of
FROM jobs.volume WHERE category = '*' AND bin = 'hour' AND bin_start > date_trunc('hour', as_of) - INTERVAL '24 hours' LIMIT 1`;
}

/** How many grids the job calls hot. */
export function hotGrids(): string {
  return `SELECT measure, COUNT(*) FILTER (WHERE hot) AS hot, COUNT(z) AS tested, MAX(as_of) AS as_of
FROM jobs.hotspots WHERE category = '*' AND period = '24h' GROUP BY measure LIMIT 2`;
}

/** The rows behind map and list. For a single category the job leaves out grids without events. Over all categories each grid also names the one that drives it most. */
export function hotspots(view: View): string {
  const same = `period = ${literal(view.period)} AND measure = ${literal(view.measure)}`;
  const columns = "grid_id, category, events, baseline, value, z, p, q, n, hot, reason, as_of, table_version";
  if (view.category !== ALL) return `SELECT ${columns} FROM jobs.hotspots WHERE category = ${literal(view.category)} AND ${same} LIMIT ${GRIDS_MAX}`;
  return `WITH driving AS (
  SELECT grid_id, category AS driver, ROW_NUMBER() OVER (PARTITION BY grid_id ORDER BY z DESC NULLS LAST, events DESC, category) AS place
  FROM jobs.hotspots WHERE category <> '*' AND events > 0 AND ${same})
SELECT ${columns.replace("grid_id", "h.grid_id")}, driver
FROM jobs.hotspots AS h LEFT JOIN driving ON driving.grid_id = h.grid_id AND driving.place = 1
WHERE h.category = '*' AND ${same} LIMIT ${GRIDS_MAX}`;
}

export function categories(): string {
  return `SELECT category, SUM(events) AS events FROM jobs.hotspots
WHERE category <> '*' AND period = '7d' AND measure = 'count' GROUP BY category ORDER BY events DESC, category LIMIT 60`;
}

/** Over all categories, which the strip of numbers shows, and for the chosen one. */
export function recurrence(view: View): string {
  return `SELECT "key", category, days, contacts, repeat_contacts, repeat_rate, matters, repeat_matters, repeat_share, voices_per_matter, left_censored, as_of
FROM jobs.recurrence WHERE category IN ('*', ${literal(view.category)}) ORDER BY category, "key", days LIMIT 40`;
}

/** Hours of the last five weeks: one to show, four to say what is usual; calls and reports, as in the jobs. `grid` null is the whole city. */
export function hours(grid: string | null, category: string, since: number): string {
  const place = grid === null ? "" : ` AND grid_id = ${literal(grid)}`;
  const topic = category === ALL ? "" : ` AND category = ${literal(category)}`;
  return `SELECT hour, SUM(events) AS events FROM cells WHERE kind IN ('hotline_call', 'grid_report') AND hour >= ${instant(since)}${place}${topic} GROUP BY hour ORDER BY hour LIMIT 2000`;
}

/** Everything Gi* says of one grid. */
export function gridRows(grid: string): string {
  return `SELECT category, period, measure, events, baseline, value, z, p, q, n, hot, reason, as_of
FROM jobs.hotspots WHERE grid_id = ${literal(grid)} LIMIT 500`;
}

/** What a grid's events and its Gi* are made of, as of the run the list shows: two lines in each language. */
export function why(grid: string, view: View, asOf: number): string {
  return `SELECT text_zh AS why_zh, text_en AS why_en, as_of FROM why(${literal(grid)}, ${literal(view.category)}, ${instant(asOf)})
WHERE detector = 'hotspots' AND period = ${literal(view.period)} AND measure = ${literal(view.measure)} AND aspect = 'summary' LIMIT 1`;
}

export function quarantine(): string {
  return `SELECT source, reason, COUNT(*) AS records FROM quarantine GROUP BY source, reason ORDER BY records DESC, source, reason LIMIT 30`;
}

export function quarantineReasons(): string {
  return `SELECT reason, en, zh FROM system.quarantine_reasons LIMIT 100`;
}

export function grids(): string {
  return `SELECT grid_id, name_zh, name_en, level, parent, population, neighbours FROM grids LIMIT ${GRIDS_MAX * 2}`;
}
