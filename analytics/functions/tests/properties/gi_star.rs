//! `gi_star`: the formula taken row by row.

use functions::{Reason, two_sided_p};
use proptest::prelude::*;

use crate::call::{floats, numbers, part, strings, thousand, window};
use crate::invariance::{is_p, near, null_has_a_reason, threads_hold, window_holds};
use crate::maps::{Known, Map, map, moments};

/// z by the formula, or the reason there is none.
fn naive(known: &Known, values: &[f64]) -> Result<f64, Reason> {
    let (own, beside) = known.as_ref().map_err(|reason| *reason)?;
    let (n, k) = (values.len() as f64, beside.len() as f64 + 1.0);
    if values.iter().all(|v| *v == values[0]) {
        return Err(Reason::ZeroVariance);
    }
    if k >= n {
        return Err(Reason::AllGrids);
    }
    let (mean, deviation) = moments(values);
    let sum = own + beside.iter().sum::<f64>();
    Ok((sum - mean * k) / (deviation * ((n * k - k * k) / (n - 1.0)).sqrt()))
}

fn z(map: &Map) -> Vec<Option<f64>> {
    floats(&part(&window("gi_star", &map.columns(), map.rows.len()).unwrap(), "z"))
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn each_row_is_the_formula_or_its_reason(map in map()) {
        let answer = window("gi_star", &map.columns(), map.rows.len()).unwrap();
        null_has_a_reason(&answer, &["z", "p"])?;
        is_p(&part(&answer, "p"))?;
        let (z, p, reasons) = (floats(&part(&answer, "z")), floats(&part(&answer, "p")), strings(&part(&answer, "reason")));
        let values = map.values();
        for (row, known) in map.known().iter().enumerate() {
            match naive(known, &values) {
                Ok(expected) => {
                    prop_assert!(near(z[row].unwrap(), expected, 1e-9), "row {}: {:?}, expected {}", row, z[row], expected);
                    prop_assert_eq!(p[row], z[row].map(two_sided_p));
                }
                Err(reason) => prop_assert_eq!(reasons[row].as_deref(), Some(reason.as_str())),
            }
        }
    }

    #[test]
    fn rows_in_another_order_and_threads_change_nothing(map in map(), seed in any::<u64>()) {
        window_holds("gi_star", &map.columns(), seed)?;
        threads_hold(|| window("gi_star", &map.columns(), map.rows.len()).unwrap())?;
    }

    #[test]
    fn scale_does_not_matter_and_shift_hardly(map in map(), power in -900_i32..900, factor in 0.01_f64..100.0, shift in -1000_i32..1000) {
        let with = |change: &dyn Fn(f64) -> f64| {
            let mut columns = map.columns();
            columns[1] = numbers(map.rows.iter().map(|row| row.value.map(change)));
            floats(&part(&window("gi_star", &columns, map.rows.len()).unwrap(), "z"))
        };
        let plain = z(&map);
        prop_assert_eq!(&plain, &with(&|v| v * 2.0_f64.powi(power)), "a power of two keeps every bit");
        for changed in [with(&|v| v * factor), with(&|v| v + f64::from(shift))] {
            for (a, b) in plain.iter().zip(changed) {
                // Values that differ in their last bits only become equal, or equal ones differ, when shifted.
                prop_assert!(a.zip(b).is_none_or(|(a, b)| near(b, a, 1e-6)), "{:?} became {:?}", a, b);
            }
        }
    }

    #[test]
    fn one_case_more_never_cools_its_grid(map in map(), row in any::<prop::sample::Index>(), more in 1_u32..50) {
        prop_assume!(!map.rows.is_empty());
        let mut hotter = map.clone();
        let row = row.index(map.rows.len());
        hotter.rows[row].value = hotter.rows[row].value.map(|v| v + f64::from(more));
        // The deviation grows too, so it is the excess over the expected that may not fall: z · S · √(bracket), at the same place.
        let excess = |map: &Map| {
            let (z, values) = (z(map)[row]?, map.values());
            let k = map.known()[row].as_ref().ok()?.1.len() as f64 + 1.0;
            let n = values.len() as f64;
            Some(z * moments(&values).1 * ((n * k - k * k) / (n - 1.0)).sqrt())
        };
        if let Some((before, after)) = excess(&map).zip(excess(&hotter)) {
            prop_assert!(after >= before - 1e-9 * (1.0 + before.abs()), "{} became {}", before, after);
        }
    }
}

#[test]
fn a_hub_of_ten_thousand_neighbours_is_exact() {
    // Half the map is at each end, and one grid has the whole upper half beside it: 64 bits would not hold the sum.
    let n = 40_001_u32;
    let values: Vec<f64> = (0..n).map(|i| if i % 4 == 1 { 1e15 } else { -1e15 }).collect();
    let lists = (0..n).map(|i| if i == 0 { (0..n).filter(|j| j % 4 == 1).collect() } else { Vec::new() });
    let neighbours = functions::Adjacency::from_lists(lists);
    let z = functions::gi_star::z_scores(&functions::Deviations::of(&values), &neighbours);
    let known = Ok((values[0], vec![1e15; neighbours.of(0).len()]));
    assert!(near(z[0], naive(&known, &values).unwrap(), 1e-9), "{}", z[0]);
}
