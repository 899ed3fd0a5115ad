//! Random maps with everything a partition may hold: missing values, doubled grids, rows without grid, neighbours nobody knows.

use arrow::array::ArrayRef;
use functions::Reason;
use proptest::prelude::*;

use crate::call::{numbers, text_lists, texts};

/// The rows of a partition.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) grid: Option<u8>,
    pub(crate) value: Option<f64>,
    /// None is a NULL list.
    pub(crate) beside: Option<Vec<u8>>,
}

fn row() -> impl Strategy<Value = Row> {
    let grid = prop_oneof![1 => Just(None), 30 => (0_u8..40).prop_map(Some)];
    let value = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]).prop_map(Some),
        20 => (0_u32..9).prop_map(|v| Some(f64::from(v))),
        6 => (-100.0..100.0).prop_map(Some),
    ];
    let beside = prop_oneof![1 => Just(None), 20 => prop::collection::vec(0_u8..44, 0..7).prop_map(Some)];
    (grid, value, beside).prop_map(|(grid, value, beside)| Row { grid, value, beside })
}

/// A map of up to 24 rows over 40 grids, so that some grids are doubled and some neighbours unknown.
pub(crate) fn map() -> impl Strategy<Value = Map> {
    prop::collection::vec(row(), 0..24).prop_map(|rows| Map { rows })
}

/// What is known of a row: why it has no place, or its value and those of its neighbours.
pub(crate) type Known = Result<(f64, Vec<f64>), Reason>;

impl Map {
    pub(crate) fn columns(&self) -> Vec<ArrayRef> {
        let name = |grid: u8| format!("g{grid}");
        vec![
            texts(self.rows.iter().map(|row| row.grid.map(name))),
            numbers(self.rows.iter().map(|row| row.value)),
            text_lists(self.rows.iter().map(|row| row.beside.as_ref().map(|list| list.iter().map(|grid| name(*grid)).collect()))),
        ]
    }

    /// Each row by the words of the documentation, looked up one by one.
    pub(crate) fn known(&self) -> Vec<Known> {
        self.rows.iter().map(|row| self.know(row)).collect()
    }

    fn know(&self, row: &Row) -> Known {
        let grid = row.grid.ok_or(Reason::MissingGrid)?;
        let value = self.value_of(grid)?;
        let mut named: Vec<u8> = row.beside.iter().flatten().copied().filter(|other| *other != grid).collect();
        named.sort_unstable();
        named.dedup();
        Ok((value, named.into_iter().filter_map(|other| self.value_of(other).ok()).collect()))
    }

    fn value_of(&self, grid: u8) -> Result<f64, Reason> {
        let rows: Vec<&Row> = self.rows.iter().filter(|row| row.grid == Some(grid)).collect();
        match rows.as_slice() {
            [] => Err(Reason::MissingGrid),
            [row] => match row.value {
                None => Err(Reason::MissingValue),
                Some(value) if !value.is_finite() => Err(Reason::NotFinite),
                Some(value) => Ok(value),
            },
            _ => Err(Reason::DuplicateGrid),
        }
    }

    /// The values that count.
    pub(crate) fn values(&self) -> Vec<f64> {
        self.known().into_iter().filter_map(|known| Some(known.ok()?.0)).collect()
    }
}

/// Mean and population deviation.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt())
}
