//! Farrington's choice of reference weeks and its verdict on one week: pure numbers.

use super::model::{Fit, Week, fit};
use crate::Reason;
use crate::counts::Counts;
use crate::normal::quantile;

/// How the upper bound is made of mean and dispersion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Normal on the two-thirds power scale, with the error of the mean.
    Delta,
    /// Quantile of the negative binomial at the estimated mean.
    NbPlugin,
    /// The same at the upper limit of the mean (Muan).
    Muan,
}

/// A setting of the method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Weeks of a year.
    pub frequency: usize,
    /// Years to look back.
    pub years: usize,
    /// Weeks on either side of the same week a year ago.
    pub half_window: usize,
    /// Levels of the season; 1 uses the reference windows alone.
    pub periods: usize,
    /// Weeks before the judged one that are left out.
    pub excluded: usize,
    /// Share of false alarms accepted.
    pub alpha: f64,
    /// How the upper bound is made.
    pub bound: Bound,
    /// The trend is kept if its p is below this; 0 for no trend.
    pub trend_threshold: f64,
    /// Fewest cases in the last four weeks for an answer.
    pub min_cases: f64,
}

/// The verdict on one week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// The expected cases.
    pub expected: f64,
    /// More than this alarm.
    pub upper: f64,
    /// (cases − expected) / (upper − expected); above 1 is an alarm. None if the bound is the mean.
    pub score: Option<f64>,
    /// It alarms.
    pub alarm: bool,
    /// max(1, φ).
    pub dispersion: f64,
    /// The trend was kept.
    pub trend: bool,
}

/// Weeks over which `min_cases` are counted.
const RECENT: usize = 4;

/// Fewest years for a trend.
const TREND_YEARS_MIN: usize = 3;

/// The verdict on week `t` of a series.
pub fn judge(values: &[Option<f64>], t: usize, setting: &Setting) -> Result<Verdict, Reason> {
    let cases = match values[t] {
        None => return Err(Reason::MissingValue),
        Some(v) if !v.is_finite() => return Err(Reason::NotFinite),
        Some(v) if v < 0.0 => return Err(Reason::OutOfRange),
        Some(v) => v,
    };
    let history = reference(values, t, setting)?;
    let recent: f64 = values[(t + 1).saturating_sub(RECENT)..=t].iter().flatten().sum();
    if recent < setting.min_cases {
        return Err(Reason::TooFewCases);
    }
    let last = setting.periods - 1;
    if !history.iter().any(|week| week.level == last) {
        return Err(Reason::ShortHistory);
    }
    if history.iter().all(|week| week.level != last || week.cases == 0.0) {
        return Ok(Verdict { expected: 0.0, upper: 0.0, score: None, alarm: cases > 0.0, dispersion: 1.0, trend: false });
    }
    let fit = chosen(&history, setting).ok_or(Reason::NotConverged)?;
    let upper = upper(&fit, setting).ok_or(Reason::OutOfRange)?;
    let score = (cases - fit.expected) / (upper - fit.expected);
    let score = score.is_finite().then_some(score);
    let alarm = cases > 0.0 && score.is_some_and(|score| score > 1.0);
    Ok(Verdict { expected: fit.expected, upper, score, alarm, dispersion: fit.dispersion, trend: fit.slope.is_some() })
}

/// The weeks to learn from, with their level: 0 … P−2 between the reference windows, P−1 inside them.
fn reference(values: &[Option<f64>], t: usize, setting: &Setting) -> Result<Vec<Week>, Reason> {
    let &Setting { frequency, years, half_window, .. } = setting;
    let start = t.checked_sub(frequency * years + half_window).ok_or(Reason::ShortHistory)?;
    let end = t.saturating_sub(setting.excluded);
    let mut weeks = Vec::with_capacity(end.saturating_sub(start));
    for (week, value) in values.iter().enumerate().take(end).skip(start) {
        let Some(level) = level(week - start, setting) else { continue };
        match value {
            Some(v) if *v < 0.0 => return Err(Reason::OutOfRange),
            Some(v) if v.is_finite() => weeks.push(Week { cases: *v, time: week as f64 - t as f64, level }),
            _ => {}
        }
    }
    Ok(weeks)
}

