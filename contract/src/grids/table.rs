//! The set as rows of SQL table `grids`: its columns, their comments, and the record batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{Grid, GridSet};

/// Columns of table `grids`: name, whether it may be NULL, English, Chinese.
const COLUMNS: [(&str, bool, &str, &str); 11] = [
    ("grid_id", false, "identity of the grid, unique over all levels", "网格标识（所有层级内唯一）"),
    ("name_zh", false, "name in the city's language", "名称"),
    ("name_en", true, "English name", "英文名称"),
    ("level", false, "level of division it belongs to", "层级"),
    ("parent", true, "grid_id of the grid above", "上级网格"),
    ("population", true, "residents", "人口"),
    ("lon", false, "longitude of the centroid, WGS 84 degrees", "中心点经度（WGS 84）"),
    ("lat", false, "latitude of the centroid, WGS 84 degrees", "中心点纬度（WGS 84）"),
    ("area_km2", false, "area in square kilometres", "面积（平方公里）"),
    (
        "neighbours",
        false,
        "grid_ids of the grids of its level that share a boundary point (queen contiguity)",
        "同级相邻网格（共边或共点）",
    ),
    ("version", false, "version of the grid set", "网格集版本"),
];

fn data_type(column: &str) -> DataType {
    match column {
        "population" | "lon" | "lat" | "area_km2" => DataType::Float64,
        "version" => DataType::Int32,
        "neighbours" => DataType::List(Arc::new(item())),
        _ => DataType::Utf8,
    }
}

fn item() -> Field {
    Field::new("item", DataType::Utf8, false)
}

/// Arrow schema of table `grids`.
pub fn schema() -> SchemaRef {
    let field = |(name, nullable, en, zh): &(&str, bool, &str, &str)| {
        Field::new(*name, data_type(name), *nullable).with_metadata([("comment".to_owned(), format!("{en} / {zh}"))].into())
    };
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

impl GridSet {
    /// All grids as rows of table `grids`, coarse levels first.
    pub fn to_batch(&self) -> RecordBatch {
        let text = |of: fn(&Grid) -> Option<&str>| Arc::new(self.grids().map(of).collect::<StringArray>()) as ArrayRef;
        let number = |of: fn(&Grid) -> Option<f64>| Arc::new(self.grids().map(of).collect::<Float64Array>()) as ArrayRef;
        let mut neighbours = ListBuilder::new(StringBuilder::new()).with_field(item());
        for grid in self.grids() {
            neighbours.append_value(grid.neighbours.iter().map(Some));
        }
        let version = i32::try_from(self.version).unwrap_or(i32::MAX);
        let columns = vec![
            text(|grid| Some(&grid.grid_id)),
            text(|grid| Some(&grid.name_zh)),
            text(|grid| grid.name_en.as_deref()),
            text(|grid| Some(&grid.level)),
            text(|grid| grid.parent.as_deref()),
            number(|grid| grid.population),
            number(|grid| Some(grid.lon)),
            number(|grid| Some(grid.lat)),
            number(|grid| Some(grid.area_km2)),
            Arc::new(neighbours.finish()) as ArrayRef,
            Arc::new(Int32Array::from(vec![version; self.len()])) as ArrayRef,
        ];
        RecordBatch::try_new(schema(), columns).expect("columns are built in the order and types of COLUMNS")
    }
}
