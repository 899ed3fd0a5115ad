//! `repeats`: does the same matter come back? Each contact of a key against the one before it.
//!
//! A contact is a repeat if the previous contact of its key (the window's PARTITION BY) lies at most `within` before it, the
//! end of the window included. gap_days = days since the previous contact; nth = 1 for the first contact.
//!
//! Source: the repeat rate of citizen hotlines: contacts whose key had one within the window before / contacts.
//!
//! Cautions: the first contact of a key may have had one before the data begin (left-censored): count such keys. Order is by
//! `at` itself, so the window needs no ORDER BY. A row whose time is NULL has no answer and counts for nothing.
//! Of contacts at one moment any may be taken for the first; together their answers are the same. A span longer than 292,000 years
//! is taken for that long.
//! Worked example: `a_matter_that_comes_back` in `repeats/contacts.rs`.

mod contacts;
mod documentation;

pub use contacts::{Contact, contacts};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, booleans, integers, numbers};
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "repeats",
    source: file!(),
    kind: Kind::Window,
    arguments: &[
        Argument::required("at", Type::Instant, "the time of the contact", "联系时间"),
        Argument::optional(
            "within",
            Type::Interval,
            DefaultValue::Days(30),
            "how near the previous one must be, in days or hours",
            "与上一次的最大间隔（以天或小时计）",
        ),
    ],
    returns: Returns::Struct(&[
        Output::new("repeat", Type::Boolean),
        Output::new("gap_days", Type::Number),
        Output::new("nth", Type::Integer),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// Microseconds of a day.
const DAY: f64 = 86_400e6;

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let within = arguments.span_option(1)?;
    let at: Vec<Option<i64>> = arguments.instants(0)?.iter().collect();
    let contacts = contacts(&at, within);
    arguments.answer(vec![
        booleans(contacts.iter().map(|c| Some((*c)?.repeat))),
        numbers(contacts.iter().map(|c| Some((*c)?.gap? as f64 / DAY))),
        integers(contacts.iter().map(|c| Some((*c)?.nth))),
    ])
}
