//! `nb_tail`: how likely would chance alone bring this many cases, or more?
//!
//! P(X ≥ cases) for X negative binomial of mean μ and variance φ μ (size μ/(φ − 1)); Poisson if φ ≤ 1. Above α where
//! `nb_upper` at α is not reached: the p that goes into `fdr` when many counts are judged at once.
//!
//! Source: as `nb_upper`, Noufaily et al. (2013), Statistics in Medicine 32(7); probabilities after Loader (2000).
//!
//! Cautions: φ is variance / mean, at most 10⁴, not the size. A mean estimated from few bins makes p too small; add what the
//! estimate may err by to the dispersion. A tail below
//! the smallest number stays there; it is 0 only where the mean is 0. NULL for a negative or unknown count, mean or dispersion, or one beyond 10⁹; parts
//! of a case are cut off. Worked example: `tail_of_three_of_mean_one` here.

mod documentation;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::arguments::{Arguments, numbers};
use crate::counts::Counts;
use crate::documentation::Unit;
use crate::function::{Argument, DefaultValue, Function, Kind, Returns, Type};
use crate::poisson_upper::MEAN;

/// The largest count that is asked for: as for the mean, a billion cases in one bin are no count of cases any more.
const CASES_MAX: f64 = 1e9;

pub(crate) static FUNCTION: Function = Function {
    name: "nb_tail",
    source: file!(),
    kind: Kind::Scalar,
    arguments: &[
        Argument::required("cases", Type::Number, "how many came", "实际案件数").counted_in(Unit::Cases),
        MEAN,
        Argument::optional("dispersion", Type::Number, DefaultValue::Number(1.0), "variance / mean", "离散度（方差/均值）"),
    ],
    returns: Returns::One(Type::Number),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// P(X ≥ cases) for the count of this mean and dispersion.
fn tail(cases: f64, mean: f64, dispersion: f64) -> Option<f64> {
    let counts = Counts::new(mean, dispersion)?;
    if !(0.0..=CASES_MAX).contains(&cases) {
        return None;
    }
    let cases = cases as u64;
    if cases == 0 {
        return Some(1.0);
    }
    // Below the smallest number it stays there: a p of 0 would claim certainty, which only a mean of 0 gives.
    let least = if mean > 0.0 { f64::MIN_POSITIVE } else { 0.0 };
    Some(counts.tail(cases - 1).clamp(least, 1.0))
}

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let rows = arguments.numbers(0)?.iter().zip(arguments.numbers(1)?).zip(arguments.numbers_or_default(2)?);
    Ok(numbers(rows.map(|((cases, mean), dispersion)| tail(cases?, mean?, dispersion?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_of_three_of_mean_one() {
        // 1 − (1 + 1 + 1/2) / e.
        assert!((tail(3.0, 1.0, 1.0).unwrap() - (1.0 - 2.5 * (-1.0_f64).exp())).abs() < 1e-15);
        // Geometric: mean 1, variance 2, so P(X ≥ k) = 2⁻ᵏ.
        for cases in 0..60 {
            let exact = 0.5_f64.powi(cases);
            assert!((tail(f64::from(cases), 1.0, 2.0).unwrap() - exact).abs() < 1e-12 * exact);
        }
    }

    #[test]
    fn the_upper_bound_is_where_the_tail_falls_to_alpha() {
        for (mean, dispersion) in [(0.2, 1.0), (3.0, 1.7), (40.0, 6.0), (900.0, 1.2)] {
            let upper = Counts::new(mean, dispersion).unwrap().upper(0.01).unwrap() as f64;
            assert!(tail(upper + 1.0, mean, dispersion).unwrap() <= 0.01 && tail(upper, mean, dispersion).unwrap() > 0.01);
        }
    }

    #[test]
    fn what_is_no_count_has_no_tail() {
        assert_eq!(tail(f64::NAN, 1.0, 1.0), None);
        assert_eq!(tail(-1.0, 1.0, 1.0), None);
        assert_eq!(tail(1.0, -1.0, 1.0), None);
        assert_eq!((tail(0.0, 0.0, 1.0), tail(1.0, 0.0, 1.0)), (Some(1.0), Some(0.0)));
    }
}
