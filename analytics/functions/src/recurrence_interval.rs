//! `recurrence_interval`: how rarely would an alarm this strong come by chance? Days between two such alarms.
//!
//! RI = D / p, D = days between analyses (1 when daily).
//!
//! Source: Kleinman, Lazarus and Platt (2004), American Journal of Epidemiology 159(3).
//!
//! Cautions: p must be that of one analysis, not yet adjusted for earlier ones. An alarm of 365 days still comes about once a
//! year for each category that is analysed daily. NULL unless 0 < p ≤ 1 and days > 0.
//! Worked example: `daily_p_of_one_in_365` here.

mod documentation;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::documentation::Unit;
use crate::function::{Argument, Function, Kind, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "recurrence_interval",
    source: file!(),
    kind: Kind::Scalar,
    arguments: &[
        Argument::required("p", Type::Number, "the p of one analysis", "单次分析的 p 值").counted_in(Unit::Share),
        Argument::required("days", Type::Number, "days between analyses", "两次分析间隔（天）").counted_in(Unit::Days),
    ],
    returns: Returns::One(Type::Number),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// Days between two alarms of this p by chance.
pub fn recurrence_interval(p: f64, days: f64) -> Option<f64> {
    (p > 0.0 && p <= 1.0 && days > 0.0).then(|| days / p).filter(|interval| interval.is_finite())
}

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let pairs = arguments.numbers(0)?.iter().zip(arguments.numbers(1)?);
    Ok(numbers(pairs.map(|(p, days)| recurrence_interval(p?, days?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked example: a daily p of 0.002740 is an alarm of one year.
    #[test]
    fn daily_p_of_one_in_365() {
        assert_eq!(recurrence_interval(0.002740, 1.0).map(f64::round), Some(365.0));
        assert_eq!(recurrence_interval(1.0 / 365.0, 1.0).map(f64::round), Some(365.0));
    }

    #[test]
    fn what_is_no_p_has_no_interval() {
        for (p, days) in [(0.0, 1.0), (1.1, 1.0), (f64::NAN, 1.0), (0.5, 0.0), (f64::MIN_POSITIVE, 1e10)] {
            assert_eq!(recurrence_interval(p, days), None);
        }
    }
}
