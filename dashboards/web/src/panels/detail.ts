// One grid: what Gi* says of it in a sentence and what makes it so, its hours beside the usual, and its categories.
import { gridName, parentName } from "../city.ts";
import { chart } from "../chart.ts";
import { button, el, fill } from "../dom.ts";
import { count, probability, score } from "../format.ts";
import { heatOf, MARK, neighbourShare } from "../heat.ts";
import { ALL } from "../questions.ts";
import { shownGrid } from "../rounds.ts";
import type { Hotspot } from "../rows.ts";
import { sentence } from "../sentence.ts";
import { heatName, say } from "../text.ts";
import { curve } from "../usual.ts";
import { curveOption, curveTable } from "./curve.ts";
import type { Language } from "../view.ts";
import { panel, swap } from "./panel.ts";
import type { Scene } from "./scene.ts";
import { firstHour } from "./trend.ts";

/** Categories that fit below the curve. */
const CATEGORIES_SHOWN = 3;

export function detail() {
  const frame = panel("detail", "detail");
  let scene: Scene | null = null;
  const follow = button("", { class: "quiet", "data-key": "follow" }, () => scene?.choose({ grid: null }));
  const tag = el("span", { class: "tag" });
  frame.tools.append(tag, follow);
  const views = swap(frame.tools, frame.body, () => scene?.redraw());
  const drawing = chart(views.chart);
  const name = el("div", { class: "subject" });
  const words = el("p", { class: "sentence" });
  const made = el("p", { class: "why" });
  const topics = el("div", { class: "topics" });
  frame.body.prepend(name, words, made);
  frame.body.append(topics);

  function draw(next: Scene): void {
    scene = next;
    const { city, view } = next;
    const grid = shownGrid(view, city);
    follow.hidden = view.grid === null;
    follow.textContent = say("followTop", view.language);
    frame.head(view.language, view.grid === null ? say("following", view.language) : "", city.failures.get("gridRows") ?? city.failures.get("why") ?? city.failures.get("gridHours"));
    frame.root.dataset["grid"] = grid ?? "";
    if (grid === null) return fill(name, el("span", { class: "waiting" }, say(next.fresh.condition === "empty" ? "empty" : "waiting", view.language)));
    const known = city.gridRows?.value.gridId === grid ? city.gridRows.value.rows : [];
    const row = known.find((row) => row.category === view.category && row.period === view.period && row.measure === view.measure);
    drawName(name, next, grid);
    drawTag(tag, row, view.language);
    const explanation = explanationOf(next, grid);
    words.textContent = row ? sentenceOf(next, grid, row, explanation !== "") : known.length > 0 ? say("quiet", view.language) : "";
    made.hidden = explanation === "";
    made.textContent = explanation;
    drawTopics(topics, next, known);
    drawCurve(next, grid);
  }

  function drawCurve({ city, view, asOf, zone }: Scene, grid: string): void {
    const hours = city.gridHours?.value.gridId === grid ? city.gridHours.value.hours : null;
    const all = city.cityHours?.value;
    if (!hours || !all || asOf === null) return;
    const topic = city.gridHours?.view.category ?? ALL;
    const title = [gridName(city, grid, view.language), topic === ALL ? say("allCategories", view.language) : topic].join(" · ");
    const shown = { points: curve(hours, asOf, firstHour(all)), title, zone, language: view.language };
    views.show(view.language, () => curveTable(shown));
    drawing.show(curveOption(shown));
  }
  return { root: frame.root, draw };
}

function drawName(element: HTMLElement, { city, view }: Scene, grid: string): void {
  fill(element, el("b", {}, gridName(city, grid, view.language)), el("span", { class: "where" }, parentName(city, grid, view.language)));
}

function drawTag(tag: HTMLElement, row: Hotspot | undefined, language: Language): void {
  const heat = heatOf(row?.z ?? null);
  tag.hidden = row === undefined;
  tag.className = `tag ${heat}${row?.hot ? " framed" : ""}`;
  tag.textContent = `${MARK[heat]} ${heatName(heat, language)}`;
}

/** The two lines of SQL's own explanation; nothing while they are of another grid or choice. */
function explanationOf({ city, view }: Scene, grid: string): string {
  const known = city.why;
  const same = known?.view.grid === grid && known.view.category === view.category && known.view.period === view.period && known.view.measure === view.measure;
  return same ? known.value?.[view.language] ?? "" : "";
}

function sentenceOf({ city, view }: Scene, grid: string, row: Hotspot, explained: boolean): string {
  const neighbours = city.grids?.value.get(grid)?.neighbours ?? [];
  // The neighbours' events come from the map's rows, so they are used only when those answer the same question.
  const asked = city.hotspots?.view;
  const same = asked?.category === row.category && asked.period === row.period;
  const events = new Map((same ? (city.hotspots?.value ?? []) : []).map((other) => [other.gridId, other.events ?? 0]));
  return sentence({ row, neighbours: neighbours.length, neighbourShare: same ? neighbourShare(row.events, neighbours, (id) => events.get(id) ?? 0) : null, explained }, view.language);
}

function drawTopics(element: HTMLElement, { view }: Scene, known: readonly Hotspot[]): void {
  const rows = known.filter((row) => row.category !== ALL && row.period === view.period && row.measure === view.measure && ((row.events ?? 0) > 0 || (row.baseline ?? 0) > 0));
  rows.sort((a, b) => (b.events ?? 0) - (a.events ?? 0) || (a.category < b.category ? -1 : 1));
  const most = Math.max(1, ...rows.map((row) => Math.max(row.events ?? 0, row.baseline ?? 0)));
  const head = ["category", "events", "usual", "z", "q"] as const;
  const lines = rows.slice(0, CATEGORIES_SHOWN).map((row) => {
    const bar = el("span", { class: `bar ${heatOf(row.z)}` });
    bar.style.width = `${((row.events ?? 0) / most) * 100}%`;
    const tick = el("span", { class: "tick" });
    tick.style.left = `${((row.baseline ?? 0) / most) * 100}%`;
    return el("tr", { "data-topic": row.category }, el("th", { scope: "row" }, row.category, el("span", { class: "gauge", "aria-hidden": "true" }, bar, tick)),
      el("td", { class: "number" }, count(row.events)), el("td", { class: "number" }, count(row.baseline, 1)), el("td", { class: "number" }, `${heatOf(row.z).startsWith("hot") ? `${MARK[heatOf(row.z)]} ` : ""}${score(row.z)}`), el("td", { class: "number" }, probability(row.q)));
  });
  const heads = head.map((word, index) => el("th", { scope: "col", class: index === 0 ? null : "number" }, word === "category" ? say("byCategory", view.language) : say(word, view.language)));
  fill(element, lines.length === 0 ? null : el("table", {}, el("caption", { class: "unseen" }, say("byCategory", view.language)), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...lines)));
}
