//! `kaplan_meier`: at each time everybody is counted anew.

use arrow::array::ArrayRef;
use proptest::prelude::*;

use crate::call::{aggregate, booleans, floats, numbers, part, thousand, wholes};
use crate::invariance::{aggregate_holds, near, threads_hold};

type Watched = Vec<(Option<f64>, Option<bool>)>;

fn watched() -> impl Strategy<Value = Watched> {
    let duration = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0, -0.0, f64::MAX, 5e-324]).prop_map(Some),
        20 => (0_u32..12).prop_map(|d| Some(f64::from(d))),
    ];
    let seen = prop_oneof![1 => Just(None), 20 => any::<bool>().prop_map(Some)];
    prop::collection::vec((duration, seen), 0..40)
}

fn columns(watched: &Watched) -> Vec<ArrayRef> {
    vec![numbers(watched.iter().map(|w| w.0)), booleans(watched.iter().map(|w| w.1))]
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn every_step_is_the_product_of_all_before(watched in watched()) {
        let answer = aggregate("kaplan_meier", &columns(&watched)).unwrap();
        let known: Vec<(f64, bool)> = watched.iter().filter_map(|(d, s)| d.zip(*s)).filter(|(d, _)| d.is_finite() && *d >= 0.0).collect();
        let mut times: Vec<f64> = known.iter().filter(|(_, seen)| *seen).map(|(time, _)| *time + 0.0).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        prop_assert_eq!(floats(&part(&answer, "time")), times.iter().copied().map(Some).collect::<Vec<_>>());
        let (survival, low, high) = (floats(&part(&answer, "survival")), floats(&part(&answer, "low")), floats(&part(&answer, "high")));
        let (mut product, mut hazard) = (1.0, 0.0);
        for (i, time) in times.iter().enumerate() {
            let at_risk = known.iter().filter(|(t, _)| t >= time).count();
            let events = known.iter().filter(|(t, seen)| t == time && *seen).count();
            prop_assert_eq!(wholes(&part(&answer, "at_risk"))[i], Some(at_risk as i64));
            prop_assert_eq!(wholes(&part(&answer, "events"))[i], Some(events as i64));
            let (n, d) = (at_risk as f64, events as f64);
            product *= 1.0 - d / n;
            hazard += d / (n * (n - d));
            prop_assert!(near(survival[i].unwrap(), product, 1e-12));
            let half = 1.959_963_984_540_054 * hazard.sqrt();
            let bounds = (at_risk > events).then(|| (product * (-half).exp(), (product * half.exp()).min(1.0)));
            prop_assert_eq!(low[i].is_some() && high[i].is_some(), bounds.is_some());
            prop_assert!(bounds.is_none_or(|(a, b)| near(low[i].unwrap(), a, 1e-9) && near(high[i].unwrap(), b, 1e-9)));
        }
        prop_assert!(survival.windows(2).all(|pair| pair[1] < pair[0]));
    }

    #[test]
    fn batches_partitions_and_threads_change_nothing(watched in watched(), seed in any::<u64>()) {
        aggregate_holds("kaplan_meier", &columns(&watched), false, seed)?;
        threads_hold(|| aggregate("kaplan_meier", &columns(&watched)).unwrap())?;
    }

    #[test]
    fn another_unit_of_time_gives_the_same_curve(watched in watched()) {
        let doubled: Watched = watched.iter().map(|(d, s)| (d.map(|d| d * 4.0), *s)).collect();
        let (a, b) = (aggregate("kaplan_meier", &columns(&watched)).unwrap(), aggregate("kaplan_meier", &columns(&doubled)).unwrap());
        // Four times the largest double is infinite, so its row leaves the curve.
        prop_assume!(watched.iter().all(|(d, _)| *d != Some(f64::MAX)));
        prop_assert_eq!(floats(&part(&a, "survival")), floats(&part(&b, "survival")));
    }
}
