// The only place that fetches: statements to the SQL door, the polygons, and the city's settings.

/** One row as the door sends it. */
export type Row = Record<string, unknown>;

export interface Answer {
  rows: Row[];
  /** The server's clock when it answered, in ms: a wall computer's own clock is often wrong. */
  serverNow: number;
}

/** The door looked at the statement and refused it: asking again will not help. */
export class Refused extends Error {}

/** The job asked about has not run yet: its table comes with its first event. No fault, and no answer. */
export class NotYet extends Error {}

/** No answer: the door, the server or the network is away. Asking again later may help. */
export class Away extends Error {}

/** Longer than the server's own limit on an answer (60 s), so that its explanation arrives first. */
const PATIENCE_MS = 65_000;

async function request(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (cause) {
    throw new Away(`${path}: no connection`, { cause });
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  const sentence = [problem.title, problem.detail].filter(Boolean).join(": ") || `${path}: HTTP ${response.status}`;
  if (response.status >= 500 || response.status === 429) throw new Away(sentence);
  throw /table '[^']*\bjobs\.\w+' not found/.test(sentence) ? new NotYet(sentence) : new Refused(sentence);
}

async function readJson<T>(path: string, response: Response): Promise<T> {
  try {
    return (await response.json()) as T;
  } catch (cause) {
    throw new Away(`${path}: the answer was cut off`, { cause });
  }
}

/** Asks one statement. */
export async function ask(sql: string): Promise<Answer> {
  const path = "/v1/sql";
  const response = await request(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ sql }) });
  const { rows } = await readJson<{ rows: Row[] }>(path, response);
  if (!Array.isArray(rows)) throw new Refused(`${path}: the answer has no rows`);
  const date = Date.parse(response.headers.get("date") ?? "");
  return { rows, serverNow: Number.isNaN(date) ? Date.now() : date };
}

export interface Feature {
  type: "Feature";
  properties: Record<string, unknown>;
  geometry: { type: string; coordinates: unknown } | null;
}

export interface Polygons {
  type: "FeatureCollection";
  features: Feature[];
}

/** The polygons of the finest level. */
export async function polygons(): Promise<Polygons> {
  const path = "/v1/grids.geojson";
  return readJson<Polygons>(path, await request(path, {}));
}

export interface Settings {
  time_zone: string;
  city_zh: string;
  city_en: string;
}

/** What the page must know of its city. */
export async function settings(): Promise<Settings> {
  return readJson<Settings>("/v1/page", await request("/v1/page", {}));
}
