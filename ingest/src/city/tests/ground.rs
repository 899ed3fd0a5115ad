//! The map tiles: proven on the published GeoJSON with the `geo` crate, not on our own notion of it.

use std::collections::HashMap;

use geo::{Area, Contains, Validation};

use super::*;

fn features(text: &str) -> Vec<serde_json::Value> {
    serde_json::from_str::<serde_json::Value>(text).unwrap()["features"].as_array().unwrap().clone()
}

fn line(positions: &serde_json::Value) -> geo::LineString {
    positions.as_array().unwrap().iter().map(|position| (position[0].as_f64().unwrap(), position[1].as_f64().unwrap())).collect()
}

/// Grid or district id with its polygon, as a reader of the file sees them.
fn polygons(text: &str) -> Vec<(String, geo::Polygon)> {
    let polygon = |feature: &serde_json::Value| {
        let mut rings = feature["geometry"]["coordinates"].as_array().unwrap().iter().map(line);
        (feature["properties"]["grid_id"].as_str().unwrap().to_owned(), geo::Polygon::new(rings.next().unwrap(), rings.collect()))
    };
    features(text).iter().map(polygon).collect()
}

fn segments(polygon: &geo::Polygon) -> impl Iterator<Item = [(i64, i64); 2]> + '_ {
    let whole = |coordinate: geo::Coord| ((coordinate.x * 1e6).round() as i64, (coordinate.y * 1e6).round() as i64);
    let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
    rings.flat_map(move |ring| ring.lines().map(move |line| [whole(line.start), whole(line.end)]).collect::<Vec<_>>())
}

/// Every side of a polygon is walked once, and once the other way by its neighbour; what is left over is the border of all.
fn check_tiling(polygons: &[(String, geo::Polygon)], context: &str) -> f64 {
    let mut sides: HashMap<[(i64, i64); 2], &str> = HashMap::new();
    for (id, polygon) in polygons {
        assert!(polygon.is_valid(), "{context}: {id} is invalid: {:?}", polygon.validation_errors());
        assert!(polygon.signed_area() > 0.0, "{context}: {id} runs clockwise");
        for side in segments(polygon) {
            assert!(sides.insert(side, id).is_none(), "{context}: {id} walks a side twice");
        }
    }
    let border: HashMap<(i64, i64), (i64, i64)> =
        sides.keys().filter(|[a, b]| !sides.contains_key(&[*b, *a])).map(|[a, b]| (*a, *b)).collect();
    let start = *border.keys().min().unwrap();
    let mut ring = vec![start];
    while let Some(next) = border.get(ring.last().unwrap()).filter(|next| **next != start) {
        ring.push(*next);
        assert!(ring.len() <= border.len(), "{context}: the border does not close");
    }
    assert_eq!(ring.len(), border.len(), "{context}: the city has a hole or lies in pieces");
    let outline = geo::Polygon::new(ring.iter().map(|(lon, lat)| (*lon as f64 / 1e6, *lat as f64 / 1e6)).collect(), vec![]);
    assert!(outline.is_valid(), "{context}: the border crosses itself");
    let sum: f64 = polygons.iter().map(|(_, polygon)| polygon.unsigned_area()).sum();
    assert!((sum / outline.unsigned_area() - 1.0).abs() < 1e-9, "{context}: areas do not add up");
    sum
}

#[test]
fn grids_and_districts_tile_the_city_without_gap_or_overlap() {
    for seed in 0..40 {
        let city = city(seed);
        let grids = check_tiling(&polygons(&city.grids_geojson()), &format!("grids of seed {seed}"));
        let districts = check_tiling(&polygons(&city.districts_geojson()), &format!("districts of seed {seed}"));
        assert!((grids / districts - 1.0).abs() < 1e-9, "seed {seed}");
    }
}

#[test]
fn the_city_is_about_twenty_kilometers_wide_and_its_grids_differ() {
    let city = city(1);
    let areas: Vec<f64> = city.world.plan.grids.iter().map(|grid| grid.outline.area()).collect();
    let total: f64 = areas.iter().sum();
    assert!((120.0..400.0).contains(&total), "{total} km²");
    let (low, high) = areas.iter().fold((f64::MAX, 0.0_f64), |(low, high), area| (low.min(*area), high.max(*area)));
    assert!(low > 0.2 && high < 12.0 && high > 3.0 * low, "{low} to {high} km²");
}

#[test]
fn parents_and_populations_are_given_for_every_grid() {
    let city = city(1);
    let districts: HashMap<String, u64> = features(&city.districts_geojson())
        .iter()
        .map(|feature| {
            (feature["properties"]["grid_id"].as_str().unwrap().to_owned(), feature["properties"]["population"].as_u64().unwrap())
        })
        .collect();
    let mut people: HashMap<String, u64> = HashMap::new();
    for feature in features(&city.grids_geojson()) {
        let properties = &feature["properties"];
        *people.entry(properties["parent"].as_str().unwrap().to_owned()).or_default() += properties["population"].as_u64().unwrap();
        assert!(
            properties["name_zh"].as_str().unwrap().ends_with("社区") && properties["name_en"].as_str().unwrap().ends_with(" Community")
        );
    }
    assert_eq!(people, districts);
}

#[test]
fn every_point_lies_in_its_grid() {
    let city = city(1);
    let polygons: HashMap<String, geo::Polygon> = polygons(&city.grids_geojson()).into_iter().collect();
    let names: HashMap<&str, &geo::Polygon> =
        city.world.plan.grids.iter().map(|grid| (grid.name.0.as_str(), &polygons[&grid.id])).collect();
    let (mut by_id, mut by_name, mut pointless) = (0, 0, 0);
    for event in city.events(monday(), monday() + TimeDelta::days(1)) {
        let Some(point) = event.lon.zip(event.lat).map(|(lon, lat)| geo::Point::new(lon, lat)) else {
            pointless += usize::from(event.kind == Kind::HotlineCall);
            continue;
        };
        if let Some(grid) = &event.grid_id {
            assert!(polygons[grid].contains(&point), "{event:?}");
            by_id += 1;
        } else {
            let address = event.address.as_deref().unwrap();
            let end = address.find("社区").unwrap() + "社区".len();
            let name = names.keys().find(|name| address[..end].ends_with(**name)).unwrap();
            assert!(names[name].contains(&point), "{event:?}");
            by_name += 1;
        }
    }
    assert!(by_id > 5_000 && by_name > 1_000 && (5..100).contains(&pointless), "{by_id} {by_name} {pointless}");
}

#[test]
fn the_river_runs_between_grids() {
    let city = city(1);
    let line = line(&features(&city.river_geojson())[0]["geometry"]["coordinates"]);
    assert!(line.0.len() > 50);
    let corners: HashSet<(i64, i64)> =
        polygons(&city.grids_geojson()).iter().flat_map(|(_, polygon)| segments(polygon).map(|[a, _]| a).collect::<Vec<_>>()).collect();
    assert!(line.0.iter().all(|point| corners.contains(&((point.x * 1e6).round() as i64, (point.y * 1e6).round() as i64))));
}
