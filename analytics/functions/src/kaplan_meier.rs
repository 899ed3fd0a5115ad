//! `kaplan_meier`: how long until it happens, with those still waiting counted? The share without event over time.
//!
//! At each time with events: S ← S · (n − d)/n, n = still under watch, d = events. Greenwood: Var(ln S) = Σ d/(n(n−d));
//! 95 % bounds S · exp(± z √Var), cut at 1.
//!
//! Sources: Kaplan and Meier (1958), JASA 53; Greenwood (1926). Bounds on the log scale are the default of R's survfit.
//!
//! Cautions: `observed` is false for a case that had no event yet when the data end (open, not recurred): leaving such cases
//! out makes everything look fast. Someone censored at the time of an event still counts as at risk then. Rows with a NULL,
//! negative or infinite duration or a NULL `observed` are left out. Where nobody is left the bounds are NULL.
//! Worked example: `maintained_leukaemia_patients` in `kaplan_meier/curve.rs`.

mod curve;
mod documentation;

pub use curve::{Step, curve};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, integers, numbers};
use crate::documentation::Unit;
use crate::function::{Argument, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "kaplan_meier",
    source: file!(),
    kind: Kind::Aggregate,
    arguments: &[
        Argument::required("duration", Type::Number, "time until the event or the end of watching", "到事件或观察结束的时长")
            .counted_in(Unit::Time),
        Argument::required(
            "observed",
            Type::Boolean,
            "true if the event was seen, false if still waiting",
            "观察到事件为 true，仍在等待为 false",
        ),
    ],
    returns: Returns::List(&[
        Output::new("time", Type::Number),
        Output::new("at_risk", Type::Integer),
        Output::new("events", Type::Integer),
        Output::new("survival", Type::Number),
        Output::new("low", Type::Number),
        Output::new("high", Type::Number),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let pairs = arguments.numbers(0)?.iter().zip(arguments.booleans(1)?);
    let known = pairs.filter_map(|(time, seen)| time.zip(seen)).filter(|(time, _)| *time >= 0.0 && time.is_finite());
    // −0 and 0 are one time.
    let mut watched: Vec<(f64, bool)> = known.map(|(time, seen)| (time + 0.0, seen)).collect();
    let steps = curve(&mut watched);
    arguments.rows_answer(vec![
        numbers(steps.iter().map(|s| Some(s.time))),
        integers(steps.iter().map(|s| i64::try_from(s.at_risk).ok())),
        integers(steps.iter().map(|s| i64::try_from(s.events).ok())),
        numbers(steps.iter().map(|s| Some(s.survival))),
        numbers(steps.iter().map(|s| Some(s.bounds?.0))),
        numbers(steps.iter().map(|s| Some(s.bounds?.1))),
    ])
}
