// The strip of five numbers a leader reads first.
import { el, fill } from "../dom.ts";
import { count, percent } from "../format.ts";
import { ALL } from "../questions.ts";
import type { Feed } from "../rows.ts";
import { say, type Word } from "../text.ts";
import type { Measure } from "../view.ts";
import type { Scene } from "./scene.ts";

interface Kpi {
  name: string;
  label: Word;
  value: number | null;
  shown: string;
  remark: string;
  mark?: string;
  tone?: string;
}

export function kpis() {
  const root = el("section", { class: "kpis" });
  function draw(scene: Scene): void {
    fill(root, ...list(scene).map((kpi) => tile(kpi, scene)));
  }
  return { root, draw };
}

function tile({ name, label, value, shown, remark, mark, tone }: Kpi, { view }: Scene): HTMLElement {
  const number = el("strong", {}, mark === undefined ? null : el("span", { class: "mark", "aria-hidden": "true" }, mark), shown);
  const text = el("span", { class: "label" }, say(label, view.language));
  return el("div", { class: `kpi ${tone ?? ""}`, "data-kpi": name, "data-value": value }, text, number, el("span", { class: "remark" }, remark));
}

/** A sum that is unknown as soon as nothing is known, never 0 for "no answer". */
function sum(feeds: Feed[] | undefined, of: (feed: Feed) => number | null): number | null {
  const values = (feeds ?? []).map(of).filter((value) => value !== null);
  return values.length === 0 ? null : values.reduce((total, value) => total + value, 0);
}

function list(scene: Scene): Kpi[] {
  return [events(scene), hotGrids(scene, "count"), hotGrids(scene, "excess"), repeatRate(scene), quarantined(scene)];
}

function events({ city, view }: Scene): Kpi {
  const value = city.volume?.value.events ?? null;
  const unlocated = city.volume?.value.unlocated ?? 0;
  const remark = value === null ? "" : unlocated > 0 ? say("unlocated", view.language, count(unlocated)) : say("allLocated", view.language);
  return { name: "events_24h", label: "events24h", value, shown: count(value), remark };
}

function hotGrids({ city, view }: Scene, measure: Measure): Kpi {
  const row = city.hotGrids?.value.find((row) => row.measure === measure);
  const value = row?.hot ?? null;
  const [name, label, mark, tone] = measure === "count" ? (["hot_grids", "hotCount", "▲", "red"] as const) : (["hotter_than_usual", "hotExcess", "↗", "orange"] as const);
  return { name, label, value, shown: count(value), remark: row ? say("ofGrids", view.language, count(row.tested)) : "", mark, tone: (value ?? 0) > 0 ? tone : "" };
}

function repeatRate({ city, view }: Scene): Kpi {
  const row = city.recurrence?.value.find(({ key, days, category }) => key === "matter" && days === 30 && category === ALL);
  const value = row?.repeatRate ?? null;
  return { name: "repeat_rate_30d", label: "repeatRate", value, shown: percent(value), remark: row ? say("ofContacts", view.language, count(row.repeatContacts), count(row.contacts)) : "" };
}

function quarantined({ city, view }: Scene): Kpi {
  const value = sum(city.feeds?.value, (feed) => feed.rejected24h);
  const records = sum(city.feeds?.value, (feed) => feed.records24h);
  return { name: "quarantined_24h", label: "quarantined24h", value, shown: count(value), remark: records === null ? "" : say("ofRecords", view.language, count(records)), tone: (value ?? 0) > 0 ? "yellow" : "" };
}
