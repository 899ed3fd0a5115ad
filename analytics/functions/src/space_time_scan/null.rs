//! The highest ratio of each replicate of the permutation test: where nearly all of the scan's time goes.
//!
//! Replicates are counted 64 at a time, side by side, so that one instruction adds the cases of a place in many of them. Circles
//! grow by blocks of places: what a block adds is summed first, and only if a replicate's count after the block could beat its
//! best, had all of it come with the block's first place, is that replicate gone through place by place. Both margins are those
//! of the study, so what is expected is the same in all replicates; and only the cases of the windows need be drawn.
//!
//! Nothing is approximate: the ratios are those of every circle and window, and the same on any number of threads.

use crate::dice::Dice;
use crate::parallel;

use super::clusters::{STEPS_WORTH_THREADS, Scan, log_likelihood_ratio};
use super::thresholds::{Thresholds, level, root};

/// Replicates counted side by side: bytes of a cache line.
const LANES: usize = 64;

/// The most places of a block.
const BLOCK_MAX: usize = 16;

/// The most draws one thread keeps (4 bytes each): 64 MiB. Where the windows hold more cases, fewer replicates go side by side.
const DRAWS_MAX: usize = 1 << 24;

/// What all replicates share.
struct Plan<'a> {
    scan: &'a Scan<'a>,
    /// Places with cases in the circles around each place: one without cases makes no circle better.
    members: Vec<u32>,
    ends: Vec<usize>,
    /// Where blocks begin, counted from the center.
    starts: Vec<usize>,
    /// For each block of each center the [`root`] of the cases of its smallest circle.
    roots: Vec<f32>,
    roots_ends: Vec<usize>,
    thresholds: Thresholds,
}

/// See [`Scan::null`].
pub(super) fn highest_ratios(scan: &Scan<'_>, replications: usize, seed: u64, threads: usize) -> Vec<f64> {
    let plan = Plan::new(scan);
    let drawn = scan.in_window.last().map_or(0, |cases| *cases as usize);
    let lanes = (DRAWS_MAX / drawn.max(1)).clamp(1, LANES);
    let steps = scan.circles.size().saturating_mul(scan.study.windows).saturating_mul(replications);
    let threads = if steps < STEPS_WORTH_THREADS { 1 } else { threads };
    let urn = || -> Vec<u32> {
        let places = (0_u32..).zip(&scan.study.places);
        places.flat_map(|(i, place)| std::iter::repeat_n(i, place.cases as usize)).collect()
    };
    let task = |urn: &mut Vec<u32>, block: usize| {
        let first = block * lanes;
        let draws = (first..replications.min(first + lanes)).map(|replicate| draw(scan, urn, &mut Dice::new(seed, replicate as u64)));
        plan.highest(&draws.collect::<Vec<_>>())
    };
    parallel::each(replications.div_ceil(lanes), threads, urn, task).concat()
}

/// The places of the cases of the last day, then of the day before, and so on, drawn from all cases. Leaves the urn as it was.
fn draw(scan: &Scan<'_>, urn: &mut [u32], dice: &mut Dice) -> Vec<u32> {
    let drawn = scan.in_window.last().map_or(0, |cases| *cases as usize);
    let mut swaps = Vec::with_capacity(drawn);
    for i in 0..drawn {
        let j = i + dice.below(scan.total - i as u32) as usize;
        urn.swap(i, j);
        swaps.push(j as u32);
    }
    let places = urn[..drawn].to_vec();
    for (i, j) in swaps.into_iter().enumerate().rev() {
        urn.swap(i, j as usize);
    }
    places
}

/// Blocks grow with the circle: a block of a quarter of the circle adds less than what a count must be above its expectation.
fn block_starts(largest: usize) -> Vec<usize> {
    let mut starts = vec![0];
    let mut next = 1;
    while next < largest {
        starts.push(next);
        next += (next / 4).clamp(1, BLOCK_MAX);
    }
    starts
}

