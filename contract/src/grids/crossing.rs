//! Whether the boundary of one polygon crosses or covers itself: what "self-intersecting" means here.
//!
//! Rings may touch at single points (a hole that touches the outer ring is legal, and a ring that touches itself still has
//! an inside); two edges that cross in their middle, or share a stretch, make "inside" a matter of convention.

use geo::{Coord, GeoNum, Kernel, MultiPolygon, Orientation};
use rstar::{AABB, RTree, RTreeObject};

/// A boundary edge; `a` to `b` as drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edge {
    pub(super) a: Coord<f64>,
    pub(super) b: Coord<f64>,
    /// Which polygon, ring or edge it is, as its user needs.
    pub(super) tag: u32,
}

impl RTreeObject for Edge {
    type Envelope = AABB<[f64; 2]>;

    fn envelope(&self) -> Self::Envelope {
        AABB::from_corners([self.a.x, self.a.y], [self.b.x, self.b.y])
    }
}

/// Every edge of a shape, with `tag` of its own for each.
pub(super) fn edges(shape: &MultiPolygon<f64>, mut tag: impl FnMut() -> u32) -> Vec<Edge> {
    let rings = shape.0.iter().flat_map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()));
    rings.flat_map(|ring| ring.0.windows(2).map(|pair| (pair[0], pair[1]))).map(|(a, b)| Edge { a, b, tag: tag() }).collect()
}

/// A point where the boundary crosses or covers itself, if there is one.
pub(super) fn self_crossing(shape: &MultiPolygon<f64>) -> Option<Coord<f64>> {
    let mut next = 0;
    let edges = edges(shape, || {
        next += 1;
        next
    });
    let tree = RTree::bulk_load(edges);
    tree.iter().find_map(|edge| {
        let mut near = tree.locate_in_envelope_intersecting(&edge.envelope());
        near.find(|other| other.tag > edge.tag && (cross(edge, other) || covers(edge, other))).map(|other| middle(edge, other))
    })
}

fn orient(a: Coord<f64>, b: Coord<f64>, c: Coord<f64>) -> Orientation {
    <f64 as GeoNum>::Ker::orient2d(a, b, c)
}

/// Whether two edges meet in the inside of both.
pub(super) fn cross(e: &Edge, f: &Edge) -> bool {
    let opposite = |p: Orientation, q: Orientation| {
        matches!((p, q), (Orientation::Clockwise, Orientation::CounterClockwise) | (Orientation::CounterClockwise, Orientation::Clockwise))
    };
    opposite(orient(e.a, e.b, f.a), orient(e.a, e.b, f.b)) && opposite(orient(f.a, f.b, e.a), orient(f.a, f.b, e.b))
}

/// Whether two edges lie on one line and share more than a point.
fn covers(e: &Edge, f: &Edge) -> bool {
    if orient(e.a, e.b, f.a) != Orientation::Collinear || orient(e.a, e.b, f.b) != Orientation::Collinear {
        return false;
    }
    // Along the longer axis of the line, so that a level or upright edge has a length.
    let along = |point: Coord<f64>| if (e.b.x - e.a.x).abs() >= (e.b.y - e.a.y).abs() { point.x } else { point.y };
    let span = |edge: &Edge| (along(edge.a).min(along(edge.b)), along(edge.a).max(along(edge.b)));
    let ((from, to), (other_from, other_to)) = (span(e), span(f));
    from.max(other_from) < to.min(other_to)
}

/// A point near where two edges meet, for the message.
fn middle(e: &Edge, f: &Edge) -> Coord<f64> {
    let overlap =
        |low: (f64, f64), high: (f64, f64)| (low.0.min(low.1).max(high.0.min(high.1)) + low.0.max(low.1).min(high.0.max(high.1))) / 2.0;
    Coord { x: overlap((e.a.x, e.b.x), (f.a.x, f.b.x)), y: overlap((e.a.y, e.b.y), (f.a.y, f.b.y)) }
}
