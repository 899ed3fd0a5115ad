//! `local_moran`: Anselin's I and its conditional moments, from the values themselves.

use functions::Reason;
use proptest::prelude::*;

use crate::call::{floats, part, strings, thousand, window};
use crate::invariance::{near, null_has_a_reason, threads_hold, window_holds};
use crate::maps::{Known, map, moments};

/// I and z by the definition: how far the mean of the neighbours is from that of any so many others, drawn without replacement.
fn naive(known: &Known, values: &[f64]) -> Result<(f64, f64), Reason> {
    let (own, beside) = known.as_ref().map_err(|reason| *reason)?;
    let (n, k) = (values.len() as f64, beside.len() as f64);
    if all_equal(values) {
        return Err(Reason::ZeroVariance);
    }
    if beside.is_empty() {
        return Err(Reason::NoNeighbours);
    }
    if k >= n - 1.0 {
        return Err(Reason::AllGrids);
    }
    let (mean, deviation) = moments(values);
    let lag = beside.iter().sum::<f64>() / k;
    let (expected, spread) = moments(&without(values, *own));
    let z = (own - mean).signum() * (lag - expected) / (spread / k.sqrt() * ((n - 1.0 - k) / (n - 2.0)).sqrt());
    Ok(((own - mean) * (lag - mean) / deviation.powi(2), z))
}

fn all_equal(values: &[f64]) -> bool {
    values.iter().all(|value| *value == values[0])
}

fn without(values: &[f64], own: f64) -> Vec<f64> {
    let mut others = values.to_vec();
    others.swap_remove(values.iter().position(|value| *value == own).unwrap());
    others
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn each_row_is_the_definition_or_its_reason(map in map()) {
        let answer = window("local_moran", &map.columns(), map.rows.len()).unwrap();
        let (i, z, p) = (floats(&part(&answer, "i")), floats(&part(&answer, "z")), floats(&part(&answer, "p")));
        let reasons = strings(&part(&answer, "reason"));
        let values = map.values();
        for (row, known) in map.known().iter().enumerate() {
            match naive(known, &values) {
                Ok((expected, score)) => {
                    prop_assert!(near(i[row].unwrap(), expected, 1e-9), "I of row {}: {:?}, expected {}", row, i[row], expected);
                    match z[row] {
                        Some(z) => prop_assert!(near(z, score, 1e-5), "z of row {}: {}, expected {}", row, z, score),
                        None if all_equal(&without(&values, known.as_ref().unwrap().0)) => {
                            prop_assert_eq!(reasons[row].as_deref(), Some(Reason::ZeroVariance.as_str()));
                        }
                        None => prop_assert_eq!(reasons[row].as_deref(), Some(Reason::AtMean.as_str())),
                    }
                }
                Err(reason) => prop_assert_eq!((i[row], reasons[row].as_deref()), (None, Some(reason.as_str()))),
            }
        }
        prop_assert!(p.iter().flatten().all(|p| *p > 0.0 && *p <= 1.0));
        null_has_a_reason(&answer, &["z", "p"])?;
    }

    #[test]
    fn rows_in_another_order_and_threads_change_nothing(map in map(), seed in any::<u64>()) {
        window_holds("local_moran", &map.columns(), seed)?;
        threads_hold(|| window("local_moran", &map.columns(), map.rows.len()).unwrap())?;
    }
}