impl<'a> Plan<'a> {
    fn new(scan: &'a Scan<'a>) -> Self {
        let places = &scan.study.places;
        let (mut members, mut ends) = (Vec::with_capacity(scan.circles.size()), Vec::with_capacity(places.len()));
        for center in 0..places.len() {
            members.extend(scan.circles.of(center).iter().filter(|place| places[**place as usize].cases > 0));
            ends.push(members.len());
        }
        let mut plan = Self {
            scan,
            members,
            ends,
            starts: Vec::new(),
            roots: Vec::new(),
            roots_ends: Vec::with_capacity(places.len()),
            thresholds: Thresholds::new(0.0, scan.total),
        };
        plan.starts = block_starts((0..places.len()).map(|center| plan.members_of(center).len()).max().unwrap_or(0));
        let mut most = 0;
        let mut roots = Vec::new();
        for center in 0..places.len() {
            let (mut cases, mut starts) = (0, plan.starts.iter().peekable());
            for (index, place) in plan.members_of(center).iter().enumerate() {
                cases += places[*place as usize].cases;
                if starts.next_if_eq(&&index).is_some() {
                    roots.push(root(cases));
                }
            }
            most = most.max(cases);
            plan.roots_ends.push(roots.len());
        }
        plan.roots = roots;
        let drawn = f64::from(scan.in_window.last().copied().unwrap_or(0));
        plan.thresholds = Thresholds::new(f64::from(most) * drawn / f64::from(scan.total.max(1)), scan.total);
        plan
    }

    fn members_of(&self, center: usize) -> &[u32] {
        &self.members[center.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[center]]
    }

    fn roots_of(&self, center: usize) -> &[f32] {
        &self.roots[center.checked_sub(1).map_or(0, |before| self.roots_ends[before])..self.roots_ends[center]]
    }

    /// The highest ratio of each of up to [`LANES`] replicates, given their draws.
    fn highest(&self, draws: &[Vec<u32>]) -> Vec<f64> {
        let mut best = Best { ratios: [0.0; LANES], levels: [0; LANES], least: 0, lanes: draws.len() };
        let mut table = Table::Narrow(vec![[0; LANES]; self.scan.study.places.len()]);
        let mut from = 0;
        for up_to in &self.scan.in_window {
            for (lane, places) in draws.iter().enumerate() {
                for place in &places[from..*up_to as usize] {
                    table.count(*place as usize, lane);
                }
            }
            if *up_to as usize > from {
                match table.fit(*up_to) {
                    Table::Narrow(counts) => self.scan_window(*up_to, counts, &mut best),
                    Table::Middle(counts) => self.scan_window(*up_to, counts, &mut best),
                    Table::Wide(counts) => self.scan_window(*up_to, counts, &mut best),
                }
            }
            from = *up_to as usize;
        }
        best.ratios[..draws.len()].to_vec()
    }

    /// All circles over one window that holds `in_window` cases.
    fn scan_window<T: Count>(&self, in_window: u32, counts: &[[T; LANES]], best: &mut Best) {
        let share = (f64::from(in_window) / f64::from(self.scan.total)).sqrt() as f32;
        for center in 0..self.ends.len() {
            let members = self.members_of(center);
            let mut sums = [T::Sum::default(); LANES];
            for (block, root) in self.roots_of(center).iter().enumerate() {
                let start = self.starts[block];
                let end = self.starts.get(block + 1).map_or(members.len(), |end| members.len().min(*end));
                T::add(counts, &members[start..end], &mut sums);
                let step = (root * share) as usize;
                if T::above(&sums, self.thresholds.of(best.least)[step]) {
                    self.look_closer(center, start..end, step, in_window, counts, &sums.map(Into::into), best);
                }
            }
        }
    }

    /// Goes through a block for each replicate that could have beaten its best in it.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "the state of the loop it is taken out of")]
    fn look_closer<T: Count>(
        &self,
        center: usize,
        block: std::ops::Range<usize>,
        step: usize,
        in_window: u32,
        counts: &[[T; LANES]],
        sums: &[i32; LANES],
        best: &mut Best,
    ) {
        let (members, total) = (self.members_of(center), f64::from(self.scan.total));
        let (mut before, mut known) = (0_u32, false);
        let least = self.thresholds.of(best.least)[step];
        for lane in 0..best.lanes {
            if sums[lane] <= least {
                continue;
            }
            let limit = self.thresholds.of(best.levels[lane])[step];
            if sums[lane] <= limit {
                continue;
            }
            if !known {
                before = members[..block.start].iter().map(|place| self.scan.study.places[*place as usize].cases).sum();
                known = true;
            }
            let added: i32 = members[block.clone()].iter().map(|place| counts[*place as usize][lane].into()).sum();
            let (mut count, mut cases) = (sums[lane] - added, before);
            for place in &members[block.clone()] {
                let here: i32 = counts[*place as usize][lane].into();
                count += here;
                cases += self.scan.study.places[*place as usize].cases;
                if here > 0 && count > limit {
                    let expected = f64::from(cases) * f64::from(in_window) / total;
                    best.raise(lane, log_likelihood_ratio(f64::from(count), expected, total));
                }
            }
        }
    }
}

