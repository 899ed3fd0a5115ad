// The hourly curve beside what is usual, for the city and for one grid: one look, one table.
import { aria, INK, type Option, plain, rem, tooltip } from "../chart.ts";
import { table } from "../dom.ts";
import { count, moment, weekdayName } from "../format.ts";
import { say } from "../text.ts";
import type { HourPoint } from "../usual.ts";
import type { Language } from "../view.ts";

export interface Curve {
  points: HourPoint[];
  title: string;
  zone: string;
  language: Language;
}

export function curveOption({ points, title, zone, language }: Curve): Option {
  const moments = points.map(({ at }) => moment(at, zone));
  const size = rem();
  const label = { color: INK.soft, fontSize: size * 1.05 };
  // The open hour is drawn as its own hollow point: as part of the line it would look like a fall.
  const closed = points.map(({ events, open }) => (open ? null : events));
  const open = points.map((point) => (point.open ? point.events : null));
  return {
    aria: aria(title),
    grid: { left: size * 0.4, right: size * 0.9, top: size * 0.9, bottom: size * 0.2, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
    tooltip: { ...tooltip((params) => hint(params, points, zone, language)), trigger: "axis" },
    xAxis: {
      type: "category", boundaryGap: false, data: points.map(({ at }) => String(at)), axisTick: { show: false }, axisLine: { lineStyle: { color: INK.line } },
      splitLine: { show: true, lineStyle: { color: INK.line }, interval: (index: number) => moments[index]?.hour === 0 },
      axisLabel: { ...label, hideOverlap: true, interval: (index: number) => moments[index]?.hour === 12, formatter: (_: string, index: number) => `${moments[index]?.date.slice(5)} ${weekdayName(moments[index]?.weekday ?? 0, language)}` },
    },
    yAxis: { type: "value", minInterval: 1, splitNumber: 3, axisLabel: label, splitLine: { lineStyle: { color: INK.line, opacity: 0.6 } } },
    series: [
      { type: "line", name: say("usual", language), data: points.map(({ usual }) => usual), symbol: "none", connectNulls: false, lineStyle: { color: INK.usual, width: 1.6, type: [5, 4] }, z: 2 },
      { type: "line", name: say("events", language), data: closed, symbol: "none", lineStyle: { color: INK.accent, width: 2.4 }, areaStyle: { color: INK.accent, opacity: 0.2 }, z: 3 },
      { type: "line", name: say("openHour", language), data: open, symbol: "emptyCircle", symbolSize: size * 0.6, lineStyle: { opacity: 0 }, itemStyle: { color: INK.accent }, z: 4 },
    ],
  };
}

function hint(params: unknown, points: HourPoint[], zone: string, language: Language): string {
  const first = (Array.isArray(params) ? params[0] : params) as { dataIndex?: number } | undefined;
  const point = points[first?.dataIndex ?? -1];
  if (!point) return "";
  return [when(point, zone, language), `${say("events", language)} ${count(point.events)}${point.open ? ` (${say("openHour", language)})` : ""}`, `${say("usual", language)} ${count(point.usual, 1)}`].map(plain).join("\n");
}

function when({ at }: HourPoint, zone: string, language: Language): string {
  const { date, time, weekday } = moment(at, zone);
  return `${date} ${weekdayName(weekday, language)} ${time.slice(0, 5)}`;
}

/** Newest first: that is where a reader looks. */
export function curveTable({ points, title, zone, language }: Curve): HTMLElement {
  const columns = [{ head: say("hour", language) }, { head: say("events", language), numeric: true }, { head: say("usual", language), numeric: true }];
  const rows = [...points].reverse().map((point) => [`${when(point, zone, language)}${point.open ? ` (${say("openHour", language)})` : ""}`, count(point.events), count(point.usual, 1)]);
  return table(title, columns, rows);
}
