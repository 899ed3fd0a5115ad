//! `wilson`: how sure is a rate? Wilson's score interval of successes among trials.
//!
//! (p̂ + z²/2n ± z √( p̂(1−p̂)/n + z²/4n² )) / (1 + z²/n), z = Φ⁻¹((1 + confidence)/2).
//!
//! Source: Wilson (1927), Journal of the American Statistical Association 22; recommended by Brown, Cai and DasGupta (2001).
//!
//! Cautions: each trial counts once; for rates of open cases use `kaplan_meier`. All three are NULL without trials, with more
//! successes than trials, or with a negative or unknown number.
//! Worked example: `closing_rate_of_tianmen` in `wilson/interval.rs`.

mod documentation;
mod interval;

pub use interval::wilson;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::documentation::Unit;
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "wilson",
    source: file!(),
    kind: Kind::Scalar,
    arguments: &[
        Argument::required("successes", Type::Number, "how many succeeded", "成功数（分子）").counted_in(Unit::Cases),
        Argument::required("trials", Type::Number, "of how many", "总数（分母）").counted_in(Unit::Cases),
        Argument::optional(
            "confidence",
            Type::Number,
            DefaultValue::Number(0.95),
            "share of such intervals that hold the true rate",
            "置信水平",
        )
        .counted_in(Unit::Share),
    ],
    returns: Returns::Struct(&[Output::new("rate", Type::Number), Output::new("low", Type::Number), Output::new("high", Type::Number)]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let confidence = arguments.numbers_or_default(2)?;
    let rates = arguments.numbers(0)?.iter().zip(arguments.numbers(1)?).zip(confidence);
    let results: Vec<_> = rates.map(|((s, n), c)| wilson(s?, n?, c?)).collect();
    arguments.answer(vec![
        numbers(results.iter().map(|r| Some((*r)?.0))),
        numbers(results.iter().map(|r| Some((*r)?.1))),
        numbers(results.iter().map(|r| Some((*r)?.2))),
    ])
}
