//! A set as bytes and back: one GeoJSON FeatureCollection with everything computed, so that reading it is only reading. Also the
//! GeoJSON of one level for the map.

use std::collections::HashSet;
use std::sync::Arc;

use geo::{LineString, MultiPolygon};
use serde_json::{Map, Value, json};

use super::shape::{self, DECIMALS, rounded};
use super::source::{self, Source, text_of};
use super::{Grid, GridError, GridSet};

/// Version of the form of the bytes, not of the set.
const FORM: u64 = 1;

impl GridSet {
    /// The set as GeoJSON, all levels in one collection, with version, neighbours and everything else computed at loading.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text =
            format!("{{\"type\":\"FeatureCollection\",\"gridwatch\":{{\"form\":{FORM},\"version\":{}}},\"features\":[\n", self.version);
        let features: Vec<String> = self.grids().map(|grid| feature(grid, &properties(grid), DECIMALS).to_string()).collect();
        text.push_str(&features.join(",\n"));
        text.push_str("\n]}\n");
        text.into_bytes()
    }

    /// Reads what [`GridSet::to_bytes`] wrote.
    ///
    /// # Errors
    /// The bytes are damaged or of a later form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, GridError> {
        let text = source::text(bytes)?;
        let head: Head = serde_json::from_str(&text).map_err(|error| stored(error.to_string()))?;
        if head.gridwatch.form != FORM {
            return Err(stored(format!("its form is {}, this program reads {FORM}", head.gridwatch.form)));
        }
        let mut levels: Vec<(String, Vec<Arc<Grid>>)> = Vec::new();
        for (index, source) in source::features(&text)?.into_iter().enumerate() {
            let grid = grid(source).map_err(|what| stored(format!("feature {index} {what}")))?;
            match levels.iter_mut().find(|(name, _)| *name == grid.level) {
                Some((_, grids)) => grids.push(Arc::new(grid)),
                None => levels.push((grid.level.clone(), vec![Arc::new(grid)])),
            }
        }
        let mut ids = HashSet::new();
        if let Some(twice) = levels.iter().flat_map(|(_, grids)| grids).find(|grid| !ids.insert(grid.grid_id.as_str())) {
            return Err(stored(format!("two grids have the id \"{}\"", twice.grid_id)));
        }
        Self::assemble(head.gridwatch.version, levels)
    }

    /// The polygons of a level for the map: coordinates rounded to 6 decimals (0.1 m), properties grid_id, name_zh, name_en
    /// and parent. A collection without features if the level is not loaded.
    pub fn to_geojson(&self, level: &str) -> String {
        let text_or_null = |text: &Option<String>| text.as_ref().map_or(Value::Null, |text| json!(text));
        let features: Vec<Value> = self
            .level(level)
            .map(|grid| {
                let shown = json!({"grid_id": grid.grid_id, "name_zh": grid.name_zh, "name_en": text_or_null(&grid.name_en), "parent": text_or_null(&grid.parent)});
                feature(grid, &shown, 6)
            })
            .collect();
        json!({"type": "FeatureCollection", "features": features}).to_string()
    }
}

#[derive(serde::Deserialize)]
struct Head {
    gridwatch: Stamp,
}

#[derive(serde::Deserialize)]
struct Stamp {
    form: u64,
    version: u32,
}

fn stored(what: String) -> GridError {
    GridError::Stored { what }
}

fn feature(grid: &Grid, properties: &Value, decimals: i32) -> Value {
    json!({"type": "Feature", "id": grid.grid_id, "properties": properties, "geometry": geometry(&grid.geometry, decimals)})
}

fn properties(grid: &Grid) -> Value {
    json!({
        "grid_id": grid.grid_id, "name_zh": grid.name_zh, "name_en": grid.name_en, "level": grid.level, "parent": grid.parent,
        "population": grid.population, "lon": grid.lon, "lat": grid.lat, "area_km2": grid.area_km2,
        "neighbours": grid.neighbours, "aliases": grid.aliases,
    })
}

fn geometry(shape: &MultiPolygon<f64>, decimals: i32) -> Value {
    let scale = 10_f64.powi(decimals);
    let ring = |line: &LineString<f64>| {
        let mut points: Vec<[f64; 2]> =
            line.coords().map(|point| [(point.x * scale).round() / scale, (point.y * scale).round() / scale]).collect();
        // Rounding makes neighbouring points equal; a ring needs four positions all the same.
        if points.len() > 4 {
            let all = points.clone();
            points.dedup();
            if points.len() < 4 {
                points = all;
            }
        }
        points
    };
    let polygons: Vec<Vec<Vec<[f64; 2]>>> =
        shape.0.iter().map(|polygon| std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(ring).collect()).collect();
    json!({"type": "MultiPolygon", "coordinates": polygons})
}

fn grid(source: Source) -> Result<Grid, String> {
    let properties = source.properties;
    let text = |name: &str| text_of(&properties, name);
    let required = |name: &str| text(name).ok_or_else(|| format!("has no {name}"));
    let number = |name: &str| properties.get(name).and_then(Value::as_f64);
    let shape = shape::shape(source.polygons?, &mut Vec::new()).map_err(|flaw| flaw.what)?;
    Ok(Grid {
        grid_id: required("grid_id")?,
        name_zh: required("name_zh")?,
        name_en: text("name_en"),
        level: required("level")?,
        parent: text("parent"),
        population: number("population"),
        lon: number("lon").map(rounded).ok_or("has no lon")?,
        lat: number("lat").map(rounded).ok_or("has no lat")?,
        area_km2: number("area_km2").map(rounded).ok_or("has no area_km2")?,
        neighbours: texts(&properties, "neighbours")?,
        aliases: texts(&properties, "aliases")?,
        geometry: shape.geometry,
    })
}

fn texts(properties: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let list = properties.get(name).and_then(Value::as_array).ok_or_else(|| format!("has no {name}"))?;
    list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(|| format!("has {name} that are not text"))).collect()
}
