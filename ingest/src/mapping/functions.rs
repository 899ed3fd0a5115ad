//! The only place that offers the mapping helpers as SQL functions; the SQL door registers the same ones.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Float64Array, StringArray, StructArray};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields};
use chrono::{Datelike, NaiveDate};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

use super::coordinates;
use super::pseudonym::PseudonymKey;

/// `normalize_address`, `pseudonym` (under `key`), `gcj02_to_wgs84`, `bd09_to_wgs84` and `roc_date`.
pub fn mapping_functions(key: &PseudonymKey) -> Vec<ScalarUDF> {
    let key = key.clone();
    vec![
        text_function("normalize_address", |text| Some(contract::address::normalize(text)).filter(|address| !address.is_empty())),
        text_function("pseudonym", move |text| key.pseudonym(text)),
        place_function("gcj02_to_wgs84", coordinates::gcj02_to_wgs84),
        place_function("bd09_to_wgs84", coordinates::bd09_to_wgs84),
        function("roc_date", vec![DataType::Utf8], DataType::Date32, |arguments| {
            let dates = texts(&arguments[0])?.iter().map(|text| text.and_then(roc_date).map(days_since_1970)).collect::<Date32Array>();
            Ok(Arc::new(dates))
        }),
    ]
}

fn function(
    name: &str,
    inputs: Vec<DataType>,
    output: DataType,
    body: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
) -> ScalarUDF {
    let implementation = move |arguments: &[ColumnarValue]| {
        let constant = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
        let result = body(&ColumnarValue::values_to_arrays(arguments)?)?;
        // Constant in, constant out: the planner folds it away.
        Ok(if constant { ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?) } else { ColumnarValue::Array(result) })
    };
    create_udf(name, inputs, output, Volatility::Immutable, Arc::new(implementation))
}

fn text_function(name: &str, body: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> ScalarUDF {
    function(name, vec![DataType::Utf8], DataType::Utf8, move |arguments| {
        Ok(Arc::new(texts(&arguments[0])?.iter().map(|text| text.and_then(&body)).collect::<StringArray>()))
    })
}

fn place_function(name: &str, body: impl Fn(f64, f64) -> (f64, f64) + Send + Sync + 'static) -> ScalarUDF {
    let fields = Fields::from(vec![Field::new("lon", DataType::Float64, true), Field::new("lat", DataType::Float64, true)]);
    let output = DataType::Struct(fields.clone());
    function(name, vec![DataType::Float64, DataType::Float64], output, move |arguments| {
        let (lons, lats) = (numbers(&arguments[0])?, numbers(&arguments[1])?);
        let pairs: Vec<Option<(f64, f64)>> = lons.iter().zip(lats.iter()).map(|(lon, lat)| Some(body(lon?, lat?))).collect();
        let known = NullBuffer::from_iter(pairs.iter().map(Option::is_some));
        let column = |pick: fn((f64, f64)) -> f64| Arc::new(pairs.iter().map(|pair| pair.map(pick)).collect::<Float64Array>()) as ArrayRef;
        Ok(Arc::new(StructArray::try_new(fields.clone(), vec![column(|pair| pair.0), column(|pair| pair.1)], Some(known))?))
    })
}

fn texts(array: &ArrayRef) -> Result<StringArray> {
    let array = cast(array, &DataType::Utf8)?;
    Ok(array.as_any().downcast_ref::<StringArray>().expect("cast to Utf8 gives a StringArray").clone())
}

fn numbers(array: &ArrayRef) -> Result<Float64Array> {
    let array = cast(array, &DataType::Float64)?;
    Ok(array.as_any().downcast_ref::<Float64Array>().expect("cast to Float64 gives a Float64Array").clone())
}

/// A date of the calendar that counts from 1912: `1040101`, `990131` (two digits before the year 100), `104/1/1`, `104-01-01`, `104年1月1日`,
/// with or without `民國` before. What is no such date is `None`.
fn roc_date(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    let text = text.strip_prefix("民國").unwrap_or(text).trim();
    let numbers: Vec<&str> = if matches!(text.len(), 6 | 7) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let year_digits = text.len() - 4;
        vec![&text[..year_digits], &text[year_digits..year_digits + 2], &text[year_digits + 2..]]
    } else {
        text.trim_end_matches('日').split(['/', '-', '.', '年', '月']).map(str::trim).collect()
    };
    let [year, month, day] = numbers.as_slice() else {
        return None;
    };
    let year: i32 = year.parse().ok().filter(|year| (1..=999).contains(year))?;
    NaiveDate::from_ymd_opt(year + 1911, month.parse().ok()?, day.parse().ok()?)
}

fn days_since_1970(date: NaiveDate) -> i32 {
    // The Unix epoch is day 719,163 of the common era.
    date.num_days_from_ce() - 719_163
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roc_dates_of_the_police_files_are_read() {
        let date = |year, month, day| NaiveDate::from_ymd_opt(year, month, day);
        for (text, expected) in [
            ("1040101", date(2015, 1, 1)),
            ("990131", date(2010, 1, 31)),
            (" 民國104年1月1日", date(2015, 1, 1)),
            ("104/01/02", date(2015, 1, 2)),
        ] {
            assert_eq!(roc_date(text), expected, "{text}");
        }
        for text in ["", "1041301", "104", "２０2", "104/1", "20150101", "0000101"] {
            assert_eq!(roc_date(text), None, "{text}");
        }
        assert_eq!(days_since_1970(date(1970, 1, 2).unwrap()), 1);
    }
}
