//! The dice: the only place random numbers come from. ChaCha8 keyed by the seed, one stream for each replicate, so the same
//! seed gives the same numbers on any number of threads and in any order of work.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of one replicate.
    pub fn new(seed: u64, replicate: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(replicate);
        Self(rng)
    }

    /// A number from 0 to `n` − 1, each equally likely (Lemire 2019, multiply and reject). `n` = 0 gives 0.
    pub fn below(&mut self, n: u32) -> u32 {
        let threshold = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let wide = u64::from(self.0.next_u32()) * u64::from(n);
            if (wide as u32) >= threshold {
                return (wide >> 32) as u32;
            }
        }
    }

    /// Puts items in a random order (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        let n = u32::try_from(items.len()).expect("callers bound what they shuffle below 2^32");
        for i in (1..n).rev() {
            let j = self.below(i + 1);
            items.swap(i as usize, j as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for replicate in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            Dice::new(7, replicate).shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        let chi2: f64 = counts.values().map(|c| f64::from(*c - 1000_i32).powi(2) / 1000.0).sum();
        assert_eq!(counts.len(), 24);
        assert!(chi2 < 55.0, "chi-square {chi2} of 23 degrees: p < 0.0002");
    }

    #[test]
    fn a_seed_and_replicate_give_the_same_numbers_for_ever() {
        let mut dice = Dice::new(1, 2);
        let first: Vec<u32> = (0..4).map(|_| dice.below(1000)).collect();
        let mut again = Dice::new(1, 2);
        assert_eq!(first, (0..4).map(|_| again.below(1000)).collect::<Vec<_>>());
        let mut other = Dice::new(1, 3);
        assert_ne!(first, (0..4).map(|_| other.below(1000)).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_to_choose_from_is_zero() {
        assert_eq!(Dice::new(1, 1).below(0), 0);
        Dice::new(1, 1).shuffle::<u8>(&mut []);
    }
}
