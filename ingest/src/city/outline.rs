//! From blocks to polygons: walks around a region of the lattice with the region on the left hand.
//!
//! Rings share the points of the streets they follow with their neighbours. The outer ring runs counterclockwise, holes run
//! clockwise (RFC 7946).

use std::collections::BTreeMap;

use super::lattice::{Direction, Lattice, Point};

/// A ring of points; the last joins the first.
pub(super) type Ring = Vec<Point>;

/// A polygon: the outer ring, then holes.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    /// Outer ring first.
    pub(super) rings: Vec<Ring>,
}

impl Outline {
    /// The outline of a connected region.
    pub(super) fn of(lattice: &Lattice, region: &[usize]) -> Self {
        let mut rings = rings(lattice, region);
        // A connected region has one outer ring, the only one with a positive area.
        rings.sort_by_key(|ring| std::cmp::Reverse(doubled_area(ring)));
        debug_assert!(rings.iter().skip(1).all(|ring| doubled_area(ring) < 0), "one outer ring");
        Self { rings }
    }

    /// Square kilometers.
    pub(super) fn area(&self) -> f64 {
        self.rings.iter().map(|ring| doubled_area(ring)).sum::<i64>() as f64 / 2.0 * Point::area_unit()
    }

    /// Whether a point lies inside (even–odd rule; on the border either way).
    pub(super) fn contains(&self, point: Point) -> bool {
        self.rings.iter().filter(|ring| crosses_odd(ring, point)).count() % 2 == 1
    }
}

fn rings(lattice: &Lattice, region: &[usize]) -> Vec<Ring> {
    let mut sides = border(lattice, region);
    let mut rings = Vec::new();
    while let Some((start, exits)) = sides.iter().find(|(_, exits)| !exits.is_empty()) {
        let (start, mut direction) = (*start, exits[0]);
        let (mut corner, mut ring) = (start, Ring::new());
        while let Some(exits) = sides.get_mut(&corner) {
            // Where two blocks of the region touch at a corner only, the left turn stays with the same block.
            let turn = [1, 0, 3]
                .map(|quarters| direction.left(quarters))
                .into_iter()
                .find_map(|wanted| exits.iter().position(|exit| *exit == wanted));
            let Some(exit) = (if ring.is_empty() { Some(0) } else { turn }) else { break };
            direction = exits.swap_remove(exit);
            ring.extend(lattice.street(corner, direction));
            corner = lattice.corner_after(corner, direction);
            if corner == start && !continues_left(&sides, corner, direction) {
                break;
            }
        }
        rings.push(ring);
    }
    rings
}

/// Whether the walk has to pass on through the corner it began at: only when it began in the middle of a touching corner.
fn continues_left(sides: &BTreeMap<usize, Vec<Direction>>, corner: usize, direction: Direction) -> bool {
    sides.get(&corner).is_some_and(|exits| exits.contains(&direction.left(1)))
}

/// Sides of the region's blocks that face another region, by the corner they start at.
fn border(lattice: &Lattice, region: &[usize]) -> BTreeMap<usize, Vec<Direction>> {
    let member: std::collections::BTreeSet<usize> = region.iter().copied().collect();
    let mut sides: BTreeMap<usize, Vec<Direction>> = BTreeMap::new();
    for block in region {
        for direction in Direction::ALL {
            // Walking east along a block's southern side, what faces it lies to the right.
            let facing = lattice.beside(*block, direction.left(3));
            if facing.is_none_or(|facing| !member.contains(&facing)) {
                sides.entry(lattice.side_start(*block, direction)).or_default().push(direction);
            }
        }
    }
    sides
}

/// Twice the signed area in squared millionths of a degree (shoelace formula, taken from the ring's first point so that
/// the products stay within 64 bits).
fn doubled_area(ring: &[Point]) -> i64 {
    let Some(origin) = ring.first() else { return 0 };
    let at = |point: &Point| (i64::from(point.lon - origin.lon), i64::from(point.lat - origin.lat));
    ring.iter().zip(ring.iter().cycle().skip(1)).map(|(a, b)| (at(a), at(b))).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum()
}

fn crosses_odd(ring: &[Point], point: Point) -> bool {
    let mut odd = false;
    for (a, b) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        if (a.lat > point.lat) != (b.lat > point.lat) {
            let (dx, dy) = (i64::from(b.lon - a.lon), i64::from(b.lat - a.lat));
            // Left of the edge at the point's latitude, without dividing.
            let side = i64::from(point.lon - a.lon) * dy - i64::from(point.lat - a.lat) * dx;
            odd ^= (side < 0) == (dy > 0);
        }
    }
    odd
}
