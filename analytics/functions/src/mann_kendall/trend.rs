//! Mann and Kendall's S with its variance under ties: pure numbers, in n log n.

use crate::Reason;

/// The trend of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// S: rising pairs minus falling pairs.
    pub s: i64,
    /// Its variance without trend.
    pub variance: f64,
    /// The score with continuity correction.
    pub z: f64,
}

/// The fewest values a trend is computed for: with two, S is ±1 and says nothing.
pub const STEPS_MIN: usize = 3;

/// The trend of finite values in order of time.
pub fn trend(values: &[f64]) -> Result<Trend, Reason> {
    if values.len() < STEPS_MIN {
        return Err(Reason::ShortHistory);
    }
    let mut sorted = values.to_vec();
    let falling = count_inversions(&mut sorted, &mut Vec::with_capacity(values.len()));
    let n = values.len() as u64;
    let (mut tied, mut tie_term) = (0_u64, 0.0_f64);
    for group in sorted.chunk_by(|a, b| a == b) {
        let t = group.len() as u64;
        tied += t * (t - 1) / 2;
        tie_term += pairs_term(t);
    }
    let rising = n * (n - 1) / 2 - tied - falling;
    let s = i64::try_from(rising).expect("pairs of 2^32 values fit") - i64::try_from(falling).expect("pairs of 2^32 values fit");
    let variance = (pairs_term(n) - tie_term) / 18.0;
    if variance <= 0.0 {
        return Err(Reason::ZeroVariance);
    }
    let z = (s - s.signum()) as f64 / variance.sqrt();
    Ok(Trend { s, variance, z })
}

/// n (n − 1) (2n + 5).
fn pairs_term(n: u64) -> f64 {
    let n = n as f64;
    n * (n - 1.0) * (2.0 * n + 5.0)
}

/// Sorts, and counts the pairs that stood in falling order.
fn count_inversions(values: &mut [f64], buffer: &mut Vec<f64>) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut count = count_inversions(left, buffer) + count_inversions(right, buffer);
    buffer.clear();
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            count += (left.len() - i) as u64;
            buffer.push(right[j]);
            j += 1;
        } else {
            buffer.push(left[i]);
            i += 1;
        }
    }
    buffer.extend_from_slice(&left[i..]);
    buffer.extend_from_slice(&right[j..]);
    values.copy_from_slice(buffer);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal::two_sided_p;
    use proptest::prelude::*;

    fn check(values: &[f64], s: i64, variance: f64, z: f64, p: f64) {
        let trend = trend(values).unwrap();
        assert_eq!((trend.s, trend.variance), (s, variance));
        assert!((trend.z - z).abs() < 5e-7, "z {}", trend.z);
        assert!((two_sided_p(trend.z) - p).abs() < 5e-10, "p {}", two_sided_p(trend.z));
    }

    /// Worked example: 41 of the 45 pairs rise, 4 fall.
    #[test]
    fn ten_values_without_ties() {
        check(&[0.2, 0.5, 0.1, 0.9, 1.2, 1.1, 1.9, 2.2, 2.0, 2.6], 37, 125.0, 3.219938, 0.001282184);
    }

    #[test]
    fn twelve_values_with_ties() {
        check(&[3.0, 3.0, 2.0, 4.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0, 2.0, 8.0], 38, 206.0, 2.577912, 0.009939926);
    }

    #[test]
    fn a_flat_or_short_series_has_no_trend() {
        assert_eq!(trend(&[4.0; 9]), Err(Reason::ZeroVariance));
        assert_eq!(trend(&[1.0, 2.0]), Err(Reason::ShortHistory));
        assert_eq!(trend(&[1.0, 2.0, 1.5]).unwrap().z, 0.0);
    }

    #[test]
    fn a_million_values_take_no_million_squared() {
        let values: Vec<f64> = (0..1_000_000).map(|i| f64::from(i % 1000)).collect();
        assert!(trend(&values).unwrap().z.is_finite());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn all_pairs_counted_one_by_one_agree(values in prop::collection::vec(-5_i32..5, 3..40)) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let mut s = 0;
            for (i, a) in values.iter().enumerate() {
                s += values[i..].iter().map(|b| i64::from(b > a) - i64::from(b < a)).sum::<i64>();
            }
            match trend(&values) {
                Ok(trend) => prop_assert_eq!(trend.s, s),
                Err(reason) => prop_assert!(reason == Reason::ZeroVariance && values.iter().all(|v| *v == values[0])),
            }
        }

        #[test]
        fn time_turned_round_turns_the_sign(values in prop::collection::vec(-1e6_f64..1e6, 3..60)) {
            let forward = trend(&values).unwrap();
            let turned: Vec<f64> = values.iter().rev().copied().collect();
            let backward = trend(&turned).unwrap();
            prop_assert_eq!((forward.s, forward.z), (-backward.s, -backward.z));
        }
    }
}
