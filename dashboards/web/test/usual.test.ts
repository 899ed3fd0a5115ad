import { expect, test } from "vitest";
import { curve, HOUR_MS, since } from "../src/usual.ts";

const NOON = Date.parse("2026-11-22T12:00:00Z");
const WEEK = 168 * HOUR_MS;

test("hours without events are spelled out as zero, and the running hour is open", () => {
  const points = curve(new Map([[NOON - HOUR_MS, 4]]), NOON + 60_000, NOON - 5 * WEEK);
  expect(points).toHaveLength(168);
  expect(points.at(-1)).toEqual({ at: NOON, events: 0, usual: 0, open: true });
  expect(points.at(-2)).toMatchObject({ at: NOON - HOUR_MS, events: 4, open: false });
});

test("usual is the mean of the same hour in the four weeks before", () => {
  const counts = new Map([[NOON - WEEK, 2], [NOON - 2 * WEEK, 4], [NOON - 4 * WEEK, 6]]);
  expect(curve(counts, NOON, NOON - 5 * WEEK).at(-1)?.usual).toBe(3);
});

test("with fewer than two weeks of history nothing is usual", () => {
  const counts = new Map([[NOON - WEEK, 2]]);
  expect(curve(counts, NOON, NOON - WEEK).at(-1)?.usual).toBeNull();
  expect(curve(counts, NOON, NOON - 2 * WEEK).at(-1)?.usual).toBe(1);
  expect(curve(new Map(), NOON, Infinity).at(-1)?.usual).toBeNull();
});

test("the statement reaches back as far as the curve looks", () => {
  expect(since(NOON + 1)).toBe(NOON - (167 + 4 * 168) * HOUR_MS);
});
