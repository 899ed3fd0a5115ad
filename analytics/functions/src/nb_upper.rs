//! `nb_upper`: how many cases are still ordinary if they vary more than by chance alone?
//!
//! The smallest u with P(X > u) ≤ α for X negative binomial of mean μ and variance φ μ (size μ/(φ − 1)); Poisson if φ ≤ 1.
//!
//! Source: Noufaily et al. (2013), Statistics in Medicine 32(7), the plug-in bound.
//!
//! Cautions: φ is variance / mean, at most 10⁴, not the size. NULL for a negative or unknown mean or dispersion, a mean beyond
//! 10⁹, or α outside 0 to 1. Worked example: `upper_bounds_of_the_farrington_examples` in `counts.rs`.

mod documentation;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::counts::Counts;
use crate::function::{Argument, Function, Kind, Returns, Type};
use crate::poisson_upper::{ALPHA, MEAN};

pub(crate) static FUNCTION: Function = Function {
    name: "nb_upper",
    source: file!(),
    kind: Kind::Scalar,
    arguments: &[MEAN, Argument::required("dispersion", Type::Number, "variance / mean", "离散度（方差/均值）"), ALPHA],
    returns: Returns::One(Type::Number),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let rows = arguments.numbers(0)?.iter().zip(arguments.numbers(1)?).zip(arguments.numbers_or_default(2)?);
    Ok(numbers(rows.map(|((mean, dispersion), alpha)| Some(Counts::new(mean?, dispersion?)?.upper(alpha?)? as f64))))
}
