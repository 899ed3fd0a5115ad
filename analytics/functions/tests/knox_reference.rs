//! Knox counts against R on two real data sets: meningococcal cases and the burglaries of a Chicago police district.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot compute")]

mod reference;

use functions::knox::{Event, table};
use reference::Table;

/// The reference counts pairs within both edges, edges included; bands exclude their upper edge, so it moves up by one step.
fn cumulative(events: &[Event], distances: &[f64], days: &[f64]) -> Vec<(u64, f64)> {
    let up = |edges: &[f64]| edges.iter().map(|edge| edge.next_up()).collect::<Vec<_>>();
    let cells = table(events, &up(distances), &up(days), 9, 1).unwrap();
    let within = |d: usize, t: usize| cells.iter().enumerate().filter(move |(i, _)| i / days.len() <= d && i % days.len() <= t);
    let grid = (0..distances.len()).flat_map(|d| (0..days.len()).map(move |t| (d, t)));
    grid.map(|(d, t)| (within(d, t).map(|(_, c)| c.pairs).sum(), within(d, t).map(|(_, c)| c.expected).sum())).collect()
}

fn check(events: &[Event], expected: &Table, distances: &[f64], days: &[f64]) {
    let rows = expected.numbers("observed").into_iter().zip(expected.numbers("expected"));
    let got = cumulative(events, distances, days);
    assert_eq!(got.len(), expected.numbers("observed").len());
    for ((pairs, mean), (observed, expected)) in got.into_iter().zip(rows) {
        assert_eq!(pairs as f64, observed);
        assert!((mean / expected - 1.0).abs() < 1e-12, "{mean}, expected {expected}");
    }
}

fn events(table: &Table, x: &str, y: &str, day: &str) -> Vec<Event> {
    let places = table.numbers(x).into_iter().zip(table.numbers(y)).zip(table.numbers(day));
    places.map(|((x, y), day)| Event { x, y, day }).collect()
}

#[test]
fn burglaries_of_chicago_match() {
    let Some(burglaries) = reference::read("knox/chicago_burglary_district8_2012_events.csv.zst") else { return };
    let expected = reference::read("knox/chicago_burglary_expected_knox.csv").expect("both files come together");
    check(&events(&burglaries, "x_m", "y_m", "day"), &expected, &[0.5, 100.0, 200.0, 400.0], &[2.0, 7.0, 14.0, 28.0]);
}

#[test]
fn meningococcal_cases_match() {
    let Some(cases) = reference::read("knox/imdepi_events.csv") else { return };
    let expected = reference::read("knox/imdepi_expected_knox.csv").expect("both files come together");
    let types = cases.texts("type");
    let all = events(&cases, "x_km", "y_km", "time_days");
    for part in expected.split(&["set"]) {
        let set = part.texts("set")[0].clone();
        let chosen = all.iter().zip(&types).filter(|(_, kind)| set == "ALL" || **kind == set).map(|(event, _)| *event);
        check(&chosen.collect::<Vec<_>>(), &part, &[10.0, 20.0, 50.0], &[7.0, 14.0, 30.0]);
    }
}
