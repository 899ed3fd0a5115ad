//! The three EARS charts over a series of bins: pure numbers.

use crate::Reason;

/// Bins of the baseline.
pub const BASELINE: usize = 7;

/// Bins between the baseline and the current one in C2 and C3.
pub const GUARD: usize = 2;

/// How a bin stands against its baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Surge {
    /// The chart's score; none where the baseline does not vary, so that there is no scale.
    pub score: Option<f64>,
    /// The value above which the chart alarms.
    pub upper: f64,
    /// It alarms.
    pub alarm: bool,
}

/// A chart's setting: the least standard deviation, and the score it alarms above.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Floor of the baseline's standard deviation; 0 for none.
    pub min_sigma: f64,
    /// z of 1 − α.
    pub threshold: f64,
}

/// C1 (guard 0) or C2 (guard 2) of each bin. A baseline without scatter has no score, but what is above it still alarms.
pub fn shewhart(values: &[Option<f64>], guard: usize, setting: Setting) -> Vec<Result<Surge, Reason>> {
    against(values, &Baselines::of(values, setting.min_sigma), guard, setting)
}

fn against(values: &[Option<f64>], baselines: &Baselines, guard: usize, setting: Setting) -> Vec<Result<Surge, Reason>> {
    let one = |(t, value): (usize, &Option<f64>)| {
        let value = current(*value)?;
        let (mean, sigma) = baselines.before(t, guard)?;
        let upper = mean + setting.threshold * sigma;
        Ok(Surge { score: (sigma > 0.0).then(|| (value - mean) / sigma), upper, alarm: value > upper })
    };
    values.iter().enumerate().map(one).collect()
}

/// C3 of each bin: what C2 was above 1, added over three bins. It needs all three scores.
pub fn cumulative(values: &[Option<f64>], setting: Setting) -> Vec<Result<Surge, Reason>> {
    let baselines = Baselines::of(values, setting.min_sigma);
    let excess = |c2: Result<Surge, Reason>| Ok((c2?.score.ok_or(Reason::ZeroVariance)? - 1.0).max(0.0));
    let excesses: Vec<Result<f64, Reason>> = against(values, &baselines, GUARD, setting).into_iter().map(excess).collect();
    let one = |(t, now): (usize, &Result<f64, Reason>)| {
        let now = (*now)?;
        if t < BASELINE + 2 * GUARD {
            return Err(Reason::ShortHistory);
        }
        let before = excesses[t - 2].map_err(earlier)? + excesses[t - 1].map_err(earlier)?;
        let (mean, sigma) = baselines.before(t, GUARD)?;
        let score = before + now;
        Ok(Surge { score: Some(score), upper: mean + sigma * (setting.threshold - before), alarm: score > setting.threshold })
    };
    excesses.iter().enumerate().map(one).collect()
}

fn current(value: Option<f64>) -> Result<f64, Reason> {
    match value {
        None => Err(Reason::MissingValue),
        Some(value) if !value.is_finite() => Err(Reason::NotFinite),
        Some(value) => Ok(value),
    }
}

/// A bin missing two bins ago is, for this bin, a hole in its history.
fn earlier(reason: Reason) -> Reason {
    match reason {
        Reason::MissingValue | Reason::NotFinite => Reason::IncompleteBin,
        other => other,
    }
}

/// The baselines of a series: each stretch of [`BASELINE`] bins, by the first of them.
///
/// All means are computed before all deviations, each by the same steps for every stretch, so that the compiler takes several
/// stretches at a time. Sums that roll from stretch to stretch would take fewer steps, but not give the same bits.
struct Baselines {
    /// NaN where a bin of the stretch is missing.
    means: Vec<f64>,
    /// At least the floor.
    sigmas: Vec<f64>,
}

impl Baselines {
    fn of(values: &[Option<f64>], min_sigma: f64) -> Self {
        let counts: Vec<f64> = values.iter().map(|value| value.filter(|v| v.is_finite()).unwrap_or(f64::NAN)).collect();
        let mut means: Vec<f64> = counts.array_windows().map(mean).collect();
        let mut sigmas: Vec<f64> = counts.array_windows().zip(&means).map(|(bins, mean)| sigma(bins, *mean).max(min_sigma)).collect();
        // Bins that are all equal have their value for mean and no scatter, whatever rounding made of them.
        let mut equal = 1;
        for (last, [before, bin]) in (1..).zip(counts.array_windows()) {
            equal = if before == bin { equal + 1 } else { 1 };
            if equal >= BASELINE {
                means[last + 1 - BASELINE] = counts[last + 1 - BASELINE];
                sigmas[last + 1 - BASELINE] = min_sigma.max(0.0);
            }
        }
        Self { means, sigmas }
    }

