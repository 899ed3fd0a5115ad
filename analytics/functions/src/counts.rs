//! Distributions of counts: the only place that knows Poisson and negative binomial, and their upper quantiles.
//!
//! Probabilities are Loader's (2000) saddle-point forms, which keep 15 digits where factorials would have cancelled; tails are
//! summed term by term from the far side, so a tail of 1e-12 has its digits.

use std::f64::consts::PI;

/// The largest mean a quantile is given for: a billion cases in one bin are no count of cases any more.
const MEAN_MAX: f64 = 1e9;

/// The largest dispersion (variance / mean): beyond it the tail would take more than half a million terms.
const DISPERSION_MAX: f64 = 1e4;

/// A distribution of counts with a given mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counts {
    /// Variance = mean.
    Poisson {
        /// The mean.
        mean: f64,
    },
    /// Variance = mean · dispersion, dispersion > 1.
    NegativeBinomial {
        /// The mean.
        mean: f64,
        /// Variance / mean.
        dispersion: f64,
    },
}

impl Counts {
    /// The distribution of this mean and dispersion; up to 1 it is Poisson. None outside the bounds.
    pub fn new(mean: f64, dispersion: f64) -> Option<Self> {
        if !(0.0..=MEAN_MAX).contains(&mean) || dispersion.is_nan() || dispersion > DISPERSION_MAX {
            return None;
        }
        // A size of mean / 1e-9 is Poisson to nine digits, and finite.
        Some(if dispersion <= 1.0 + 1e-9 { Self::Poisson { mean } } else { Self::NegativeBinomial { mean, dispersion } })
    }

    fn mean(self) -> f64 {
        match self {
            Self::Poisson { mean } | Self::NegativeBinomial { mean, .. } => mean,
        }
    }

    fn deviation(self) -> f64 {
        match self {
            Self::Poisson { mean } => mean.sqrt(),
            Self::NegativeBinomial { mean, dispersion } => (mean * dispersion).sqrt(),
        }
    }

    /// P(X = x).
    pub fn probability(self, x: u64) -> f64 {
        let x = x as f64;
        match self {
            Self::Poisson { mean } => poisson(x, mean),
            Self::NegativeBinomial { mean, dispersion } => negative_binomial(x, mean / (dispersion - 1.0), dispersion),
        }
    }

    /// P(X = x + 1) / P(X = x).
    fn ratio(self, x: u64) -> f64 {
        let x = x as f64;
        match self {
            Self::Poisson { mean } => mean / (x + 1.0),
            Self::NegativeBinomial { mean, dispersion } => (mean / (dispersion - 1.0) + x) / (x + 1.0) * (1.0 - 1.0 / dispersion),
        }
    }

    /// P(X > u).
    pub fn tail(self, u: u64) -> f64 {
        if (u as f64) < self.mean() { 1.0 - self.head(u) } else { self.far(u + 1) }
    }

    /// P(X ≥ x) for x above the mean: each term is smaller than the last, and what is below 1e-17 of the sum cannot change it.
    fn far(self, mut x: u64) -> f64 {
        let mut term = self.probability(x);
        let mut sum = 0.0;
        while term > sum * 1e-17 {
            sum += term;
            term *= self.ratio(x);
            x += 1;
        }
        sum
    }

    /// P(X ≤ u) for u below the mean, added downward; the terms may rise to the mode before they fall.
    fn head(self, u: u64) -> f64 {
        let mut term = self.probability(u);
        let mut sum = term;
        for x in (0..u).rev() {
            let ratio = self.ratio(x);
            term /= ratio;
            if term <= sum * 1e-17 && ratio > 1.0 {
                break;
            }
            sum += term;
        }
        sum
    }

