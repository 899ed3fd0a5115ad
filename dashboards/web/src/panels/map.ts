// The map: every grid in the class of its Gi*, drawn from the city's own polygons; no tiles, no foreign host.
import { type City, gridName, parentName } from "../city.ts";
import { aria, chart, INK, plain, registerMap, rem, tooltip } from "../chart.ts";
import type { Polygons } from "../door.ts";
import { button, el, fill, table } from "../dom.ts";
import { count, probability, score } from "../format.ts";
import { byHeat, COLOR, type Heat, heatOf, HEATS, MARK } from "../heat.ts";
import { borders } from "../outline.ts";
import { ALL } from "../questions.ts";
import { shownGrid } from "../rounds.ts";
import { type Hotspot, quietHotspot } from "../rows.ts";
import { heatName, say } from "../text.ts";
import type { Measure, Period } from "../view.ts";
import { LISTED } from "./hotspots.ts";
import { panel, swap } from "./panel.ts";
import type { Scene } from "./scene.ts";

/** Patterns beside the colours, for eyes that do not tell the colours apart. */
const DECAL: Partial<Record<Heat, object>> = {
  hot99: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -Math.PI / 4, color: "rgba(0,0,0,0.28)" },
  hot95: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1, 7], rotation: -Math.PI / 4, color: "rgba(0,0,0,0.3)" },
  cold: { symbol: "circle", dashArrayX: [[6, 6], [0, 6, 6, 0]], dashArrayY: [6, 0], symbolSize: 0.5, color: "rgba(0,0,0,0.35)" },
  unknown: { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1, 6], rotation: Math.PI / 4, color: "rgba(160,180,210,0.35)" },
};

/** From this many grids on, lines and numbers are thinner so that the colours stay visible. */
const FINE_FROM = 200;

/** Beyond this a single grid fills the map. */
const ZOOM_MAX = 16;

export function map() {
  const frame = panel("map", "map");
  let scene: Scene | null = null;
  const measure = choice<Measure>(["count", "excess"], (value) => scene?.choose({ measure: value }));
  const period = choice<Period>(["24h", "7d"], (value) => scene?.choose({ period: value }));
  const category = el("select", { "data-control": "category" });
  category.addEventListener("change", () => scene?.choose({ category: category.value }));
  frame.tools.append(measure.root, period.root, category);
  const [zoomIn, zoomOut] = [button("＋", { class: "quiet", "data-key": "in" }, () => zoomBy(1.5)), button("－", { class: "quiet", "data-key": "out" }, () => zoomBy(1 / 1.5))];
  frame.tools.append(zoomIn, zoomOut);
  const views = swap(frame.tools, frame.body, () => scene?.redraw());
  const legend = el("ul", { class: "legend" });
  const veil = el("div", { class: "veil", "aria-hidden": "true" });
  const empty = el("p", { class: "waiting" });
  frame.body.append(legend, veil, empty);
  const drawing = chart(views.chart);
  drawing.instance.on("click", (event) => {
    if (typeof event.name === "string" && event.name !== "") scene?.choose({ grid: event.name });
  });
  // What is selected is for us to say (see `item`); a click would toggle it.
  drawing.instance.on("selectchanged", () => drawing.again());
  let registered: Polygons | null = null;
  let zoom = 1;

  // Two layers are drawn from two maps, grids and borders: they are moved together.
  function zoomBy(factor: number): void {
    zoom = Math.min(ZOOM_MAX, Math.max(1, zoom * factor));
    const place = zoom === 1 ? { zoom, center: null } : { zoom };
    drawing.instance.setOption({ series: [place], ...(bordered ? { geo: place } : {}) });
  }
  drawing.instance.on("georoam", () => {
    const [series] = (drawing.instance.getOption() as { series: { center?: unknown }[] }).series;
    if (bordered) drawing.instance.setOption({ geo: { center: series?.center ?? null, zoom } });
  });

  function draw(next: Scene): void {
    scene = next;
    const { city, view, fresh } = next;
    const language = view.language;
    const asked = city.hotspots?.view;
    frame.head(language, asked ? caption(asked.measure, asked.period, asked.category, language) : "", city.failures.get("hotspots") ?? city.failures.get("polygons") ?? city.failures.get("grids"));
    measure.draw(view.measure, (value) => say(value === "count" ? "measureCount" : "measureExcess", language), say("measureLabel", language));
    period.draw(view.period, (value) => say(value === "24h" ? "period24h" : "period7d", language), say("periodLabel", language));
    drawCategories(category, next);
    drawLegend(legend, next);
    zoomIn.setAttribute("aria-label", say("zoomIn", language));
    zoomOut.setAttribute("aria-label", say("zoomOut", language));
    veil.hidden = fresh.condition !== "stale" && fresh.condition !== "away";
    veil.textContent = say("veil", language);
    legend.hidden = !city.hotspots;
    empty.textContent = city.polygons ? (city.polygons.value.features.length === 0 ? say("noGrids", language) : "") : say("waiting", language);
    views.show(language, () => asTable(next));
    if (!city.polygons || city.polygons.value.features.length === 0) return;
    const polygons = city.polygons.value;
    if (registered !== polygons) {
      // Asked again every few minutes and nearly always the same: only another map is worth drawing anew.
      if (JSON.stringify(registered) !== JSON.stringify(polygons)) register(polygons);
      registered = polygons;
    }
    drawing.show(option(next, registered, legendWidth(legend)));
  }
  return { root: frame.root, draw };
}

