// The borders between districts, found in the grids' own polygons: an edge that two districts share, or that lies on the city's rim.
import type { Feature } from "./door.ts";

type Point = [number, number];

/** 1e-7 degrees is a centimetre: points closer than that are the same corner. */
function key([lon, lat]: Point): string {
  return `${lon.toFixed(7)},${lat.toFixed(7)}`;
}

function* rings(feature: Feature): Generator<Point[]> {
  const { type, coordinates } = feature.geometry ?? { type: "", coordinates: [] };
  if (type === "Polygon") yield* coordinates as Point[][];
  if (type === "MultiPolygon") for (const polygon of coordinates as Point[][][]) yield* polygon;
}

interface Edge {
  from: Point;
  to: Point;
  parents: string[];
}

function edges(features: readonly Feature[]): Map<string, Edge> {
  const found = new Map<string, Edge>();
  for (const feature of features) {
    const parent = String(feature.properties["parent"] ?? "");
    for (const ring of rings(feature)) {
      for (let index = 1; index < ring.length; index += 1) {
        const [from, to] = [ring[index - 1]!, ring[index]!];
        const [a, b] = [key(from), key(to)];
        const name = a < b ? `${a} ${b}` : `${b} ${a}`;
        const edge = found.get(name);
        if (edge) edge.parents.push(parent);
        else found.set(name, { from, to, parents: [parent] });
      }
    }
  }
  return found;
}

/**
 * The borders as line strings. Empty where the polygons do not share their corners (each edge would then count as a border) or where
 * there is only one district.
 */
export function borders(features: readonly Feature[]): Point[][] {
  const all = [...edges(features).values()];
  const border = all.filter(({ parents }) => parents.length === 1 || parents.some((parent) => parent !== parents[0]));
  const alone = all.filter(({ parents }) => parents.length === 1).length;
  const districts = new Set(features.map((feature) => String(feature.properties["parent"] ?? "")));
  if (districts.size < 2 || alone > all.length * 0.3) return [];
  return chained(border);
}

/** Joins edges end to end, so that the chart draws a few hundred lines instead of many thousands. */
function chained(border: Edge[]): Point[][] {
  const at = new Map<string, Set<Edge>>();
  const meet = (point: Point, edge: Edge) => at.set(key(point), (at.get(key(point)) ?? new Set()).add(edge));
  for (const edge of border) {
    meet(edge.from, edge);
    meet(edge.to, edge);
  }
  const left = new Set(border);
  const lines: Point[][] = [];
  for (const first of border) {
    if (!left.delete(first)) continue;
    const line = [first.from, first.to];
    for (let end = first.to; ; ) {
      const next = [...(at.get(key(end)) ?? [])].find((edge) => left.has(edge));
      if (!next) break;
      left.delete(next);
      end = key(next.from) === key(end) ? next.to : next.from;
      line.push(end);
    }
    lines.push(line);
  }
  return lines;
}