    /// Mean and floored standard deviation of the bins before `t`.
    fn before(&self, t: usize, guard: usize) -> Result<(f64, f64), Reason> {
        let start = t.checked_sub(BASELINE + guard).ok_or(Reason::ShortHistory)?;
        match (self.means[start], self.sigmas[start]) {
            (mean, _) if mean.is_nan() => Err(Reason::IncompleteBin),
            (_, sigma) if !sigma.is_finite() => Err(Reason::OutOfRange),
            known => Ok(known),
        }
    }
}

#[inline]
fn mean(bins: &[f64; BASELINE]) -> f64 {
    bins.iter().sum::<f64>() / BASELINE as f64
}

#[inline]
fn sigma(bins: &[f64; BASELINE], mean: f64) -> f64 {
    let squares: f64 = bins.iter().map(|y| (y - mean).powi(2)).sum();
    (squares / (BASELINE - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::quantile;
    use proptest::prelude::*;

    fn setting(min_sigma: f64, alpha: f64) -> Setting {
        Setting { min_sigma, threshold: quantile(1.0 - alpha) }
    }

    fn golden_a() -> Vec<Option<f64>> {
        let head = [3, 5, 4, 6, 2, 4, 5, 3, 4, 6, 5, 4, 9, 12, 15, 4, 3];
        head.into_iter().chain([0; 9]).chain([2, 5, 1, 0]).map(|y| Some(f64::from(y))).collect()
    }

    fn golden_b() -> Vec<Option<f64>> {
        let y = |t: i32| {
            let extra = match t {
                120 => 14,
                121 => 9,
                300 => 6,
                301 => 15,
                302 => 11,
                _ => 0,
            };
            2 + ((t % 52) - 26).abs() / 4 + ((37 * t) % 11) / 2 + t / 100 + extra
        };
        (1..=320).map(|t| Some(f64::from(y(t)))).collect()
    }

    /// The bins (from 1) that alarm.
    fn alarms(surges: &[Result<Surge, Reason>]) -> Vec<usize> {
        (1..).zip(surges).filter(|(_, s)| s.is_ok_and(|s| s.alarm)).map(|(t, _)| t).collect()
    }

    fn check(surges: &[Result<Surge, Reason>], from: usize, expected: &[f64], read: fn(Surge) -> f64, within: f64) {
        for (t, expected) in (from..).zip(expected) {
            let got = read(surges[t - 1].unwrap());
            assert!((got - expected).abs() <= within, "bin {t}: {got}, expected {expected}");
        }
    }

    #[test]
    fn golden_series_b_is_the_one_meant() {
        let y = golden_b();
        assert_eq!(y.iter().flatten().sum::<f64>(), 2725.0);
        assert_eq!(y[295..305].iter().map(|v| v.unwrap() as i32).collect::<Vec<_>>(), [9, 6, 9, 11, 14, 25, 24, 10, 12, 14]);
    }

    /// Worked example: before bin 8 stand 3 5 4 6 2 4 5: mean 29/7, deviation 1.3452, upper 8.2998.
    #[test]
    fn c1_of_series_a() {
        let surges = shewhart(&golden_a(), 0, setting(0.0, 0.001));
        let upper = [8.299793, 8.299793, 7.989473, 8.908784, 8.299793, 7.444329, 11.174373, 16.144995];
        check(&surges, 8, &upper, |s| s.upper, 5e-7);
        assert_eq!(alarms(&surges), [13, 14, 27, 28]);
    }

    #[test]
    fn c2_of_series_a() {
        assert_eq!(alarms(&shewhart(&golden_a(), GUARD, setting(0.5, 0.001))), [13, 14, 15, 27, 28]);
    }

    #[test]
    fn c3_of_series_a() {
        let surges = cumulative(&golden_a(), setting(0.5, 0.025));
        check(&surges, 12, &[0.380585, 2.151205, 6.992141, 16.824632, 14.673427, 9.832491, 0.0], |s| s.score.unwrap(), 5e-7);
        check(&surges, 27, &[3.0, 12.0, 13.0, 10.0], |s| s.score.unwrap(), 5e-12);
        assert_eq!(alarms(&surges), [13, 14, 15, 16, 17, 27, 28, 29, 30]);
    }

    #[test]
    fn all_charts_of_series_b() {
        let y = golden_b();
        let c1 = shewhart(&y, 0, setting(0.5, 0.001));
        let upper = [14.30556, 13.32259, 13.64197, 13.64197, 14.55428, 17.91260, 31.58707, 37.39886, 37.22868, 35.65299];
        check(&c1, 296, &upper, |s| s.upper, 5e-6);
        let c2 = shewhart(&y, GUARD, setting(0.5, 0.001));
        let upper = [12.03688, 14.44842, 14.30556, 13.32259, 13.64197, 13.64197, 14.55428, 17.91260, 31.58707, 37.39886];
        check(&c2, 296, &upper, |s| s.upper, 1e-5);
        let c3 = cumulative(&y, setting(0.5, 0.025));
        check(&c3, 296, &[1.6814, 0.2784, 0.2784, 0.7046, 2.9909, 11.3022, 17.6861, 15.3997, 7.0884, 0.0], |s| s.score.unwrap(), 5e-5);
        let late = |surges| alarms(surges).into_iter().filter(|t| (296..=305).contains(t)).collect::<Vec<_>>();
        assert_eq!((late(&c1), late(&c2), late(&c3)), (vec![301], vec![300, 301, 302], vec![300, 301, 302, 303, 304]));
    }

    #[test]
    fn undefined_has_its_reason() {
        let mut y = vec![Some(1.0); 12];
        let without_floor = shewhart(&y, 0, setting(0.0, 0.001));
        assert_eq!((without_floor[6], without_floor[7]), (Err(Reason::ShortHistory), Ok(Surge { score: None, upper: 1.0, alarm: false })));
        assert_eq!(cumulative(&y, setting(0.0, 0.025))[11], Err(Reason::ZeroVariance));
        y[8] = None;
        y[10] = Some(f64::NAN);
        let c1 = shewhart(&y, 0, setting(0.5, 0.001));
        assert!(c1[7].is_ok());
        assert_eq!((c1[8], c1[9], c1[10]), (Err(Reason::MissingValue), Err(Reason::IncompleteBin), Err(Reason::NotFinite)));
        assert_eq!(cumulative(&[Some(1.0); 12], setting(0.5, 0.025))[10], Err(Reason::ShortHistory));
        assert!(cumulative(&[Some(1.0); 12], setting(0.5, 0.025))[11].is_ok());
        assert!(shewhart(&[], 0, setting(0.5, 0.001)).is_empty());
    }

    /// Mean and deviation of the bins before `t`, gone through one by one.
    fn baseline(values: &[Option<f64>], t: usize, guard: usize, min_sigma: f64) -> Result<(f64, f64), Reason> {
        let start = t.checked_sub(BASELINE + guard).ok_or(Reason::ShortHistory)?;
        let mut bins = [0.0; BASELINE];
        for (bin, value) in bins.iter_mut().zip(&values[start..]) {
            *bin = value.filter(|v| v.is_finite()).ok_or(Reason::IncompleteBin)?;
        }
        let mean = bins.iter().sum::<f64>() / BASELINE as f64;
        let squares: f64 = bins.iter().map(|y| (y - mean).powi(2)).sum();
        let equal = bins.iter().all(|y| *y == bins[0]);
        let sigma = if equal { 0.0 } else { (squares / (BASELINE - 1) as f64).sqrt() }.max(min_sigma);
        if sigma.is_finite() { Ok((if equal { bins[0] } else { mean }, sigma)) } else { Err(Reason::OutOfRange) }
    }

    fn any_value() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![
            1 => Just(None),
            20 => (0_u32..4).prop_map(|v| Some(f64::from(v))),
            4 => (-1e3..1e3_f64).prop_map(Some),
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 1e155, 5e-324, -0.0]).prop_map(Some),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn baselines_taken_side_by_side_have_the_bits_of_each_alone(
            runs in prop::collection::vec((any_value(), 1_usize..5), 0..40),
            guard in prop::sample::select(vec![0, GUARD]),
            floor in prop::sample::select(vec![0.0, 0.5]),
        ) {
            let values: Vec<Option<f64>> = runs.into_iter().flat_map(|(value, times)| std::iter::repeat_n(value, times)).collect();
            let all = Baselines::of(&values, floor);
            let bits = |(mean, sigma): (f64, f64)| (mean.to_bits(), sigma.to_bits());
            for t in 0..values.len() {
                prop_assert_eq!(all.before(t, guard).map(bits), baseline(&values, t, guard, floor).map(bits), "bin {} of {:?}", t, values);
            }
        }

        #[test]
        fn more_cases_never_silence_an_alarm(y in prop::collection::vec(0_u32..30, 12..40), more in 1_u32..20) {
            let series = |last: u32| {
                let mut values: Vec<Option<f64>> = y.iter().map(|v| Some(f64::from(*v))).collect();
                let end = values.len() - 1;
                values[end] = Some(f64::from(y[end] + last));
                values
            };
            for chart in [|v: &[Option<f64>]| shewhart(v, 0, setting(0.5, 0.001)), |v: &[Option<f64>]| cumulative(v, setting(0.5, 0.025))] {
                let (before, after) = (chart(&series(0)), chart(&series(more)));
                let last = before.len() - 1;
                prop_assert!(!before[last].unwrap().alarm || after[last].unwrap().alarm);
                prop_assert_eq!(&before[..last], &after[..last]);
            }
        }
    }
}