    /// The smallest u with P(X > u) ≤ alpha, for 0 < alpha < 1.
    pub fn upper(self, alpha: f64) -> Option<u64> {
        if !(alpha > 0.0 && alpha < 1.0) {
            return None;
        }
        if self.mean() == 0.0 {
            return Some(0);
        }
        // A bracket around the answer: each end moves off from the mean by twice as much as before.
        let middle = self.mean().floor() as u64;
        let mut step = self.deviation().ceil() as u64 + 1;
        let (mut low, mut high) = (middle, middle);
        while low > 0 && self.tail(low - 1) <= alpha {
            low = low.saturating_sub(step);
            step *= 2;
        }
        while self.tail(high) > alpha {
            low = high + 1;
            high += step;
            step *= 2;
        }
        while low < high {
            let middle = low.midpoint(high);
            if self.tail(middle) <= alpha {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Some(high)
    }
}

fn poisson(x: f64, mean: f64) -> f64 {
    if mean == 0.0 {
        return f64::from(u8::from(x == 0.0));
    }
    if x == 0.0 {
        return (-mean).exp();
    }
    (-stirling_error(x) - deviance(x, mean)).exp() / (2.0 * PI * x).sqrt()
}

fn negative_binomial(x: f64, size: f64, dispersion: f64) -> f64 {
    if size == 0.0 {
        return f64::from(u8::from(x == 0.0));
    }
    if x == 0.0 {
        return (-size * dispersion.ln()).exp();
    }
    let n = size + x;
    let chance = 1.0 / dispersion;
    let exponent =
        stirling_error(n) - stirling_error(size) - stirling_error(x) - deviance(size, n * chance) - deviance(x, n * (1.0 - chance));
    size / n * exponent.exp() * (n / (2.0 * PI * size * x)).sqrt()
}

/// ln Γ(x + 1) less Stirling's formula.
fn stirling_error(x: f64) -> f64 {
    if x < 15.0 {
        return libm::lgamma(x + 1.0) - (x + 0.5) * x.ln() + x - 0.5 * (2.0 * PI).ln();
    }
    let s = 1.0 / (x * x);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / x
}

/// x ln(x/m) + m − x, without cancelling when x is near m.
fn deviance(x: f64, m: f64) -> f64 {
    let d = x - m;
    if d.abs() >= 0.1 * (x + m) {
        return x * (x / m).ln() + m - x;
    }
    let v = d / (x + m);
    let mut sum = d * v;
    let mut power = 2.0 * x * v;
    // |v| < 0.1, so each term is below a hundredth of the last: ten are enough for 17 digits, twenty are a bound.
    for j in 1..20 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upper(mean: f64, dispersion: f64, alpha: f64) -> u64 {
        Counts::new(mean, dispersion).unwrap().upper(alpha).unwrap()
    }

    #[test]
    fn upper_bounds_of_the_farrington_examples() {
        let c = [8.546293, 8.443946, 9.070585, 9.322858, 9.294158, 10.141890, 9.906225, 10.182980, 10.909400, 10.864220];
        assert_eq!(c.map(|mean| upper(mean, 1.0, 0.05)), [14, 13, 14, 15, 15, 16, 15, 16, 17, 17]);
        let d = [
            (8.992661, 1.161696),
            (9.083456, 1.170095),
            (9.639606, 1.149215),
            (10.009150, 1.030694),
            (9.962647, 1.098850),
            (10.548140, 1.0),
            (10.736800, 1.142622),
            (9.866113, 1.193022),
            (10.328750, 1.030369),
            (9.744240, 1.141270),
        ];
        assert_eq!(d.map(|(mean, phi)| upper(mean, phi, 0.01)), [17, 18, 18, 18, 18, 19, 20, 19, 19, 18]);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        for (mean, dispersion) in [(0.01, 1.0), (3.0, 1.0), (900.0, 1.0), (0.5, 3.0), (20.0, 1.5), (1e4, 50.0), (2.0, 1.0 + 1e-6)] {
            let counts = Counts::new(mean, dispersion).unwrap();
            let total = counts.probability(0) + counts.tail(0);
            assert!((total - 1.0).abs() < 1e-12, "mean {mean}, dispersion {dispersion}: {total}");
        }
    }

    #[test]
    fn tails_of_a_hand_calculation() {
        let counts = Counts::Poisson { mean: 2.0 };
        let e = (-2.0_f64).exp();
        assert!((counts.tail(2) - (1.0 - 5.0 * e)).abs() < 1e-15);
        let counts = Counts::NegativeBinomial { mean: 2.0, dispersion: 3.0 };
        assert!((counts.tail(1) - (1.0 - 1.0 / 3.0 - 2.0 / 9.0)).abs() < 1e-15, "size 1 is geometric with chance 1/3");
    }

    #[test]
    fn ends_are_answered() {
        assert_eq!(upper(0.0, 1.0, 0.01), 0);
        assert_eq!(upper(0.0, 2.0, 0.01), 0);
        assert_eq!(upper(1e-300, 1.0, 0.01), 0);
        assert!(upper(MEAN_MAX, 1.0, 0.001) > 1_000_097_000);
        assert_eq!(Counts::new(-1.0, 1.0), None);
        assert_eq!(Counts::new(1.0, f64::NAN), None);
        assert_eq!(Counts::new(f64::INFINITY, 1.0), None);
        assert_eq!(Counts::new(5.0, 1.0).unwrap().upper(1.0), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_bound_is_the_smallest_that_holds(mean in 0.01_f64..300.0, dispersion in 0.5_f64..20.0, alpha in 1e-6_f64..0.9) {
            let counts = Counts::new(mean, dispersion).unwrap();
            let u = counts.upper(alpha).unwrap();
            // An independent sum from below.
            let below = |u: u64| (0..=u).map(|x| counts.probability(x)).sum::<f64>();
            prop_assert!(1.0 - below(u) <= alpha + 1e-12);
            prop_assert!(u == 0 || 1.0 - below(u - 1) > alpha - 1e-12);
        }
    }
}
