//! The Gi* scores of observed grids: pure numbers, for the SQL function and for whoever keeps a map up to date.

use std::ops::Range;

use crate::fixed_point::Deviations;
use crate::neighbours::Adjacency;

/// The z of each place; NaN where the neighbourhood is the whole map, all NaN where all values are equal.
///
/// With binary weights and self, k = neighbours + 1 is both Σw and Σw², so the denominator depends on k alone: one square
/// root for each k that occurs. The numerator is a sum of integers, so no order of rows or neighbours changes a bit of it.
pub fn z_scores(deviations: &Deviations, neighbours: &Adjacency) -> Vec<f64> {
    assert_eq!(deviations.each.len(), neighbours.len(), "one deviation for each place");
    let scales: Vec<f64> = (0..=neighbours.most()).map(|others| scale(deviations, others + 1)).collect();
    let each = &deviations.each;
    let mut z = vec![f64::NAN; each.len()];
    let alone = |z: &mut [f64], places: Range<usize>| {
        for ((z, own), beside) in z[places.clone()].iter_mut().zip(&each[places.clone()]).zip(neighbours.within(places)) {
            *z = score(local_sum(each, *own, beside), beside.len() + 1, deviations.remainder, scales[beside.len()]);
        }
    };
    let together = |z: &mut [f64], places: Range<usize>| {
        let beside = neighbours.of(places.start);
        let scale = scales[beside.len()];
        let mut sums = [0; BLOCK];
        for (z, further) in z[places.clone()].chunks_mut(BLOCK).zip((0..).step_by(BLOCK)) {
            let sums = &mut sums[..z.len()];
            local_sums(each, places.start, beside, further, sums);
            for (z, sum) in z.iter_mut().zip(sums) {
                *z = score(*sum as f64, beside.len() + 1, deviations.remainder, scale);
            }
        }
    };
    let mut done = 0;
    for stretch in neighbours.stretches().filter(|stretch| neighbours.of(stretch.start).len() <= ADDED_MAX) {
        alone(&mut z, done..stretch.start);
        done = stretch.end;
        together(&mut z, stretch);
    }
    alone(&mut z, done..each.len());
    z
}

/// Places of a stretch whose sums are made together: they stay in the processor's nearest memory.
const BLOCK: usize = 256;

/// Neighbours whose deviations, of 51 bits and a sign, add up to less than 2^63 with that of the grid itself.
const ADDED_MAX: usize = (1 << 12) - 2;

/// Σ over a grid and those beside it, in units; exact in a double up to 2^53 and rounded once beyond.
#[inline]
fn local_sum(each: &[i64], own: i64, beside: &[u32]) -> f64 {
    if beside.len() > ADDED_MAX {
        return beside.iter().fold(i128::from(own), |sum, other| sum + i128::from(each[*other as usize])) as f64;
    }
    // Four at a time: a processor loads them side by side, and whole numbers may be added in any order.
    let (fours, rest) = beside.as_chunks::<4>();
    let at = |place: u32| each[place as usize];
    let most = fours.iter().fold(own, |sum, [a, b, c, d]| sum + ((at(*a) + at(*b)) + (at(*c) + at(*d))));
    rest.iter().fold(most, |sum, other| sum + at(*other)) as f64
}

/// The sums of the places `further` and more beyond `start`, whose neighbours are as far beyond those `beside` it.
#[inline]
fn local_sums(each: &[i64], start: usize, beside: &[u32], further: usize, sums: &mut [i64]) {
    let rows = sums.len();
    let from = |place: u32| &each[place as usize + further..][..rows];
    sums.copy_from_slice(&each[start + further..][..rows]);
    let (fours, rest) = beside.as_chunks::<4>();
    for [a, b, c, d] in fours {
        let (a, b, c, d) = (from(*a), from(*b), from(*c), from(*d));
        for row in 0..rows {
            sums[row] += (a[row] + b[row]) + (c[row] + d[row]);
        }
    }
    for other in rest {
        sums.iter_mut().zip(from(*other)).for_each(|(sum, deviation)| *sum += deviation);
    }
}

/// z of a grid: Σ of the deviations of `k` grids less what rounding the mean left in each, over its scale.
#[inline]
pub(super) fn score(sum: f64, k: usize, remainder: f64, scale: f64) -> f64 {
    (sum - k as f64 * remainder) * scale
}

fn scale(deviations: &Deviations, k: usize) -> f64 {
    scale_of(deviations.each.len(), deviations.squares, k)
}

