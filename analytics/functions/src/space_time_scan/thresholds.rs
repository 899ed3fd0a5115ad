//! Which counts cannot beat a ratio: a table, so that nearly all cylinders of a replicate cost a comparison and no logarithm.
//!
//! The ratio rises with the count above μ and falls with μ. Rounding both the ratio to beat and μ down therefore gives a count
//! that is never too high: what stays at or below it is not higher than the ratio to beat.

use super::clusters::log_likelihood_ratio;

/// Ratios are rounded down to multiples of this.
const LEVEL_STEP: f64 = 0.25;

/// Levels of the ratio to beat, up to 32: replicates rarely reach 25.
const LEVELS: usize = 128;

/// Steps of √μ for each 1. The standard deviation of a count is √μ, so one step is an eighth of it.
const STEPS_PER_ROOT: f64 = 16.0;

/// Covers the rounding of a root in 32 bits, and of a ratio of millions of cases.
const ROUNDING: f64 = 1e-6;

/// For each level and step of √μ the highest count whose ratio does not exceed the level.
#[derive(Debug)]
pub(super) struct Thresholds {
    steps: usize,
    counts: Vec<i32>,
}

/// √μ in steps, rounded down a little, without the factor √(cases of the window / all cases).
pub(super) fn root(cases: u32) -> f32 {
    (f64::from(cases).sqrt() * STEPS_PER_ROOT * (1.0 - ROUNDING)) as f32
}

/// The level of a ratio to beat.
pub(super) fn level(ratio: f64) -> usize {
    ((ratio / LEVEL_STEP) as usize).min(LEVELS - 1)
}

impl Thresholds {
    /// For μ up to `expected_max`, of `total` cases.
    pub(super) fn new(expected_max: f64, total: u32) -> Self {
        let steps = (expected_max.max(0.0).sqrt() * STEPS_PER_ROOT) as usize + 1;
        let roots = (0..steps).map(|step| (step as f64 / STEPS_PER_ROOT).powi(2));
        let expected: Vec<f64> = roots.collect();
        let mut counts = Vec::with_capacity(steps * LEVELS);
        for level in 0..LEVELS {
            let highest = level as f64 * LEVEL_STEP - ROUNDING;
            let beats = |count: u32, expected: f64| log_likelihood_ratio(f64::from(count), expected, f64::from(total)) > highest;
            let mut before = 1;
            for expected in &expected {
                before = last_below(before.max(expected.floor() as u32), total, |count| beats(count, *expected));
                counts.push(before as i32);
            }
        }
        Self { steps, counts }
    }

    /// The counts of a level, by step of √μ.
    pub(super) fn of(&self, level: usize) -> &[i32] {
        &self.counts[level * self.steps..(level + 1) * self.steps]
    }
}

/// The last count from `low` on before the first that beats, at most `high`; `low` is known not to. Looks twice as far each time,
/// then between.
fn last_below(low: u32, high: u32, beats: impl Fn(u32) -> bool) -> u32 {
    let (mut below, mut step) = (low, 1);
    let mut above = loop {
        let next = below.saturating_add(step).min(high + 1);
        if next > high || beats(next) {
            break next;
        }
        below = next;
        step *= 2;
    };
    while above - below > 1 {
        let middle = below.midpoint(above);
        if beats(middle) { above = middle } else { below = middle }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn a_count_up_to_the_threshold_never_beats(total in 10_u32..5_000, cases in 0.0_f64..1.0, window in 0.0_f64..1.0, best in 0.0_f64..40.0) {
            let (cases, window) = ((f64::from(total) * cases) as u32, (f64::from(total) * window) as u32);
            let expected = f64::from(cases) * f64::from(window) / f64::from(total);
            let thresholds = Thresholds::new(expected, total);
            let step = (root(cases) * (f64::from(window) / f64::from(total)).sqrt() as f32) as usize;
            let count = thresholds.of(level(best))[step] as u32;
            let ratio = |count: u32| log_likelihood_ratio(f64::from(count), expected, f64::from(total));
            prop_assert!(count < 2 || ratio(count) <= best, "{} of {} has {}, not below {}", count, expected, ratio(count), best);
            // Nor is it uselessly low: an eighth of a deviation and a level lower.
            let lower = ((expected.sqrt() - 0.13).max(0.0)).powi(2);
            let next = log_likelihood_ratio(f64::from(count + 1), lower, f64::from(total));
            prop_assert!(count == total || count == 1 || best > 31.0 || next > best - LEVEL_STEP - 1e-5);
        }
    }
}
