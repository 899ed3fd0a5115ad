//! Wilson's score interval: pure numbers.

use crate::normal::quantile;

/// Rate, lower and upper bound; none unless 0 ≤ successes ≤ trials, trials > 0 and 0 < confidence < 1.
pub fn wilson(successes: f64, trials: f64, confidence: f64) -> Option<(f64, f64, f64)> {
    let sound = trials > 0.0 && trials.is_finite() && (0.0..=trials).contains(&successes) && confidence > 0.0 && confidence < 1.0;
    if !sound {
        return None;
    }
    // Of the upper tail, so that a confidence of 1 − 1e-15 keeps its digits.
    let z = -quantile((1.0 - confidence) / 2.0);
    let rate = successes / trials;
    let square = z * z / trials;
    let center = rate + square / 2.0;
    let half = z * (rate * (1.0 - rate) / trials + square / (4.0 * trials)).sqrt();
    // The ends are exact where rounding would leave 1e-17, and enclose the rate.
    let low = if successes == 0.0 { 0.0 } else { ((center - half) / (1.0 + square)).min(rate) };
    let high = if successes == trials { 1.0 } else { ((center + half) / (1.0 + square)).max(rate) };
    // A fraction of a trial too small for its square to be a number is no trial.
    (low.is_finite() && high.is_finite()).then_some((rate, low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Worked example: Tianmen, December 2016: 911 of 972 due cases closed, 93.72 %.
    #[test]
    fn closing_rate_of_tianmen() {
        let (rate, low, high) = wilson(911.0, 972.0, 0.95).unwrap();
        assert_eq!((rate * 1e4).round(), 9372.0);
        // Solves |p − rate| = z √(p(1−p)/n) at both ends.
        for end in [low, high] {
            let distance = 1.959_963_984_540_054 * (end * (1.0 - end) / 972.0).sqrt();
            assert!(((end - rate).abs() - distance).abs() < 1e-14);
        }
    }

    #[test]
    fn none_and_all_reach_the_ends() {
        assert_eq!(wilson(0.0, 10.0, 0.95).map(|w| w.1), Some(0.0));
        assert_eq!(wilson(10.0, 10.0, 0.95).map(|w| w.2), Some(1.0));
        assert!((wilson(0.0, 10.0, 0.95).unwrap().2 - 0.277_532_8).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_rate_has_no_interval() {
        for (s, n, c) in
            [(1.0, 0.0, 0.95), (-1.0, 5.0, 0.95), (6.0, 5.0, 0.95), (1.0, 5.0, 1.0), (f64::NAN, 5.0, 0.95), (1.0, f64::INFINITY, 0.95)]
        {
            assert_eq!(wilson(s, n, c), None);
        }
    }

    proptest! {
        #[test]
        fn the_rate_lies_inside_and_more_confidence_is_wider(n in 1_u32..100_000, share in 0.0..=1.0_f64) {
            let (n, s) = (f64::from(n), (f64::from(n) * share).floor());
            let (rate, low, high) = wilson(s, n, 0.9).unwrap();
            let (_, lower, higher) = wilson(s, n, 0.99).unwrap();
            prop_assert!(0.0 <= lower && lower <= low && low <= rate && rate <= high && high <= higher && higher <= 1.0);
        }
    }
}
