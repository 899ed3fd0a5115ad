// The city's hourly curve of the last seven days.
import { chart } from "../chart.ts";
import { say } from "../text.ts";
import { curve } from "../usual.ts";
import { curveOption, curveTable } from "./curve.ts";
import { panel, swap } from "./panel.ts";
import type { Scene } from "./scene.ts";

export function trend() {
  const frame = panel("trend", "trend");
  let scene: Scene | null = null;
  const views = swap(frame.tools, frame.body, () => scene?.redraw());
  const drawing = chart(views.chart);
  function draw(next: Scene): void {
    scene = next;
    const { city, view, asOf, zone } = next;
    frame.head(view.language, say("trendNote", view.language), city.failures.get("cityHours"));
    const hours = city.cityHours?.value;
    if (!hours || asOf === null) return;
    const shown = { points: curve(hours, asOf, firstHour(hours)), title: say("trend", view.language), zone, language: view.language };
    views.show(view.language, () => curveTable(shown));
    drawing.show(curveOption(shown));
  }
  return { root: frame.root, draw };
}

/** The first hour the history holds; with no hour at all nothing is usual. */
export function firstHour(hours: ReadonlyMap<number, number>): number {
  return Math.min(Infinity, ...hours.keys());
}
