//! `local_day(instant)`: the instant at which the city's day that holds it began.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, TimeZone, Utc};
use contract::schema::time_type;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};

/// The function for a city in `time_zone` (an IANA name).
pub(super) fn local_day(time_zone: &str) -> Result<ScalarUDF> {
    let zone: chrono_tz::Tz = time_zone
        .parse()
        .map_err(|_| DataFusionError::Configuration(format!("\"{time_zone}\" is not an IANA time zone, such as Asia/Shanghai")))?;
    let begins = move |arguments: &[ColumnarValue]| -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let instants = arrays[0].as_primitive::<TimestampMicrosecondType>();
        let days: TimestampMicrosecondArray = instants.iter().map(|at| at.and_then(|micros| day_of(micros, zone))).collect();
        Ok(ColumnarValue::Array(Arc::new(days.with_timezone("UTC")) as ArrayRef))
    };
    Ok(create_udf("local_day", vec![time_type()], time_type(), Volatility::Immutable, Arc::new(begins)))
}

fn day_of(micros: i64, zone: chrono_tz::Tz) -> Option<i64> {
    let local = DateTime::<Utc>::from_timestamp_micros(micros)?.with_timezone(&zone);
    let midnight = local.date_naive().and_time(chrono::NaiveTime::MIN);
    // Where midnight does not exist (a summer-time change at midnight) the day begins an hour later.
    let begins = zone
        .from_local_datetime(&midnight)
        .earliest()
        .or_else(|| zone.from_local_datetime(&(midnight + chrono::TimeDelta::hours(1))).earliest())?;
    Some(begins.with_timezone(&Utc).timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_taipei_begins_at_four_in_the_afternoon_utc() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let zone = chrono_tz::Asia::Taipei;
        assert_eq!(day_of(at("2024-10-31T15:59:59Z"), zone), Some(at("2024-10-30T16:00:00Z")));
        assert_eq!(day_of(at("2024-10-31T16:00:00Z"), zone), Some(at("2024-10-31T16:00:00Z")));
    }
}
