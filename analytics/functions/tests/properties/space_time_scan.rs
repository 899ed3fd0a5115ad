//! `space_time_scan`: every circle and window counted case by case, and for a handful of cases all ways to deal their days.

use std::collections::HashSet;

use arrow::array::{ArrayRef, ListArray};
use functions::space_time_scan::log_likelihood_ratio;
use proptest::prelude::*;

use crate::call::{aggregate, floats, integers, known, part, strings, texts, thousand, wholes};
use crate::invariance::{aggregate_holds, is_p, near, threads_hold};

/// Cases as (place, day), of places on a line or a lattice.
#[derive(Debug, Clone)]
struct City {
    places: Vec<(f64, f64)>,
    cases: Vec<(usize, i64)>,
    windows: i64,
}

fn city(places: std::ops::Range<usize>, cases: std::ops::Range<usize>) -> impl Strategy<Value = City> {
    let lattice = prop::collection::hash_set((0_u8..6, 0_u8..6), places);
    (lattice, prop::collection::vec((any::<prop::sample::Index>(), 0_i64..7), cases), 1_i64..5).prop_map(|(places, cases, windows)| {
        let mut places: Vec<(f64, f64)> = places.into_iter().map(|(x, y)| (f64::from(x), f64::from(y))).collect();
        places.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let cases = cases.into_iter().map(|(place, day)| (place.index(places.len()), day)).collect();
        City { places, cases, windows }
    })
}

impl City {
    /// A row for each case, and one without cases for each place, on the newest day.
    fn columns(&self, replications: i64, seed: i64) -> Vec<ArrayRef> {
        let newest = self.last();
        let silent = (0..self.places.len()).map(|place| (place, newest, 0.0));
        let rows: Vec<(usize, i64, f64)> = self.cases.iter().map(|(place, day)| (*place, *day, 1.0)).chain(silent).collect();
        let n = rows.len();
        vec![
            texts(rows.iter().map(|row| Some(format!("p{:02}", row.0)))),
            known(rows.iter().map(|row| self.places[row.0].0)),
            known(rows.iter().map(|row| self.places[row.0].1)),
            known(rows.iter().map(|row| row.1 as f64)),
            known(rows.iter().map(|row| row.2)),
            integers(std::iter::repeat_n(self.windows, n)),
            known(std::iter::repeat_n(0.5, n)),
            integers(std::iter::repeat_n(replications, n)),
            integers(std::iter::repeat_n(seed, n)),
            texts(std::iter::repeat_n(Some("plane"), n)),
        ]
    }

    fn last(&self) -> i64 {
        self.cases.iter().map(|case| case.1).max().unwrap_or(0)
    }

    /// Every circle around every place: of equally far places the western, then the southern enters first.
    fn circles(&self) -> Vec<Vec<usize>> {
        let mut circles = Vec::new();
        for center in &self.places {
            let apart = |place: &usize| (self.places[*place].0 - center.0).powi(2) + (self.places[*place].1 - center.1).powi(2);
            let mut nearest: Vec<usize> = (0..self.places.len()).collect();
            nearest.sort_by(|a, b| apart(a).total_cmp(&apart(b)).then(a.cmp(b)));
            for size in 1..=nearest.len() {
                let inside = nearest[..size].to_vec();
                if 2 * self.cases.iter().filter(|case| inside.contains(&case.0)).count() > self.cases.len() {
                    break;
                }
                circles.push(inside);
            }
        }
        circles
    }

    /// The highest ratio of all circles and windows, with these days of the cases.
    fn highest(&self, circles: &[Vec<usize>], days: &[i64]) -> f64 {
        let (last, total) = (self.last(), self.cases.len() as f64);
        let mut highest = 0.0_f64;
        for inside in circles {
            let within: Vec<bool> = self.cases.iter().map(|case| inside.contains(&case.0)).collect();
            for window in 1..=self.windows {
                let late = |day: &i64| last - day < window;
                let observed = within.iter().zip(days).filter(|(within, day)| **within && late(day)).count() as f64;
                let expected =
                    within.iter().filter(|within| **within).count() as f64 * days.iter().filter(|day| late(day)).count() as f64 / total;
                if observed >= 2.0 {
                    highest = highest.max(log_likelihood_ratio(observed, expected, total));
                }
            }
        }
        highest
    }
}