/// The best ratios so far.
struct Best {
    ratios: [f64; LANES],
    levels: [usize; LANES],
    /// The lowest of the levels in use.
    least: usize,
    lanes: usize,
}

impl Best {
    fn raise(&mut self, lane: usize, ratio: f64) {
        if ratio > self.ratios[lane] {
            self.ratios[lane] = ratio;
            self.levels[lane] = level(ratio);
            self.least = self.levels[..self.lanes].iter().copied().min().unwrap_or(0);
        }
    }
}

/// Counts of each place in each replicate, as narrow as they fit.
enum Table {
    Narrow(Vec<[u8; LANES]>),
    Middle(Vec<[u16; LANES]>),
    Wide(Vec<[i32; LANES]>),
}

impl Table {
    fn count(&mut self, place: usize, lane: usize) {
        match self {
            Self::Narrow(counts) if counts[place][lane] < u8::MAX => counts[place][lane] += 1,
            Self::Middle(counts) if counts[place][lane] < u16::MAX => counts[place][lane] += 1,
            Self::Wide(counts) => counts[place][lane] += 1,
            full => {
                full.widen();
                full.count(place, lane);
            }
        }
    }

    /// Itself, wide enough for the sums of a circle of `cases`.
    fn fit(&mut self, cases: u32) -> &Self {
        while match self {
            Self::Narrow(counts) => cases > u16::MAX.into() || counts.iter().flatten().any(|count| *count > EIGHTH_MAX),
            Self::Middle(_) => cases > u16::MAX.into(),
            Self::Wide(_) => false,
        } {
            self.widen();
        }
        self
    }

    fn widen(&mut self) {
        *self = match self {
            Self::Narrow(counts) => Self::Middle(counts.iter().map(|row| row.map(u16::from)).collect()),
            Self::Middle(counts) => Self::Wide(counts.iter().map(|row| row.map(i32::from)).collect()),
            Self::Wide(counts) => Self::Wide(std::mem::take(counts)),
        };
    }
}

/// Eight of them fit 8 bits.
const EIGHTH_MAX: u8 = u8::MAX / 8;

/// A width of counts.
trait Count: Copy + Into<i32> {
    /// What holds the cases of a circle.
    type Sum: Copy + Default + Into<i32>;

    /// Adds the counts of places.
    fn add(counts: &[[Self; LANES]], members: &[u32], sums: &mut [Self::Sum; LANES]);

    /// True if one of the sums is above a limit.
    fn above(sums: &[Self::Sum; LANES], limit: i32) -> bool;
}

impl Count for u8 {
    type Sum = u16;

    fn add(counts: &[[Self; LANES]], members: &[u32], sums: &mut [u16; LANES]) {
        let (eights, rest) = members.as_chunks::<8>();
        for places in eights {
            // All eight in one expression, and 16 lanes at a time: sums stay in registers, whatever the processor. Loops, because closures
            // over arrays are a call each wherever the compiler happens not to open them up.
            let at = |place: usize| &counts[places[place] as usize];
            let (a, b, c, d, e, f, g, h) = (at(0), at(1), at(2), at(3), at(4), at(5), at(6), at(7));
            let mut few = [0_u8; LANES];
            for (i, few) in few.iter_mut().enumerate() {
                *few = a[i] + b[i] + c[i] + d[i] + e[i] + f[i] + g[i] + h[i];
            }
            for (sum, few) in sums.iter_mut().zip(&few) {
                *sum += u16::from(*few);
            }
        }
        for place in rest {
            for (sum, count) in sums.iter_mut().zip(&counts[*place as usize]) {
                *sum += u16::from(*count);
            }
        }
    }

    fn above(sums: &[u16; LANES], limit: i32) -> bool {
        u16::above(sums, limit)
    }
}

impl Count for u16 {
    type Sum = Self;

