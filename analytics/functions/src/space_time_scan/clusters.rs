//! The scan statistic over circles and windows, and its permutation null: pure numbers.

use crate::parallel;

use super::circles::{Circles, Place};
use super::null;

/// The most cases of one call: tables of their logarithms and of their places are kept (12 bytes each).
pub const CASES_MAX: u32 = 1 << 22;

/// The most steps of the permutation test: replications × places of all circles × windows, about two minutes of one core.
pub const STEPS_MAX: usize = 1 << 41;

/// Steps (places of all circles × windows, × replications) below which a second thread costs more than it saves.
pub(super) const STEPS_WORTH_THREADS: usize = 1 << 22;

/// Centers of a task.
const CENTERS: usize = 32;

/// Fewest cases of a cluster: one case is none.
const CASES_MIN: u32 = 2;

/// The cases of a study: by place and day, the last days apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// Places, with the cases of all days.
    pub places: Vec<Place>,
    /// Windows: the last day, the last two days, …
    pub windows: usize,
    /// Cases of place p, `lag` days before the last: `recent[p * windows + lag]`.
    pub recent: Vec<u32>,
}

impl Study {
    /// Places, their cases not counted, and how many windows.
    pub fn of(places: Vec<Place>, windows: usize) -> Self {
        let recent = vec![0; places.len() * windows];
        let places = places.into_iter().map(|place| Place { cases: 0, ..place }).collect();
        Self { places, windows, recent }
    }

    /// Adds cases of a place, `lag` days before the last day.
    pub fn add(&mut self, place: usize, lag: usize, cases: u32) {
        self.places[place].cases += cases;
        if lag < self.windows {
            self.recent[place * self.windows + lag] += cases;
        }
    }

    /// All cases.
    pub fn total(&self) -> u32 {
        self.places.iter().map(|place| place.cases).sum()
    }
}

/// A circle over the last days with more cases than its share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cluster {
    /// The place in its middle.
    pub center: usize,
    /// It holds the first `size` places of the center's circles.
    pub size: usize,
    /// Days it covers, the last day of the study included.
    pub days: usize,
    /// How far its farthest place is from its center.
    pub radius: f64,
    /// Cases in it.
    pub observed: u32,
    /// Cases of its places × cases of its days / all cases.
    pub expected: f64,
    /// The log likelihood ratio.
    pub llr: f64,
}

/// A scan made ready for many replicates.
#[derive(Debug)]
pub struct Scan<'a> {
    pub(super) study: &'a Study,
    pub(super) circles: &'a Circles,
    pub(super) total: u32,
    /// Cases of all places in each window.
    pub(super) in_window: Vec<u32>,
    /// Logarithms of whole numbers up to the total.
    logarithms: Vec<f64>,
}

/// The log likelihood ratio of c cases where μ are expected, of C in all; 0 unless c > μ.
pub fn log_likelihood_ratio(observed: f64, expected: f64, total: f64) -> f64 {
    if observed <= expected {
        return 0.0;
    }
    let outside = total - observed;
    let rest = if outside > 0.0 { outside * (outside / (total - expected)).ln() } else { 0.0 };
    observed * (observed / expected).ln() + rest
}

impl<'a> Scan<'a> {
    /// The caller has bounded the cases by [`CASES_MAX`].
    pub fn new(study: &'a Study, circles: &'a Circles) -> Self {
        let total = study.places.iter().map(|place| place.cases).sum();
        assert!(total <= CASES_MAX, "the caller bounds the cases");
        let by_lag = |lag: usize| study.recent.iter().skip(lag).step_by(study.windows.max(1)).sum::<u32>();
        let in_window = running((0..study.windows).map(by_lag));
        Self { study, circles, total, in_window, logarithms: (0..=total).map(|n| f64::from(n).ln()).collect() }
    }

    /// The best cluster around each place that has one, best first; of equals the smaller circle, then the earlier place.
    pub fn best_of_each_place(&self) -> Vec<Cluster> {
        let windowed = self.windowed(self.study.recent.clone());
        let places = self.study.places.len();
        let steps = self.circles.size().saturating_mul(self.study.windows);
        let threads = if steps < STEPS_WORTH_THREADS { 1 } else { parallel::cores() };
        let task = |counts: &mut Vec<u32>, task: usize| {
            let centers = task * CENTERS..places.min((task + 1) * CENTERS);
            centers.filter_map(|center| self.best_around(center, &windowed, counts)).collect::<Vec<_>>()
        };
        let mut best = parallel::each(places.div_ceil(CENTERS), threads, || vec![0; self.study.windows], task).concat();
        best.sort_by(|a, b| b.llr.total_cmp(&a.llr).then(a.radius.total_cmp(&b.radius)).then(a.center.cmp(&b.center)));
        best
    }

