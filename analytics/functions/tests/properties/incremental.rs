//! What is kept from change to change has, bit for bit, the answer of all rows, and costs what the changed rows and their
//! neighbours cost.

use functions::ears::{GUARD, Ring, Setting, cumulative, shewhart};
use functions::gi_star::{Cube, MovingMap, z_scores};
use functions::space_time_scan::{Circles, Limits, Metric, Place, Scan, Study, Watch};
use functions::{Adjacency, Deviations, Observations, Reason};
use proptest::prelude::*;

use crate::call::thousand;
use crate::ears::series;

/// Counts mostly; also fractions, extremes and what is no value.
fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        2 => Just(None),
        20 => (0_u32..9).prop_map(|v| Some(f64::from(v))),
        3 => (-10.0..1e6_f64).prop_map(Some),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::MAX, 5e-324, 1e15, 1e16]).prop_map(Some),
    ]
}

fn lists(places: usize) -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0_u32..places as u32 + 2, 0..5), places)
}

/// The scores of all places from nothing, as the SQL function has them.
fn full(values: &[Option<f64>], lists: &[Vec<u32>]) -> Vec<Result<u64, Reason>> {
    let grids: Vec<Option<u32>> = (0_u32..).take(values.len()).map(Some).collect();
    let observed = Observations::new(&grids, values, lists.iter().map(|list| list.iter().copied()));
    let deviations = Deviations::of(&observed.values);
    let z = z_scores(&deviations, &observed.neighbours);
    let undefined = if deviations.are_zero() { Reason::ZeroVariance } else { Reason::AllGrids };
    let score = |row: &Result<u32, Reason>| row.and_then(|place| Some(z[place as usize]).filter(|z| !z.is_nan()).ok_or(undefined));
    observed.rows.iter().map(|row| score(row).map(f64::to_bits)).collect()
}

/// As long as all values were counts, nothing is ever rounded anew.
fn is_count(value: Option<f64>) -> bool {
    value.is_none_or(|v| !v.is_finite() || v.fract() == 0.0 && v.abs() < 1e15)
}

/// For each grid how many have it beside them.
fn readers(lists: &[Vec<u32>], place: usize) -> usize {
    lists.iter().enumerate().filter(|(other, list)| *other != place && list.contains(&(place as u32))).count()
}

