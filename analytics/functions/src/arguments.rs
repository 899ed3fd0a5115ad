//! The arguments of one call as columns, and the columns of its answer: with the files beside it the only place that reads and
//! builds Arrow arrays for the functions.

mod answers;
mod texts;

pub(crate) use answers::{booleans, integers, numbers, text_lists, texts};
pub use texts::Texts;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, ListArray, StructArray, TimestampMicrosecondArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use datafusion_common::cast::{
    as_boolean_array, as_float64_array, as_int64_array, as_interval_mdn_array, as_list_array, as_timestamp_microsecond_array,
};
use datafusion_common::{Result, exec_err, internal_err};

use crate::function::{DefaultValue, Function};
use crate::neighbours::{KnownMap, Map};

/// The evaluated arguments of one call: of a batch (scalar), a partition (window) or a group (aggregate).
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a> {
    function: &'static Function,
    /// The type of the answer, made once for all calls: a window may have thousands of partitions of a few rows.
    returns: &'a DataType,
    columns: &'a [ArrayRef],
    rows: usize,
    /// The map of the last call, where the function keeps one.
    known: Option<&'a KnownMap>,
}

impl<'a> Arguments<'a> {
    /// Columns already cast to the types of [`Function::coerce`], and the [`Function::return_type`].
    pub(crate) fn new(function: &'static Function, returns: &'a DataType, columns: &'a [ArrayRef], rows: usize) -> Self {
        Self { function, returns, columns, rows, known: None }
    }

    /// The same, by a function that keeps the map of its last call.
    pub(crate) fn knowing(self, map: &'a KnownMap) -> Self {
        Self { known: Some(map), ..self }
    }

    /// The map of a column of grids and one of the lists of their neighbours.
    pub(crate) fn map(&self, grids: usize, lists: usize) -> Result<Arc<Map>> {
        let resolve = || {
            let (grids, lists) = (self.texts(grids)?, self.lists(lists)?);
            let names = Texts::new(lists.values())?;
            let grids: Vec<Option<&str>> = (0..self.rows).map(|row| grids.get(row)).collect();
            let offsets = lists.value_offsets();
            let list = |row: usize| {
                let range = if lists.is_valid(row) { offsets[row] as usize..offsets[row + 1] as usize } else { 0..0 };
                range.filter_map(move |item| names.get(item))
            };
            Ok(Map::new(&grids, (0..self.rows).map(list)))
        };
        match self.known {
            Some(known) => known.resolved(self.column(grids)?, self.column(lists)?, resolve),
            None => resolve().map(Arc::new),
        }
    }

