//! Which polygon of a level holds a point: a raster says which may, then the few edges at the point's height say which does.
//!
//! The raster ([`super::raster`]) answers most points by itself, because most of its cells lie within one polygon. Where too many
//! polygons meet in one cell, as all the others do where one lies far away, the tree of their boxes is asked.
//!
//! Rule for edges: a point is inside if a ray towards the east crosses the boundary an odd number of times, where an edge
//! includes its lower end but not its upper one, and a point on an edge counts as not crossed. Edges are turned upwards
//! before anything is computed, so the two grids that share an edge compute the same numbers and exactly one of them
//! claims the point. Where no grid claims it, a grid with the point on its edge does (the outer edge of the city).

use geo::{BoundingRect, MultiPolygon};
use rstar::primitives::{GeomWithData, Rectangle};
use rstar::{AABB, RTree};

use super::raster::{Cell, Raster};

/// Edges a band holds on average: fewer bands make long scans, more make large tables.
const BAND_EDGES: usize = 4;
/// Most bands of a polygon; 64 Ki bands of a city 60 km high are a metre each.
const BANDS_MAX: usize = 1 << 16;

/// Where a point lies in relation to a polygon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Inside,
    OnEdge,
    Outside,
}

/// Finds polygons by point. Places are those of the iterator it was built from.
#[derive(Debug)]
pub(super) struct Locator {
    raster: Raster,
    boxes: RTree<GeomWithData<Rectangle<[f64; 2]>, u32>>,
    polygons: Vec<Bands>,
}

impl Locator {
    pub(super) fn build<'a>(shapes: impl Iterator<Item = &'a MultiPolygon<f64>>) -> Self {
        let polygons: Vec<Bands> = shapes.map(Bands::build).collect();
        let items = (0..).zip(&polygons).map(|(place, bands)| GeomWithData::new(Rectangle::from_corners(bands.low, bands.high), place));
        Self { raster: Raster::build(&polygons), boxes: RTree::bulk_load(items.collect()), polygons }
    }

    /// The least place whose polygon holds the point.
    pub(super) fn find(&self, lon: f64, lat: f64) -> Option<u32> {
        let side = |place: u32| self.polygons[place as usize].side(lon, lat);
        match self.raster.at(lon, lat) {
            Cell::Within(place) => Some(place),
            Cell::Few(few) => least(few.iter().map(|one| (one.place(), if one.holds_all() { Side::Inside } else { side(one.place()) }))),
            Cell::Crowded => {
                let boxes = self.boxes.locate_in_envelope_intersecting(&AABB::from_point([lon, lat]));
                least(boxes.map(|item| (item.data, side(item.data))))
            }
        }
    }
}

/// The least place that holds the point; the least one with the point on its edge where none does.
fn least(sides: impl Iterator<Item = (u32, Side)>) -> Option<u32> {
    let (mut inside, mut on_edge) = (None::<u32>, None::<u32>);
    let lesser = |known: Option<u32>, place: u32| Some(known.map_or(place, |known| known.min(place)));
    for (place, side) in sides {
        match side {
            Side::Inside => inside = lesser(inside, place),
            Side::OnEdge => on_edge = lesser(on_edge, place),
            Side::Outside => {}
        }
    }
    inside.or(on_edge)
}

/// An edge turned upwards: lower end, upper end (from west to east if level).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rising {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) to_x: f64,
    pub(super) to_y: f64,
}

/// The edges of a polygon sorted into bands of equal height; an edge stands in each band it passes.
#[derive(Debug)]
pub(super) struct Bands {
    pub(super) low: [f64; 2],
    pub(super) high: [f64; 2],
    bands_per_degree: f64,
    /// Where each band starts in `edges`; one more than there are bands.
    starts: Vec<u32>,
    edges: Vec<Rising>,
}

impl Bands {
    fn build(shape: &MultiPolygon<f64>) -> Self {
        let edges: Vec<Rising> =
            super::crossing::edges(shape, || 0).iter().map(|edge| rising((edge.a.x, edge.a.y), (edge.b.x, edge.b.y))).collect();
        let rect = shape.bounding_rect().expect("a shape has an area");
        let count = (edges.len() / BAND_EDGES).clamp(1, BANDS_MAX);
        let count_f64 = f64::from(u32::try_from(count).expect("bands are bounded by BANDS_MAX"));
        let height = rect.height();
        let mut bands = Self {
            low: [rect.min().x, rect.min().y],
            high: [rect.max().x, rect.max().y],
            bands_per_degree: if height > 0.0 { count_f64 / height } else { 0.0 },
            starts: Vec::new(),
            edges: Vec::new(),
        };
        let mut buckets: Vec<Vec<Rising>> = vec![Vec::new(); count];
        for edge in edges {
            for bucket in &mut buckets[bands.band(edge.y, count)..=bands.band(edge.to_y, count)] {
                bucket.push(edge);
            }
        }
        for bucket in buckets {
            bands.starts.push(u32::try_from(bands.edges.len()).expect("vertices are bounded by VERTICES_MAX"));
            bands.edges.extend(bucket);
        }
        bands.starts.push(u32::try_from(bands.edges.len()).expect("vertices are bounded by VERTICES_MAX"));
        bands
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value lies between 0 and BANDS_MAX")]
    fn band(&self, y: f64, count: usize) -> usize {
        (((y - self.low[1]) * self.bands_per_degree).max(0.0) as usize).min(count - 1)
    }

    /// Its edges; one that passes several bands comes with each.
    pub(super) fn edges(&self) -> &[Rising] {
        &self.edges
    }

    pub(super) fn side(&self, x: f64, y: f64) -> Side {
        let band = self.band(y, self.starts.len() - 1);
        let (mut odd, mut on_edge) = (false, false);
        for edge in &self.edges[self.starts[band] as usize..self.starts[band + 1] as usize] {
            if y < edge.y || y > edge.to_y {
                continue;
            }
            let cross = (edge.to_x - edge.x) * (y - edge.y) - (x - edge.x) * (edge.to_y - edge.y);
            if cross > 0.0 {
                odd ^= y < edge.to_y;
            } else if cross == 0.0 {
                on_edge |= edge.x.min(edge.to_x) <= x && x <= edge.x.max(edge.to_x);
            }
        }
        match (odd, on_edge) {
            (true, _) => Side::Inside,
            (false, true) => Side::OnEdge,
            (false, false) => Side::Outside,
        }
    }
}

fn rising(a: (f64, f64), b: (f64, f64)) -> Rising {
    let ((x, y), (to_x, to_y)) = if (a.1, a.0) <= (b.1, b.0) { (a, b) } else { (b, a) };
    Rising { x, y, to_x, to_y }
}

#[cfg(test)]
mod tests {
    use super::*;
    use geo::{Polygon, polygon};

