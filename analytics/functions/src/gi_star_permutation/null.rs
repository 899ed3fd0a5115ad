//! The conditional null of Gi*: sums of k values drawn from the other grids, shared by all grids, exact for each.
//!
//! Each replicate is one random sequence of grids. Grid i with k neighbours takes its first k that are not i: a fair draw of
//! k of the n − 1 others. For nearly all replicates i is not among the first k, so the sums are the same for all grids with k
//! neighbours: they are sorted once, looked up by bisection, and corrected for the few replicates that hold i.
//! That makes R permutations of a grid cost log R instead of R · k.
//!
//! Values are drawn from their sorted order and equal values share one rank, so the order of the rows cannot matter.

use crate::dice::Dice;
use crate::fixed_point::Deviations;
use crate::neighbours::Adjacency;

/// The most draws one call keeps: 2^27 of 4 bytes are 512 MiB (999 permutations for 134,000 neighbours of one grid).
pub const DRAWS_MAX: usize = 1 << 27;

/// The draws of all replicates, and where each rank occurs in them.
#[derive(Debug)]
pub struct Null {
    sorted: Vec<i64>,
    replicates: usize,
    /// Draws of one replicate: one more than the most neighbours, to replace the grid itself.
    length: usize,
    draws: Vec<u32>,
    /// For each rank that was drawn: rank, replicate, position; sorted.
    occurrences: Vec<(u32, u32, u32)>,
}

impl Null {
    /// Draws. The caller has bounded `replicates` × (most neighbours + 1) by [`DRAWS_MAX`].
    pub fn draw(deviations: &Deviations, neighbours_max: usize, replicates: usize, seed: u64) -> Self {
        let mut sorted = deviations.each.clone();
        sorted.sort_unstable();
        let length = (neighbours_max + 1).min(sorted.len());
        assert!(length * replicates <= DRAWS_MAX, "the caller bounds the draws");
        let mut draws = Vec::with_capacity(length * replicates);
        let mut urn: Vec<u32> = (0_u32..).take(sorted.len()).collect();
        for replicate in 0..replicates {
            draw(&mut urn, length, &mut Dice::new(seed, replicate as u64), &mut draws);
        }
        let place = |(i, rank): (usize, &u32)| (*rank, (i / length) as u32, (i % length) as u32);
        let mut occurrences: Vec<_> = draws.iter().enumerate().map(place).collect();
        occurrences.sort_unstable();
        Self { sorted, replicates, length, draws, occurrences }
    }

    /// The sums of the first `k` draws of each replicate, sorted.
    pub fn sums(&self, k: usize) -> Vec<i64> {
        let mut sums: Vec<i64> = (0..self.replicates).map(|replicate| self.sum(replicate, k)).collect();
        sums.sort_unstable();
        sums
    }

    fn sum(&self, replicate: usize, k: usize) -> i64 {
        self.replicate(replicate)[..k].iter().map(|rank| self.sorted[*rank as usize]).sum()
    }

    fn replicate(&self, replicate: usize) -> &[u32] {
        &self.draws[replicate * self.length..(replicate + 1) * self.length]
    }

    /// (M + 1) / (R + 1) for a grid of value `own` whose `k` neighbours sum to `sum`: M counts the replicates at least as
    /// extreme on the nearer side. `sums` are those of [`Null::sums`] for the same k.
    pub fn p(&self, own: i64, sum: i64, k: usize, sums: &[i64]) -> f64 {
        let mut below = sums.partition_point(|s| *s < sum);
        let mut at_most = sums.partition_point(|s| *s <= sum);
        let rank = self.sorted.partition_point(|v| *v < own) as u32;
        let from = self.occurrences.partition_point(|o| o.0 < rank);
        for (_, replicate, position) in self.occurrences[from..].iter().take_while(|o| o.0 == rank) {
            if *position as usize >= k {
                continue;
            }
            let with = self.sum(*replicate as usize, k);
            let without = with - own + self.sorted[self.replicate(*replicate as usize)[k] as usize];
            below = below + usize::from(without < sum) - usize::from(with < sum);
            at_most = at_most + usize::from(without <= sum) - usize::from(with <= sum);
        }
        let extreme = at_most.min(self.replicates - below);
        (extreme + 1) as f64 / (self.replicates + 1) as f64
    }
}

/// Appends `length` different ranks in random order; leaves the urn as it was.
fn draw(urn: &mut [u32], length: usize, dice: &mut Dice, draws: &mut Vec<u32>) {
    let n = urn.len();
    let mut swaps = Vec::with_capacity(length);
    for i in 0..length {
        let j = i + dice.below((n - i) as u32) as usize;
        urn.swap(i, j);
        swaps.push(j);
        draws.push(urn[i]);
    }
    for (i, j) in swaps.into_iter().enumerate().rev() {
        urn.swap(i, j);
    }
}

