// Reads typed facts out of the door's rows; the only place that knows column names. What a column does not hold is null, never 0.
import type { Row } from "./door.ts";

export function numberOf(row: Row, column: string): number | null {
  const value = row[column];
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (typeof value === "string" && value.trim() !== "") {
    const parsed = Number(value);
    return Number.isFinite(parsed) ? parsed : null;
  }
  return null;
}

export function textOf(row: Row, column: string): string {
  const value = row[column];
  return value === null || value === undefined ? "" : String(value);
}

/** An instant in ms. A time without offset is UTC, as all times of the tables are. */
export function instantOf(row: Row, column: string): number | null {
  const text = textOf(row, column).trim().replace(" ", "T");
  if (text === "") return null;
  const parsed = Date.parse(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`);
  return Number.isNaN(parsed) ? null : parsed;
}

/** The newest `as_of` of the rows. */
export function asOf(rows: Row[]): number | null {
  return rows.reduce<number | null>((newest, row) => {
    const at = instantOf(row, "as_of");
    return at !== null && (newest === null || at > newest) ? at : newest;
  }, null);
}

export interface Feed {
  source: string;
  lastEventAt: number | null;
  lastIngestedAt: number | null;
  events24h: number | null;
  records24h: number | null;
  rejected24h: number | null;
  live: boolean;
}

export function feed(row: Row): Feed {
  return {
    source: textOf(row, "source"),
    lastEventAt: instantOf(row, "last_event_at"),
    lastIngestedAt: instantOf(row, "last_ingested_at"),
    events24h: numberOf(row, "events_24h"),
    records24h: numberOf(row, "records_24h"),
    rejected24h: numberOf(row, "rejected_24h"),
    live: textOf(row, "status") === "live",
  };
}

export interface Hotspot {
  gridId: string;
  category: string;
  /** The category that drives the grid most, where the row is over all categories. */
  driver: string;
  period: string;
  measure: string;
  events: number | null;
  baseline: number | null;
  z: number | null;
  p: number | null;
  q: number | null;
  n: number | null;
  /** What the job calls hot, as the alert does: q allows for the grids tested, and there are cases enough to judge by. */
  hot: boolean;
  reason: string;
}

export function hotspot(row: Row): Hotspot {
  return {
    gridId: textOf(row, "grid_id"),
    category: textOf(row, "category"),
    driver: textOf(row, "driver"),
    period: textOf(row, "period"),
    measure: textOf(row, "measure"),
    events: numberOf(row, "events"),
    baseline: numberOf(row, "baseline"),
    z: numberOf(row, "z"),
    p: numberOf(row, "p"),
    q: numberOf(row, "q"),
    n: numberOf(row, "n"),
    hot: textOf(row, "hot") === "true",
    reason: textOf(row, "reason"),
  };
}

/** What the job leaves out: a grid without events in a category. Its z is not told; that it is neither hot nor undefined is. */
export function quietHotspot(gridId: string, category: string): Hotspot {
  return { gridId, category, driver: "", period: "", measure: "", events: 0, baseline: null, z: 0, p: null, q: null, n: null, hot: false, reason: "" };
}

/** Why a grid is hot, in two lines of each language. */
export interface Why {
  zh: string;
  en: string;
}

export function why(row: Row): Why {
  return { zh: textOf(row, "why_zh"), en: textOf(row, "why_en") };
}

export interface Recurrence {
  key: string;
  category: string;
  days: number;
  contacts: number | null;
  repeatContacts: number | null;
  repeatRate: number | null;
  matters: number | null;
  repeatMatters: number | null;
  repeatShare: number | null;
  voicesPerMatter: number | null;
  leftCensored: number;
}

export function recurrence(row: Row): Recurrence {
  return {
    key: textOf(row, "key"),
    category: textOf(row, "category"),
    days: numberOf(row, "days") ?? 0,
    contacts: numberOf(row, "contacts"),
    repeatContacts: numberOf(row, "repeat_contacts"),
    repeatRate: numberOf(row, "repeat_rate"),
    matters: numberOf(row, "matters"),
    repeatMatters: numberOf(row, "repeat_matters"),
    repeatShare: numberOf(row, "repeat_share"),
    voicesPerMatter: numberOf(row, "voices_per_matter"),
    leftCensored: numberOf(row, "left_censored") ?? 0,
  };
}

export interface Grid {
  gridId: string;
  nameZh: string;
  nameEn: string;
  parent: string;
  neighbours: string[];
}

export function grid(row: Row): Grid {
  return {
    gridId: textOf(row, "grid_id"),
    nameZh: textOf(row, "name_zh"),
    nameEn: textOf(row, "name_en"),
    parent: textOf(row, "parent"),
    neighbours: neighboursOf(row["neighbours"]),
  };
}

/** A list column comes as JSON array, or as `{a,b}` where a client library wrote it as text. */
function neighboursOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== "string") return [];
  return value.replace(/^[[{]|[\]}]$/g, "").split(",").map((part) => part.trim().replace(/^"|"$/g, "")).filter(Boolean);
}
