//! `poisson_upper`, `nb_upper`, `nb_tail`: probabilities added up from zero, term by term.

use arrow::array::{Array, ArrayRef};
use proptest::prelude::*;

use crate::call::{floats, known, numbers, scalar, thousand};
use crate::invariance::{is_p, scalar_holds, threads_hold};

/// P(X = 0), P(X = 1), … by their recursions (Poisson if the dispersion is at most 1).
fn probabilities(mean: f64, dispersion: f64, up_to: usize) -> Vec<f64> {
    let poisson = dispersion <= 1.0;
    let size = mean / (dispersion - 1.0);
    let mut p = vec![if poisson { (-mean).exp() } else { (-size * dispersion.ln()).exp() }];
    for x in 0..up_to {
        let ratio = if poisson { mean / (x as f64 + 1.0) } else { (size + x as f64) / (x as f64 + 1.0) * (1.0 - 1.0 / dispersion) };
        p.push(p[x] * ratio);
    }
    p
}

fn hostile() -> impl Strategy<Value = Option<f64>> {
    prop::sample::select(vec![
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
        Some(-1.0),
        Some(0.0),
        Some(-0.0),
        Some(5e-324),
        Some(0.5),
        Some(1.0),
        Some(1e10),
        Some(f64::MAX),
        Some(i64::MAX as f64),
    ])
}

fn row() -> impl Strategy<Value = [Option<f64>; 3]> {
    prop_oneof![
        4 => (0_u32..60, 0.0..40.0_f64, 0.5..8.0_f64).prop_map(|(cases, mean, dispersion)| [Some(f64::from(cases)), Some(mean), Some(dispersion)]),
        1 => (hostile(), hostile(), hostile()).prop_map(|(a, b, c)| [a, b, c]),
    ]
}

fn columns(rows: &[[Option<f64>; 3]], which: [usize; 2]) -> Vec<ArrayRef> {
    which.map(|i| numbers(rows.iter().map(|row| row[i]))).to_vec()
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn the_tail_is_what_the_terms_below_leave(cases in 0_u32..60, mean in 0.01_f64..40.0, dispersion in prop_oneof![Just(1.0), 1.01_f64..8.0]) {
        let below: f64 = probabilities(mean, dispersion, 60).iter().take(cases as usize).sum();
        let answer = scalar("nb_tail", &[known([f64::from(cases)]), known([mean]), known([dispersion])]).unwrap();
        is_p(&answer)?;
        let tail = floats(&answer)[0].unwrap();
        prop_assert!((tail - (1.0 - below)).abs() < 1e-11, "{}, expected {}", tail, 1.0 - below);
    }

    #[test]
    fn the_upper_bound_is_the_first_that_is_rare_enough(mean in 0.01_f64..40.0, dispersion in prop_oneof![Just(1.0), 1.01_f64..8.0], alpha in 1e-4_f64..0.9) {
        let mut head = 0.0;
        let first = probabilities(mean, dispersion, 2000).iter().position(|p| {
            head += p;
            1.0 - head <= alpha
        });
        let upper = floats(&scalar("nb_upper", &[known([mean]), known([dispersion]), known([alpha])]).unwrap())[0].unwrap();
        // On the edge itself the last digit decides.
        let edge: f64 = probabilities(mean, dispersion, upper as usize).iter().sum();
        prop_assert!(Some(upper as usize) == first || (1.0 - edge - alpha).abs() < 1e-10, "{}, expected {:?}", upper, first);
        if dispersion == 1.0 {
            prop_assert_eq!(floats(&scalar("poisson_upper", &[known([mean]), known([alpha])]).unwrap())[0], Some(upper));
        }
        let more = |mean: f64, dispersion: f64, alpha: f64| floats(&scalar("nb_upper", &[known([mean]), known([dispersion]), known([alpha])]).unwrap())[0].unwrap();
        prop_assert!(more(mean * 1.5, dispersion, alpha) >= upper && more(mean, dispersion, alpha / 2.0) >= upper);
    }

    #[test]
    fn whatever_comes_has_an_answer_of_its_own_row(rows in prop::collection::vec(row(), 1..12), seed in any::<u64>()) {
        let all = [0, 1, 2].map(|i| numbers(rows.iter().map(|row| row[i])));
        scalar_holds("nb_tail", &all, seed)?;
        scalar_holds("nb_upper", &columns(&rows, [1, 2]), seed)?;
        scalar_holds("poisson_upper", &columns(&rows, [1, 0]), seed)?;
        threads_hold(|| scalar("nb_tail", &all).unwrap())?;
        let tails = floats(&scalar("nb_tail", &all).unwrap());
        for ([cases, mean, dispersion], tail) in rows.iter().zip(tails) {
            let within = |x: &Option<f64>, low: f64, high: f64| x.is_some_and(|x| (low..=high).contains(&x));
            // A dispersion that is left out or NULL is 1, Poisson; one below 1 is taken for 1.
            let sound = within(cases, 0.0, 1e9) && within(mean, 0.0, 1e9) && dispersion.is_none_or(|d| d <= 1e4);
            prop_assert_eq!(tail.is_some(), sound, "{:?} {:?} {:?}", cases, mean, dispersion);
            prop_assert!(tail.is_none_or(|p| (p > 0.0 || *mean == Some(0.0)) && p <= 1.0));
        }
    }
}

#[test]
fn i64_limits_are_answered() {
    for extreme in [i64::MIN as f64, i64::MAX as f64] {
        assert!(scalar("poisson_upper", &[known([extreme])]).unwrap().is_null(0));
        assert!(scalar("nb_tail", &[known([extreme]), known([1.0])]).unwrap().is_null(0));
    }
}
