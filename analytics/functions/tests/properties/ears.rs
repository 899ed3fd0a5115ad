//! `ears_c1`, `ears_c2`, `ears_c3`: mean and deviation of the seven bins by the book, one bin at a time.

use arrow::array::ArrayRef;
use functions::{Reason, quantile};
use proptest::prelude::*;

use crate::call::{flags, floats, known, numbers, part, strings, thousand, window};
use crate::invariance::{near, null_has_a_reason, threads_hold};

const NAMES: [&str; 3] = ["ears_c1", "ears_c2", "ears_c3"];
const ALPHA: [f64; 3] = [0.001, 0.001, 0.025];

/// Score (none without scatter), upper bound, alarm.
type Verdict = Result<(Option<f64>, f64, bool), Reason>;

fn sound(value: Option<f64>) -> Result<f64, Reason> {
    let value = value.ok_or(Reason::MissingValue)?;
    if value.is_finite() { Ok(value) } else { Err(Reason::NotFinite) }
}

fn shewhart(y: &[Option<f64>], t: usize, guard: usize, floor: f64, alpha: f64) -> Verdict {
    let value = sound(y[t])?;
    if t < 7 + guard {
        return Err(Reason::ShortHistory);
    }
    let bins: Vec<Option<f64>> = y[t - 7 - guard..t - guard].to_vec();
    if bins.iter().any(|bin| sound(*bin).is_err()) {
        return Err(Reason::IncompleteBin);
    }
    let bins: Vec<f64> = bins.into_iter().flatten().collect();
    let mean = bins.iter().sum::<f64>() / 7.0;
    let scatter =
        if bins.iter().all(|bin| *bin == bins[0]) { 0.0 } else { (bins.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 6.0).sqrt() };
    let sigma = scatter.max(floor);
    let upper = mean + quantile(1.0 - alpha) * sigma;
    Ok(((sigma > 0.0).then(|| (value - mean) / sigma), upper, value > upper))
}

fn cumulative(y: &[Option<f64>], t: usize, floor: f64, alpha: f64) -> Verdict {
    let excess = |t: usize| Ok::<f64, Reason>((shewhart(y, t, 2, floor, alpha)?.0.ok_or(Reason::ZeroVariance)? - 1.0).max(0.0));
    let now = excess(t)?;
    if t < 11 {
        return Err(Reason::ShortHistory);
    }
    let hole = |reason| if matches!(reason, Reason::MissingValue | Reason::NotFinite) { Reason::IncompleteBin } else { reason };
    let before = excess(t - 2).map_err(hole)? + excess(t - 1).map_err(hole)?;
    let bins: Vec<f64> = y[t - 9..t - 2].iter().copied().flatten().collect();
    let mean = bins.iter().sum::<f64>() / 7.0;
    let sigma = (bins.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 6.0).sqrt().max(floor);
    let z = quantile(1.0 - alpha);
    Ok((Some(before + now), mean + sigma * (z - before), before + now > z))
}

fn naive(chart: usize, y: &[Option<f64>], t: usize, floor: f64) -> Verdict {
    match chart {
        0 => shewhart(y, t, 0, floor, ALPHA[0]),
        1 => shewhart(y, t, 2, floor, ALPHA[1]),
        _ => cumulative(y, t, floor, ALPHA[2]),
    }
}

pub(crate) fn series() -> impl Strategy<Value = Vec<Option<f64>>> {
    let bin = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY]).prop_map(Some),
        50 => (0_u32..12).prop_map(|v| Some(f64::from(v))),
        10 => (0.0..50.0_f64).prop_map(Some),
    ];
    prop_oneof![3 => prop::collection::vec(bin, 0..50), 1 => prop::collection::vec((0_u32..3).prop_map(|v| Some(f64::from(v))), 0..50)]
}

fn answer(chart: usize, y: &[Option<f64>], floor: f64) -> ArrayRef {
    let columns =
        [numbers(y.iter().copied()), known(std::iter::repeat_n(floor, y.len())), known(std::iter::repeat_n(ALPHA[chart], y.len()))];
    window(NAMES[chart], &columns, y.len()).unwrap()
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn every_bin_is_the_definition_or_its_reason(y in series(), floor in prop::sample::select(vec![0.0, 0.5, 1.0])) {
        for (chart, name) in NAMES.iter().enumerate() {
            let answer = answer(chart, &y, floor);
            null_has_a_reason(&answer, &["score"])?;
            let (score, upper) = (floats(&part(&answer, "score")), floats(&part(&answer, "upper")));
            let (alarm, reason) = (flags(&part(&answer, "alarm")), strings(&part(&answer, "reason")));
            for t in 0..y.len() {
                match naive(chart, &y, t, floor) {
                    Ok((expected, bound, alarms)) => {
                        prop_assert_eq!(score[t].is_some(), expected.is_some());
                        prop_assert!(score[t].zip(expected).is_none_or(|(a, b)| near(a, b, 1e-9)), "{:?}, expected {:?}", score[t], expected);
                        prop_assert!(near(upper[t].unwrap(), bound, 1e-9));
                        // What is on the bound to the last digit may fall on either side of it.
                        prop_assert!(alarm[t] == Some(alarms) || near(upper[t].unwrap(), y[t].unwrap(), 1e-9));
                    }
                    Err(why) => prop_assert_eq!((reason[t].as_deref(), alarm[t]), (Some(why.as_str()), None), "{} bin {}", name, t),
                }
            }
        }
    }

    #[test]
    fn more_cases_never_silence_the_newest_bin_and_leave_the_past_alone(y in series(), more in 1_u32..20) {
        prop_assume!(!y.is_empty());
        let last = y.len() - 1;
        let mut higher = y.clone();
        higher[last] = y[last].map(|v| v + f64::from(more));
        for chart in 0..3 {
            let (before, after) = (answer(chart, &y, 0.5), answer(chart, &higher, 0.5));
            let alarm = |answer: &ArrayRef| flags(&part(answer, "alarm"))[last];
            prop_assert!(alarm(&before) != Some(true) || alarm(&after) == Some(true));
            prop_assert_eq!(&before.slice(0, last), &after.slice(0, last));
        }
    }

    #[test]
    fn only_twelve_bins_count_and_scale_does_not(y in series(), power in -30_i32..30) {
        for (chart, name) in NAMES.iter().enumerate() {
            let all = answer(chart, &y, 0.0);
            let start = y.len().saturating_sub(12);
            let recent = answer(chart, &y[start..], 0.0);
            if start > 0 {
                prop_assert_eq!(&all.slice(y.len() - 1, 1), &recent.slice(11, 1), "{}", name);
            }
            let scaled: Vec<Option<f64>> = y.iter().map(|v| v.map(|v| v * 2.0_f64.powi(power))).collect();
            prop_assert_eq!(floats(&part(&all, "score")), floats(&part(&answer(chart, &scaled, 0.0), "score")));
        }
    }

    #[test]
    fn threads_change_nothing(y in series()) {
        for chart in 0..3 {
            threads_hold(|| answer(chart, &y, 0.5))?;
        }
    }
}
