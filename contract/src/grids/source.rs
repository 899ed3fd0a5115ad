//! Bytes of a grid file to features: compression by its magic number, GeoJSON feature by feature, bounds first.

use std::collections::BTreeSet;
use std::io::Read;

use geojson::{Feature, GeometryValue, JsonObject, Position};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{BYTES_MAX, FEATURES_MAX, GridError, VERTICES_MAX};

/// Rings of a polygon, the outer one first, as they stand in the file.
pub(super) type Rings = Vec<Vec<[f64; 2]>>;

/// A feature of the file: its properties and polygons, or what is wrong with it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) properties: JsonObject,
    pub(super) polygons: Result<Vec<Rings>, String>,
}

#[derive(Deserialize)]
struct Collection<'a> {
    r#type: String,
    #[serde(default)]
    crs: Option<Value>,
    #[serde(borrow, default)]
    features: Vec<&'a RawValue>,
}

/// The file's text: decompressed, without byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<String, GridError> {
    let bytes = decompress(bytes)?;
    let text = String::from_utf8(bytes).map_err(|error| GridError::NotGeoJson {
        what: format!("byte {} is not UTF-8; save the file as UTF-8", error.utf8_error().valid_up_to()),
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The features of a GeoJSON text.
pub(super) fn features(text: &str) -> Result<Vec<Source>, GridError> {
    let collection: Collection<'_> = serde_json::from_str(text).map_err(|error| GridError::NotGeoJson { what: error.to_string() })?;
    if collection.r#type != "FeatureCollection" {
        return Err(GridError::NotGeoJson { what: format!("its type is \"{}\"", collection.r#type) });
    }
    check_crs(collection.crs.as_ref())?;
    if collection.features.len() > FEATURES_MAX {
        return Err(GridError::TooLarge { unit: "features", found: collection.features.len(), max: FEATURES_MAX });
    }
    let mut vertices = 0;
    let mut sources = Vec::with_capacity(collection.features.len());
    for raw in collection.features {
        let source = feature(raw.get());
        vertices += source.polygons.iter().flatten().flatten().map(Vec::len).sum::<usize>();
        if vertices > VERTICES_MAX {
            return Err(GridError::TooLarge { unit: "vertices", found: vertices, max: VERTICES_MAX });
        }
        sources.push(source);
    }
    Ok(sources)
}

fn feature(text: &str) -> Source {
    match text.parse::<Feature>() {
        Ok(feature) => {
            let properties = feature.properties.unwrap_or_default();
            let polygons = match feature.geometry {
                Some(geometry) => polygons(geometry.value),
                None => Err("has no geometry".to_owned()),
            };
            Source { properties, polygons }
        }
        // The properties may still be readable, and then the problem can name the grid.
        Err(error) => {
            let properties = serde_json::from_str::<Value>(text).ok().and_then(|mut value| match value["properties"].take() {
                Value::Object(properties) => Some(properties),
                _ => None,
            });
            Source { properties: properties.unwrap_or_default(), polygons: Err(format!("is not a GeoJSON feature ({error})")) }
        }
    }
}

fn polygons(geometry: GeometryValue) -> Result<Vec<Rings>, String> {
    let parts = match geometry {
        GeometryValue::Polygon { coordinates } => vec![coordinates],
        GeometryValue::MultiPolygon { coordinates } => coordinates,
        other => return Err(format!("is a {}", other.type_name())),
    };
    parts.iter().map(|rings| rings.iter().map(|ring| ring.iter().map(position).collect()).collect()).collect()
}

fn position(position: &Position) -> Result<[f64; 2], String> {
    match position.as_slice() {
        [lon, lat, ..] => Ok([*lon, *lat]),
        _ => Err("has a position without longitude and latitude".to_owned()),
    }
}

/// GeoJSON before RFC 7946 could declare a coordinate system; only the two spellings of longitude and latitude pass.
fn check_crs(crs: Option<&Value>) -> Result<(), GridError> {
    let Some(name) = crs.and_then(|crs| crs["properties"]["name"].as_str()) else { return Ok(()) };
    let upper = name.to_ascii_uppercase();
    if upper.contains("CRS84") || upper.ends_with(":4326") || upper.ends_with("WGS84") {
        return Ok(());
    }
    Err(GridError::NotWgs84 { crs: name.to_owned() })
}

fn decompress(bytes: &[u8]) -> Result<Vec<u8>, GridError> {
    match bytes {
        [0x1f, 0x8b, ..] => read_bounded("gzip", flate2::read::MultiGzDecoder::new(bytes)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::new(bytes).map_err(|source| GridError::Compressed { format: "zstd", source })?;
            read_bounded("zstd", decoder)
        }
        _ => read_bounded("plain", bytes),
    }
}

fn read_bounded(format: &'static str, reader: impl Read) -> Result<Vec<u8>, GridError> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(BYTES_MAX).expect("the bound is a small constant") + 1;
    reader.take(bound).read_to_end(&mut bytes).map_err(|source| GridError::Compressed { format, source })?;
    if bytes.len() > BYTES_MAX {
        return Err(GridError::TooLarge { unit: "bytes", found: bytes.len(), max: BYTES_MAX });
    }
    Ok(bytes)
}

/// Checks that a field stands in at least one feature; the error names the fields there are.
pub(super) fn require_field(sources: &[Source], field: &str, option: &'static str) -> Result<(), GridError> {
    if sources.is_empty() || sources.iter().any(|source| source.properties.contains_key(field)) {
        return Ok(());
    }
    let available: Vec<String> =
        sources.iter().take(1_000).flat_map(|source| source.properties.keys()).collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let nearest =
        available.iter().min_by_key(|name| distance(field, name)).filter(|name| distance(field, name) * 2 <= field.chars().count().max(2));
    Err(GridError::NoSuchField { field: field.to_owned(), option, nearest: nearest.cloned(), available })
}

/// Levenshtein distance, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.to_lowercase().chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = corner + usize::from(left != *right);
            corner = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// A property as text: numbers as written, whole numbers without a trailing `.0`; absent, null and blank are `None`.
pub(super) fn text_of(properties: &JsonObject, field: &str) -> Option<String> {
    let text = match properties.get(field)? {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}