function caption(measure: Measure, period: Period, category: string, language: Scene["view"]["language"]): string {
  const topic = category === ALL ? say("allCategories", language) : category;
  return [say(measure === "count" ? "measureCount" : "measureExcess", language), say(period === "24h" ? "period24h" : "period7d", language), topic].join(" · ");
}

/** A row of buttons of which one is pressed. */
function choice<T extends string>(values: readonly T[], chosen: (value: T) => void) {
  const buttons = values.map((value) => button("", { "data-control": value, "data-key": value }, () => chosen(value)));
  const root = el("div", { class: "choice", role: "group" }, ...buttons);
  return {
    root,
    draw(current: T, name: (value: T) => string, label: string): void {
      root.setAttribute("aria-label", label);
      values.forEach((value, index) => {
        buttons[index]!.textContent = name(value);
        buttons[index]!.setAttribute("aria-pressed", String(value === current));
      });
    },
  };
}

function drawCategories(select: HTMLSelectElement, { city, view }: Scene): void {
  const names = [ALL, ...(city.categories?.value ?? [])];
  if (!names.includes(view.category)) names.push(view.category);
  select.setAttribute("aria-label", say("category", view.language));
  const labels = names.map((name) => (name === ALL ? say("allCategories", view.language) : name));
  const shown = [...select.options].map((option) => option.text);
  if (shown.join("\n") !== labels.join("\n")) fill(select, ...names.map((name, index) => el("option", { value: name }, labels[index]!)));
  select.value = view.category;
}

/** A grid without a row in a category had no events in it and is not hot: that is known, so it is not "undefined". */
function shownRows(city: City): Hotspot[] {
  const rows = city.hotspots?.value ?? [];
  const category = city.hotspots?.view.category ?? ALL;
  if (category === ALL) return [...rows];
  const known = new Set(rows.map(({ gridId }) => gridId));
  const quiet = (city.polygons?.value.features ?? []).map((feature) => String(feature.properties["grid_id"])).filter((gridId) => !known.has(gridId));
  return [...rows, ...quiet.map((gridId) => quietHotspot(gridId, category))];
}

function drawLegend(list: HTMLElement, { city, view }: Scene): void {
  const counts = new Map<Heat, number>();
  for (const row of shownRows(city)) counts.set(heatOf(row.z), (counts.get(heatOf(row.z)) ?? 0) + 1);
  const items = HEATS.map((heat) =>
    el("li", { "data-class": heat }, el("span", { class: `swatch ${heat}`, "aria-hidden": "true" }, MARK[heat]), heatName(heat, view.language), el("b", {}, count(counts.get(heat) ?? 0))),
  );
  fill(list, ...items, el("li", { class: "frame" }, el("span", { class: "swatch framed", "aria-hidden": "true" }), say("fdrNote", view.language)));
}

function register(polygons: Polygons): void {
  registerMap("grids", polygons as never);
  const lines = borders(polygons.features);
  const geometry = { type: "MultiLineString", coordinates: lines };
  registerMap("borders", { type: "FeatureCollection", features: [{ type: "Feature", properties: { name: "borders" }, geometry }] } as never);
  bordered = lines.length > 0;
}

let bordered = false;

/** A degree of longitude is shorter than one of latitude by the cosine of the latitude. */
function aspect(polygons: Polygons): number {
  const first = polygons.features.find(({ geometry }) => geometry !== null)?.geometry?.coordinates;
  const flat = (first as unknown[]).flat(4) as number[];
  return Math.cos(((flat[1] ?? 0) * Math.PI) / 180);
}

/** What the legend takes of the map's left side; nothing where it stands below. */
function legendWidth(legend: HTMLElement): number {
  return getComputedStyle(legend).position === "absolute" ? legend.offsetWidth : 0;
}

