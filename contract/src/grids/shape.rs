//! One polygon judged by itself: rings closed and rounded, parts without area dropped, area and centroid measured.
//! What it has to do with the others is in `contact`.

use geo::{Area, Centroid, GeodesicArea, LineString, MultiPolygon, Orient, Polygon, orient::Direction};

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

/// Rounds to 1e-9: far below any survey, and decimals that short survive writing and reading unchanged.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e9).round() / 1e9
}

/// Makes a shape of a feature's rings, or says why it cannot be a grid. Flaws that do not matter to use go to `flaws`.
pub(super) fn shape(parts: Vec<Rings>, flaws: &mut Vec<Flaw>) -> Result<Shape, Flaw> {
    check_coordinates(&parts)?;
    let polygons: Vec<Polygon<f64>> = parts.into_iter().filter_map(|rings| polygon(rings, flaws)).collect();
    let geometry = MultiPolygon::new(polygons).orient(Direction::Default);
    let area_km2 = rounded(geometry.0.iter().map(area_km2).sum());
    match geometry.centroid() {
        Some(center) if area_km2 >= AREA_KM2_MIN => Ok(Shape { lon: rounded(center.x()), lat: rounded(center.y()), area_km2, geometry }),
        _ => Err(Flaw { what: "is empty (no area)".to_owned(), advice: "draw its polygon or remove the feature" }),
    }
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
    Some(Polygon::new(outer, holes))
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
    (Polygon::new(line.clone(), vec![]).unsigned_area() > 0.0).then_some(line)
}

/// Area on the ellipsoid, ring by ring, so that the direction of a ring does not matter.
fn area_km2(polygon: &Polygon<f64>) -> f64 {
    let ring = |line: &LineString<f64>| Polygon::new(line.clone(), vec![]).geodesic_area_signed().abs() / 1e6;
    (ring(polygon.exterior()) - polygon.interiors().iter().map(ring).sum::<f64>()).max(0.0)
}