    fn best_around(&self, center: usize, windowed: &[u32], counts: &mut [u32]) -> Option<Cluster> {
        let mut best = None;
        self.walk(center, windowed, counts, |cluster| best = Some(cluster));
        best.map(|cluster| Cluster { radius: self.circles.radius(&self.study.places, center, cluster.size), ..cluster })
    }

    /// The clusters that share no place with a better one, best first.
    pub fn clusters(&self) -> Vec<Cluster> {
        let mut taken = vec![false; self.study.places.len()];
        let mut clusters = self.best_of_each_place();
        clusters.retain(|cluster| {
            let places = self.places_of(cluster);
            let free = places.iter().all(|place| !taken[*place as usize]);
            if free {
                places.iter().for_each(|place| taken[*place as usize] = true);
            }
            free
        });
        clusters
    }

    /// The places of a cluster, nearest to its center first.
    pub fn places_of(&self, cluster: &Cluster) -> &'a [u32] {
        &self.circles.of(cluster.center)[..cluster.size]
    }

    /// The highest ratio of each replicate: the days dealt over the cases at random, their places fixed.
    pub fn null(&self, replications: usize, seed: u64) -> Vec<f64> {
        self.null_on(parallel::cores(), replications, seed)
    }

    /// [`Scan::null`] on a number of threads, which does not change a bit of it.
    pub fn null_on(&self, threads: usize, replications: usize, seed: u64) -> Vec<f64> {
        null::highest_ratios(self, replications, seed, threads)
    }

    /// Cases by place and lag as cases by place and window.
    fn windowed(&self, mut recent: Vec<u32>) -> Vec<u32> {
        for place in recent.chunks_mut(self.study.windows.max(1)) {
            for window in 1..place.len() {
                place[window] += place[window - 1];
            }
        }
        recent
    }

    /// Gives each cluster around a place that is higher than all before (its radius not yet measured).
    ///
    /// A place without cases in a window cannot make a circle better over it: as many observed, more expected.
    fn walk(&self, center: usize, windowed: &[u32], counts: &mut [u32], mut found: impl FnMut(Cluster)) {
        let windows = self.study.windows;
        let total = f64::from(self.total);
        let (mut cases, mut highest) = (0, 0.0);
        counts.fill(0);
        for (before, place) in self.circles.of(center).iter().enumerate() {
            let place = *place as usize;
            cases += self.study.places[place].cases;
            let here = &windowed[place * windows..(place + 1) * windows];
            if here.last().is_none_or(|recent| *recent == 0) {
                continue;
            }
            for (window, (count, more)) in counts.iter_mut().zip(here).enumerate() {
                *count += more;
                if *more == 0 || *count < CASES_MIN {
                    continue;
                }
                let expected = f64::from(cases) * f64::from(self.in_window[window]) / total;
                if self.at_most(*count, cases, self.in_window[window], expected) < highest {
                    continue;
                }
                let llr = log_likelihood_ratio(f64::from(*count), expected, total);
                if llr > highest {
                    highest = llr;
                    found(Cluster { center, size: before + 1, days: window + 1, radius: 0.0, observed: *count, expected, llr });
                }
            }
        }
    }

    /// A number the ratio does not exceed, for a tenth of its price: the logarithms are looked up, and that of the outside,
    /// ln x, is at most x − 1. The millionth covers all rounding: terms are below 2^22 · 16 and lose 2^-50 of that.
    fn at_most(&self, observed: u32, cases: u32, in_window: u32, expected: f64) -> f64 {
        let (c, total) = (f64::from(observed), f64::from(self.total));
        if c <= expected {
            return 0.0;
        }
        let logarithm = |n: u32| self.logarithms[n as usize];
        let inside = c * (logarithm(observed) + logarithm(self.total) - logarithm(cases) - logarithm(in_window));
        inside - (c - expected) * (total - c) / (total - expected).max(f64::MIN_POSITIVE) + 1e-6
    }
}

