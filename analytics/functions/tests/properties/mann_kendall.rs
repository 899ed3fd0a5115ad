//! `mann_kendall`: all pairs, and the variance by Kendall's own formula.

use functions::{Reason, two_sided_p};
use proptest::prelude::*;

use crate::call::{floats, in_order, integers, numbers, part, strings, thousand, wholes};
use crate::invariance::{aggregate_holds, near, null_has_a_reason, threads_hold};

/// S and its variance, pair by pair and tie by tie.
pub(crate) fn naive(values: &[f64]) -> Result<(i64, f64, f64), Reason> {
    if values.len() < 3 {
        return Err(Reason::ShortHistory);
    }
    if values.iter().all(|v| *v == values[0]) {
        return Err(Reason::ZeroVariance);
    }
    let mut s = 0;
    let mut ties = 0.0;
    for (i, a) in values.iter().enumerate() {
        s += values[i..].iter().map(|b| i64::from(b > a) - i64::from(b < a)).sum::<i64>();
        // Each of the t tied values brings its share, 1/t, of t (t − 1)(2t + 5).
        let t = values.iter().filter(|b| *b == a).count() as f64;
        ties += (t - 1.0) * (2.0 * t + 5.0);
    }
    let n = values.len() as f64;
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    Ok((s, variance, (s - s.signum()) as f64 / variance.sqrt()))
}

fn series() -> impl Strategy<Value = Vec<Option<f64>>> {
    let value = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 5e-324, -0.0]).prop_map(Some),
        8 => (-4_i32..4).prop_map(|v| Some(f64::from(v))),
        8 => (-1e3_f64..1e3).prop_map(Some),
    ];
    prop::collection::vec(value, 0..40)
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn all_pairs_counted_one_by_one_agree(values in series()) {
        let answer = in_order("mann_kendall", &[numbers(values.iter().copied())]).unwrap();
        null_has_a_reason(&answer, &["s", "variance", "z", "p"])?;
        let finite: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
        match naive(&finite) {
            Ok((s, variance, z)) => {
                prop_assert_eq!(wholes(&part(&answer, "s"))[0], Some(s));
                prop_assert!(near(floats(&part(&answer, "variance"))[0].unwrap(), variance, 1e-12));
                prop_assert!(near(floats(&part(&answer, "z"))[0].unwrap(), z, 1e-12));
                prop_assert!(near(floats(&part(&answer, "p"))[0].unwrap(), two_sided_p(z), 1e-12));
            }
            Err(reason) => {
                let got = strings(&part(&answer, "reason"))[0].clone();
                prop_assert_eq!(got.as_deref(), Some(reason.as_str()));
            }
        }
    }

    #[test]
    fn batches_partitions_and_threads_change_nothing(values in series(), seed in any::<u64>()) {
        // Some steps share a time: then the value breaks the tie, so even their order does not matter.
        let times = integers((0_i64..).take(values.len()).map(|t| t / 2));
        aggregate_holds("mann_kendall", &[numbers(values.iter().copied()), times], true, seed)?;
        threads_hold(|| in_order("mann_kendall", &[numbers(values.iter().copied())]).unwrap())?;
    }

    #[test]
    fn only_the_order_of_the_values_counts(values in prop::collection::vec((-50_i32..50).prop_map(|v| Some(f64::from(v))), 0..40)) {
        let s = |values: &[Option<f64>]| in_order("mann_kendall", &[numbers(values.iter().copied())]).unwrap();
        let bent: Vec<Option<f64>> = values.iter().map(|v| v.map(|v| (v / 16.0).atan())).collect();
        prop_assert_eq!(&s(&values), &s(&bent));
    }
}