/// The p of each place; NaN where the neighbourhood is the whole map or all values are equal.
pub fn p_values(deviations: &Deviations, neighbours: &Adjacency, replicates: usize, seed: u64) -> Vec<f64> {
    let n = deviations.each.len();
    let most = neighbours.most();
    if deviations.are_zero() || replicates == 0 {
        return vec![f64::NAN; n];
    }
    let null = Null::draw(deviations, most, replicates, seed);
    let mut sums: Vec<Option<Vec<i64>>> = vec![None; most + 1];
    let mut one = |(own, beside): (&i64, &[u32])| {
        let k = beside.len();
        if k + 1 >= n {
            return f64::NAN;
        }
        let sum = beside.iter().map(|other| deviations.each[*other as usize]).sum();
        null.p(*own, sum, k, sums[k].get_or_insert_with(|| null.sums(k)))
    };
    deviations.each.iter().zip(neighbours.iter()).map(&mut one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adjacency(lists: &[&[u32]]) -> Adjacency {
        Adjacency::from_lists(lists.iter().map(|l| l.iter().copied()))
    }

    const VALUES: [f64; 7] = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0];
    const LISTS: [&[u32]; 7] = [&[1, 2], &[0], &[5, 4], &[1, 6], &[5, 2, 3], &[4, 2], &[3]];

    /// The nearer tail over all ordered draws of the neighbours from the others.
    fn exact(values: &[f64], place: usize, beside: &[u32]) -> f64 {
        let others: Vec<f64> = (0..values.len()).filter(|j| *j != place).map(|j| values[j]).collect();
        let observed: f64 = beside.iter().map(|j| values[*j as usize]).sum();
        let mut sums = Vec::new();
        for subset in 0_u32..1 << others.len() {
            if subset.count_ones() as usize == beside.len() {
                sums.push((0..others.len()).filter(|b| subset >> b & 1 == 1).map(|b| others[b]).sum::<f64>());
            }
        }
        let high = sums.iter().filter(|s| **s >= observed).count();
        let low = sums.iter().filter(|s| **s <= observed).count();
        high.min(low) as f64 / sums.len() as f64
    }

    /// Worked example: place 4 (5) has 9, 4 and 1 beside it; 5 of the 20 triples of the others sum to 14 or more.
    #[test]
    fn monte_carlo_approaches_the_exact_tail() {
        assert_eq!(exact(&VALUES, 4, LISTS[4]), 0.25);
        let replicates = 40_000;
        let p = p_values(&Deviations::of(&VALUES), &adjacency(&LISTS), replicates, 5);
        for place in 0..7 {
            let expected = exact(&VALUES, place, LISTS[place]);
            let sigma = (expected * (1.0 - expected) / replicates as f64).sqrt();
            assert!((p[place] - expected).abs() < 4.5 * sigma + 1e-4, "place {place}: {} and exactly {expected}", p[place]);
        }
    }

    #[test]
    fn the_shared_null_is_the_grid_by_grid_one() {
        let deviations = Deviations::of(&VALUES);
        let null = Null::draw(&deviations, 3, 500, 11);
        let own = deviations.each[4];
        let rank = null.sorted.iter().position(|v| *v == own).unwrap() as u32;
        let sum: i64 = LISTS[4].iter().map(|j| deviations.each[*j as usize]).sum();
        let one = |r| null.replicate(r).iter().filter(|x| **x != rank).take(3).map(|x| null.sorted[*x as usize]).sum::<i64>();
        let sums: Vec<i64> = (0..500).map(one).collect();
        let high = sums.iter().filter(|s| **s >= sum).count();
        let low = sums.iter().filter(|s| **s <= sum).count();
        assert_eq!(null.p(own, sum, 3, &null.sums(3)), (high.min(low) + 1) as f64 / 501.0);
    }

    #[test]
    fn rows_in_another_order_have_the_same_p() {
        let p = p_values(&Deviations::of(&VALUES), &adjacency(&LISTS), 999, 1);
        let turned: Vec<f64> = VALUES.iter().rev().copied().collect();
        let lists: Vec<Vec<u32>> = LISTS.iter().rev().map(|l| l.iter().map(|j| 6 - j).collect()).collect();
        let lists: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
        let mut q = p_values(&Deviations::of(&turned), &adjacency(&lists), 999, 1);
        q.reverse();
        assert_eq!(p, q);
    }

    #[test]
    fn p_is_never_zero_and_undefined_is_nan() {
        let p = p_values(&Deviations::of(&[1.0, 1.0, 9.0]), &adjacency(&[&[1], &[0], &[0, 1]]), 9, 1);
        assert!(p[0] >= 0.1 && p[2].is_nan());
        assert!(p_values(&Deviations::of(&[2.0; 3]), &adjacency(&[&[1], &[0], &[0]]), 9, 1).iter().all(|p| p.is_nan()));
        assert!(p_values(&Deviations::of(&[]), &Adjacency::default(), 9, 1).is_empty());
    }
}