fn running(counts: impl Iterator<Item = u32>) -> Vec<u32> {
    let add = |sum: &mut u32, count: u32| {
        *sum += count;
        Some(*sum)
    };
    counts.scan(0, add).collect()
}

/// (replicates at least as high + 1) / (replicates + 1).
pub fn monte_carlo_p(llr: f64, null: &[f64]) -> f64 {
    (null.iter().filter(|simulated| **simulated >= llr).count() + 1) as f64 / (null.len() + 1) as f64
}

/// The smallest p the approximation gives: so far out the Gumbel tail is a guess.
const P_MIN: f64 = 1e-17;

/// The p of a Gumbel distribution with the mean and deviation of the replicates; none if they do not vary.
pub fn gumbel_p(llr: f64, null: &[f64]) -> Option<f64> {
    let n = null.len() as f64;
    let mean = null.iter().sum::<f64>() / n;
    let deviation = (null.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let scale = deviation * 6.0_f64.sqrt() / std::f64::consts::PI;
    let location = mean - EULER * scale;
    let p = -(-(-(llr - location) / scale).exp()).exp_m1();
    (scale > 0.0 && p.is_finite()).then(|| p.max(P_MIN))
}

/// Euler's constant: the mean of the standard Gumbel distribution.
const EULER: f64 = 0.577_215_664_901_532_9;

#[cfg(test)]
mod tests {
    use super::super::circles::{Limits, Metric};
    use super::*;
    use proptest::prelude::*;

    /// Cases as (place, day) of places, the last `windows` days apart; the last day is the newest of a case.
    fn study(places: &[(f64, f64)], cases: &[(usize, usize)], windows: usize) -> Study {
        let last = cases.iter().map(|case| case.1).max().unwrap_or(0);
        let mut places: Vec<Place> = places.iter().map(|(x, y)| Place { x: *x, y: *y, cases: 0 }).collect();
        let mut recent = vec![0; places.len() * windows];
        for (place, day) in cases {
            places[*place].cases += 1;
            if last - day < windows {
                recent[place * windows + last - day] += 1;
            }
        }
        Study { places, windows, recent }
    }

    fn half(study: &Study, radius: f64) -> Circles {
        let total: u32 = study.places.iter().map(|place| place.cases).sum();
        Circles::around(&study.places, Metric::Plane, Limits { cases: f64::from(total) / 2.0, radius }).unwrap()
    }

    const TOY_PLACES: [(f64, f64); 4] = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (10.0, 0.0)];
    const TOY_CASES: [(usize, usize); 8] = [(0, 1), (2, 2), (3, 2), (3, 3), (3, 4), (0, 5), (0, 6), (1, 6)];

    /// Worked example: places A 0, B 1, C 2, D 10 on a line, eight cases in six days; {A, B} had 3 of 4 in the last two days,
    /// where 4 · 3 / 8 = 1.5 are expected.
    #[test]
    fn four_places_on_a_line() {
        let study = study(&TOY_PLACES, &TOY_CASES, 3);
        let circles = half(&study, 1.5);
        let scan = Scan::new(&study, &circles);
        let best = scan.clusters()[0];
        assert_eq!((scan.places_of(&best), best.days, best.observed, best.expected), (&[0, 1][..], 2, 3, 1.5));
        assert!((best.llr - 0.7676202193).abs() < 5e-11);
        let others = [(3.0, 1.0, 0.7676202193), (2.0, 1.0, 0.4613902822), (2.0, 1.125, 0.3339352439), (3.0, 2.0, 0.3047875404)];
        for (observed, expected, llr) in &others[1..] {
            let got = log_likelihood_ratio(*observed, *expected, 8.0);
            assert!((got - llr).abs() < 5e-11, "{observed} of {expected}: {got}");
        }
    }

    /// 4248 of the 10 080 orders of the days reach the observed ratio.
    #[test]
    fn replicates_approach_the_exact_p() {
        let study = study(&TOY_PLACES, &TOY_CASES, 3);
        let circles = half(&study, 1.5);
        let scan = Scan::new(&study, &circles);
        let p = monte_carlo_p(scan.clusters()[0].llr, &scan.null(40_000, 1));
        assert!((p - 4248.0 / 10_080.0).abs() < 0.01, "four standard errors are 0.0099; p is {p}");
    }

    #[test]
    fn the_gumbel_tail_of_the_definition() {
        // Mean 3.2845 and deviation 0.8658, the values of the sample of New York.
        let offset = 0.8658 * (2.0_f64).sqrt() / 2.0;
        let null: Vec<f64> = [3.2845 - offset, 3.2845 + offset].to_vec();
        let p = gumbel_p(3.845418, &null).unwrap();
        assert!((p - 0.216983).abs() < 5e-5, "{p}");
        assert_eq!(gumbel_p(1e9, &null), Some(1e-17));
        assert_eq!(gumbel_p(1.0, &[2.0, 2.0]), None);
        assert_eq!(gumbel_p(1.0, &[2.0]), None);
    }

    #[test]
    fn nothing_recent_is_no_cluster() {
        for cases in [&[][..], &[(0, 1)], &[(0, 1), (1, 1), (2, 1)]] {
            let study = study(&TOY_PLACES, cases, 2);
            let circles = half(&study, f64::INFINITY);
            let scan = Scan::new(&study, &circles);
            assert_eq!(scan.clusters(), []);
            assert_eq!(scan.null(3, 1), [0.0; 3]);
        }
    }

    /// All circles and windows counted case by case.
    fn naive_highest(study: &Study, circles: &Circles, cases: &[(usize, usize)]) -> f64 {
        let last = cases.iter().map(|case| case.1).max().unwrap_or(0);
        let total = cases.len() as f64;
        let mut highest = 0.0_f64;
        for center in 0..study.places.len() {
            let members = circles.of(center);
            for size in 1..=members.len() {
                for days in 1..=study.windows {
                    let inside = |case: &&(usize, usize)| members[..size].contains(&(case.0 as u32));
                    let late = |case: &&(usize, usize)| last - case.1 < days;
                    let observed = cases.iter().filter(inside).filter(late).count() as f64;
                    let expected = (cases.iter().filter(inside).count() * cases.iter().filter(late).count()) as f64 / total;
                    if observed >= 2.0 {
                        highest = highest.max(log_likelihood_ratio(observed, expected, total));
                    }
                }
            }
        }
        highest
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]
        #[test]
        fn every_circle_counted_case_by_case_agrees(
            places in prop::collection::vec((0_u8..6, 0_u8..6), 2..9),
            cases in prop::collection::vec((0_usize..9, 0_usize..8), 1..60),
            windows in 1_usize..5,
            radius in prop::sample::select(vec![0.0, 1.0, 2.5, f64::INFINITY]),
        ) {
            let places: Vec<(f64, f64)> = places.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
            let cases: Vec<(usize, usize)> = cases.into_iter().map(|(place, day)| (place % places.len(), day)).collect();
            let study = study(&places, &cases, windows);
            let circles = half(&study, radius);
            let scan = Scan::new(&study, &circles);
            let highest = scan.clusters().first().map_or(0.0, |cluster| cluster.llr);
            prop_assert!((highest - naive_highest(&study, &circles, &cases)).abs() < 1e-12);
            // No place stands in two clusters, and the urn is left as it was: a replicate does not depend on those before.
            let places: Vec<u32> = scan.clusters().iter().flat_map(|cluster| scan.places_of(cluster).to_vec()).collect();
            let different: std::collections::HashSet<u32> = places.iter().copied().collect();
            prop_assert_eq!(different.len(), places.len());
            let null = scan.null(5, 3);
            prop_assert_eq!(&scan.null(2, 3), &null[..2]);
        }

        #[test]
        fn the_cheap_bound_is_never_below_the_ratio(total in 2_u32..5000, cases in 1_u32..5000, window in 1_u32..5000, observed in 1_u32..5000) {
            let (cases, window) = (cases.min(total), window.min(total));
            let observed = observed.min(cases).min(window);
            let places = vec![Place { x: 0.0, y: 0.0, cases: total }];
            let study = Study { places, windows: 1, recent: vec![window] };
            let circles = half(&study, 0.0);
            let scan = Scan::new(&study, &circles);
            let expected = f64::from(cases) * f64::from(window) / f64::from(total);
            let llr = log_likelihood_ratio(f64::from(observed), expected, f64::from(total));
            prop_assert!(scan.at_most(observed, cases, window, expected) >= llr);
        }
    }
}
