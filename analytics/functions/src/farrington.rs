//! `farrington`: is this week above what the same season of past years lets expect? The flexible Farrington method.
//!
//! Reference windows are the weeks t − 52k ± w, k = 1 … years. Level P of the season are all windows; each stretch between two
//! windows is cut into P − 1 consecutive blocks of equal length (remaining weeks one each to the first). All weeks from the
//! first window on are used, but not the last `excluded`. Quasi-Poisson, log link: log μ = level + βt, φ = max(1, Pearson/(n − p)).
//! Past outbreaks (Anscombe residual s > 2.58) get weight s⁻², then one refit. β is kept if its p < `trend_threshold`, at least
//! three years are used and it predicts no more than was ever seen; else the model is fitted without.
//! Bounds: `nb_plugin` the 1 − α quantile of NegBin(μ, variance φμ); `muan` the same at the upper limit of μ; `delta` normal on
//! the 2/3 power scale with the error of μ. Score (y − μ)/(U − μ), alarm above 1.
//!
//! Sources: Farrington et al. (1996), J. R. Stat. Soc. A 159(3); Noufaily et al. (2013), Statistics in Medicine 32(7).
//!
//! The improved method of 2013 keeps the trend always (`trend_threshold => 1`); the default is the original's 0.05.
//!
//! The errors of μ and β (trend test, `delta`, `muan`) take Σ w ((y − μ)/μ)² / (n − p) for the dispersion, as R's surveillance
//! does, where Pearson's φ is meant: bounds and alarms are then those of the program in use (1e-4 on all its examples).
//!
//! Cautions: for weekly counts of several years; a year is `frequency` bins, not a calendar year. NULL weeks are left out of
//! the fit, not zero. Fewer than `min_cases` in the last four weeks: `too_few_cases`. Reference weeks without any case: no
//! score, upper 0, so first cases alarm.
//! Worked example: `one_level_without_trend_is_the_mean_of_the_windows` in `farrington/weeks.rs`.

mod documentation;
mod model;
mod weeks;

pub use model::{Fit, Week, fit};
pub use weeks::{Bound, Setting, Verdict, judge};

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::Reason;
use crate::arguments::{Arguments, booleans, numbers, texts};
use crate::documentation::Unit;
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "farrington",
    source: file!(),
    kind: Kind::OrderedWindow,
    arguments: ARGUMENTS,
    returns: Returns::Struct(&[
        Output::new("expected", Type::Number),
        Output::new("upper", Type::Number),
        Output::new("score", Type::Number),
        Output::new("alarm", Type::Boolean),
        Output::new("dispersion", Type::Number),
        Output::new("trend", Type::Boolean),
        Output::new("reason", Type::Text),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

const ARGUMENTS: &[Argument] = &[
    Argument::required("value", Type::Number, "cases of a week; NULL is missing, not zero", "每周案件数；NULL 表示缺失而非零")
        .counted_in(Unit::Cases),
    Argument::optional("frequency", Type::Integer, DefaultValue::Integer(52), "bins of a year, 4 to 366", "每年时段数，4 至 366")
        .counted_in(Unit::Bins),
    Argument::optional("years", Type::Integer, DefaultValue::Integer(5), "years to look back, 1 to 50", "回溯年数，1 至 50"),
    Argument::optional("half_window", Type::Integer, DefaultValue::Integer(3), "weeks on either side of the same week", "同期左右周数")
        .counted_in(Unit::Bins),
    Argument::optional(
        "periods",
        Type::Integer,
        DefaultValue::Integer(10),
        "levels of the season; 1 for the windows alone",
        "季节水平数；1 表示只用参考窗口",
    ),
    Argument::optional("excluded", Type::Integer, DefaultValue::Integer(26), "latest weeks left out", "排除最近周数")
        .counted_in(Unit::Bins),
    Argument::optional("alpha", Type::Number, DefaultValue::Number(0.01), "share of false alarms accepted", "可接受的误报率")
        .counted_in(Unit::Share),
    Argument::optional(
        "bound",
        Type::Text,
        DefaultValue::Text("nb_plugin"),
        "nb_plugin, delta or muan",
        "上限算法：nb_plugin、delta 或 muan",
    ),
    Argument::optional(
        "trend_threshold",
        Type::Number,
        DefaultValue::Number(0.05),
        "p below which a trend is kept; 0 for none",
        "趋势的 p 低于此值才保留；0 表示不含趋势",
    )
    .counted_in(Unit::Share),
    Argument::optional("min_cases", Type::Number, DefaultValue::Number(5.0), "fewest cases in the last four weeks", "最近四周最少案件数")
        .counted_in(Unit::Cases),
];

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let values = arguments.optional_numbers(0)?;
    let setting = setting(arguments)?;
    let verdicts: Vec<_> = (0..values.len()).map(|t| judge(&values, t, &setting).and_then(in_range)).collect();
    arguments.answer(vec![
        numbers(verdicts.iter().map(|v| Some(v.ok()?.expected))),
        numbers(verdicts.iter().map(|v| Some(v.ok()?.upper))),
        numbers(verdicts.iter().map(|v| v.ok()?.score)),
        booleans(verdicts.iter().map(|v| Some(v.ok()?.alarm))),
        numbers(verdicts.iter().map(|v| Some(v.ok()?.dispersion))),
        booleans(verdicts.iter().map(|v| Some(v.ok()?.trend))),
        texts(verdicts.iter().map(reason)),
    ])
}

/// What is beyond the largest double is no answer.
fn in_range(verdict: Verdict) -> std::result::Result<Verdict, Reason> {
    let parts = [verdict.expected, verdict.upper, verdict.dispersion];
    if parts.iter().all(|part| part.is_finite()) { Ok(verdict) } else { Err(Reason::OutOfRange) }
}

fn reason(verdict: &std::result::Result<Verdict, Reason>) -> Option<&'static str> {
    match verdict {
        Ok(verdict) => verdict.score.is_none().then_some(Reason::ZeroVariance.as_str()),
        Err(reason) => Some(reason.as_str()),
    }
}

fn setting(arguments: &Arguments<'_>) -> Result<Setting> {
    let frequency = arguments.integer_option(1, 4..=366)?;
    let half_window = arguments.integer_option(3, 0..=(frequency - 2) / 2)?;
    let stretch = frequency - 2 * half_window - 1;
    let whole = |index, bounds| Ok::<usize, datafusion_common::DataFusionError>(arguments.integer_option(index, bounds)? as usize);
    let bound = match arguments.text_option(7)? {
        "nb_plugin" => Bound::NbPlugin,
        "delta" => Bound::Delta,
        "muan" => Bound::Muan,
        other => return exec_err!("bound of farrington is '{other}': give 'nb_plugin', 'delta' or 'muan'"),
    };
    Ok(Setting {
        frequency: frequency as usize,
        years: whole(2, 1..=50)?,
        half_window: half_window as usize,
        periods: whole(4, 1..=stretch + 1)?,
        excluded: whole(5, 0..=366)?,
        alpha: share(arguments, 6)?,
        bound,
        trend_threshold: arguments.number_option(8)?.unwrap_or(0.0),
        min_cases: arguments.number_option(9)?.unwrap_or(0.0),
    })
}

/// An option strictly between 0 and 1.
fn share(arguments: &Arguments<'_>, index: usize) -> Result<f64> {
    let share = arguments.number_option(index)?.unwrap_or(f64::NAN);
    if share > 0.0 && share < 1.0 {
        return Ok(share);
    }
    exec_err!("{} of farrington is {share}: give a number between 0 and 1", FUNCTION.arguments[index].name)
}
