//! `knox`: all pairs, and for a handful of events all orders of their times.

use arrow::array::ArrayRef;
use proptest::prelude::*;

use crate::call::{aggregate, floats, integers, number_lists, numbers, part, thousand, wholes};
use crate::invariance::{aggregate_holds, is_p, near, threads_hold};

type Event = (Option<f64>, Option<f64>, Option<f64>);

const DISTANCES: [f64; 3] = [1.0, 2.5, 4.0];
const DAYS: [f64; 2] = [2.0, 7.0];

fn event(largest: f64) -> impl Strategy<Value = Event> {
    let place = move || {
        prop_oneof![
            1 => Just(None),
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, 1e300, 9e18, -9.3e18]).prop_map(Some),
            30 => (0.0..largest).prop_map(|x| Some((x * 2.0).round() / 2.0)),
        ]
    };
    (place(), place(), (0_u32..20).prop_map(|t| Some(f64::from(t))))
}

fn columns(events: &[Event], replicates: i64, seed: i64) -> Vec<ArrayRef> {
    let n = events.len();
    vec![
        numbers(events.iter().map(|e| e.0)),
        numbers(events.iter().map(|e| e.1)),
        numbers(events.iter().map(|e| e.2)),
        number_lists(&DISTANCES, n),
        number_lists(&DAYS, n),
        integers(std::iter::repeat_n(replicates, n)),
        integers(std::iter::repeat_n(seed, n)),
    ]
}

fn finite(events: &[Event]) -> Vec<[f64; 3]> {
    let whole = events.iter().filter_map(|e| Some([e.0?, e.1?, e.2?]));
    whole.filter(|e| e.iter().all(|x| x.is_finite())).collect()
}

/// Pairs by cell, taken one by one.
fn table(events: &[[f64; 3]], times: &[f64]) -> [i64; 6] {
    let mut cells = [0; 6];
    for (i, a) in events.iter().enumerate() {
        for (j, b) in events[..i].iter().enumerate() {
            let distance = DISTANCES.iter().position(|edge| (a[0] - b[0]).hypot(a[1] - b[1]) < *edge);
            let day = DAYS.iter().position(|edge| (times[i] - times[j]).abs() < *edge);
            if let Some((distance, day)) = distance.zip(day) {
                cells[distance * 2 + day] += 1;
            }
        }
    }
    cells
}

fn orders(times: &mut [f64], start: usize, visit: &mut impl FnMut(&[f64])) {
    if start == times.len() {
        return visit(times);
    }
    for i in start..times.len() {
        times.swap(start, i);
        orders(times, start + 1, visit);
        times.swap(start, i);
    }
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn all_pairs_and_the_exact_mean_agree(events in prop::collection::vec(event(12.0), 0..40)) {
        let answer = aggregate("knox", &columns(&events, 9, 1)).unwrap();
        let events_kept = finite(&events);
        let times: Vec<f64> = events_kept.iter().map(|e| e[2]).collect();
        if events.is_empty() {
            prop_assert_eq!(part(&answer, "pairs").len(), 0);
            return Ok(());
        }
        let pairs = wholes(&part(&answer, "pairs"));
        prop_assert_eq!(&pairs, &table(&events_kept, &times).map(Some).to_vec());
        is_p(&part(&answer, "p"))?;
        // Each order of the times is as likely, so each pair near in space meets each difference of times as often.
        let all = events_kept.len() * events_kept.len().saturating_sub(1) / 2;
        let expected = floats(&part(&answer, "expected"));
        for (cell, expected) in expected.iter().enumerate() {
            let near_space = events_kept.iter().enumerate().flat_map(|(i, a)| events_kept[..i].iter().map(move |b| (a, b)));
            let in_space = near_space.filter(|(a, b)| DISTANCES.iter().position(|edge| (a[0] - b[0]).hypot(a[1] - b[1]) < *edge) == Some(cell / 2)).count();
            let pairs_of_times = times.iter().enumerate().flat_map(|(i, a)| times[..i].iter().map(move |b| (a - b).abs()));
            let in_time = pairs_of_times.filter(|apart| DAYS.iter().position(|edge| apart < edge) == Some(cell % 2)).count();
            let mean = (in_space * in_time) as f64 / all as f64;
            prop_assert!(mean.is_nan() && expected.is_none() || near(expected.unwrap(), mean, 1e-12), "cell {}: {:?}, expected {}", cell, expected, mean);
        }
    }

    #[test]
    fn p_is_near_that_of_all_orders(events in prop::collection::vec(event(4.0), 2..6), seed in any::<i64>()) {
        let replicates = 300;
        let answer = aggregate("knox", &columns(&events, replicates, seed)).unwrap();
        let events = finite(&events);
        let mut times: Vec<f64> = events.iter().map(|e| e[2]).collect();
        let observed = table(&events, &times);
        let (mut all, mut at_least) = (0.0, [0.0; 6]);
        orders(&mut times, 0, &mut |order| {
            all += 1.0;
            let cells = table(&events, order);
            (0..6).for_each(|cell| at_least[cell] += f64::from(u8::from(cells[cell] >= observed[cell])));
        });
        for (p, count) in floats(&part(&answer, "p")).iter().zip(at_least) {
            let exact: f64 = count / all;
            let error = 8.0 * (exact * (1.0 - exact) / replicates as f64).sqrt() + 12.0 / replicates as f64;
            prop_assert!((p.unwrap() - exact).abs() < error, "{:?}, exactly {}", p, exact);
        }
    }

    #[test]
    fn batches_partitions_and_threads_keep_the_p_of_a_seed(events in prop::collection::vec(event(8.0), 0..30), seed in any::<i64>(), turn in any::<u64>()) {
        aggregate_holds("knox", &columns(&events, 29, seed), false, turn)?;
        threads_hold(|| aggregate("knox", &columns(&events, 29, seed)).unwrap())?;
    }
}

#[test]
fn options_out_of_bounds_are_refused_by_name() {
    let event = || vec![(Some(1.0), Some(1.0), Some(1.0))];
    for replicates in [0, -1, i64::MAX, i64::MIN] {
        let refused = aggregate("knox", &columns(&event(), replicates, 1)).unwrap_err().to_string();
        assert!(refused.contains("permutations of knox"), "{refused}");
    }
    let mut columns = columns(&event(), 9, i64::MIN);
    assert!(aggregate("knox", &columns).is_ok());
    columns[3] = number_lists(&[f64::NAN], 1);
    assert!(aggregate("knox", &columns).unwrap_err().to_string().contains("distances of knox"));
}
