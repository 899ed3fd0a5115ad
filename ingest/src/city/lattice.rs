//! The ground the city is drawn on: a lattice of bent streets whose blocks share their corners and edges, so whatever is
//! merged from blocks tiles the city without gap or overlap. The only place that knows how the lattice is bent.
//!
//! Blocks are small in the center and large at the rim; one row of streets is the river, which nothing is merged across.

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::dice::{Dice, Purpose, between, unit};

/// Longitude and latitude of the city's center: open sea, so that no real place is meant.
const CENTER: (f64, f64) = (123.5, 31.5);
/// Half the width of the square the lattice fills; the city is about 19 km wide.
const RADIUS_METERS: f64 = 13_500.0;
const METERS_PER_DEGREE: f64 = 111_320.0;
/// Cosine of the center's latitude, written out so that no machine rounds it differently.
const COS_LATITUDE: f64 = 0.852_640_164_354_092_2;
/// Corners move by up to this share of a block: from 0.25 on, opposite streets of a block could touch once bent.
const CORNER_SHIFT: f64 = 0.24;
/// Points along a street leave the straight line by up to this share of its length.
const STREET_BEND: f64 = 0.06;

/// A point in millionths of a degree (about 0.1 m): whole numbers, so that shared corners are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Point {
    pub(super) lon: i32,
    pub(super) lat: i32,
}

impl Point {
    fn of_meters(x: f64, y: f64) -> Self {
        let lon = CENTER.0 + x / (METERS_PER_DEGREE * COS_LATITUDE);
        let lat = CENTER.1 + y / METERS_PER_DEGREE;
        Self { lon: (lon * 1e6).round() as i32, lat: (lat * 1e6).round() as i32 }
    }

    /// Longitude and latitude in degrees.
    pub(super) fn degrees(self) -> (f64, f64) {
        (f64::from(self.lon) / 1e6, f64::from(self.lat) / 1e6)
    }

    /// Square kilometers a square of one millionth of a degree covers at the city's latitude.
    pub(super) fn area_unit() -> f64 {
        METERS_PER_DEGREE * METERS_PER_DEGREE * COS_LATITUDE * 1e-12 * 1e-6
    }
}

/// The four directions along the lattice, counterclockwise from east.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Direction(u8);

impl Direction {
    pub(super) const EAST: Self = Self(0);
    pub(super) const NORTH: Self = Self(1);
    pub(super) const WEST: Self = Self(2);
    pub(super) const SOUTH: Self = Self(3);
    pub(super) const ALL: [Self; 4] = [Self::EAST, Self::NORTH, Self::WEST, Self::SOUTH];

    /// The direction after `quarters` left turns.
    pub(super) const fn left(self, quarters: u8) -> Self {
        Self((self.0 + quarters) % 4)
    }

    pub(super) const fn index(self) -> usize {
        self.0 as usize
    }

    const fn step(self) -> (i64, i64) {
        match self.0 {
            0 => (1, 0),
            1 => (0, 1),
            2 => (-1, 0),
            _ => (0, -1),
        }
    }
}

/// The lattice: `side × side` blocks between `(side + 1)²` corners, of which those within the city's outline are inside.
#[derive(Debug)]
pub(super) struct Lattice {
    side: usize,
    corners: Vec<Point>,
    /// Two points along the street from each corner: east, then north.
    bends: [Vec<[Point; 2]>; 2],
    inside: Vec<bool>,
    river_row: usize,
}

impl Lattice {
    /// A lattice with about `blocks` blocks inside the outline.
    pub(super) fn new(dice: &Dice, blocks: usize) -> Self {
        // The outline covers about 0.56 of the square it lies in.
        let side = libm::ceil(libm::sqrt(blocks as f64 / 0.56)) as usize;
        let mut rng = dice.stream(Purpose::Lattice, 0);
        let river_row = side / 2 - 1 + (rng.next_u64() % 3) as usize;
        let warp = Warp::new(&mut rng);
        let inside = inside_outline(&mut rng, side);
        let planar = softened(corners(&mut rng, side, river_row), side, &inside);
        let bends = [Direction::EAST, Direction::NORTH].map(|direction| streets(&mut rng, side, &planar, direction, &warp));
        Self { side, corners: planar.iter().map(|(u, v)| warp.point(*u, *v)).collect(), bends, inside, river_row }
    }

    pub(super) fn blocks(&self) -> usize {
        self.side * self.side
    }

    pub(super) fn is_inside(&self, block: usize) -> bool {
        self.inside[block]
    }

    /// Takes a block out of the city.
    pub(super) fn drop_block(&mut self, block: usize) {
        self.inside[block] = false;
    }

