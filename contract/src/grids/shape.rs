//! One polygon judged by itself: rings closed and rounded, parts without area dropped, area and centroid measured.
//! What it has to do with the others is in `contact`.

use geo::coordinate_position::{CoordPos, CoordinatePosition};
use geo::orient::Direction;
use geo::{Centroid, Coord, GeoNum, GeodesicArea, Kernel, LineString, MultiPolygon, Orient, Orientation, Polygon};

use super::crossing::self_crossing;
use super::source::Rings;

/// Least area of a usable grid in km² (1 m²): below it lies a digitizing slip, and no event.
const AREA_KM2_MIN: f64 = 1e-6;

/// A usable polygon.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) geometry: MultiPolygon<f64>,
    pub(super) lon: f64,
    pub(super) lat: f64,
    pub(super) area_km2: f64,
}

/// What is wrong with a polygon, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) what: String,
    pub(super) advice: &'static str,
}

/// Decimals kept of a coordinate: a tenth of a micrometre, so no outline changes, and short enough (below 2^53 without the
/// point) that the number survives writing and reading unchanged.
pub(super) const DECIMALS: i32 = 12;

/// Rounds to [`DECIMALS`].
pub(super) fn rounded(value: f64) -> f64 {
    let scale = 10_f64.powi(DECIMALS);
    (value * scale).round() / scale
}

/// Makes a shape of a feature's rings, or says why it cannot be a grid. Flaws that do not matter to use go to `flaws`.
pub(super) fn shape(parts: Vec<Rings>, flaws: &mut Vec<Flaw>) -> Result<Shape, Flaw> {
    check_coordinates(&parts)?;
    let polygons: Vec<Polygon<f64>> = parts.into_iter().filter_map(|rings| polygon(rings, flaws)).collect();
    let geometry = MultiPolygon::new(polygons).orient(Direction::Default);
    let area_km2 = rounded(area_km2(&geometry));
    match geometry.centroid() {
        Some(center) if area_km2 >= AREA_KM2_MIN => Ok(Shape { lon: rounded(center.x()), lat: rounded(center.y()), area_km2, geometry }),
        _ => Err(without_area(&geometry)),
    }
}

fn without_area(geometry: &MultiPolygon<f64>) -> Flaw {
    match self_crossing(geometry) {
        Some(point) => crossed(point, "its halves cancel"),
        None => Flaw { what: "is empty (no area)".to_owned(), advice: "draw its polygon or remove the feature" },
    }
}

/// The flaw of a polygon whose boundary crosses itself.
pub(super) fn crossed(point: Coord<f64>, consequence: &str) -> Flaw {
    let what = format!("is self-intersecting near ({}, {}); {consequence}", rounded(point.x), rounded(point.y));
    Flaw { what, advice: "mend the polygon, for example with ST_MakeValid or QGIS Fix geometries" }
}

fn check_coordinates(parts: &[Rings]) -> Result<(), Flaw> {
    for [lon, lat] in parts.iter().flatten().flatten() {
        if !((-180.0..=180.0).contains(lon) && (-90.0..=90.0).contains(lat)) {
            return Err(Flaw {
                what: format!("has the coordinates ({lon}, {lat}), which are not WGS 84 degrees"),
                advice: "convert the file to longitude and latitude (EPSG:4326)",
            });
        }
    }
    Ok(())
}

fn polygon(rings: Rings, flaws: &mut Vec<Flaw>) -> Option<Polygon<f64>> {
    let mut rings = rings.into_iter().map(|ring| line(ring, flaws));
    let outer = rings.next().flatten();
    let holes: Vec<LineString<f64>> = rings.flatten().collect();
    let Some(outer) = outer else {
        flaws.push(Flaw { what: "has a part without area, which is dropped".to_owned(), advice: "remove the part from the file" });
        return None;
    };
    let outer = Polygon::new(outer, vec![]);
    let (inside, outside): (Vec<_>, Vec<_>) = holes.into_iter().partition(|hole| lies_inside(hole, &outer));
    if !outside.is_empty() {
        let what = format!("has a hole outside its outer ring ({} of them), which is dropped", outside.len());
        flaws.push(Flaw { what, advice: "make it a part of its own, or remove it" });
    }
    Some(Polygon::new(outer.into_inner().0, inside))
}

/// Whether a ring lies inside a polygon, told by its first point that is not on the edge.
fn lies_inside(ring: &LineString<f64>, polygon: &Polygon<f64>) -> bool {
    let positions = ring.coords().map(|point| polygon.coordinate_position(point));
    positions.into_iter().find(|position| *position != CoordPos::OnBoundary).is_none_or(|position| position == CoordPos::Inside)
}

/// A closed ring without repeated points; `None` if no area remains.
fn line(ring: Vec<[f64; 2]>, flaws: &mut Vec<Flaw>) -> Option<LineString<f64>> {
    let mut points: Vec<(f64, f64)> = ring.iter().map(|[lon, lat]| (rounded(*lon), rounded(*lat))).collect();
    points.dedup();
    let (first, last) = (*points.first()?, *points.last()?);
    if first != last && points.len() > 2 {
        flaws.push(Flaw {
            what: "has an open ring, which is closed here".to_owned(),
            advice: "repeat the first position at the ring's end",
        });
        points.push(first);
    }
    let line = LineString::from(points);
    bends(&line).then_some(line)
}

/// Whether the points of a ring do not all lie on one line.
fn bends(line: &LineString<f64>) -> bool {
    let points = &line.0;
    points.windows(2).any(|pair| <f64 as GeoNum>::Ker::orient2d(points[0], pair[0], pair[1]) != Orientation::Collinear)
}

/// Area on the ellipsoid, ring by ring without regard to direction: an area "to the left" of a ring drawn the wrong way
/// would be the rest of the earth.
pub(super) fn area_km2(shape: &MultiPolygon<f64>) -> f64 {
    let ring = |line: &LineString<f64>| Polygon::new(line.clone(), vec![]).geodesic_area_signed().abs() / 1e6;
    let part = |polygon: &Polygon<f64>| (ring(polygon.exterior()) - polygon.interiors().iter().map(ring).sum::<f64>()).max(0.0);
    shape.0.iter().map(part).sum()
}
