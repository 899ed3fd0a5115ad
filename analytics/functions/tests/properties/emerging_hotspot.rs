//! `emerging_hotspot`: the decision order read off a history written as letters.

use std::sync::Arc;

use functions::two_sided_p;
use proptest::prelude::*;

use crate::call::{floats, in_order, integers, numbers, part, strings, thousand, wholes};
use crate::invariance::{aggregate_holds, null_has_a_reason, threads_hold};
use crate::mann_kendall::naive;

/// Steps as (z, q): hot, cold, neither, or without answer.
fn history() -> impl Strategy<Value = Vec<(Option<f64>, Option<f64>)>> {
    let step = |hot: u32, cold: u32| {
        prop_oneof![
            hot => (2.0..9.0_f64).prop_map(|z| (Some(z), Some(0.01))),
            cold => (-9.0..-2.0_f64).prop_map(|z| (Some(z), Some(0.01))),
            6 => (-3.0..3.0_f64).prop_map(|z| (Some(z), Some(0.3))),
            1 => Just((None, Some(0.01))),
            1 => prop::sample::select(vec![f64::NAN, f64::INFINITY]).prop_map(|z| (Some(z), Some(0.01))),
            1 => prop::sample::select(vec![f64::NAN, -1.0, 1.5]).prop_map(|q| (Some(5.0), Some(q))),
        ]
    };
    prop_oneof![
        prop::collection::vec(step(6, 6), 0..30),
        prop::collection::vec(step(60, 1), 0..30),
        prop::collection::vec(step(1, 60), 0..30),
        (prop::collection::vec(step(1, 1), 8..20), prop::collection::vec(step(90, 1), 0..3)).prop_map(|(a, b)| [a, b].concat()),
    ]
}

/// The class of a history whose hot steps are `H`, cold ones `C`, by its letters and its trend.
fn class(letters: &str, rising: bool, falling: bool) -> String {
    let share = |c: char| letters.matches(c).count() * 10 >= letters.len() * 9;
    let (own, other, side) = match letters.chars().last() {
        Some('H') => ('H', 'C', "hot"),
        Some('C') => ('C', 'H', "cold"),
        _ if share('H') => return "historical_hot".into(),
        _ if share('C') => return "historical_cold".into(),
        _ => return "none".into(),
    };
    let before = letters.trim_end_matches(own);
    let run = letters.len() - before.len();
    // Colder is stronger on the cold side.
    let (stronger, weaker) = if own == 'H' { (rising, falling) } else { (falling, rising) };
    let name = if share(own) {
        if stronger {
            "intensifying"
        } else if weaker {
            "diminishing"
        } else {
            "persistent"
        }
    } else if !before.contains(own) {
        if run == 1 { "new" } else { "consecutive" }
    } else if before.contains(other) {
        "oscillating"
    } else {
        "sporadic"
    };
    format!("{name}_{side}")
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn the_letters_say_the_class(steps in history()) {
        let columns = [numbers(steps.iter().map(|s| s.0)), numbers(steps.iter().map(|s| s.1))];
        let answer = in_order("emerging_hotspot", &columns).unwrap();
        null_has_a_reason(&answer, &["class", "share_hot"])?;
        let sound = |(z, q): &(Option<f64>, Option<f64>)| Some((z.filter(|z| z.is_finite())?, q.filter(|q| (0.0..=1.0).contains(q))?));
        let known: Vec<(f64, f64)> = steps.iter().filter_map(sound).collect();
        prop_assert_eq!(wholes(&part(&answer, "steps"))[0], Some(known.len() as i64));
        if known.len() < 10 {
            let reason = strings(&part(&answer, "reason"))[0].clone();
            prop_assert_eq!(reason.as_deref(), Some("short_history"));
            return Ok(());
        }
        let letters: String = known.iter().map(|(z, q)| if *q >= 0.05 { '.' } else if *z > 0.0 { 'H' } else { 'C' }).collect();
        let trend = naive(&known.iter().map(|(z, _)| *z).collect::<Vec<_>>()).map_or(0.0, |(_, _, z)| z);
        let significant = two_sided_p(trend) < 0.05;
        let expected = class(&letters, significant && trend > 0.0, significant && trend < 0.0);
        let got = strings(&part(&answer, "class"))[0].clone();
        prop_assert_eq!(got.as_deref(), Some(expected.as_str()), "{}", letters);
        let share = letters.matches('H').count() as f64 / letters.len() as f64;
        prop_assert_eq!(floats(&part(&answer, "share_hot"))[0], Some(share));
    }

    #[test]
    fn batches_partitions_and_threads_change_nothing(steps in history(), seed in any::<u64>()) {
        let columns = [numbers(steps.iter().map(|s| s.0)), numbers(steps.iter().map(|s| s.1))];
        let times = integers((0_i64..).take(steps.len()));
        aggregate_holds("emerging_hotspot", &[Arc::clone(&columns[0]), Arc::clone(&columns[1]), times], true, seed)?;
        threads_hold(|| in_order("emerging_hotspot", &columns).unwrap())?;
    }
}
