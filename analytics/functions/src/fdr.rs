//! `fdr`: which of many p-values still stand? Benjamini and Hochberg's false discovery rate over a partition.
//!
//! With p₍₁₎ ≤ … ≤ p₍ₙ₎: q₍ₖ₎ = min over j ≥ k of min(1, n p₍ⱼ₎ / j). Calling everything with q ≤ α a discovery keeps the
//! expected share of false ones at or below α. Equal p have equal q.
//!
//! Source: Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57(1), 289-300.
//!
//! Cautions: the partition is the family; over time steps use one partition a step, as ArcGIS does. A NULL p has no q and
//! does not count in n; neither does what is no p-value (NaN, or outside 0 to 1).
//! Worked example: `a_larger_p_can_hold_a_smaller_one_down` in `fdr/adjusted.rs`.

mod adjusted;
mod documentation;

pub use adjusted::q_values;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::documentation::Unit;
use crate::function::{Argument, Function, Kind, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "fdr",
    source: file!(),
    kind: Kind::Window,
    arguments: &[Argument::required("p", Type::Number, "a p-value from 0 to 1; NULL is not counted", "p 值（0 到 1）；NULL 不计入")
        .counted_in(Unit::Share)],
    returns: Returns::One(Type::Number),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let p: Vec<f64> = arguments.numbers(0)?.iter().map(|p| p.unwrap_or(f64::NAN)).collect();
    Ok(numbers(q_values(&p).into_iter().map(Some)))
}
