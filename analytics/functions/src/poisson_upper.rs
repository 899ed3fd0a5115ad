//! `poisson_upper`: how many cases are still ordinary if the mean is known?
//!
//! The smallest u with P(X > u) ≤ α for X Poisson of that mean. More than u cases are an alarm of level α.
//!
//! Source: any text on the Poisson distribution; probabilities after Loader (2000), Fast and accurate computation of binomial
//! probabilities.
//!
//! Cautions: real counts vary more than Poisson; `nb_upper` takes the dispersion. NULL for a negative or unknown mean, a mean
//! beyond 10⁹, or α outside 0 to 1. Worked example: `upper_bounds_of_the_farrington_examples` in `counts.rs`.

mod documentation;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::counts::Counts;
use crate::documentation::Unit;
use crate::function::{Argument, DefaultValue, Function, Kind, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "poisson_upper",
    source: file!(),
    kind: Kind::Scalar,
    arguments: &[MEAN, ALPHA],
    returns: Returns::One(Type::Number),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

pub(crate) const MEAN: Argument = Argument::required("mean", Type::Number, "expected cases", "期望案件数").counted_in(Unit::Cases);
pub(crate) const ALPHA: Argument =
    Argument::optional("alpha", Type::Number, DefaultValue::Number(0.01), "share of false alarms accepted", "可接受的误报率")
        .counted_in(Unit::Share);

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let rows = arguments.numbers(0)?.iter().zip(arguments.numbers_or_default(1)?);
    Ok(numbers(rows.map(|(mean, alpha)| Some(Counts::new(mean?, 1.0)?.upper(alpha?)? as f64))))
}
