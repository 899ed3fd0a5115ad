// The ranked list: which grids are hottest, by what, and how sure.
import { gridName, parentName } from "../city.ts";
import { button, el, fill } from "../dom.ts";
import { count, probability, score } from "../format.ts";
import { byHeat, heatOf, MARK } from "../heat.ts";
import { ALL } from "../questions.ts";
import { shownGrid } from "../rounds.ts";
import type { Hotspot } from "../rows.ts";
import { heatName, say } from "../text.ts";
import { panel } from "./panel.ts";
import type { Scene } from "./scene.ts";

/** Rows of the list. */
export const LISTED = 8;

export function hotspots() {
  const frame = panel("hotspots", "hotspots");
  const list = el("ol", { class: "ranks", tabindex: -1 });
  frame.body.append(list);
  function draw(scene: Scene): void {
    const { city, view } = scene;
    const asked = city.hotspots?.view;
    const period = asked ? say(asked.period === "24h" ? "period24h" : "period7d", view.language) : "";
    const measure = asked ? say(asked.measure === "count" ? "measureCount" : "measureExcess", view.language) : "";
    frame.head(view.language, [measure, period].filter(Boolean).join(" · "), city.failures.get("hotspots"));
    const rows = (city.hotspots?.value ?? []).filter((row) => (row.z ?? 0) > 0).sort(byHeat).slice(0, LISTED);
    const nothing = el("li", { class: "waiting" }, say(city.hotspots ? "noHotspots" : scene.fresh.condition === "empty" ? "empty" : "waiting", view.language));
    fill(list, ...(rows.length === 0 ? [nothing] : rows.map((row, index) => entry(scene, row, index + 1))));
  }
  return { root: frame.root, draw };
}

function entry(scene: Scene, row: Hotspot, rank: number): HTMLElement {
  const { city, view } = scene;
  const language = view.language;
  const heat = heatOf(row.z);
  const topic = row.category === ALL ? row.driver : row.category;
  const chosen = shownGrid(view, city) === row.gridId;
  const open = button("", { class: "rank", "data-key": `rank-${row.gridId}`, "aria-pressed": String(chosen) }, () => scene.choose({ grid: view.grid === row.gridId ? null : row.gridId }));
  open.append(
    el("span", { class: `badge ${heat}${row.hot ? " framed" : ""}`, title: heatName(heat, language) }, el("b", {}, String(rank)), el("i", {}, MARK[heat])),
    el("span", { class: "who" }, el("b", { class: "name" }, gridName(city, row.gridId, language)), el("span", { class: "where" }, [parentName(city, row.gridId, language), topic].filter(Boolean).join(" · "))),
    fact(count(row.events), `${say("usual", language)} ${count(row.baseline, 1)}`, "events"),
    fact(`z ${score(row.z)}`, `q ${probability(row.q)}`, "z"),
  );
  return el(
    "li",
    { "data-hotspot": row.gridId, "data-category": row.category, "data-events": row.events, "data-baseline": row.baseline, "data-z": row.z, "data-q": row.q },
    open,
  );
}

function fact(large: string, small: string, name: string): HTMLElement {
  return el("span", { class: `fact ${name}` }, el("b", {}, large), el("small", {}, small));
}