/// All different orders of days.
fn orders(days: &mut [i64], start: usize, visit: &mut impl FnMut(&[i64])) {
    if start == days.len() {
        return visit(days);
    }
    let mut tried = HashSet::new();
    for i in start..days.len() {
        if tried.insert(days[i]) {
            days.swap(start, i);
            orders(days, start + 1, visit);
            days.swap(start, i);
        }
    }
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn every_cylinder_counted_case_by_case_agrees(city in city(1..9, 0..50), seed in any::<i64>()) {
        let answer = aggregate("space_time_scan", &city.columns(19, seed)).unwrap();
        let (llr, p) = (floats(&part(&answer, "llr")), floats(&part(&answer, "p_value")));
        is_p(&part(&answer, "p_value"))?;
        is_p(&part(&answer, "p_gumbel"))?;
        let circles = city.circles();
        let days: Vec<i64> = city.cases.iter().map(|case| case.1).collect();
        let highest = city.highest(&circles, &days);
        prop_assert_eq!(llr.is_empty(), highest == 0.0);
        prop_assert!(llr.is_empty() || near(llr[0].unwrap(), highest, 1e-12), "{:?}, expected {}", llr, highest);
        prop_assert!(llr.windows(2).all(|pair| pair[1] <= pair[0]) && p.windows(2).all(|pair| pair[1] >= pair[0]));
        let intervals = floats(&part(&answer, "recurrence_interval_days"));
        prop_assert_eq!(intervals, p.iter().map(|p| p.map(|p| 1.0 / p)).collect::<Vec<_>>());
        // Each cluster is what it says of its places and days, and no place stands in two.
        let (starts, observed, expected) = (floats(&part(&answer, "start_day")), wholes(&part(&answer, "observed")), floats(&part(&answer, "expected")));
        let lists = part(&answer, "grids");
        let lists: &ListArray = lists.as_any().downcast_ref().unwrap();
        let mut taken = HashSet::new();
        for cluster in 0..llr.len() {
            let names: Vec<String> = strings(&lists.value(cluster)).into_iter().flatten().collect();
            let inside: Vec<usize> = names.iter().map(|name| name[1..].parse().unwrap()).collect();
            prop_assert!(circles.contains(&inside) && inside.iter().all(|place| taken.insert(*place)));
            let within = city.cases.iter().filter(|case| inside.contains(&case.0));
            let late = |case: &&(usize, i64)| case.1 as f64 >= starts[cluster].unwrap();
            prop_assert_eq!(observed[cluster], Some(within.clone().filter(late).count() as i64));
            let mean = (within.count() * city.cases.iter().filter(late).count()) as f64 / city.cases.len() as f64;
            prop_assert!(near(expected[cluster].unwrap(), mean, 1e-12));
            let ratio = log_likelihood_ratio(observed[cluster].unwrap() as f64, mean, city.cases.len() as f64);
            prop_assert!(near(llr[cluster].unwrap(), ratio, 1e-12));
        }
    }

    #[test]
    fn p_is_near_that_of_all_ways_to_deal_the_days(city in city(2..5, 2..7), seed in any::<i64>()) {
        let replications = 300;
        let answer = aggregate("space_time_scan", &city.columns(replications, seed)).unwrap();
        let circles = city.circles();
        let mut days: Vec<i64> = city.cases.iter().map(|case| case.1).collect();
        let observed = city.highest(&circles, &days);
        if observed == 0.0 {
            prop_assert!(floats(&part(&answer, "p_value")).is_empty());
            return Ok(());
        }
        let (mut all, mut at_least) = (0.0, 0.0);
        orders(&mut days, 0, &mut |order| {
            all += 1.0;
            at_least += f64::from(u8::from(city.highest(&circles, order) >= observed - 1e-12));
        });
        let exact: f64 = at_least / all;
        let error = 8.0 * (exact * (1.0 - exact) / replications as f64).sqrt() + 12.0 / replications as f64;
        let p = floats(&part(&answer, "p_value"))[0].unwrap();
        prop_assert!((p - exact).abs() < error, "{}, exactly {}", p, exact);
    }

    #[test]
    fn batches_partitions_and_threads_keep_the_p_of_a_seed(city in city(1..9, 0..40), seed in any::<i64>(), turn in any::<u64>()) {
        let columns = city.columns(9, seed);
        aggregate_holds("space_time_scan", &columns, false, turn)?;
        threads_hold(|| aggregate("space_time_scan", &columns).unwrap())?;
    }

    #[test]
    fn another_unit_of_the_plane_and_another_first_day_change_nothing(city in city(1..9, 0..40), power in -20_i32..20, later in 0_i32..20_000) {
        let columns = city.columns(9, 1);
        let plain = aggregate("space_time_scan", &columns).unwrap();
        let mut moved = columns.clone();
        for (column, change) in [(1, 2.0_f64.powi(power)), (2, 2.0_f64.powi(power))] {
            moved[column] = known(floats(&columns[column]).into_iter().flatten().map(|x| x * change));
        }
        moved[3] = known(floats(&columns[3]).into_iter().flatten().map(|day| day + f64::from(later)));
        let moved = aggregate("space_time_scan", &moved).unwrap();
        for name in ["rank", "center", "grids", "observed", "expected", "llr", "p_value", "p_gumbel"] {
            prop_assert_eq!(&part(&plain, name), &part(&moved, name));
        }
    }
}
