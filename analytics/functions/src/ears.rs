//! `ears_c1`, `ears_c2`, `ears_c3`: is there a surge, judged by the last few bins alone?
//!
//! Baseline of 7 bins: t−7 … t−1 (C1), t−9 … t−3 (C2, a guard of 2 bins so that a slow rise does not hide itself), mean ȳ,
//! deviation s = √(Σ(y−ȳ)²/6), at least `min_sigma`. Score (yₜ − ȳ)/s, upper ȳ + z₁₋α s, alarm if yₜ is above.
//! C3 adds what C2 was above 1 over the bins t−2 … t and alarms above z₁₋α.
//!
//! Source: Hutwagner, Thompson, Seeman and Treadwell (2003), Journal of Urban Health 80 (suppl. 1).
//!
//! Cautions: EARS knows no weekday: use weeks, or standardize days by weekday first. C3 of R's surveillance
//! (`earsC(method = "C3")`, 1.20 to 1.26) leaves the current bin out, against its own manual, and alarms a bin late; this is
//! the definition. A missing bin is not zero: bins whose baseline holds one have no answer (`incomplete_bin`); NaN and infinity
//! count as missing, and a score or bound beyond the largest number is `out_of_range`.
//! With `min_sigma` 0 a baseline of equal bins has no score (`zero_variance`), yet what is above it alarms.
//! For a series that grows bin by bin: [`Ring`], which keeps twelve bins and gives the same bits.
//! Worked example: `c1_of_series_a` in `ears/charts.rs`.

mod charts;
mod documentation;
mod ring;

pub use ring::Ring;

pub use charts::{BASELINE, GUARD, Setting, Surge, cumulative, shewhart};

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::Reason;
use crate::arguments::{Arguments, booleans, numbers, texts};
use crate::documentation::{Documentation, Unit};
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};
use crate::normal::quantile;

pub(crate) static C1: Function =
    ears("ears_c1", &[VALUE, MIN_SIGMA, alpha(0.001)], &documentation::C1, |a| chart(a, |v, s| shewhart(v, 0, s)));
pub(crate) static C2: Function =
    ears("ears_c2", &[VALUE, MIN_SIGMA, alpha(0.001)], &documentation::C2, |a| chart(a, |v, s| shewhart(v, GUARD, s)));
pub(crate) static C3: Function = ears("ears_c3", &[VALUE, MIN_SIGMA, alpha(0.025)], &documentation::C3, |a| chart(a, cumulative));

const fn ears(
    name: &'static str,
    arguments: &'static [Argument],
    documentation: &'static Documentation,
    evaluate: fn(&Arguments<'_>) -> Result<ArrayRef>,
) -> Function {
    Function { name, source: file!(), kind: Kind::OrderedWindow, arguments, returns: Returns::Struct(RETURNS), documentation, evaluate }
}

const RETURNS: &[Output] = &[
    Output::new("score", Type::Number),
    Output::new("upper", Type::Number),
    Output::new("alarm", Type::Boolean),
    Output::new("reason", Type::Text),
];

const VALUE: Argument =
    Argument::required("value", Type::Number, "the count of a bin; NULL is missing, not zero", "时段计数；NULL 表示缺失而非零")
        .counted_in(Unit::Cases);
const MIN_SIGMA: Argument = Argument::optional(
    "min_sigma",
    Type::Number,
    DefaultValue::Number(0.5),
    "floor of the baseline's standard deviation; 0 for none",
    "基线标准差下限；0 表示不设",
)
.counted_in(Unit::Cases);

const fn alpha(default: f64) -> Argument {
    Argument::optional(
        "alpha",
        Type::Number,
        DefaultValue::Number(default),
        "share of false alarms accepted a bin",
        "每个时段可接受的误报率",
    )
    .counted_in(Unit::Share)
}

/// One of the charts: a verdict or a reason for each bin.
type Chart = fn(&[Option<f64>], Setting) -> Vec<std::result::Result<Surge, Reason>>;

fn chart(arguments: &Arguments<'_>, compute: Chart) -> Result<ArrayRef> {
    let values = arguments.optional_numbers(0)?;
    let surges: Vec<_> = compute(&values, setting(arguments)?).into_iter().map(|surge| surge.and_then(in_range)).collect();
    arguments.answer(vec![
        numbers(surges.iter().map(|s| s.ok()?.score)),
        numbers(surges.iter().map(|s| Some(s.ok()?.upper))),
        booleans(surges.iter().map(|s| Some(s.ok()?.alarm))),
        texts(surges.iter().map(reason)),
    ])
}

/// A score or bound beyond the largest double is none.
fn in_range(surge: Surge) -> std::result::Result<Surge, Reason> {
    let sound = surge.upper.is_finite() && surge.score.is_none_or(f64::is_finite);
    if sound { Ok(surge) } else { Err(Reason::OutOfRange) }
}

fn reason(surge: &std::result::Result<Surge, Reason>) -> Option<&'static str> {
    match surge {
        Ok(surge) => surge.score.is_none().then_some(Reason::ZeroVariance.as_str()),
        Err(reason) => Some(reason.as_str()),
    }
}

fn setting(arguments: &Arguments<'_>) -> Result<Setting> {
    let min_sigma = arguments.number_option(1)?.unwrap_or(0.0);
    let alpha = arguments.number_option(2)?.unwrap_or(f64::NAN);
    if !(min_sigma >= 0.0 && min_sigma.is_finite()) {
        return exec_err!("min_sigma of {} is {min_sigma}: give a number of at least 0", arguments.name());
    }
    if !(alpha > 0.0 && alpha < 1.0) {
        return exec_err!("alpha of {} is {alpha}: give a number between 0 and 1", arguments.name());
    }
    Ok(Setting { min_sigma, threshold: -quantile(alpha) })
}
