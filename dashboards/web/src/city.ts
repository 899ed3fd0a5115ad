// What the page knows of the city: the last good answer to each question, and for which question it was given.
import type { Feature, Polygons, Row } from "./door.ts";
import * as rows from "./rows.ts";
import type { View } from "./view.ts";

/** The last answer to one question. */
export interface Known<T> {
  value: T;
  /** The `as_of` of the rows, where they have one. */
  asOf: number | null;
  /** What was asked: a panel takes its labels from here, never from the present choice, so old rows never stand under a new label. */
  view: View;
}

export type Name = "feeds" | "volume" | "hotGrids" | "hotspots" | "categories" | "recurrence" | "cityHours" | "quarantine" | "reasons" | "grids" | "polygons" | "gridRows" | "gridHours" | "why";

export interface HotGrids {
  measure: string;
  hot: number;
  tested: number;
}

export interface Volume {
  events: number | null;
  unlocated: number | null;
}

export interface Quarantined {
  source: string;
  reason: string;
  records: number;
}

interface Values {
  feeds: rows.Feed[];
  volume: Volume;
  hotGrids: HotGrids[];
  hotspots: rows.Hotspot[];
  categories: string[];
  recurrence: rows.Recurrence[];
  cityHours: Map<number, number>;
  quarantine: Quarantined[];
  reasons: Map<string, { zh: string; en: string }>;
  grids: Map<string, rows.Grid>;
  polygons: Polygons;
  gridRows: { gridId: string; rows: rows.Hotspot[] };
  gridHours: { gridId: string; hours: Map<number, number> };
  why: rows.Why | null;
}

export type City = { [N in Name]?: Known<Values[N]> } & { failures: Map<Name, string> };

function hours(answer: Row[]): Map<number, number> {
  return new Map(answer.map((row) => [rows.instantOf(row, "hour") ?? 0, rows.numberOf(row, "events") ?? 0]));
}

/** How the rows of each question become facts. */
export const READ: { [N in Exclude<Name, "polygons">]: (answer: Row[], view: View) => Values[N] } = {
  feeds: (answer) => answer.map(rows.feed),
  volume: ([row = {}]) => ({ events: rows.numberOf(row, "events"), unlocated: rows.numberOf(row, "unlocated") }),
  hotGrids: (answer) => answer.map((row) => ({ measure: rows.textOf(row, "measure"), hot: rows.numberOf(row, "hot") ?? 0, tested: rows.numberOf(row, "tested") ?? 0 })),
  hotspots: (answer) => answer.map(rows.hotspot),
  categories: (answer) => answer.map((row) => rows.textOf(row, "category")).filter(Boolean),
  recurrence: (answer) => answer.map(rows.recurrence),
  cityHours: hours,
  quarantine: (answer) => answer.map((row) => ({ source: rows.textOf(row, "source"), reason: rows.textOf(row, "reason"), records: rows.numberOf(row, "records") ?? 0 })),
  reasons: (answer) => new Map(answer.map((row) => [rows.textOf(row, "reason"), { zh: rows.textOf(row, "zh"), en: rows.textOf(row, "en") }])),
  grids: (answer) => new Map(answer.map(rows.grid).map((grid) => [grid.gridId, grid])),
  gridRows: (answer, view) => ({ gridId: view.grid ?? "", rows: answer.map(rows.hotspot) }),
  gridHours: (answer, view) => ({ gridId: view.grid ?? "", hours: hours(answer) }),
  why: ([row]) => (row ? rows.why(row) : null),
};

/** The city's clock: the newest `as_of` any job has answered with. */
export function cityClock(city: City): number | null {
  const known = [city.feeds?.asOf, city.volume?.asOf, city.hotspots?.asOf, city.hotGrids?.asOf].filter((at) => at !== null && at !== undefined);
  return known.length > 0 ? Math.max(...known) : null;
}

/** A grid's name; polygons know it too, and an unknown grid is shown by its id. */
export function gridName(city: City, gridId: string, language: View["language"]): string {
  const grid = city.grids?.value.get(gridId);
  const properties = grid ? null : polygonOf(city, gridId)?.properties;
  const zh = grid?.nameZh || String(properties?.["name_zh"] ?? "");
  const en = grid?.nameEn || String(properties?.["name_en"] ?? "");
  return (language === "zh" ? zh || en : en || zh) || gridId;
}

function polygonOf(city: City, gridId: string): Feature | undefined {
  return city.polygons?.value.features.find((feature) => String(feature.properties["grid_id"]) === gridId);
}

export function parentName(city: City, gridId: string, language: View["language"]): string {
  const parent = city.grids?.value.get(gridId)?.parent ?? "";
  return parent === "" ? "" : gridName(city, parent, language);
}
