//! The normal distribution: the only place that turns z into p and back.
//!
//! Tails are taken from `erfc`, never as 1 − Φ, so that z = 9 still has a p.

use std::f64::consts::SQRT_2;

/// The probability of a standard normal at least `z` away from 0 on either side, in (0, 1].
///
/// Below the smallest positive number (|z| > 38) it stays there: a p of 0 would claim certainty.
pub fn two_sided_p(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2).clamp(f64::MIN_POSITIVE, 1.0)
}

/// The probability of a standard normal above `z`, in (0, 1].
pub fn upper_p(z: f64) -> f64 {
    (0.5 * libm::erfc(z / SQRT_2)).clamp(f64::MIN_POSITIVE, 1.0)
}

/// The standard normal quantile Φ⁻¹(p) for 0 < p < 1; ±∞ at the ends, NaN outside.
///
/// Wichura (1988), algorithm AS 241, PPND16: relative error about 1e-16.
pub fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        return q * polynomial(&CENTER_ABOVE, r) / polynomial(&CENTER_BELOW, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return if tail < 0.0 { f64::NAN } else { f64::INFINITY.copysign(q) };
    }
    let r = (-tail.ln()).sqrt();
    let magnitude = if r <= 5.0 {
        polynomial(&MIDDLE_ABOVE, r - 1.6) / polynomial(&MIDDLE_BELOW, r - 1.6)
    } else {
        polynomial(&FAR_ABOVE, r - 5.0) / polynomial(&FAR_BELOW, r - 5.0)
    };
    magnitude.copysign(q)
}

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

const CENTER_ABOVE: [f64; 8] = [
    3.387_132_872_796_366_5,
    133.141_667_891_784_38,
    1_971.590_950_306_551_3,
    13_731.693_765_509_46,
    45_921.953_931_549_87,
    67_265.770_927_008_7,
    33_430.575_583_588_13,
    2_509.080_928_730_122_7,
];
const CENTER_BELOW: [f64; 8] = [
    1.0,
    42.313_330_701_600_91,
    687.187_007_492_057_9,
    5_394.196_021_424_751,
    21_213.794_301_586_597,
    39_307.895_800_092_71,
    28_729.085_735_721_943,
    5_226.495_278_852_545,
];
const MIDDLE_ABOVE: [f64; 8] = [
    1.423_437_110_749_683_5,
    4.630_337_846_156_546,
    5.769_497_221_460_691,
    3.647_848_324_763_204_5,
    1.270_458_252_452_368_4,
    0.241_780_725_177_450_6,
    0.022_723_844_989_269_184,
    7.745_450_142_783_414e-4,
];
const MIDDLE_BELOW: [f64; 8] = [
    1.0,
    2.053_191_626_637_759,
    1.676_384_830_183_803_8,
    0.689_767_334_985_1,
    0.148_103_976_427_480_08,
    0.015_198_666_563_616_457,
    5.475_938_084_995_345e-4,
    1.050_750_071_644_416_9e-9,
];
const FAR_ABOVE: [f64; 8] = [
    6.657_904_643_501_103,
    5.463_784_911_164_114,
    1.784_826_539_917_291_3,
    0.296_560_571_828_504_87,
    0.026_532_189_526_576_124,
    1.242_660_947_388_078_4e-3,
    2.711_555_568_743_487_6e-5,
    2.010_334_399_292_288_1e-7,
];
const FAR_BELOW: [f64; 8] = [
    1.0,
    0.599_832_206_555_888,
    0.136_929_880_922_735_8,
    0.014_875_361_290_850_615,
    7.868_691_311_456_133e-4,
    1.846_318_317_510_054_8e-5,
    1.421_511_758_316_446e-7,
    2.044_263_103_389_939_8e-15,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_in_the_formulas_are_met() {
        assert!((quantile(0.999) - 3.090_232_306).abs() < 5e-10);
        assert!((quantile(0.975) - 1.959_963_985).abs() < 5e-10);
        assert_eq!(quantile(0.5), 0.0);
    }

    #[test]
    fn quantile_undoes_the_tail() {
        for p in [1e-300, 1e-40, 1e-10, 1e-4, 0.01, 0.0749, 0.0751, 0.2, 0.4999, 0.5001, 0.9, 0.999] {
            let back = upper_p(-quantile(p));
            assert!((back / p - 1.0).abs() < 1e-12, "p {p} came back as {back}");
        }
    }

    #[test]
    fn ends_and_outside_are_answered() {
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(-0.1).is_nan() && quantile(1.1).is_nan() && quantile(f64::NAN).is_nan());
    }

    #[test]
    fn p_is_never_zero_and_never_above_one() {
        assert_eq!(two_sided_p(0.0), 1.0);
        assert_eq!(two_sided_p(1e9), f64::MIN_POSITIVE);
        assert!((two_sided_p(1.959_963_984_540_054) - 0.05).abs() < 1e-15);
    }
}
