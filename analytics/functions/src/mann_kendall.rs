//! `mann_kendall`: does a series rise or fall over time, whatever its shape?
//!
//! S = Σ over i < j of sign(xⱼ − xᵢ); Var(S) = [ n(n−1)(2n+5) − Σ over groups of ties t(t−1)(2t+5) ] / 18;
//! Z = (S − 1)/√Var if S > 0, 0 if S = 0, (S + 1)/√Var if S < 0; p two-sided.
//!
//! Sources: Mann (1945), Econometrica 13; Kendall (1975), Rank Correlation Methods, chapter 4 (ties).
//!
//! Cautions: assumes independent steps; daily counts with a weekly rhythm are not, so take weeks or standardized values. The
//! normal approximation wants about 10 steps. NULL, NaN and infinite values are left out (missing is not zero); fewer than 3
//! values have no trend, nor have equal ones.
//! Worked example: `ten_values_without_ties` in `mann_kendall/trend.rs`.

mod documentation;
mod trend;

pub use trend::{STEPS_MIN, Trend, trend};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::Reason;
use crate::arguments::{Arguments, integers, numbers, texts};
use crate::documentation::Unit;
use crate::function::{Argument, Function, Kind, Output, Returns, Type};
use crate::normal::two_sided_p;

pub(crate) static FUNCTION: Function = Function {
    name: "mann_kendall",
    source: file!(),
    kind: Kind::OrderedAggregate,
    arguments: &[Argument::required("value", Type::Number, "the value of a step; NULL is left out", "每一步的数值；NULL 不计入")
        .counted_in(Unit::Own)],
    returns: Returns::Struct(&[
        Output::new("s", Type::Integer),
        Output::new("variance", Type::Number),
        Output::new("z", Type::Number),
        Output::new("p", Type::Number),
        Output::new("reason", Type::Text),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let values: Vec<f64> = arguments.numbers(0)?.iter().flatten().filter(|v| v.is_finite()).collect();
    let trend = trend(&values);
    let defined = trend.ok();
    arguments.answer(vec![
        integers([defined.map(|t| t.s)]),
        numbers([defined.map(|t| t.variance)]),
        numbers([defined.map(|t| t.z)]),
        numbers([defined.map(|t| two_sided_p(t.z))]),
        texts([trend.err().map(Reason::as_str)]),
    ])
}
