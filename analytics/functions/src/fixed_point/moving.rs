//! The exact sums of values that change one at a time: a change costs one place, whatever their number.
//!
//! All sums are of integers, so taking an old value out and adding a new one leaves the very sum of the values there are now,
//! and the moments are, bit for bit, those [`super::Deviations`] computes from all of them.
//!
//! The unit of [`super::Deviations`] follows the largest magnitude. Whole numbers (counts) are kept in units of 1 and shifted when
//! the moments are asked for, so no change of the largest costs anything. Other values are rounded to the unit: as long as one
//! is there, a largest magnitude that crosses a power of two makes all of them be rounded anew ([`Change::Anew`]).

use std::collections::BTreeMap;

use super::{BITS, ROWS_MAX, exponent, in_units, power_of_two, rounded};

/// Values of a fixed number of places, each there or not.
#[derive(Debug, Clone)]
pub struct Moving {
    values: Vec<Option<f64>>,
    /// Each value · 2^`base`, an integer; 0 where there is none.
    units: Vec<i64>,
    base: i32,
    count: usize,
    sum: i128,
    squares: u128,
    /// How many values other than 0 there are of each exponent.
    exponents: BTreeMap<i32, usize>,
    /// How many values are no whole numbers below 2^50.
    fractions: usize,
}

/// What a change did to the units of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The place's value grew by `units`, the number of values by `values` (−1, 0 or 1).
    By {
        /// New less old, in the units of [`Moving::units_of`].
        units: i64,
        /// 1 if there was none before, −1 if there is none now.
        values: i64,
    },
    /// All places have new units: sums kept of them are to be made again.
    Anew,
}

/// What the scores of all places share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// How many values there are.
    pub count: usize,
    /// As [`super::Deviations::remainder`].
    pub remainder: f64,
    /// As [`super::Deviations::squares`].
    pub squares: f64,
    mean: i64,
    shift: u32,
}

impl Moments {
    /// Σ of the deviations of `k` values that add up to `units` (of [`Moving::units_of`]).
    pub fn deviation(&self, units: i128, k: usize) -> f64 {
        ((units << self.shift) - k as i128 * i128::from(self.mean)) as f64
    }
}

impl Moving {
    /// So many places, none with a value. More than [`ROWS_MAX`] is the caller's to refuse.
    pub fn new(places: usize) -> Self {
        assert!(places <= ROWS_MAX, "the caller bounds the number of places");
        Self {
            values: vec![None; places],
            units: vec![0; places],
            base: 0,
            count: 0,
            sum: 0,
            squares: 0,
            exponents: BTreeMap::new(),
            fractions: 0,
        }
    }

    /// The value of a place.
    pub fn value(&self, place: usize) -> Option<f64> {
        self.values[place]
    }

    /// The value of a place as an integer of the common unit; 0 where there is none.
    pub fn units_of(&self, place: usize) -> i64 {
        self.units[place]
    }

    /// The number of places.
    pub fn places(&self) -> usize {
        self.values.len()
    }

    /// Gives a place another finite value, or none.
    pub fn set(&mut self, place: usize, value: Option<f64>) -> Change {
        debug_assert!(value.is_none_or(f64::is_finite), "the caller leaves out what is not finite");
        let old = std::mem::replace(&mut self.values[place], value);
        if let Some(old) = old {
            self.forget(old);
        }
        if let Some(new) = value {
            self.learn(new);
        }
        let shift = self.shift();
        if self.base != shift && !(self.base == 0 && self.fractions == 0) {
            self.base = if self.fractions == 0 { 0 } else { shift };
            self.round_anew();
            return Change::Anew;
        }
        let before = self.units[place];
        let after = value.map_or(0, |value| in_units(&[value], self.largest())[0]);
        self.units[place] = after;
        self.sum += i128::from(after) - i128::from(before);
        self.squares = self.squares - square(before) + square(after);
        Change::By { units: after - before, values: i64::from(value.is_some()) - i64::from(old.is_some()) }
    }

    fn forget(&mut self, old: f64) {
        self.count -= 1;
        self.fractions -= usize::from(!is_whole(old));
        if old != 0.0 {
            let e = exponent(old);
            let left = self.exponents.get(&e).map_or(0, |values| values - 1);
            if left == 0 {
                self.exponents.remove(&e)
            } else {
                self.exponents.insert(e, left)
            };
        }
    }

    fn learn(&mut self, new: f64) {
        self.count += 1;
        self.fractions += usize::from(!is_whole(new));
        if new != 0.0 {
            *self.exponents.entry(exponent(new)).or_default() += 1;
        }
    }