/// The level of the week `offset` weeks after the first window's start; none if it is not used.
fn level(offset: usize, setting: &Setting) -> Option<usize> {
    let window = 2 * setting.half_window + 1;
    let within = offset % setting.frequency;
    if within < window {
        return Some(setting.periods - 1);
    }
    let blocks = setting.periods.checked_sub(1).filter(|blocks| *blocks > 0)?;
    let (stretch, position) = (setting.frequency - window, within - window);
    // The first `longer` blocks have one week more.
    let (short, longer) = (stretch / blocks, stretch % blocks);
    let boundary = longer * (short + 1);
    Some(if position < boundary { position / (short + 1) } else { longer + (position - boundary) / short })
}

/// The model with trend if the trend earns its place, else without.
fn chosen(history: &[Week], setting: &Setting) -> Option<Fit> {
    let last = setting.periods - 1;
    let largest = history.iter().map(|week| week.cases).fold(0.0, f64::max);
    let earns = |fit: &Fit| {
        let (_, p) = fit.slope.expect("it was fitted with a trend");
        p < setting.trend_threshold && fit.expected <= largest
    };
    let with = (setting.trend_threshold > 0.0 && setting.years >= TREND_YEARS_MIN).then(|| fit(history, setting.periods, last, true));
    with.flatten().filter(earns).or_else(|| fit(history, setting.periods, last, false))
}

