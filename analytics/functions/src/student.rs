//! Student's t distribution: the only place that turns t into p.

/// The probability of a t of `freedom` degrees at least as far from 0 on either side, in (0, 1].
///
/// I_x(ν/2, ½) with x = ν/(ν + t²), by Lentz's continued fraction on the side where it converges fast.
pub(crate) fn two_sided_p(t: f64, freedom: f64) -> f64 {
    let x = freedom / (freedom + t * t);
    incomplete_beta(freedom / 2.0, 0.5, x).clamp(f64::MIN_POSITIVE, 1.0)
}

/// The regularized incomplete beta function I_x(a, b).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if !(x > 0.0 && x < 1.0) {
        return if x >= 1.0 { 1.0 } else { 0.0 };
    }
    let ln_beta = libm::lgamma(a) + libm::lgamma(b) - libm::lgamma(a + b);
    let front = (a * x.ln() + b * (-x).ln_1p() - ln_beta).exp();
    if x < (a + 1.0) / (a + b + 2.0) { front * fraction(a, b, x) / a } else { 1.0 - front * fraction(b, a, 1.0 - x) / b }
}

/// Steps of the continued fraction; about √max(a, b) are needed, so this serves a million degrees of freedom.
const STEPS_MAX: u32 = 5000;

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    let floor = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / floor(1.0 - (a + b) * x / (a + 1.0)));
    let mut result = d;
    for m in (1..=STEPS_MAX).map(f64::from) {
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / floor(1.0 + term * d);
            c = floor(1.0 + term / c);
            result *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_quantiles_have_their_p() {
        for (t, freedom, p) in
            [(12.706_204_736, 1.0, 0.05), (2.228_138_852, 10.0, 0.05), (3.169_272_673, 10.0, 0.01), (1.984_217, 99.0, 0.05)]
        {
            let got = two_sided_p(t, freedom);
            assert!((got - p).abs() < 1e-7, "t {t} with {freedom}: {got}");
        }
    }

    #[test]
    fn one_degree_is_cauchy_and_many_are_normal() {
        assert!((two_sided_p(1.0, 1.0) - 0.5).abs() < 1e-14);
        assert!((two_sided_p(1.959_963_984_540_054, 1e7) - 0.05).abs() < 1e-7);
        assert_eq!(two_sided_p(0.0, 5.0), 1.0);
        assert!(two_sided_p(1e200, 5.0) > 0.0);
    }
}