/// 1 / ( S · sqrt( [n k − k²] / (n − 1) ) ) for n values whose squared deviations add up to `squares`; NaN if undefined.
pub(super) fn scale_of(n: usize, squares: f64, k: usize) -> f64 {
    let (n, k) = (n as f64, k as f64);
    if squares <= 0.0 || k >= n {
        return f64::NAN;
    }
    1.0 / (squares / n * (n - k) * k / (n - 1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn z(values: &[f64], lists: &[Vec<u32>]) -> Vec<f64> {
        z_scores(&Deviations::of(values), &Adjacency::from_lists(lists.iter().map(|l| l.iter().copied())))
    }

    fn check(got: &[f64], expected: &[f64], within: f64) {
        assert_eq!(got.len(), expected.len());
        for (i, (a, b)) in got.iter().zip(expected).enumerate() {
            assert!((a - b).abs() <= within, "place {i}: {a}, expected {b}");
        }
    }

    /// Worked example: six points, neighbours within a distance of 15 (Getis and Ord's own, by the book's formula).
    #[test]
    fn six_points_within_fifteen() {
        let points: [(f64, f64); 6] = [(10.0, 10.0), (20.0, 10.0), (40.0, 10.0), (15.0, 20.0), (30.0, 20.0), (30.0, 30.0)];
        let near = |a: (f64, f64), b: (f64, f64)| (a.0 - b.0).hypot(a.1 - b.1) <= 15.0;
        let lists: Vec<Vec<u32>> = points.iter().map(|a| (0..6).filter(|j| near(*a, points[*j as usize])).collect()).collect();
        let expected = [-1.397_276_26, -0.289_177_62, 0.650_649_64, -0.289_177_62, 1.234_520_88, 2.024_243_31];
        check(&z(&[2.0, 3.0, 3.2, 5.0, 8.0, 7.0], &lists), &expected, 5e-9);
    }

    fn queen(width: u32, height: u32) -> Vec<Vec<u32>> {
        let beside = |a: u32, b: u32| (a % width).abs_diff(b % width) <= 1 && (a / width).abs_diff(b / width) <= 1;
        (0..width * height).map(|a| (0..width * height).filter(|b| beside(a, *b)).collect()).collect()
    }

    #[test]
    fn five_by_five_grid_as_spdep_has_it() {
        let x = [1, 2, 1, 0, 3, 2, 8, 9, 1, 0, 1, 9, 12, 2, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 1].map(f64::from);
        let expected = [
            0.536860, 1.189075, 0.904607, -0.091030, -0.954417, 1.189075, 2.915792, 2.789239, 0.890937, -1.086667, 0.904607, 2.789239,
            2.915792, 0.764383, -1.371134, -0.375497, 0.637830, 1.017490, 0.005062, -1.086667, -1.285812, -1.371134, -1.086667, -1.086667,
            -0.954417,
        ];
        check(&z(&x, &queen(5, 5)), &expected, 5e-7);
    }

    #[test]
    fn no_variance_and_no_rest_are_undefined() {
        assert!(z(&[3.0; 9], &queen(3, 3)).iter().all(|z| z.is_nan()));
        let center = z(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &queen(3, 3));
        assert!(center[4].is_nan() && center[0].is_finite());
        assert!(z(&[1.0], &queen(1, 1))[0].is_nan());
        assert!(z(&[], &[]).is_empty());
    }

    /// The definition, term by term, in O(n²).
    fn naive(x: &[f64], lists: &[Vec<u32>]) -> Vec<f64> {
        let n = x.len() as f64;
        let mean = x.iter().sum::<f64>() / n;
        let s = (x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let row = |(i, list): (usize, &Vec<u32>)| {
            let w: Vec<f64> = (0..x.len()).map(|j| f64::from(u8::from(i == j || list.contains(&(j as u32))))).collect();
            let (sum, square): (f64, f64) = (w.iter().sum(), w.iter().map(|w| w * w).sum());
            let own: f64 = w.iter().zip(x).map(|(w, x)| w * x).sum();
            (own - mean * sum) / (s * ((n * square - sum * sum) / (n - 1.0)).sqrt())
        };
        lists.iter().enumerate().map(row).collect()
    }

    /// A map of up to 25 grids with any lists: repeats, itself, unknown ones.
    fn map() -> impl Strategy<Value = (Vec<f64>, Vec<Vec<u32>>)> {
        (2_usize..25).prop_flat_map(|n| {
            let values = prop::collection::vec((-1000_i32..1000).prop_map(|v| f64::from(v) / 8.0), n);
            (values, prop::collection::vec(prop::collection::vec(0..n as u32 + 3, 0..9), n))
        })
    }

    fn same(a: &[f64], b: &[f64]) -> bool {
        a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_definition_is_met((values, lists) in map()) {
            prop_assume!(values.iter().any(|v| *v != values[0]));
            let all = |list: &[u32], i: usize| (0..values.len()).all(|j| j == i || list.contains(&(j as u32)));
            for (i, (got, expected)) in z(&values, &lists).iter().zip(naive(&values, &lists)).enumerate() {
                if all(&lists[i], i) {
                    prop_assert!(got.is_nan(), "the neighbourhood of {} is the whole map", i);
                } else {
                    prop_assert!((got - expected).abs() <= 1e-9 * (1.0 + expected.abs()), "place {}: {}, expected {}", i, got, expected);
                }
            }
        }

        #[test]
        fn rows_in_another_order_give_the_same_bits((values, lists) in map(), turn in 1_usize..20) {
            let n = values.len();
            let to = |i: usize| (i + turn) % n;
            let mut turned = (vec![0.0; n], vec![Vec::new(); n]);
            for i in 0..n {
                turned.0[to(i)] = values[i];
                turned.1[to(i)] = lists[i].iter().rev().map(|j| if (*j as usize) < n { to(*j as usize) as u32 } else { *j }).collect();
            }
            let (a, b) = (z(&values, &lists), z(&turned.0, &turned.1));
            let back: Vec<f64> = (0..n).map(|i| b[to(i)]).collect();
            prop_assert!(same(&a, &back), "{:?} and {:?}", a, back);
        }

        #[test]
        fn scale_and_shift_do_not_matter((values, lists) in map(), power in -40_i32..40, shift in -1000_i32..1000) {
            let scaled: Vec<f64> = values.iter().map(|v| v * 2.0_f64.powi(power)).collect();
            prop_assert!(same(&z(&values, &lists), &z(&scaled, &lists)), "a power of two keeps every bit");
            let shifted: Vec<f64> = values.iter().map(|v| v + f64::from(shift)).collect();
            for (a, b) in z(&values, &lists).iter().zip(z(&shifted, &lists)) {
                prop_assert!(a.is_nan() && b.is_nan() || (a - b).abs() < 1e-9 * (1.0 + a.abs()));
            }
        }
    }
}