    /// The name of the function, for messages.
    pub fn name(&self) -> &'static str {
        self.function.name
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    fn column(&self, index: usize) -> Result<&'a ArrayRef> {
        match self.columns.get(index) {
            Some(column) => Ok(column),
            None => internal_err!("{} was called without argument {index}", self.function.name),
        }
    }

    /// A column of numbers.
    pub fn numbers(&self, index: usize) -> Result<&'a Float64Array> {
        as_float64_array(self.column(index)?)
    }

    /// A column of numbers, row by row.
    pub fn optional_numbers(&self, index: usize) -> Result<Vec<Option<f64>>> {
        let column = self.numbers(index)?;
        Ok(match column.nulls() {
            None => column.values().iter().copied().map(Some).collect(),
            Some(_) => column.iter().collect(),
        })
    }

    /// A column of truth values.
    pub fn booleans(&self, index: usize) -> Result<&'a BooleanArray> {
        as_boolean_array(self.column(index)?)
    }

    /// A column of points in time, in microseconds of UTC.
    pub fn instants(&self, index: usize) -> Result<&'a TimestampMicrosecondArray> {
        as_timestamp_microsecond_array(self.column(index)?)
    }

    /// A column of days: numbers as they are, points in time as days since 1970.
    pub fn days(&self, index: usize) -> Result<Vec<Option<f64>>> {
        let column = self.column(index)?;
        if *column.data_type() == DataType::Float64 {
            return Ok(as_float64_array(column)?.iter().collect());
        }
        Ok(self.instants(index)?.iter().map(|at| Some(at? as f64 / MICROSECONDS_A_DAY as f64)).collect())
    }

    /// An optional column of numbers, row by row; the default where it is omitted or NULL.
    pub fn numbers_or_default(&self, index: usize) -> Result<Vec<Option<f64>>> {
        let default = self.default_number(index);
        match self.columns.get(index) {
            Some(column) => Ok(as_float64_array(column)?.iter().map(|given| given.or(default)).collect()),
            None => Ok(vec![default; self.rows]),
        }
    }

    fn default_number(&self, index: usize) -> Option<f64> {
        match self.function.arguments[index].default {
            Some(DefaultValue::Number(x)) => Some(x),
            Some(DefaultValue::Integer(i)) => Some(i as f64),
            _ => None,
        }
    }

    /// A column of lists.
    pub fn lists(&self, index: usize) -> Result<&'a ListArray> {
        as_list_array(self.column(index)?)
    }

    /// A column of texts.
    pub fn texts(&self, index: usize) -> Result<Texts<'a>> {
        Texts::new(self.column(index)?)
    }

    /// An option that holds for the whole call, as a number.
    pub fn number_option(&self, index: usize) -> Result<Option<f64>> {
        let given = match self.columns.get(index) {
            // By their bits, so that NaN in every row is one value, to be refused as such.
            Some(column) => self.single(index, as_float64_array(column)?.iter().map(|given| given.map(|x| (x + 0.0).to_bits())))?,
            None => None,
        };
        Ok(given.map(f64::from_bits).or(self.default_number(index)))
    }

    /// An option that holds for the whole call, as a day: see [`Self::days`].
    pub fn day_option(&self, index: usize) -> Result<Option<f64>> {
        match self.columns.get(index) {
            Some(_) => self.single(index, self.days(index)?.into_iter()),
            None => Ok(None),
        }
    }

    /// An option that holds for the whole call, as a text; empty if NULL is its default.
    pub fn text_option(&self, index: usize) -> Result<&'a str> {
        let given = match self.columns.get(index) {
            Some(column) => {
                let texts = Texts::new(column)?;
                self.single(index, (0..self.rows).map(|row| texts.get(row)))?
            }
            None => None,
        };
        Ok(given.unwrap_or(match self.function.arguments[index].default {
            Some(DefaultValue::Text(text)) => text,
            _ => "",
        }))
    }

    /// An option that holds for the whole call, as a list of numbers; none if there is no row or it is NULL.
    pub fn numbers_option(&self, index: usize) -> Result<Option<Vec<f64>>> {
        let lists = match self.columns.get(index) {
            Some(column) if !column.is_empty() => as_list_array(column)?,
            _ => return Ok(None),
        };
        let first = lists.value(0);
        if (1..lists.len()).any(|row| lists.is_valid(row) != lists.is_valid(0) || *lists.value(row) != *first) {
            let name = self.function.arguments[index].name;
            return exec_err!("{name} of {} differs between rows: it is an option of the whole call, give one list", self.function.name);
        }
        Ok(lists
            .is_valid(0)
            .then(|| as_float64_array(&first))
            .transpose()?
            .map(|list| list.iter().map(|x| x.unwrap_or(f64::NAN)).collect()))
    }

    /// An option that holds for the whole call, as a span of time in microseconds.
    pub fn span_option(&self, index: usize) -> Result<i64> {
        let argument = &self.function.arguments[index];
        let given = match self.columns.get(index) {
            Some(column) => self.single(index, as_interval_mdn_array(column)?.iter())?,
            None => None,
        };
        let (months, days, nanoseconds) = match (given, argument.default) {
            (Some(span), _) => (span.months, span.days, span.nanoseconds),
            (None, Some(DefaultValue::Days(days))) => (0, days, 0),
            _ => return exec_err!("{} of {} must be given", argument.name, self.function.name),
        };
        if months != 0 {
            return exec_err!("{} of {} counts months, whose length varies: give days or hours", argument.name, self.function.name);
        }
        Ok(i64::from(days).saturating_mul(MICROSECONDS_A_DAY).saturating_add(nanoseconds / 1000))
    }

    /// An option that holds for the whole call, as a whole number within `bounds`.
    pub fn integer_option(&self, index: usize, bounds: std::ops::RangeInclusive<i64>) -> Result<i64> {
        let argument = &self.function.arguments[index];
        let given = match self.columns.get(index) {
            Some(column) => self.single(index, as_int64_array(column)?.iter())?,
            None => None,
        };
        let value = match (given, argument.default) {
            (Some(value), _) | (None, Some(DefaultValue::Integer(value))) => value,
            _ => return exec_err!("{} of {} must be given", argument.name, self.function.name),
        };
        if bounds.contains(&value) {
            return Ok(value);
        }
        let (low, high) = (bounds.start(), bounds.end());
        exec_err!("{} of {} is {value}: give a whole number from {low} to {high}", argument.name, self.function.name)
    }

    /// The one value an option has in all rows; none if it is NULL or there is no row.
    fn single<T: PartialEq + Copy>(&self, index: usize, mut values: impl Iterator<Item = Option<T>>) -> Result<Option<T>> {
        let Some(first) = values.next() else { return Ok(None) };
        if values.all(|other| other == first) {
            return Ok(first);
        }
        let name = self.function.arguments[index].name;
        exec_err!("{name} of {} differs between rows: it is an option of the whole call, give one value", self.function.name)
    }

    /// The answer as the function declares it: one column for each named result, of `rows` rows.
    pub fn answer(&self, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
        match self.returns {
            DataType::Struct(fields) => Ok(Arc::new(StructArray::try_new(fields.clone(), columns, None)?)),
            _ => internal_err!("{} does not answer with a struct", self.function.name),
        }
    }

    /// The answer of an aggregate that gives a list: its rows as columns.
    pub fn rows_answer(&self, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
        let DataType::List(list) = self.returns else {
            return internal_err!("{} does not answer with a list", self.function.name);
        };
        let DataType::Struct(fields) = list.data_type() else {
            return internal_err!("{} does not answer with a list of named results", self.function.name);
        };
        let rows = StructArray::try_new(fields.clone(), columns, None)?;
        Ok(Arc::new(ListArray::try_new(Arc::clone(list), OffsetBuffer::from_lengths([rows.len()]), Arc::new(rows), None)?))
    }
}

/// 64 bits hold 292,000 years of them; a longer span is taken for that long.
const MICROSECONDS_A_DAY: i64 = 86_400_000_000;
