//! `fdr`: the step-up procedure looked up for each p, and the discoveries it makes.

use proptest::prelude::*;

use crate::call::{floats, numbers, thousand, window};
use crate::invariance::{threads_hold, window_holds};

fn p_values() -> impl Strategy<Value = Vec<Option<f64>>> {
    let p = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.5, 1.5, f64::MIN_POSITIVE, 0.0, 1.0]).prop_map(Some),
        8 => (0.0..=1.0_f64).prop_map(|p| Some(p * p)),
        4 => (0_u32..=20).prop_map(|p| Some(f64::from(p) / 20.0)),
    ];
    prop::collection::vec(p, 0..40)
}

fn q(p: &[Option<f64>]) -> Vec<Option<f64>> {
    floats(&window("fdr", &[numbers(p.iter().copied())], p.len()).unwrap())
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn q_is_the_least_level_at_which_a_p_is_discovered(p in p_values()) {
        let sound: Vec<f64> = p.iter().flatten().copied().filter(|p| (0.0..=1.0).contains(p)).collect();
        let n = sound.len() as f64;
        let rank = |limit: f64| sound.iter().filter(|other| **other <= limit).count() as f64;
        for (p, q) in p.iter().zip(q(&p)) {
            let Some(own) = p.filter(|p| (0.0..=1.0).contains(p)) else {
                prop_assert_eq!(q, None);
                continue;
            };
            let least = sound.iter().filter(|other| **other >= own).map(|other| (n * other / rank(*other)).min(1.0)).fold(1.0, f64::min);
            prop_assert!((q.unwrap() - least).abs() < 1e-14, "p {} has q {:?}, expected {}", own, q, least);
        }
    }

    #[test]
    fn q_is_at_least_p_and_keeps_its_order(p in p_values()) {
        let pairs: Vec<(f64, f64)> = p.iter().zip(q(&p)).filter_map(|(p, q)| p.zip(q)).collect();
        for (p, q) in &pairs {
            prop_assert!((0.0..=1.0).contains(q) && q >= p);
            prop_assert!(pairs.iter().all(|(other, theirs)| other < p || theirs >= q));
        }
    }

    #[test]
    fn rows_in_another_order_and_threads_change_nothing(p in p_values(), seed in any::<u64>()) {
        window_holds("fdr", &[numbers(p.iter().copied())], seed)?;
        threads_hold(|| window("fdr", &[numbers(p.iter().copied())], p.len()).unwrap())?;
    }
}
