import { expect, test } from "vitest";
import { asOf, grid, instantOf, numberOf } from "../src/rows.ts";

test("a number comes as number or as text; anything else is unknown, not nought", () => {
  const row = { a: 3, b: "4.5", c: null, d: "", e: "x", f: Number.NaN };
  expect(["a", "b", "c", "d", "e", "f", "none"].map((column) => numberOf(row, column))).toEqual([3, 4.5, null, null, null, null, null]);
});

test("an instant without offset is UTC", () => {
  const at = Date.parse("2026-11-22T06:00:00.5Z");
  for (const text of ["2026-11-22T06:00:00.500000Z", "2026-11-22 06:00:00.5", "2026-11-22T14:00:00.5+08:00"]) expect(instantOf({ t: text }, "t")).toBe(at);
  expect(instantOf({ t: "yesterday" }, "t")).toBeNull();
});

test("the newest as_of counts", () => {
  expect(asOf([{ as_of: "2026-11-22T06:00:00Z" }, { as_of: "2026-11-22T06:00:05Z" }, {}])).toBe(Date.parse("2026-11-22T06:00:05Z"));
  expect(asOf([])).toBeNull();
});

test("neighbours come as a list or as its text", () => {
  for (const neighbours of [["a", "b"], "{a,b}", '["a", "b"]']) expect(grid({ grid_id: "g", neighbours }).neighbours).toEqual(["a", "b"]);
  expect(grid({ grid_id: "g", neighbours: null }).neighbours).toEqual([]);
});
