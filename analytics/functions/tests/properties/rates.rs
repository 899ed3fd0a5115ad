//! `wilson` and `recurrence_interval`: the equations their answers solve.

use functions::quantile;
use proptest::prelude::*;

use crate::call::{floats, known, numbers, part, scalar, thousand};
use crate::invariance::{near, scalar_holds, threads_hold};

fn hostile() -> impl Strategy<Value = Option<f64>> {
    let extremes = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -0.0, 0.0, 5e-324, 1.0, f64::MAX, i64::MAX as f64, i64::MIN as f64];
    prop_oneof![1 => Just(None), 4 => prop::sample::select(extremes.to_vec()).prop_map(Some), 4 => (0.0..1.5_f64).prop_map(Some)]
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn both_ends_solve_the_quadratic_equation(n in 1_u32..5000, share in 0.0..=1.0_f64, confidence in 0.01_f64..0.9999) {
        let (n, s) = (f64::from(n), (f64::from(n) * share).round());
        let answer = scalar("wilson", &[known([s]), known([n]), known([confidence])]).unwrap();
        let of = |name: &str| floats(&part(&answer, name))[0].unwrap();
        let (rate, low, high) = (of("rate"), of("low"), of("high"));
        prop_assert_eq!(rate, s / n);
        prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
        let z = quantile(0.5 + confidence / 2.0);
        for end in [low, high] {
            prop_assert!(near((end - rate).powi(2), z * z * end * (1.0 - end) / n, 1e-12), "{} of {} at {}: {}", s, n, confidence, end);
        }
    }

    #[test]
    fn whatever_comes_has_an_answer_of_its_own_row(rows in prop::collection::vec((hostile(), hostile(), hostile()), 1..12), seed in any::<u64>()) {
        let columns = [numbers(rows.iter().map(|r| r.0)), numbers(rows.iter().map(|r| r.1)), numbers(rows.iter().map(|r| r.2))];
        scalar_holds("wilson", &columns, seed)?;
        scalar_holds("recurrence_interval", &columns[..2], seed)?;
        threads_hold(|| scalar("wilson", &columns).unwrap())?;
        let answer = scalar("wilson", &columns).unwrap();
        let (rate, low, high) = (floats(&part(&answer, "rate")), floats(&part(&answer, "low")), floats(&part(&answer, "high")));
        for row in 0..rows.len() {
            prop_assert_eq!((rate[row].is_some(), low[row].is_some()), (low[row].is_some(), high[row].is_some()), "all or none");
            prop_assert!(rate[row].is_none_or(|rate| low[row].unwrap() <= rate && rate <= high[row].unwrap()), "{:?}", rows[row]);
        }
    }

    #[test]
    fn an_interval_is_days_over_p(p in hostile(), days in hostile()) {
        let interval = floats(&scalar("recurrence_interval", &[numbers([p]), numbers([days])]).unwrap())[0];
        let sound = p.zip(days).filter(|(p, days)| *p > 0.0 && *p <= 1.0 && *days > 0.0).map(|(p, days)| days / p);
        prop_assert_eq!(interval, sound.filter(|interval| interval.is_finite()));
    }
}
