//! `gi_star_permutation`: the exact tail over all subsets of the other grids.

use arrow::array::ArrayRef;
use proptest::prelude::*;

use crate::call::{floats, integers, part, strings, thousand, window};
use crate::invariance::{is_p, null_has_a_reason, threads_hold, window_holds};
use crate::maps::{Map, map};

fn columns(map: &Map, replicates: i64, seed: i64) -> Vec<ArrayRef> {
    let mut columns = map.columns();
    columns.extend([replicates, seed].map(|option| integers(std::iter::repeat_n(option, map.rows.len()))));
    columns
}

fn answer(map: &Map, replicates: i64, seed: i64) -> ArrayRef {
    window("gi_star_permutation", &columns(map, replicates, seed), map.rows.len()).unwrap()
}

/// The nearer tail over all subsets of `k` of the others: at least, and at most, what was seen.
fn exact(others: &[f64], k: usize, seen: f64) -> (f64, f64) {
    let (mut all, mut high, mut low) = (0_u32, 0_u32, 0_u32);
    for subset in (0_u32..1 << others.len()).filter(|subset| subset.count_ones() as usize == k) {
        let sum: f64 = (0..others.len()).filter(|bit| subset >> bit & 1 == 1).map(|bit| others[bit]).sum();
        all += 1;
        high += u32::from(sum >= seen);
        low += u32::from(sum <= seen);
    }
    (f64::from(high) / f64::from(all), f64::from(low) / f64::from(all))
}

/// Few rows of whole numbers, so that all subsets can be counted and their sums compared exactly.
fn small() -> impl Strategy<Value = Map> {
    map().prop_map(|mut map| {
        map.rows.truncate(10);
        map.rows.iter_mut().for_each(|row| row.value = row.value.map(f64::round));
        map
    })
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn p_is_near_the_exact_tail(map in small(), seed in any::<i64>()) {
        let replicates = 400;
        let answer = answer(&map, replicates, seed);
        null_has_a_reason(&answer, &["z", "p"])?;
        is_p(&part(&answer, "p"))?;
        let (p, all) = (floats(&part(&answer, "p")), map.known());
        for (row, known) in all.iter().enumerate() {
            let (Some(p), Ok((_, beside))) = (p[row], known) else { continue };
            let others = all.iter().enumerate().filter(|(other, _)| *other != row);
            let others: Vec<f64> = others.filter_map(|(_, known)| Some(known.as_ref().ok()?.0)).collect();
            let (high, low) = exact(&others, beside.len(), beside.iter().sum());
            let expected = high.min(low);
            // Eight standard errors and the +1: once in 10^14 tails of this size by chance.
            let error = 8.0 * (expected * (1.0 - expected) / replicates as f64).sqrt() + 12.0 / replicates as f64;
            prop_assert!((p - expected).abs() < error, "row {}: {}, exactly {}", row, p, expected);
        }
    }

    #[test]
    fn z_and_reason_are_those_of_gi_star(map in map(), seed in any::<i64>()) {
        let (answer, plain) = (answer(&map, 9, seed), window("gi_star", &map.columns(), map.rows.len()).unwrap());
        prop_assert_eq!(floats(&part(&answer, "z")), floats(&part(&plain, "z")));
        prop_assert_eq!(strings(&part(&answer, "reason")), strings(&part(&plain, "reason")));
    }

    #[test]
    fn the_order_of_rows_and_threads_keep_the_p_of_a_seed(map in map(), seed in any::<i64>(), turn in any::<u64>()) {
        window_holds("gi_star_permutation", &columns(&map, 49, seed), turn)?;
        threads_hold(|| answer(&map, 49, seed))?;
    }

    #[test]
    fn fewer_permutations_are_the_first_of_more(map in map(), seed in any::<i64>()) {
        // M of the first 19 is at most M of all 39: (M + 1)/20 ≤ (M' + 1)/20.
        let (few, many) = (floats(&part(&answer(&map, 19, seed), "p")), floats(&part(&answer(&map, 39, seed), "p")));
        for (few, many) in few.into_iter().zip(many) {
            prop_assert!(few.zip(many).is_none_or(|(few, many)| few * 20.0 <= many * 40.0 + 1e-9));
        }
    }
}