fn upper(fit: &Fit, setting: &Setting) -> Option<f64> {
    let z = -quantile(setting.alpha);
    let quantile_at = |mean: f64| Some(Counts::new(mean, fit.dispersion)?.upper(setting.alpha)? as f64);
    match setting.bound {
        Bound::NbPlugin => quantile_at(fit.expected),
        Bound::Muan => quantile_at(fit.expected * (z * fit.error).exp()),
        Bound::Delta => {
            let tau = fit.dispersion + fit.expected * fit.error * fit.error;
            let error = (4.0 / 9.0 * fit.expected.cbrt() * tau).sqrt();
            Some((fit.expected.powf(2.0 / 3.0) + z * error).max(0.0).powf(1.5))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(years: usize, periods: usize, alpha: f64, bound: Bound, trend_threshold: f64) -> Setting {
        Setting { frequency: 52, years, half_window: 3, periods, excluded: 26, alpha, bound, trend_threshold, min_cases: 5.0 }
    }

    fn series(overdispersed: bool) -> Vec<Option<f64>> {
        let y = |t: i32| {
            let outbreak = match t {
                120 => 14,
                121 => 9,
                300 => 6,
                301 => 15,
                302 => 11,
                _ => 0,
            };
            let extra = if overdispersed { 12 * i32::from(53 * t % 17 == 0) + 7 * i32::from(29 * t % 13 == 0) } else { 0 };
            2 + ((t % 52) - 26).abs() / 4 + ((37 * t) % 11) / 2 + t / 100 + outbreak + extra
        };
        (1..=320).map(|t| Some(f64::from(y(t)))).collect()
    }

    /// Verdicts of weeks 296 to 305 against printed values. The reference stops its fit at 1e-8 of the deviance.
    fn check(values: &[Option<f64>], setting: &Setting, read: fn(Verdict) -> f64, expected: [f64; 10]) {
        for (week, expected) in (296..).zip(expected) {
            let got = read(judge(values, week - 1, setting).unwrap());
            assert!((got / expected - 1.0).abs() < 1e-4, "week {week}: {got}, expected {expected}");
        }
    }

    fn alarms(values: &[Option<f64>], setting: &Setting) -> Vec<usize> {
        (296..=305).filter(|week| judge(values, week - 1, setting).unwrap().alarm).collect()
    }

    /// Worked example: with one level and no trend the expectation is the mean of the five windows of seven weeks.
    #[test]
    fn one_level_without_trend_is_the_mean_of_the_windows() {
        let (y, setting) = (series(false), setting(5, 1, 0.05, Bound::Delta, 0.0));
        let mean = [7.2, 7.285714286, 7.857142857, 7.942857143, 8.171428571, 8.771428571, 8.6, 9.028571429, 9.457142857, 9.428571429];
        check(&y, &setting, |v| v.expected, mean);
        let upper = [12.043500, 12.154670, 12.897290, 13.009140, 13.302740, 14.072910, 13.853680, 14.400650, 14.946490, 14.910250];
        check(&y, &setting, |v| v.upper, upper);
        assert_eq!(alarms(&y, &setting), [300, 301, 302]);
    }

    #[test]
    fn ten_levels_with_trend() {
        let y = series(false);
        let with = |bound| setting(4, 10, 0.05, bound, 0.05);
        let mean = [8.546293, 8.443946, 9.070585, 9.322858, 9.294158, 10.141890, 9.906225, 10.182980, 10.909400, 10.864220];
        check(&y, &with(Bound::Delta), |v| v.expected, mean);
        let delta = [13.790920, 13.659650, 14.461660, 14.783410, 14.746930, 15.818920, 15.522290, 15.871010, 16.783280, 16.727450];
        check(&y, &with(Bound::Delta), |v| v.upper, delta);
        check(&y, &with(Bound::NbPlugin), |v| v.upper, [14.0, 13.0, 14.0, 15.0, 15.0, 16.0, 15.0, 16.0, 17.0, 17.0]);
        check(&y, &with(Bound::Muan), |v| v.upper, [14.0, 14.0, 15.0, 15.0, 15.0, 16.0, 16.0, 16.0, 17.0, 17.0]);
        check(&y, &with(Bound::Muan), |v| v.dispersion, [1.0; 10]);
        check(&y, &with(Bound::Muan), |v| f64::from(u8::from(v.trend)), [1.0; 10]);
        assert_eq!(alarms(&y, &with(Bound::Delta)), [301, 302]);
    }

    #[test]
    fn overdispersed_series() {
        let y = series(true);
        assert_eq!(y.iter().flatten().sum::<f64>(), 3109.0);
        let with = |bound| setting(4, 10, 0.01, bound, 0.05);
        let mean = [8.992661, 9.083456, 9.639606, 10.009150, 9.962647, 10.548140, 10.736800, 9.866113, 10.328750, 9.744240];
        check(&y, &with(Bound::Delta), |v| v.expected, mean);
        let phi = [1.161696, 1.170095, 1.149215, 1.030694, 1.098850, 1.0, 1.142622, 1.193022, 1.030369, 1.141270];
        check(&y, &with(Bound::Delta), |v| v.dispersion, phi);
        let delta = [17.510330, 17.673920, 18.374820, 18.377380, 18.611690, 18.976040, 19.877870, 18.876130, 18.816150, 18.473300];
        check(&y, &with(Bound::Delta), |v| v.upper, delta);
        check(&y, &with(Bound::NbPlugin), |v| v.upper, [17.0, 18.0, 18.0, 18.0, 18.0, 19.0, 20.0, 19.0, 19.0, 18.0]);
        check(&y, &with(Bound::Muan), |v| v.upper, [18.0, 19.0, 19.0, 19.0, 19.0, 20.0, 21.0, 20.0, 20.0, 19.0]);
        let trend: Vec<bool> = (296..=305).map(|week| judge(&y, week - 1, &with(Bound::Delta)).unwrap().trend).collect();
        assert_eq!(trend, [true, true, true, true, true, true, true, true, true, false]);
        assert_eq!(alarms(&y, &with(Bound::Delta)), [301, 302]);
    }

    #[test]
    fn levels_cut_the_year_as_defined() {
        let setting = setting(4, 10, 0.05, Bound::Delta, 0.05);
        let levels: Vec<usize> = (0..52).map(|offset| level(offset, &setting).unwrap()).collect();
        assert!(levels[..7].iter().all(|l| *l == 9));
        assert_eq!((levels[7], levels[11], levels[12], levels[51]), (0, 0, 1, 8));
        let uneven = Setting { periods: 11, ..setting };
        let sizes: Vec<usize> = (0..10).map(|l| (0..52).filter(|o| level(*o, &uneven) == Some(l)).count()).collect();
        assert_eq!(sizes, [5, 5, 5, 5, 5, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn undefined_has_its_reason() {
        let mut y = series(false);
        let setting = setting(4, 10, 0.05, Bound::NbPlugin, 0.05);
        assert_eq!(judge(&y, 210, &setting), Err(Reason::ShortHistory));
        assert!(judge(&y, 211, &setting).is_ok());
        y[300] = None;
        assert_eq!(judge(&y, 300, &setting), Err(Reason::MissingValue));
        let quiet = vec![Some(0.0); 320];
        assert_eq!(judge(&quiet, 300, &setting), Err(Reason::TooFewCases));
        let mut first = quiet;
        first[300] = Some(6.0);
        let verdict = judge(&first, 300, &setting).unwrap();
        assert!(verdict.alarm && verdict.upper == 0.0 && verdict.score.is_none(), "the first cases ever are an alarm");
        first[100] = Some(-1.0);
        assert_eq!(judge(&first, 300, &setting), Err(Reason::OutOfRange));
    }
}
