//! The city as GeoJSON (RFC 7946): districts, grids and the river, one feature a line so that two cities can be compared.

use serde_json::{Value, json};

use super::lattice::Point;
use super::names::CITY;
use super::outline::Outline;
use super::plan::Plan;

/// The districts.
pub(super) fn districts(plan: &Plan) -> String {
    let feature = |district: &super::plan::District| {
        let properties = json!({"grid_id": district.id, "level": "district", "name_zh": district.name.0, "name_en": district.name.1, "parent": null, "population": district.population});
        polygon(&district.outline, properties)
    };
    collection("districts", plan.districts.iter().map(feature))
}

/// The grids.
pub(super) fn grids(plan: &Plan) -> String {
    let feature = |grid: &super::plan::Grid| {
        let parent = &plan.districts[grid.district].id;
        let properties = json!({"grid_id": grid.id, "level": "grid", "name_zh": grid.name.0, "name_en": grid.name.1, "parent": parent, "population": grid.population});
        polygon(&grid.outline, properties)
    };
    collection("grids", plan.grids.iter().map(feature))
}

/// The river's line.
pub(super) fn river(plan: &Plan) -> String {
    let line: Vec<Value> = plan.river.iter().map(position).collect();
    let properties = json!({"name_zh": "澜江", "name_en": "Lan River"});
    collection(
        "river",
        std::iter::once(json!({"type": "Feature", "properties": properties, "geometry": {"type": "LineString", "coordinates": line}})),
    )
}

fn collection(level: &str, features: impl Iterator<Item = Value>) -> String {
    let lines: Vec<String> = features.map(|feature| feature.to_string()).collect();
    let name = Value::from(format!("{} {level}", CITY.1));
    format!("{{\"type\":\"FeatureCollection\",\"name\":{name},\"features\":[\n{}\n]}}\n", lines.join(",\n"))
}

fn polygon(outline: &Outline, properties: Value) -> Value {
    let rings: Vec<Vec<Value>> = outline.rings.iter().map(|ring| ring.iter().chain(ring.first()).map(position).collect()).collect();
    json!({"type": "Feature", "properties": properties, "geometry": {"type": "Polygon", "coordinates": rings}})
}

fn position(point: &Point) -> Value {
    let (lon, lat) = point.degrees();
    json!([lon, lat])
}
