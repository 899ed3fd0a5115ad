import { expect, test } from "vitest";
import type { Feature } from "../src/door.ts";
import { borders } from "../src/outline.ts";

function square(column: number, row: number, parent: string, shift = 0): Feature {
  const [x, y] = [column + shift, row];
  const ring = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]];
  return { type: "Feature", properties: { parent }, geometry: { type: "Polygon", coordinates: [ring] } };
}

function town(parentOf: (column: number) => string): Feature[] {
  return Array.from({ length: 64 }, (_, index) => square(index % 8, Math.floor(index / 8), parentOf(index % 8)));
}

test("the border between two districts and the rim are found, inner edges are not", () => {
  const segments = borders(town((column) => (column < 4 ? "west" : "east"))).map((line) => line.length - 1);
  expect(segments.reduce((sum, length) => sum + length, 0)).toBe(32 + 8);
});

test("one district has no borders to show", () => {
  expect(borders(town(() => "all"))).toEqual([]);
});

test("polygons that do not share corners show none rather than every edge", () => {
  const loose = Array.from({ length: 16 }, (_, index) => square(index % 4, Math.floor(index / 4), String(index % 2), index * 0.001));
  expect(borders(loose)).toEqual([]);
});