function option(scene: Scene, polygons: Polygons, left: number) {
  const { city, view } = scene;
  const rows = new Map(shownRows(city).map((row) => [row.gridId, row]));
  const ranked = [...rows.values()].filter((row) => row.hot).sort(byHeat).slice(0, LISTED).map((row) => row.gridId);
  const margin = rem() * 0.5;
  const place = { left: left + margin, right: margin, top: margin, bottom: margin, preserveAspect: "contain", aspectScale: aspect(polygons) };
  const chosen = shownGrid(view, city);
  const fine = polygons.features.length > FINE_FROM;
  const data = polygons.features.map((feature) => item(String(feature.properties["grid_id"]), rows, ranked, chosen, fine));
  const lines = { map: "borders", ...place, silent: true, z: 3, itemStyle: { borderColor: "#8fa6cc", borderWidth: fine ? 1 : 1.6, areaColor: "transparent" }, emphasis: { disabled: true }, tooltip: { show: false } };
  return {
    aria: aria(say("mapAlt", view.language)),
    tooltip: tooltip((params) => hint(scene, rows.get((params as { name: string }).name), (params as { name: string }).name)),
    ...(bordered ? { geo: lines } : {}),
    series: [{
      type: "map", map: "grids", nameProperty: "grid_id", ...place, z: 2, roam: "move", selectedMode: "multiple", data, labelLayout: { hideOverlap: true },
      itemStyle: { borderColor: INK.ground, borderWidth: fine ? 0.6 : 1, areaColor: COLOR.unknown },
      label: { show: false },
      emphasis: { label: { show: false }, itemStyle: { borderColor: "#ffffff", borderWidth: 2.5, areaColor: undefined } },
    }],
  };
}

function item(gridId: string, rows: ReadonlyMap<string, Hotspot>, ranked: readonly string[], chosen: string | null, fine: boolean) {
  const row = rows.get(gridId);
  const heat = heatOf(row?.z ?? null);
  const rank = ranked.indexOf(gridId) + 1;
  // Framed grids are "selected", because the library draws those above the others: a neighbour would hide half of the frame.
  const framed = gridId === chosen || row?.hot === true;
  const border = gridId === chosen ? { borderColor: "#5ef0ff", borderWidth: fine ? 2.5 : 4 } : row?.hot ? { borderColor: "#ffffff", borderWidth: fine ? 1.2 : 2 } : {};
  const label = { show: true, formatter: String(rank), color: "#0b1220", fontSize: rem() * (fine ? 1 : 1.4), fontWeight: "bold", backgroundColor: "rgba(255,255,255,0.92)", padding: fine ? [0, 3] : [1, 5], borderRadius: 9 };
  return {
    name: gridId,
    value: row?.z ?? Number.NaN,
    selected: framed,
    itemStyle: { areaColor: COLOR[heat], decal: DECAL[heat], ...border },
    emphasis: { itemStyle: { areaColor: COLOR[heat] }, ...(rank > 0 ? { label } : {}) },
    select: { itemStyle: { areaColor: COLOR[heat], decal: DECAL[heat], ...border }, label: rank > 0 ? label : { show: false } },
    ...(rank > 0 ? { label } : {}),
  };
}

function hint({ city, view }: Scene, row: Hotspot | undefined, gridId: string): string {
  const language = view.language;
  const name = [parentName(city, gridId, language), gridName(city, gridId, language)].filter(Boolean).join(" · ");
  if (!row) return plain(name);
  const heat = heatOf(row.z);
  const lines = [
    name,
    `${MARK[heat]} ${heatName(heat, language)}${row.hot ? ` · ${say("hotGrid", language)}` : ""}`,
    `${say("events", language)} ${count(row.events)} · ${say("usual", language)} ${count(row.baseline, 1)}`,
    ...(row.q === null ? [] : [`z ${score(row.z)} · q ${probability(row.q)}`]),
  ];
  return lines.map(plain).join("\n");
}

function asTable({ city, view }: Scene): HTMLElement {
  const language = view.language;
  const columns = [{ head: say("grid", language) }, { head: say("district", language) }, { head: say("class", language) }, { head: say("events", language), numeric: true }, { head: say("usual", language), numeric: true }, { head: "z", numeric: true }, { head: "q", numeric: true }];
  const rows = shownRows(city).sort(byHeat).map((row) => [
    gridName(city, row.gridId, language), parentName(city, row.gridId, language), `${MARK[heatOf(row.z)]} ${heatName(heatOf(row.z), language)}`, count(row.events), count(row.baseline, 1), score(row.q === null ? null : row.z), probability(row.q),
  ]);
  return table(say("map", language), columns, rows);
}
