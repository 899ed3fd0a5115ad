// Classes of Gi*: which z is which colour, mark and word. The only place with the thresholds.
import type { Hotspot } from "./rows.ts";

export type Heat = "hot99" | "hot95" | "hot90" | "even" | "cold" | "unknown";

/** Two-sided quantiles of the normal distribution at 99, 95 and 90 %. */
const Z99 = 2.5758;
const Z95 = 1.96;
const Z90 = 1.6449;

export function heatOf(z: number | null): Heat {
  if (z === null) return "unknown";
  if (z >= Z99) return "hot99";
  if (z >= Z95) return "hot95";
  if (z >= Z90) return "hot90";
  return z <= -Z90 ? "cold" : "even";
}

/** Order of a legend. Marks differ in shape and number, so that colour is never the only sign. */
export const HEATS: readonly Heat[] = ["hot99", "hot95", "hot90", "even", "cold", "unknown"];

export const MARK: Record<Heat, string> = { hot99: "▲▲▲", hot95: "▲▲", hot90: "▲", even: "■", cold: "▼", unknown: "?" };

export const COLOR: Record<Heat, string> = {
  hot99: "#ff4d42",
  hot95: "#ff9a1f",
  hot90: "#ffe04a",
  even: "#2b3d5c",
  cold: "#2f6bd0",
  unknown: "#1b2536",
};

/** The list's order: by z, then by events, so that equal rows never swap places between two polls. */
export function byHeat(a: Hotspot, b: Hotspot): number {
  return (b.z ?? -Infinity) - (a.z ?? -Infinity) || (b.events ?? 0) - (a.events ?? 0) || (a.gridId < b.gridId ? -1 : 1);
}

/** Which part of the events of a grid and its neighbours comes from the neighbours; null without events. */
export function neighbourShare(own: number | null, neighbours: readonly string[], eventsOf: (gridId: string) => number): number | null {
  const around = neighbours.reduce((sum, id) => sum + eventsOf(id), 0);
  const all = around + (own ?? 0);
  return all > 0 ? around / all : null;
}
