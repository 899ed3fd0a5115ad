//! Sums that do not depend on the order of the rows: values as integers of one unit, deviations from their mean.
//!
//! Floating sums change in the last digit with the order of the rows, the batch size and the number of threads, and an
//! incremental sum drifts away from the full one. Here every value becomes an integer multiple of one power of two, chosen
//! so that the largest magnitude needs [`BITS`] bits; all sums are then integer sums, exact in any order. Counts (integers up
//! to 2^50) lose nothing; other values are rounded to 2^-51 of the largest, which a double of that size does to within 2^-53.
//! [`Moving`] keeps the same sums while values change one at a time.

mod moving;

pub use moving::{Change, Moments, Moving};

/// Bits for the largest magnitude: a deviation then has 51, its square 102, and [`ROWS_MAX`] of them fit 128.
const BITS: i32 = 50;

/// The most values one sum may hold (33.5 million): the squares of all of them must fit `u128`.
pub const ROWS_MAX: usize = 1 << 25;

/// Adding and subtracting 1.5 · 2^52 rounds a double below 2^51 to the nearest integer; its bits then hold that integer.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Values as integer deviations from their (rounded) mean, with the exact sums of the first and second power.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviations {
    /// Value − mean, in units.
    pub each: Vec<i64>,
    /// Σ of the deviations divided by their number: what rounding the mean left over, in units, below 1.
    pub remainder: f64,
    /// Σ of (value − exact mean)², in units².
    pub squares: f64,
    /// Σ of the deviations and of their squares, exact.
    sums: (i128, u128),
}

impl Deviations {
    /// Measures finite values. More than [`ROWS_MAX`] of them is the caller's to refuse.
    pub fn of(values: &[f64]) -> Self {
        assert!(values.len() <= ROWS_MAX, "the caller bounds the number of values");
        let largest = values.iter().fold(0.0_f64, |largest, v| largest.max(v.abs()));
        let mut each = in_units(values, largest);
        let mean = rounded_mean(&each);
        let (mut sum, mut squares) = (0_i128, 0_u128);
        for block in each.chunks_mut(BLOCK) {
            let mut block_sum = 0_i64;
            for q in block {
                *q -= mean;
                block_sum += *q;
                squares += u128::from(q.unsigned_abs()) * u128::from(q.unsigned_abs());
            }
            sum += i128::from(block_sum);
        }
        let remainder = if each.is_empty() { 0.0 } else { sum as f64 / each.len() as f64 };
        Self { each, remainder, squares: squares as f64 - sum as f64 * remainder, sums: (sum, squares) }
    }

    /// True if all values are equal.
    pub fn are_zero(&self) -> bool {
        self.squares <= 0.0
    }

    /// The population variance, in units².
    pub fn variance(&self) -> f64 {
        self.squares / self.each.len() as f64
    }

    /// The population variance of all values but the one at `place`, in units²: exactly 0 where those are equal, however far
    /// away that one lies. Of at least two values.
    pub fn variance_without(&self, place: usize) -> f64 {
        let own = self.each[place];
        let others = self.each.len() as i128 - 1;
        let (sum, squares) = (self.sums.0 - i128::from(own), self.sums.1 - u128::from(own.unsigned_abs()).pow(2));
        let of_mean = sum * sum;
        let (whole, rest) = (of_mean / others, of_mean % others);
        ((squares as i128 - whole) as f64 - rest as f64 / others as f64) / others as f64
    }
}

/// Values a block adds up in 64 bits: 2^11 deviations of 51 bits are below 2^63.
const BLOCK: usize = 1 << 11;

fn in_units(values: &[f64], largest: f64) -> Vec<i64> {
    if largest == 0.0 {
        return vec![0; values.len()];
    }
    // Two steps, because 2^(50 − exponent) alone overflows for denormal values.
    let shift = BITS - exponent(largest);
    let (first, second) = (power_of_two(shift / 2), power_of_two(shift - shift / 2));
    let offset = ROUNDER.to_bits() as i64;
    values.iter().map(|v| (v * first * second + ROUNDER).to_bits() as i64 - offset).collect()
}

/// The smallest `e` with |x| < 2^e.
fn exponent(x: f64) -> i32 {
    libm::frexp(x).1
}

fn power_of_two(e: i32) -> f64 {
    libm::ldexp(1.0, e)
}

fn rounded_mean(each: &[i64]) -> i64 {
    let sum: i128 = each.chunks(BLOCK).map(|block| i128::from(block.iter().sum::<i64>())).sum();
    rounded(sum, each.len())
}

/// Σ / n to the nearest integer, halves upward; 0 of nothing.
fn rounded(sum: i128, n: usize) -> i64 {
    let n = n.max(1) as i128;
    let (quotient, rest) = (sum.div_euclid(n), sum.rem_euclid(n));
    let mean = if 2 * rest >= n { quotient + 1 } else { quotient };
    i64::try_from(mean).expect("a mean of 51-bit integers has 51 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact() {
        let d = Deviations::of(&[1.0, 2.0, 6.0, 7.0]);
        assert_eq!((d.remainder, d.variance() / (d.each[3] as f64 / 3.0).powi(2)), (0.0, 6.5));
    }

    #[test]
    fn any_order_gives_the_same_bits() {
        let values: Vec<f64> = (0..5000).map(|i| (f64::from(i) * 0.7).sin() * 1e3 + 0.1).collect();
        let mut turned: Vec<f64> = values.iter().rev().copied().collect();
        turned.rotate_left(1234);
        let (a, b) = (Deviations::of(&values), Deviations::of(&turned));
        assert_eq!((a.remainder.to_bits(), a.squares.to_bits()), (b.remainder.to_bits(), b.squares.to_bits()));
    }

    #[test]
    fn equal_values_have_no_variance_whatever_their_size() {
        for v in [0.0, 0.1, -3.7, 1e300, 5e-324, f64::MAX] {
            assert!(Deviations::of(&[v; 7]).are_zero(), "{v}");
        }
    }

    #[test]
    fn huge_and_tiny_values_neither_overflow_nor_vanish() {
        for scale in [f64::MAX / 3.0, 1e200, 1.0, 1e-200, 5e-324] {
            let d = Deviations::of(&[scale, 0.0, -scale]);
            let unit = d.each[0] as f64;
            assert!((d.variance() / unit / unit - 2.0 / 3.0).abs() < 1e-12, "{scale}");
        }
    }

    #[test]
    fn variance_is_that_of_the_definition() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from((i * 37) % 101) / 7.0).collect();
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let expected = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        let d = Deviations::of(&values);
        let unit = (values[1] - values[0]) / (d.each[1] - d.each[0]) as f64;
        assert!((d.variance() * unit * unit / expected - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_one_value_leaves_has_its_own_variance() {
        let values = [4.0, 1.0, 7.0, 2.0];
        let d = Deviations::of(&values);
        let unit = (d.each[2] - d.each[1]) as f64 / 6.0;
        let expected = Deviations::of(&values[..3]);
        let its_unit = (expected.each[2] - expected.each[1]) as f64 / 6.0;
        assert!((d.variance_without(3) / unit.powi(2) - expected.variance() / its_unit.powi(2)).abs() < 1e-12);
        for far in [44.249_789_458_009_69, 0.1, -1e300, 5e-324] {
            for number in [2, 3, 7, 5000] {
                let mut values = vec![3.0; number];
                values.push(far);
                assert_eq!(Deviations::of(&values).variance_without(number), 0.0, "{far} beside {number}");
            }
        }
    }

    #[test]
    fn no_values_give_nothing() {
        assert!(Deviations::of(&[]).each.is_empty());
    }
}