    /// Column and row of a block.
    pub(super) fn column_row(&self, block: usize) -> (usize, usize) {
        (block % self.side, block / self.side)
    }

    /// How far a block lies from the center: 0 there, about 1 at the rim.
    pub(super) fn distance(&self, block: usize) -> f64 {
        let (column, row) = self.column_row(block);
        let half = self.side as f64 / 2.0;
        let (u, v) = ((column as f64 + 0.5 - half) / half, (row as f64 + 0.5 - half) / half);
        libm::sqrt(u * u + v * v)
    }

    /// Whether the river runs along the block.
    pub(super) fn is_riverside(&self, block: usize) -> bool {
        let row = self.column_row(block).1;
        row == self.river_row || row + 1 == self.river_row
    }

    /// The block beside, inside the city or not.
    pub(super) fn beside(&self, block: usize, direction: Direction) -> Option<usize> {
        let (column, row) = self.column_row(block);
        let (dx, dy) = direction.step();
        let (x, y) = (column as i64 + dx, row as i64 + dy);
        let range = 0..self.side as i64;
        (range.contains(&x) && range.contains(&y)).then(|| y as usize * self.side + x as usize)
    }

    /// The block beside that is inside and on the same bank.
    pub(super) fn linked(&self, block: usize, direction: Direction) -> Option<usize> {
        let next = self.beside(block, direction).filter(|next| self.inside[*next])?;
        let bank = |block: usize| self.column_row(block).1 < self.river_row;
        (bank(block) == bank(next)).then_some(next)
    }

    /// Where the side of `block` that is walked in `direction`, with the block on the left, begins.
    pub(super) fn side_start(&self, block: usize, direction: Direction) -> usize {
        let (column, row) = self.column_row(block);
        let (dx, dy) = [(0, 0), (1, 0), (1, 1), (0, 1)][direction.index()];
        (row + dy) * (self.side + 1) + column + dx
    }

    /// The corner one step further.
    pub(super) fn corner_after(&self, corner: usize, direction: Direction) -> usize {
        let (dx, dy) = direction.step();
        (corner as i64 + dy * (self.side as i64 + 1) + dx) as usize
    }

    /// The corner and the points along the street from it in `direction`.
    pub(super) fn street(&self, corner: usize, direction: Direction) -> [Point; 3] {
        let start = self.corners[corner];
        let axis = direction.index() % 2;
        if direction.index() < 2 {
            let [a, b] = self.bends[axis][corner];
            [start, a, b]
        } else {
            let [a, b] = self.bends[axis][self.corner_after(corner, direction)];
            [start, b, a]
        }
    }

    /// A point within the block, `across` and `up` in 0..1; near the rim of the block it can lie beside it.
    pub(super) fn within(&self, block: usize, across: f64, up: f64) -> Point {
        let corner = self.side_start(block, Direction::EAST);
        let at = |index: usize| self.corners[index];
        let (sw, se) = (at(corner), at(corner + 1));
        let (nw, ne) = (at(corner + self.side + 1), at(corner + self.side + 2));
        let blend = |sw: i32, se: i32, nw: i32, ne: i32| {
            let (sw, se, nw, ne) = (f64::from(sw), f64::from(se), f64::from(nw), f64::from(ne));
            ((sw * (1.0 - across) + se * across) * (1.0 - up) + (nw * (1.0 - across) + ne * across) * up).round() as i32
        };
        Point { lon: blend(sw.lon, se.lon, nw.lon, ne.lon), lat: blend(sw.lat, se.lat, nw.lat, ne.lat) }
    }

    /// The river from bank to bank of the city, west to east.
    pub(super) fn river(&self) -> Vec<Point> {
        let mut line = Vec::new();
        for column in 0..self.side {
            let (north, south) = (self.river_row * self.side + column, (self.river_row - 1) * self.side + column);
            if self.inside[north] || self.inside[south] {
                line.extend(self.street(self.river_row * (self.side + 1) + column, Direction::EAST));
            }
        }
        line
    }
}

/// How the flat lattice is bent into a city: denser in the middle, with a winding river.
struct Warp {
    winding: f64,
    phase: f64,
    width: f64,
    height: f64,
}

impl Warp {
    fn new(rng: &mut ChaCha8Rng) -> Self {
        Self {
            winding: between(rng, 0.08, 0.13),
            phase: between(rng, 0.0, 6.0),
            width: between(rng, 1.0, 1.08),
            height: between(rng, 0.86, 0.95),
        }
    }

