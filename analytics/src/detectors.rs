//! Settings of the detectors: the only place that reads `detector_settings.toml`, which is in the binary and in SQL the table
//! `detector_settings`.
//!
//! A job reads its thresholds there, so that they are reviewed in one file and differ by category without a line of SQL. The
//! table has a row for each category the file names, its blanks filled from `[default]`, and the row `default` itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;

const SHIPPED: &str = include_str!("../detector_settings.toml");

/// The row that holds for a category without one of its own.
const DEFAULT: &str = "default";

/// Each setting and the bounds it must keep.
const SETTINGS: [(&str, f64, f64); 14] = [
    ("hotspot_count_min", 1.0, 1e6),
    ("hotspot_map_count_min", 1.0, 1e6),
    // Above one half a page of alarms would be wrong rather than right.
    ("hotspot_q_max", 1e-9, 0.5),
    ("surge_count_min", 1.0, 1e6),
    ("surge_sigma_min", 0.0, 1e3),
    ("surge_q_max", 1e-9, 0.5),
    ("surge_week_count_min", 1.0, 1e6),
    ("surge_week_q_max", 1e-9, 0.5),
    // The longest window `space_time_scan` takes, and the largest circle that is still inside a city.
    ("cluster_days_max", 1.0, 366.0),
    ("cluster_radius_max", 0.01, 100.0),
    ("cluster_count_min", 2.0, 1e6),
    ("cluster_interval_min", 1.0, 36_500.0),
    // Nearer than a metre is the same address; beyond two kilometres and thirty days nothing is near.
    ("near_distance", 1.0, 2_000.0),
    ("near_days", 0.1, 30.0),
];

type Rows = BTreeMap<String, BTreeMap<String, f64>>;

/// The settings in the binary as a table.
pub(crate) fn table() -> Result<RecordBatch, ArrowError> {
    let rows = read(SHIPPED).map_err(|detail| ArrowError::ParseError(format!("detector_settings.toml: {detail}")))?;
    let categories: ArrayRef = Arc::new(StringArray::from_iter_values(rows.keys()));
    let column = |name: &str| Arc::new(Float64Array::from_iter_values(rows.values().map(|row| row[name]))) as ArrayRef;
    RecordBatch::try_from_iter([("category", categories)].into_iter().chain(SETTINGS.map(|(name, _, _)| (name, column(name)))))
}

/// Every row whole and within bounds, or what is wrong with the first that is not.
fn read(text: &str) -> Result<Rows, String> {
    let given: Rows = toml::from_str(text).map_err(|error| error.to_string())?;
    let default = given.get(DEFAULT).ok_or("there is no [default]")?;
    for (category, row) in &given {
        if let Some(name) = row.keys().find(|name| !SETTINGS.iter().any(|(known, _, _)| known == name)) {
            return Err(format!("\"{name}\" of \"{category}\" is no setting; there are {}", SETTINGS.map(|(name, _, _)| name).join(", ")));
        }
    }
    let whole = |category: &str, row: &BTreeMap<String, f64>| {
        SETTINGS.iter().try_fold(BTreeMap::new(), |mut filled, (name, least, most)| {
            let value = *row.get(*name).or(default.get(*name)).ok_or(format!("[default] does not say {name}"))?;
            if !(*least..=*most).contains(&value) {
                return Err(format!("{name} of \"{category}\" is {value}, it must be {least} to {most}"));
            }
            filled.insert((*name).to_owned(), value);
            Ok(filled)
        })
    };
    given.iter().map(|(category, row)| Ok((category.clone(), whole(category, row)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(from: &str, to: &str) -> String {
        assert!(SHIPPED.contains(from));
        read(&SHIPPED.replace(from, to)).unwrap_err()
    }

    #[test]
    fn each_row_of_the_shipped_table_is_whole() {
        let table = table().unwrap();
        assert_eq!(table.num_columns(), SETTINGS.len() + 1);
        assert!(table.num_rows() > 1 && table.columns().iter().all(|column| column.null_count() == 0));
        let rows = read(SHIPPED).unwrap();
        assert_eq!((rows["道路积水"]["cluster_days_max"], rows["道路积水"]["surge_q_max"]), (3.0, rows[DEFAULT]["surge_q_max"]));
    }

    #[test]
    fn what_is_no_setting_or_out_of_bounds_is_refused_by_name() {
        assert!(
            changed("near_days = 3", "near_dayz = 3")
                .starts_with("\"near_dayz\" of \"default\" is no setting; there are hotspot_count_min")
        );
        assert_eq!(changed("surge_q_max = 0.01", "surge_q_max = 5"), "surge_q_max of \"default\" is 5, it must be 0.000000001 to 0.5");
        assert_eq!(changed("near_days = 3\n", ""), "[default] does not say near_days");
        assert_eq!(changed("[default]", "[\"elsewhere\"]"), "there is no [default]");
    }
}