    fn square(x: f64, y: f64, size: f64) -> MultiPolygon<f64> {
        let square: Polygon<f64> = polygon![(x: x, y: y), (x: x + size, y: y), (x: x + size, y: y + size), (x: x, y: y + size)];
        square.into()
    }

    #[test]
    fn a_point_on_a_shared_edge_or_corner_has_one_answer() {
        let squares: Vec<_> = (0..4).map(|index| square(f64::from(index % 2), f64::from(index / 2), 1.0)).collect();
        let locator = Locator::build(squares.iter());
        for (x, y, expected) in [(0.5, 0.5, 0), (1.0, 0.5, 1), (0.5, 1.0, 2), (1.0, 1.0, 3)] {
            let claims = locator.polygons.iter().filter(|bands| bands.side(x, y) == Side::Inside).count();
            assert_eq!((locator.find(x, y), claims), (Some(expected), 1), "({x}, {y})");
        }
    }

    #[test]
    fn a_point_on_the_outer_edge_belongs_to_the_grid_inside() {
        let squares = [square(0.0, 0.0, 1.0), square(1.0, 0.0, 1.0)];
        let locator = Locator::build(squares.iter());
        for (x, y, expected) in
            [(0.0, 0.0, Some(0)), (2.0, 1.0, Some(1)), (2.0, 0.5, Some(1)), (0.5, 1.0, Some(0)), (1.0, 1.0, Some(0)), (2.1, 0.5, None)]
        {
            assert_eq!(locator.find(x, y), expected, "({x}, {y})");
        }
    }

    #[test]
    fn a_hole_is_outside_and_an_exclave_inside() {
        let ring = Polygon::new(square(0.0, 0.0, 3.0).0[0].exterior().clone(), vec![square(1.0, 1.0, 1.0).0[0].exterior().clone()]);
        let shape = MultiPolygon::new(vec![ring, square(5.0, 5.0, 1.0).0[0].clone()]);
        let locator = Locator::build([shape].iter());
        for (x, y, expected) in [(0.5, 0.5, Some(0)), (1.5, 1.5, None), (2.5, 1.5, Some(0)), (5.5, 5.5, Some(0)), (4.0, 4.0, None)] {
            assert_eq!(locator.find(x, y), expected, "({x}, {y})");
        }
    }

    /// What the raster says is what every polygon asked one by one says, in a city of triangles, holes and overlaps with one polygon far away.
    #[test]
    fn the_raster_answers_what_asking_every_polygon_answers() {
        let corner = |step: u32, of: u32| f64::from(step * 7919 % of) / f64::from(of);
        for (count, far) in [(1, false), (9, false), (60, false), (60, true), (400, true)] {
            let triangle = |step: u32| {
                let (x, y) = (10.0 * corner(step, 101), 10.0 * corner(step, 89));
                let (wide, high) = (0.2 + 2.0 * corner(step, 53), 0.2 + 3.0 * corner(step, 31));
                let triangle: Polygon<f64> = polygon![(x: x, y: y), (x: x + wide, y: y + high / 3.0), (x: x + wide / 4.0, y: y + high)];
                MultiPolygon::from(triangle)
            };
            let mut shapes: Vec<_> =
                (0..count).map(triangle).chain((0..16).map(|n| square(f64::from(n % 4), f64::from(n / 4), 1.0))).collect();
            shapes.extend(far.then(|| square(150.0, -60.0, 0.5)));
            let locator = Locator::build(shapes.iter());
            let corners = shapes.iter().flat_map(|shape| shape.0[0].exterior().coords()).map(|corner| (corner.x, corner.y));
            let spread = (0..4000_u32).map(|step| (14.0 * corner(step, 4001) - 1.0, 15.0 * corner(step, 3989) - 1.0));
            for (x, y) in corners.chain(spread) {
                let asked = least((0..).zip(&locator.polygons).map(|(place, bands)| {
                    let boxed = bands.low[0] <= x && x <= bands.high[0] && bands.low[1] <= y && y <= bands.high[1];
                    (place, if boxed { bands.side(x, y) } else { Side::Outside })
                }));
                assert_eq!(locator.find(x, y), asked, "({x}, {y}) of {count}");
            }
        }
    }

    #[test]
    fn numbers_that_are_no_place_find_nothing() {
        let locator = Locator::build([square(0.0, 0.0, 1.0)].iter());
        for (x, y) in [(f64::NAN, 0.5), (0.5, f64::NAN), (f64::INFINITY, 0.5), (0.5, f64::NEG_INFINITY)] {
            assert_eq!(locator.find(x, y), None);
        }
    }
}