    /// The radial part `0.62 + 0.38 r²` grows faster than the winding can fold it, so streets never cross.
    fn point(&self, u: f64, v: f64) -> Point {
        let stretch = 0.62 + 0.38 * (u * u + v * v) / 1.3;
        let (x, y) = (u * stretch, v * stretch);
        let bend = self.winding * libm::sin(2.6 * x + self.phase) * (1.0 - v * v);
        Point::of_meters(x * RADIUS_METERS * self.width, (y + bend) * RADIUS_METERS * self.height)
    }
}

fn corners(rng: &mut ChaCha8Rng, side: usize, river_row: usize) -> Vec<(f64, f64)> {
    let step = 2.0 / side as f64;
    let mut all = Vec::with_capacity((side + 1) * (side + 1));
    for row in 0..=side {
        // The river's line is smooth: its corners slide along it only.
        let across = if row == river_row { 0.03 } else { CORNER_SHIFT };
        for column in 0..=side {
            let u = -1.0 + step * (column as f64 + between(rng, -CORNER_SHIFT, CORNER_SHIFT));
            let v = -1.0 + step * (row as f64 + between(rng, -across, across));
            all.push((u, v));
        }
    }
    all
}

fn streets(rng: &mut ChaCha8Rng, side: usize, corners: &[(f64, f64)], direction: Direction, warp: &Warp) -> Vec<[Point; 2]> {
    let width = side + 1;
    let further = if direction == Direction::EAST { 1 } else { width };
    let street = |(index, from): (usize, &(f64, f64))| {
        let last = if direction == Direction::EAST { index % width == side } else { index / width == side };
        let to = if last { *from } else { corners[index + further] };
        let mut bend = |along: f64| {
            let aside = (unit(rng.next_u64()) * 2.0 - 1.0) * STREET_BEND;
            let (dx, dy) = (to.0 - from.0, to.1 - from.1);
            warp.point(from.0 + dx * along - dy * aside, from.1 + dy * along + dx * aside)
        };
        [bend(1.0 / 3.0), bend(2.0 / 3.0)]
    };
    corners.iter().enumerate().map(street).collect()
}

/// Takes the stairs out of the city's border: each of its corners moves halfway to the middle of the two beside it along the
/// border, which turns stairs of single blocks into a straight line (the filter ¼ ½ ¼ has no answer to an alternation).
fn softened(corners: Vec<(f64, f64)>, side: usize, inside: &[bool]) -> Vec<(f64, f64)> {
    let width = side + 1;
    let is_inside = |column: usize, row: usize| inside[row * side + column];
    let mut beside: Vec<Vec<usize>> = vec![Vec::new(); corners.len()];
    let mut link = |a: usize, b: usize| {
        beside[a].push(b);
        beside[b].push(a);
    };
    // The outermost blocks are all outside, so every side of the border has a block on both hands.
    for row in 1..side {
        for column in 1..side {
            let corner = row * width + column;
            if is_inside(column, row) != is_inside(column, row - 1) {
                link(corner, corner + 1);
            }
            if is_inside(column, row) != is_inside(column - 1, row) {
                link(corner, corner + width);
            }
        }
    }
    let middle = |index: usize| match beside[index][..] {
        [a, b] => ((corners[a].0 + corners[b].0) / 2.0, (corners[a].1 + corners[b].1) / 2.0),
        // Not on the border, or two blocks touch here: the corner stays.
        _ => corners[index],
    };
    (0..corners.len()).map(|index| ((corners[index].0 + middle(index).0) / 2.0, (corners[index].1 + middle(index).1) / 2.0)).collect()
}

/// The outline is a circle with three slow waves on it.
fn inside_outline(rng: &mut ChaCha8Rng, side: usize) -> Vec<bool> {
    let waves: Vec<(f64, f64, f64)> =
        [2.0, 3.0, 5.0].iter().map(|count| (*count, between(rng, 0.02, 0.05), between(rng, 0.0, 6.0))).collect();
    let half = side as f64 / 2.0;
    (0..side * side)
        .map(|block| {
            let (u, v) = (((block % side) as f64 + 0.5 - half) / half, ((block / side) as f64 + 0.5 - half) / half);
            let angle = libm::atan2(v, u);
            let reach = 0.84 + waves.iter().map(|(count, height, phase)| height * libm::sin(count * angle + phase)).sum::<f64>();
            // The outermost ring stays out, so that every side of an inside block has a block beside it.
            let rim = block % side == 0 || block % side == side - 1 || block / side == 0 || block / side == side - 1;
            !rim && libm::sqrt(u * u + v * v) < reach
        })
        .collect()
}