/// Steps of a space-time cube written out as one map, the oldest first.
fn unrolled(steps: &[Vec<Option<f64>>], lists: &[Vec<u32>], back: usize) -> (Vec<Option<f64>>, Vec<Vec<u32>>) {
    let n = lists.len();
    let mut beside = Vec::new();
    for step in 0..steps.len() {
        for (grid, list) in lists.iter().enumerate() {
            let near: Vec<u32> = list.iter().copied().filter(|other| (*other as usize) < n).chain([grid as u32]).collect();
            let earlier = (0..=back.min(step)).flat_map(|ago| near.iter().map(move |other| ((step - ago) * n) as u32 + other));
            beside.push(earlier.collect());
        }
    }
    (steps.concat(), beside)
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn a_map_after_every_change_is_the_map_from_nothing(
        lists in lists(8),
        changes in prop::collection::vec((0_usize..8, value()), 1..40),
    ) {
        let mut map = MovingMap::beside(&Adjacency::from_lists(lists.iter().map(|list| list.iter().copied())));
        let mut values = vec![None; 8];
        let mut counts = true;
        for (place, value) in changes {
            let written = map.change(place, value);
            values[place] = value;
            let got: Vec<_> = (0..8).map(|place| map.score(place).map(f64::to_bits)).collect();
            prop_assert_eq!(got, full(&values, &lists), "{:?}", values);
            counts &= is_count(value);
            prop_assert!(!counts || written <= 1 + readers(&lists, place), "{} sums for one grid", written);
        }
    }

    #[test]
    fn a_cube_after_every_step_and_late_count_is_the_cube_from_nothing(
        lists in lists(4),
        (window, back) in (1_usize..5, 0_usize..3),
        steps in prop::collection::vec((prop::collection::vec(value(), 4), prop::collection::vec((0_usize..4, 0_usize..5, value()), 0..3)), 1..9),
    ) {
        let mut cube = Cube::new(&Adjacency::from_lists(lists.iter().map(|list| list.iter().copied())), window, back);
        let mut kept: Vec<Vec<Option<f64>>> = Vec::new();
        let mut counts = true;
        for (values, late) in steps {
            cube.advance(&values);
            counts &= values.iter().all(|value| is_count(*value));
            kept.push(values);
            kept = kept.split_off(kept.len().saturating_sub(window));
            for (grid, age, value) in late {
                if age >= kept.len() {
                    continue;
                }
                let written = cube.change(grid, age, value);
                let newest = kept.len() - 1;
                kept[newest - age][grid] = value;
                counts &= is_count(value);
                prop_assert!(!counts || written <= (1 + readers(&lists, grid)) * (back + 1), "{} sums for one grid", written);
            }
            let (values, beside) = unrolled(&kept, &lists, back);
            let expected = full(&values, &beside);
            for (step, age) in (0..kept.len()).rev().enumerate() {
                for grid in 0..4 {
                    prop_assert_eq!(cube.score(grid, age).map(f64::to_bits), expected[step * 4 + grid], "grid {} at age {}", grid, age);
                }
            }
        }
    }

    #[test]
    fn a_ring_has_the_verdicts_of_the_whole_series(y in series(), floor in prop::sample::select(vec![0.0, 0.5])) {
        let setting = Setting { min_sigma: floor, threshold: 3.09 };
        let charts = [shewhart(&y, 0, setting), shewhart(&y, GUARD, setting), cumulative(&y, setting)];
        let mut ring = Ring::new();
        for (t, value) in y.iter().enumerate() {
            ring.push(*value);
            for (chart, newest) in charts.iter().zip([ring.c1(setting), ring.c2(setting), ring.c3(setting)]) {
                let bits = |surge: functions::ears::Surge| (surge.score.map(f64::to_bits), surge.upper.to_bits(), surge.alarm);
                prop_assert_eq!(chart[t].map(bits), newest.map(bits), "bin {}", t);
            }
        }
    }

    #[test]
    fn a_watch_of_many_days_scans_as_one_that_starts_today(
        places in prop::collection::hash_set((0_u8..6, 0_u8..6), 1..9),
        days in prop::collection::vec(prop::collection::vec((any::<prop::sample::Index>(), 0_usize..6, 1_u32..4), 0..8), 1..20),
        windows in 1_usize..5,
        period in 1_usize..12,
        radius in prop::sample::select(vec![0.0, 1.5, f64::INFINITY]),
    ) {
        let mut places: Vec<Place> = places.into_iter().map(|(x, y)| Place { x: f64::from(x), y: f64::from(y), cases: 0 }).collect();
        places.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
        let mut watch = Watch::over(places.clone(), Metric::Plane, radius, windows, period).unwrap();
        let mut counted: Vec<(usize, u32, u32)> = Vec::new();
        for (today, cases) in days.iter().enumerate() {
            let leaving = counted.iter().filter(|case| case.0 + period == today + 1).count();
            prop_assert!(watch.next_day() <= places.len() * windows + leaving, "only the last windows and what leaves are touched");
            for (place, lag, cases) in cases {
                let place = place.index(places.len()) as u32;
                let inside = *lag < period && *lag <= today + 1;
                prop_assert_eq!(watch.add(place, *lag, *cases).is_ok(), inside);
                if inside {
                    counted.push((today + 1 - lag, place, *cases));
                }
            }
            let mut study = Study::of(places.clone(), windows);
            for (day, place, cases) in counted.iter().filter(|case| case.0 + period > today + 1) {
                study.add(*place as usize, today + 1 - day, *cases);
            }
            prop_assert_eq!(watch.study(), &study);
            let limits = Limits { cases: f64::from(study.total()) / 2.0, radius };
            let circles = Circles::around(&study.places, Metric::Plane, limits).unwrap();
            prop_assert_eq!(&watch.circles(0.5), &circles);
            let kept = watch.circles(0.5);
            let (now, anew) = (Scan::new(watch.study(), &kept), Scan::new(&study, &circles));
            prop_assert_eq!(now.clusters(), anew.clusters());
            // Two tasks, done by one thread or by several.
            prop_assert_eq!(now.null_on(1, 70, 1), anew.null_on(3, 70, 1));
        }
    }
}

/// A square of `side` by `side` grids, queens beside each other.
fn square(side: u32) -> Adjacency {
    let near = move |a: u32| {
        let (x, y) = (i64::from(a % side), i64::from(a / side));
        let inside = move |(x, y): &(i64, i64)| (0..i64::from(side)).contains(x) && (0..i64::from(side)).contains(y);
        let around = (-1..=1).flat_map(move |dx| (-1..=1).map(move |dy| (x + dx, y + dy)));
        around.filter(inside).map(move |(x, y)| (y * i64::from(side) + x) as u32)
    };
    Adjacency::from_lists((0..side * side).map(near))
}

#[test]
fn the_cost_of_a_hundred_changes_is_theirs_on_maps_of_every_size() {
    for side in [20_u32, 100, 400] {
        let neighbours = square(side);
        let mut map = MovingMap::beside(&neighbours);
        let n = (side * side) as usize;
        let built: usize = (0..n).map(|place| map.change(place, Some((place % 7) as f64))).sum();
        let edges: usize = (0..n).map(|place| neighbours.of(place).len()).sum();
        assert_eq!(built, n + edges, "from nothing it costs each grid and each neighbour once");
        let inner = (0..100).map(|k| (side as usize) * (2 + k / 16) + 2 + k % 16);
        let changed: usize = inner.map(|place| map.change(place, Some(1e6))).sum();
        assert_eq!(changed, 900, "a hundred grids of nine, on a map of {n}");
    }
}

#[test]
fn the_cost_of_a_step_of_the_cube_does_not_know_how_many_steps_it_has() {
    let costs = [4_usize, 12, 48].map(|steps| {
        let mut cube = Cube::new(&square(20), steps, 2);
        let values = vec![Some(1.0); 400];
        (0..2 * steps).map(|_| cube.advance(&values)).last().unwrap()
    });
    let around: usize = 400 + (0..400).map(|grid| square(20).of(grid).len()).sum::<usize>();
    assert_eq!(costs, [2 * 3 * around; 3], "the step that comes and the one that goes, each at three steps");
}