    /// The shift at which [`super::Deviations`] would hold the values; where all are 0 any will do.
    fn shift(&self) -> i32 {
        self.exponents.last_key_value().map_or(self.base, |(largest, _)| BITS - largest)
    }

    /// A magnitude whose unit is the one the values are kept in.
    fn largest(&self) -> f64 {
        power_of_two(BITS - self.base - 1)
    }

    fn round_anew(&mut self) {
        let values: Vec<f64> = self.values.iter().map(|value| value.unwrap_or(0.0)).collect();
        self.units = in_units(&values, self.largest());
        self.sum = self.units.iter().map(|unit| i128::from(*unit)).sum();
        self.squares = self.units.iter().map(|unit| square(*unit)).sum();
    }

    /// The moments of the values there are now, in constant time.
    pub fn moments(&self) -> Moments {
        let shift = u32::try_from(self.shift() - self.base).expect("whole numbers below 2^50 shift left, others not at all");
        let (sum, squares) = (self.sum << shift, self.squares << (2 * shift));
        let mean = rounded(sum, self.count);
        let (wide, n) = (i128::from(mean), self.count as i128);
        let deviations = sum - n * wide;
        // The result is below 2^125 and not negative; what it is made of may wrap on the way.
        let squared = squares.wrapping_sub((2 * wide).wrapping_mul(sum) as u128).wrapping_add((n * wide).wrapping_mul(wide) as u128);
        let remainder = if self.count == 0 { 0.0 } else { deviations as f64 / self.count as f64 };
        Moments { count: self.count, remainder, squares: squared as f64 - deviations as f64 * remainder, mean, shift }
    }
}

/// A whole number that units of 1 hold without loss.
fn is_whole(value: f64) -> bool {
    value.fract() == 0.0 && exponent(value) <= BITS
}

fn square(unit: i64) -> u128 {
    u128::from(unit.unsigned_abs()) * u128::from(unit.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::super::Deviations;
    use super::*;
    use proptest::prelude::*;

    fn same_moments(moving: &Moving) {
        let values: Vec<f64> = moving.values.iter().copied().flatten().collect();
        let (all, moments) = (Deviations::of(&values), moving.moments());
        assert_eq!(moments.count, values.len());
        assert_eq!(
            (moments.remainder.to_bits(), moments.squares.to_bits()),
            (all.remainder.to_bits(), all.squares.to_bits()),
            "{values:?}"
        );
        let places = (0..moving.places()).filter(|place| moving.value(*place).is_some());
        let each: Vec<f64> = places.map(|place| moments.deviation(i128::from(moving.units_of(place)), 1)).collect();
        assert_eq!(each, all.each.iter().map(|d| *d as f64).collect::<Vec<_>>());
    }

    #[test]
    fn counts_never_round_anew_however_the_largest_changes() {
        let mut moving = Moving::new(3);
        for value in [1.0, 1e15, 3.0, 0.0, -7e14, 2.0] {
            assert!(matches!(moving.set(0, Some(value)), Change::By { .. }));
            same_moments(&moving);
        }
    }

    #[test]
    fn fractions_round_anew_where_the_largest_crosses_a_power_of_two() {
        let mut moving = Moving::new(2);
        assert_eq!(moving.set(0, Some(0.1)), Change::Anew);
        assert!(matches!(moving.set(1, Some(0.12)), Change::By { values: 1, .. }), "0.12 is below 2^-3 like 0.1");
        assert_eq!(moving.set(1, Some(0.13)), Change::Anew);
        same_moments(&moving);
        assert!(matches!(moving.set(0, None), Change::By { values: -1, .. }));
        same_moments(&moving);
    }

    fn value() -> impl Strategy<Value = Option<f64>> {
        prop_oneof![
            1 => Just(None),
            4 => (0_u32..20).prop_map(|v| Some(f64::from(v))),
            2 => (-1e6_f64..1e6).prop_map(Some),
            1 => prop::sample::select(vec![0.0, -0.0, 5e-324, f64::MAX, -f64::MAX, 1e-310, 9e15, 1_125_899_906_842_624.0, 0.5]).prop_map(Some),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn after_every_change_the_moments_are_those_of_all_values(changes in prop::collection::vec((0_usize..6, value()), 1..40)) {
            let mut moving = Moving::new(6);
            for (place, value) in changes {
                moving.set(place, value);
                same_moments(&moving);
            }
        }
    }
}
