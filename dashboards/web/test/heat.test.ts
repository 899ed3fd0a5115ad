import { expect, test } from "vitest";
import { byHeat, COLOR, heatOf, HEATS, MARK, neighbourShare } from "../src/heat.ts";
import { hotspot, type Hotspot } from "../src/rows.ts";

function row(changes: Partial<Hotspot>): Hotspot {
  return { ...hotspot({ grid_id: "G1", category: "*", events: 5, z: 0, q: 1 }), ...changes };
}

test("classes begin at the two-sided 90, 95 and 99 % quantiles", () => {
  const classes = [2.58, 2.57, 1.96, 1.95, 1.65, 1.64, 0, -1.64, -1.65, null].map(heatOf);
  expect(classes).toEqual(["hot99", "hot95", "hot95", "hot90", "hot90", "even", "even", "even", "cold", "unknown"]);
});

test("hot is what the job says, whatever z and q are", () => {
  expect(hotspot({ z: 7, q: 0.0001, hot: false, reason: "too_few_cases" }).hot).toBe(false);
  expect(hotspot({ z: 3, q: 0.005, hot: true }).hot).toBe(true);
  expect(hotspot({ z: null, q: null }).hot).toBe(false);
});

test("every class differs by colour and by mark", () => {
  expect(new Set(HEATS.map((heat) => COLOR[heat])).size).toBe(HEATS.length);
  expect(new Set(HEATS.map((heat) => MARK[heat])).size).toBe(HEATS.length);
});

test("the list is ordered by z, then events, then id, and undefined comes last", () => {
  const rows = [row({ gridId: "a", z: null }), row({ gridId: "d", z: 2 }), row({ gridId: "c", z: 2 }), row({ gridId: "b", z: 2, events: 9 }), row({ gridId: "e", z: 3 })];
  expect([...rows].sort(byHeat).map(({ gridId }) => gridId)).toEqual(["e", "b", "c", "d", "a"]);
});

test("the neighbours' share is theirs of all events around; without events there is none", () => {
  const events = new Map([["n1", 6], ["n2", 3]]);
  expect(neighbourShare(3, ["n1", "n2", "gone"], (id) => events.get(id) ?? 0)).toBeCloseTo(0.75);
  expect(neighbourShare(0, [], () => 0)).toBeNull();
});
