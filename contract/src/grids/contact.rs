//! What the grids of one level have to do with each other: who touches whom (queen contiguity) and who overlaps whom.

use std::collections::HashSet;

use geo::{BooleanOps, BoundingRect, Coord, MultiPolygon, Rect};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::crossing::{Edge, cross, edges};
use super::shape::area_km2;

/// How far apart two boundaries may lie and still touch. Files rounded to 6 decimals of a degree move each side by up to 6 cm;
/// the nearest villages of Taipei that do not touch are 0.87 m apart.
const TOUCH_METRES: f64 = 0.5;
/// Metres of a degree of latitude (mean meridian, WGS 84).
const DEGREE_METRES: f64 = 111_195.0;
/// An overlap of less than this share of the smaller grid is a seam, not a claim to the same ground.
const OVERLAP_SHARE_MIN: f64 = 1e-3;
/// An overlap of less than this is a seam in any case: 10 m by 10 m, the size of a crossing.
const OVERLAP_KM2_MIN: f64 = 1e-4;

/// Two grids of one level that claim the same ground.
#[derive(Debug)]
pub(super) struct Overlap {
    pub(super) first: usize,
    pub(super) second: usize,
    pub(super) area_km2: f64,
}

/// For each shape the shapes whose boundary comes within [`TOUCH_METRES`] of its own, sorted.
pub(super) fn neighbours(shapes: &[&MultiPolygon<f64>]) -> Vec<Vec<usize>> {
    let all: Vec<Edge> = (0..).zip(shapes).flat_map(|(owner, shape)| edges(shape, || owner)).collect();
    let tree = RTree::bulk_load(all);
    let mut linked: HashSet<(u32, u32)> = HashSet::new();
    for edge in &tree {
        for other in tree.locate_in_envelope_intersecting(&widened(edge)) {
            if edge.tag < other.tag && !linked.contains(&(edge.tag, other.tag)) && touch(edge, other) {
                linked.insert((edge.tag, other.tag));
            }
        }
    }
    let mut neighbours = vec![Vec::new(); shapes.len()];
    for (first, second) in linked {
        neighbours[first as usize].push(second as usize);
        neighbours[second as usize].push(first as usize);
    }
    neighbours.iter_mut().for_each(|list| list.sort_unstable());
    neighbours
}

/// Metres of a degree of longitude and of latitude near a point. Near the poles a degree of longitude shrinks to nothing;
/// the floor keeps the search box finite.
fn metres(lat: f64) -> (f64, f64) {
    (DEGREE_METRES * lat.to_radians().cos().max(0.01), DEGREE_METRES)
}

fn widened(edge: &Edge) -> AABB<[f64; 2]> {
    let (x, y) = metres(edge.a.y);
    let (dx, dy) = (TOUCH_METRES / x, TOUCH_METRES / y);
    let low = [edge.a.x.min(edge.b.x) - dx, edge.a.y.min(edge.b.y) - dy];
    let high = [edge.a.x.max(edge.b.x) + dx, edge.a.y.max(edge.b.y) + dy];
    AABB::from_corners(low, high)
}

/// Whether two edges come within [`TOUCH_METRES`] of each other.
fn touch(e: &Edge, f: &Edge) -> bool {
    let near = |point: Coord<f64>, edge: &Edge| distance_metres(point, edge) <= TOUCH_METRES;
    near(f.a, e) || near(f.b, e) || near(e.a, f) || near(e.b, f) || cross(e, f)
}

/// Distance of a point from an edge on the plane that touches the earth at the point.
fn distance_metres(point: Coord<f64>, edge: &Edge) -> f64 {
    let (sx, sy) = metres(point.y);
    let (ax, ay) = ((edge.a.x - point.x) * sx, (edge.a.y - point.y) * sy);
    let (dx, dy) = ((edge.b.x - edge.a.x) * sx, (edge.b.y - edge.a.y) * sy);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (-(ax * dx + ay * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (ax + along * dx).hypot(ay + along * dy)
}

/// Pairs that claim the same ground, beyond a seam. `areas_km2` are the shapes' own.
pub(super) fn overlaps(shapes: &[&MultiPolygon<f64>], areas_km2: &[f64]) -> Vec<Overlap> {
    let boxes: Vec<Rect<f64>> = shapes.iter().map(|shape| shape.bounding_rect().expect("a shape has an area")).collect();
    let items =
        (0..).zip(&boxes).map(|(index, rect)| GeomWithData::new(Rectangle::from_corners(corner(rect.min()), corner(rect.max())), index));
    let tree: RTree<GeomWithData<Rectangle<[f64; 2]>, usize>> = RTree::bulk_load(items.collect());
    let mut overlaps = Vec::new();
    for (first, rect) in boxes.iter().enumerate() {
        for item in tree.locate_in_envelope_intersecting(&AABB::from_corners(corner(rect.min()), corner(rect.max()))) {
            let second = item.data;
            let least = (areas_km2[first].min(areas_km2[second]) * OVERLAP_SHARE_MIN).max(OVERLAP_KM2_MIN);
            if first < second && shared_box_km2(rect, &boxes[second]) > least {
                let area_km2 = area_km2(&shapes[first].intersection(shapes[second]));
                if area_km2 > least {
                    overlaps.push(Overlap { first, second, area_km2 });
                }
            }
        }
    }
    overlaps.sort_by_key(|overlap| (overlap.first, overlap.second));
    overlaps
}

fn corner(point: Coord<f64>) -> [f64; 2] {
    [point.x, point.y]
}

/// Area two boxes share; an upper bound of what their shapes share, and cheap.
fn shared_box_km2(a: &Rect<f64>, b: &Rect<f64>) -> f64 {
    let width = (a.max().x.min(b.max().x) - a.min().x.max(b.min().x)).max(0.0);
    let height = (a.max().y.min(b.max().y) - a.min().y.max(b.min().y)).max(0.0);
    let (sx, sy) = metres(a.min().y.max(b.min().y));
    width * sx * height * sy / 1e6
}
