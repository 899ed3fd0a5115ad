//! The columns of an answer. Each is filled whole, values first and then the bits that say which are there: a builder that is asked
//! row by row costs more than most of what it is given.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, StringArray, StringBuilder};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};

/// A column of numbers; NULL where there is none or it is not finite.
pub(crate) fn numbers(values: impl IntoIterator<Item = Option<f64>>) -> ArrayRef {
    let finite = |value: Option<f64>| value.filter(|v| v.is_finite()).unwrap_or(f64::NAN);
    let mut values: Vec<f64> = values.into_iter().map(finite).collect();
    let present = present(values.len(), |row| !values[row].is_nan());
    if present.is_some() {
        values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
    }
    Arc::new(Float64Array::new(values.into(), present))
}

/// A column of whole numbers.
pub(crate) fn integers(values: impl IntoIterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int64Array>())
}

/// A column of texts.
pub(crate) fn texts<'t>(values: impl IntoIterator<Item = Option<&'t str>>) -> ArrayRef {
    let values: Vec<Option<&str>> = values.into_iter().collect();
    let present = present(values.len(), |row| values[row].is_some());
    if present.as_ref().is_some_and(|present| present.null_count() == values.len()) {
        return Arc::new(StringArray::new_null(values.len()));
    }
    let offsets = OffsetBuffer::from_lengths(values.iter().map(|text| text.map_or(0, str::len)));
    let bytes: String = values.into_iter().flatten().collect();
    Arc::new(StringArray::new(offsets, Buffer::from(bytes.into_bytes()), present))
}

/// A column of lists of texts.
pub(crate) fn text_lists<'t>(lists: impl IntoIterator<Item = impl IntoIterator<Item = &'t str>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for list in lists {
        list.into_iter().for_each(|text| builder.values().append_value(text));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// A column of truth values.
pub(crate) fn booleans(values: impl IntoIterator<Item = Option<bool>>) -> ArrayRef {
    let values: Vec<Option<bool>> = values.into_iter().collect();
    let present = present(values.len(), |row| values[row].is_some());
    Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(values.len(), |row| values[row] == Some(true)), present))
}

/// Which rows have a value; none if all have.
fn present(rows: usize, has_value: impl FnMut(usize) -> bool) -> Option<NullBuffer> {
    Some(NullBuffer::new(BooleanBuffer::collect_bool(rows, has_value))).filter(|nulls| nulls.null_count() > 0)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::Float64Type;

    use super::*;

    #[test]
    fn what_is_none_is_null_and_nothing_but_a_finite_number_is_told() {
        let column = numbers([Some(1.5), None, Some(f64::NAN), Some(f64::INFINITY), Some(-0.0)]);
        let column = column.as_primitive::<Float64Type>();
        assert_eq!(column.iter().collect::<Vec<_>>(), [Some(1.5), None, None, None, Some(-0.0)]);
        assert_eq!(column.values()[1].to_bits(), 0, "no NaN hides under a NULL");
        assert!(numbers([Some(1.0)]).nulls().is_none());
    }

    #[test]
    fn texts_and_truths_stand_in_their_rows() {
        let column = texts([None, Some("zero_variance"), Some(""), None, Some("零")]);
        assert_eq!(column.as_string::<i32>().iter().collect::<Vec<_>>(), [None, Some("zero_variance"), Some(""), None, Some("零")]);
        let column = booleans([Some(true), None, Some(false)]);
        assert_eq!(column.as_boolean().iter().collect::<Vec<_>>(), [Some(true), None, Some(false)]);
        assert_eq!((texts([]).len(), booleans([]).len(), numbers([]).len()), (0, 0, 0));
    }
}