    fn add(counts: &[[Self; LANES]], members: &[u32], sums: &mut [Self; LANES]) {
        let (fours, rest) = members.as_chunks::<4>();
        for places in fours {
            let at = |place: usize| &counts[places[place] as usize];
            let (a, b, c, d) = (at(0), at(1), at(2), at(3));
            for (i, sum) in sums.iter_mut().enumerate() {
                *sum += a[i] + b[i] + c[i] + d[i];
            }
        }
        for place in rest {
            for (sum, count) in sums.iter_mut().zip(&counts[*place as usize]) {
                *sum += count;
            }
        }
    }

    fn above(sums: &[Self; LANES], limit: i32) -> bool {
        let limit = Self::try_from(limit).unwrap_or(Self::MAX);
        sums.iter().fold(0, |over, sum| over | sum.saturating_sub(limit)) > 0
    }
}

impl Count for i32 {
    type Sum = Self;

    fn add(counts: &[[Self; LANES]], members: &[u32], sums: &mut [Self; LANES]) {
        for place in members {
            for (sum, count) in sums.iter_mut().zip(&counts[*place as usize]) {
                *sum += count;
            }
        }
    }

    fn above(sums: &[Self; LANES], limit: i32) -> bool {
        sums.iter().fold(0, |over, sum| over | (limit - sum)) < 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::circles::{Circles, Limits, Metric, Place};
    use super::super::clusters::Study;
    use super::*;

    /// Places on a line, a third of them without cases, with up to `most` cases each; every day a twentieth of them.
    fn study(places: usize, most: u32, windows: usize, seed: u64) -> Study {
        let mut dice = Dice::new(seed, 0);
        let mut study = Study { places: Vec::new(), windows, recent: Vec::new() };
        for x in 0..places {
            let cases = if dice.below(3) == 0 { 0 } else { dice.below(most + 1) };
            study.places.push(Place { x: x as f64, y: f64::from(dice.below(9)), cases });
            study.recent.extend((0..windows).map(|_| cases / 20));
        }
        study
    }

    /// Each replicate as a study of its own, gone through circle by circle.
    fn one_by_one(scan: &Scan<'_>, replications: usize, seed: u64) -> Vec<f64> {
        let windows = scan.study.windows;
        let places = (0_u32..).zip(&scan.study.places);
        let mut urn: Vec<u32> = places.flat_map(|(i, place)| std::iter::repeat_n(i, place.cases as usize)).collect();
        let highest = |replicate| {
            let mut study = Study { recent: vec![0; scan.study.recent.len()], ..scan.study.clone() };
            let drawn = draw(scan, &mut urn, &mut Dice::new(seed, replicate));
            let mut from = 0;
            for (lag, up_to) in scan.in_window.iter().enumerate() {
                drawn[from..*up_to as usize].iter().for_each(|place| study.recent[*place as usize * windows + lag] += 1);
                from = *up_to as usize;
            }
            Scan::new(&study, scan.circles).best_of_each_place().first().map_or(0.0, |cluster| cluster.llr)
        };
        (0..replications as u64).map(highest).collect()
    }

    fn check(study: &Study, replications: usize, seed: u64) {
        let total: u32 = study.places.iter().map(|place| place.cases).sum();
        let limits = Limits { cases: f64::from(total) / 2.0, radius: f64::INFINITY };
        let circles = Circles::around(&study.places, Metric::Plane, limits).unwrap();
        let scan = Scan::new(study, &circles);
        let expected = one_by_one(&scan, replications, seed);
        for threads in [1, 2, 5] {
            assert_eq!(highest_ratios(&scan, replications, seed, threads), expected, "bit for bit, on {threads} threads");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100))]
        #[test]
        fn replicates_side_by_side_are_those_one_by_one(
            places in 1_usize..120,
            most in prop::sample::select(vec![1, 20, 200, 2000]),
            windows in 1_usize..6,
            replications in prop::sample::select(vec![1_usize, 63, 64, 65]),
            seed: u64,
        ) {
            check(&study(places, most, windows, seed), replications, seed);
        }
    }

    #[test]
    fn counts_of_every_width_are_exact() {
        for most in [100, 4_000, 60_000] {
            check(&study(40, most, 3, 5), 3, 9);
        }
    }

    #[test]
    fn more_threads_than_work_and_much_work_give_one_answer() {
        check(&study(300, 40, 7, 1), 200, 2);
    }
}
