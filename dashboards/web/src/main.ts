// Wires the page: settings, the polling rounds, the panels, and a tick each second so that ages are always true.
import "./style.css";
import { type City, cityClock } from "./city.ts";
import { settings, type Settings } from "./door.ts";
import { el } from "./dom.ts";
import { knownZone } from "./format.ts";
import { freshness } from "./freshness.ts";
import { detail } from "./panels/detail.ts";
import { feeds } from "./panels/feeds.ts";
import { header } from "./panels/header.ts";
import { hotspots } from "./panels/hotspots.ts";
import { kpis } from "./panels/kpis.ts";
import { map } from "./panels/map.ts";
import { recurrence } from "./panels/recurrence.ts";
import type { Scene } from "./panels/scene.ts";
import { trend } from "./panels/trend.ts";
import { Rounds } from "./rounds.ts";
import { openingView, type View } from "./view.ts";

const city: City = { failures: new Map() };
let view = openingView(location.search);
let local: Settings = { time_zone: "UTC", city_zh: "", city_en: "" };

const head = header();
const parts = { kpis: kpis(), hotspots: hotspots(), recurrence: recurrence(), map: map(), trend: trend(), detail: detail(), feeds: feeds() };

document.body.append(
  head.root,
  head.banner,
  el(
    "main",
    {},
    parts.kpis.root,
    el("div", { class: "side" }, parts.hotspots.root, parts.recurrence.root),
    el("div", { class: "middle" }, parts.map.root, parts.trend.root),
    el("div", { class: "side" }, parts.detail.root, parts.feeds.root),
  ),
);

const rounds = new Rounds(city, () => view, drawAll);

/** The server's clock now: its last answer plus the time since on this machine, whose own setting then does not matter. */
function presentTime(): number {
  const { serverNow, receivedAt } = rounds.report();
  return serverNow === null || receivedAt === null ? Date.now() : serverNow + (Date.now() - receivedAt);
}

function scene(): Scene {
  const now = presentTime();
  const asOf = cityClock(city);
  const { serverNow: lastAnswerAt, failing } = rounds.report();
  const sight = { now, asOf, lastAnswerAt, failing, feeds: city.feeds?.value ?? [] };
  const cityName = view.language === "zh" ? local.city_zh || local.city_en : local.city_en || local.city_zh;
  return { city, view, fresh: freshness(sight), now, asOf, zone: knownZone(local.time_zone), cityName, choose, redraw: drawAll };
}

let drawnCondition = "";

function drawAll(): void {
  const current = scene();
  head.draw(current);
  for (const part of Object.values(parts)) part.draw(current);
  drawnCondition = current.fresh.condition;
  document.body.dataset["ready"] = String(current.fresh.condition === "empty" || Boolean(city.hotspots && city.polygons && city.feeds && city.recurrence && city.hotGrids && city.gridHours));
}

/** Each second only the ages move; a change of condition draws everything, so that no panel looks live a second longer. */
function tick(): void {
  const current = scene();
  if (current.fresh.condition !== drawnCondition) return drawAll();
  head.draw(current);
  parts.feeds.draw(current);
}

function choose(change: Partial<View>): void {
  view = { ...view, ...change };
  drawAll();
  rounds.wake();
}

async function learnSettings(): Promise<void> {
  try {
    local = await settings();
    drawAll();
  } catch {
    setTimeout(() => void learnSettings(), 5000);
  }
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) rounds.wake();
});
drawAll();
void learnSettings();
rounds.wake();
setInterval(tick, 1000);
