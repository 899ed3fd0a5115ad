//! The only place of the city that rolls dice: keyed streams, counter hashes and weighted choice.
//!
//! Everything random is a pure function of the seed and of what it is for, so any hour of any day can be made alone, in any
//! order and on any thread. Logarithms and sines come from `libm`, not from the machine's library, whose last digit differs
//! between processors: the same seed must give the same bytes everywhere.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of dice is for: streams of different purposes never meet.
#[derive(Debug, Clone, Copy)]
pub(super) enum Purpose {
    Lattice = 1,
    Partition,
    Names,
    Plan,
    Cases,
    Weather,
    District,
    Episode,
    Device,
    Address,
    Caller,
}

/// The seed of a city, from which all its streams and hashes are taken.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    seed: u64,
    base: ChaCha8Rng,
}

impl Dice {
    /// The dice of `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, base: ChaCha8Rng::seed_from_u64(seed) }
    }

    /// A stream of its own for `purpose` and `key`.
    pub(super) fn stream(&self, purpose: Purpose, key: u64) -> ChaCha8Rng {
        let mut rng = self.base.clone();
        rng.set_stream(mix(mix(purpose as u64) ^ key));
        rng
    }

    /// One word for `purpose` and a pair of keys, without opening a stream.
    pub(super) fn hash(&self, purpose: Purpose, a: u64, b: u64) -> u64 {
        mix(mix(mix(self.seed ^ mix(purpose as u64)) ^ a) ^ b)
    }

    /// A number in [0, 1) for `purpose` and a pair of keys.
    pub(super) fn unit(&self, purpose: Purpose, a: u64, b: u64) -> f64 {
        unit(self.hash(purpose, a, b))
    }

    /// A standard normal number (by the sum of twelve uniform ones, so no tail beyond six) for `purpose` and a pair of keys.
    pub(super) fn normal(&self, purpose: Purpose, a: u64, b: u64) -> f64 {
        let mut word = self.hash(purpose, a, b);
        let mut sum = 0.0;
        for _ in 0..3 {
            // Four 16-bit uniforms a word.
            sum += (0..4).map(|lane| f64::from(lane_of(word, lane))).sum::<f64>() / 65_536.0;
            word = mix(word);
        }
        sum - 6.0
    }
}

fn lane_of(word: u64, lane: u32) -> u16 {
    (word >> (16 * lane)) as u16
}

/// SplitMix64's finalizer (Steele, Lea, Flood 2014): a bijection whose every output bit depends on every input bit.
pub(super) const fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A word as a number in [0, 1).
pub(super) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
}

/// A word as an index below `length` (which is at least 1).
pub(super) fn below(word: u64, length: usize) -> usize {
    ((u128::from(word) * length as u128) >> 64) as usize
}

/// A number in [low, high) from a stream.
pub(super) fn between(rng: &mut ChaCha8Rng, low: f64, high: f64) -> f64 {
    low + (high - low) * unit(rng.next_u64())
}

/// Shuffles in place (Fisher–Yates).
pub(super) fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for end in (1..items.len()).rev() {
        items.swap(end, below(rng.next_u64(), end + 1));
    }
}

/// Choice in proportion to weights in constant time (Walker's alias method, as built by Vose 1991).
#[derive(Debug, Clone)]
pub(super) struct Weighted {
    threshold: Vec<f64>,
    alias: Vec<u32>,
}

impl Weighted {
    /// A choice among `weights`, which are finite, not negative and not all zero.
    pub(super) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        assert!(total > 0.0 && total.is_finite(), "weights are made from positive tables");
        let count = weights.len();
        let mut threshold: Vec<f64> = weights.iter().map(|weight| weight * count as f64 / total).collect();
        let mut alias: Vec<u32> = (0..count as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..count).partition(|index| threshold[*index] < 1.0);
        while let (Some(poor), Some(rich)) = (small.pop(), large.last().copied()) {
            alias[poor] = rich as u32;
            threshold[rich] -= 1.0 - threshold[poor];
            if threshold[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        // What is left on either side is 1 but for rounding.
        for index in small.into_iter().chain(large) {
            threshold[index] = 1.0;
        }
        Self { threshold, alias }
    }

    /// Zipf's law over `count` ranks: weight 1/(rank + 1)^exponent.
    pub(super) fn zipf(count: usize, exponent: f64) -> Self {
        Self::new(&(1..=count).map(|rank| libm::pow(rank as f64, -exponent)).collect::<Vec<_>>())
    }

    /// The index a word stands for.
    pub(super) fn pick(&self, word: u64) -> usize {
        let index = below(word, self.threshold.len());
        if unit(mix(word)) < self.threshold[index] { index } else { self.alias[index] as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weighted_choice_follows_its_weights() {
        let weights = [5.0, 0.0, 1.0, 3.0, 1.0];
        let choice = Weighted::new(&weights);
        let mut counts = [0_u32; 5];
        (0..100_000_u64).for_each(|word| counts[choice.pick(mix(word))] += 1);
        assert_eq!(counts[1], 0);
        for (count, weight) in counts.iter().zip(weights) {
            // Five standard deviations of a binomial share of 100,000 draws stay below 800.
            assert!((f64::from(*count) - weight * 10_000.0).abs() < 800.0, "{counts:?}");
        }
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_variance_one() {
        let dice = Dice::new(7);
        let draws: Vec<f64> = (0..20_000).map(|key| dice.normal(Purpose::Weather, key, 0)).collect();
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|draw| (draw - mean) * (draw - mean)).sum::<f64>() / draws.len() as f64;
        assert!(mean.abs() < 0.05 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    #[test]
    fn streams_of_different_purposes_or_keys_differ() {
        let dice = Dice::new(1);
        let first = |purpose, key| dice.stream(purpose, key).next_u64();
        assert_eq!(first(Purpose::Cases, 4), first(Purpose::Cases, 4));
        assert_ne!(first(Purpose::Cases, 4), first(Purpose::Cases, 5));
        assert_ne!(first(Purpose::Cases, 4), first(Purpose::Plan, 4));
    }
}
