//! Knox.

use functions::knox::{Event, table};

use super::ledger::Ledger;
use super::reference::{self, Table};

const SIX: [(f64, f64, f64); 6] = [(0.0, 0.0, 0.0), (0.1, 0.0, 1.0), (0.2, 0.0, 2.0), (5.0, 5.0, 1.0), (5.1, 5.0, 9.0), (9.0, 0.0, 4.0)];

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

fn six(times: &[f64], replicates: usize) -> functions::knox::Cell {
    let events: Vec<Event> = SIX.iter().zip(times).map(|((x, y, _), day)| Event { x: *x, y: *y, day: *day }).collect();
    table(&events, &[0.5], &[3.0], replicates, 3).unwrap()[0]
}

pub(crate) fn goldens(ledger: &mut Ledger) {
    const H: &str = "golden H: six events, all orders";
    let mut times = SIX.map(|event| event.2).to_vec();
    let cell = six(&times, 40_000);
    ledger.absolute(H, "knox pairs", 0.0, &[(cell.pairs as f64, 3.0)]);
    ledger.absolute(H, "knox expected", 5e-7, &[(cell.expected, 1.866667)]);
    ledger.absolute(H, "knox p of 40,000 replicates", 0.01, &[(cell.p, 0.25)]);
    let (mut all, mut at_least) = (0_u32, 0_u32);
    orders(&mut times, 0, &mut |order| {
        all += 1;
        at_least += u32::from(six(order, 1).pairs >= 3);
    });
    ledger.same(H, "knox orders with as many pairs, of all", &[at_least, all], &[180, 720]);
}

/// The references count pairs within both edges, edges included, cumulated over the bands.
fn cumulated(ledger: &mut Ledger, answer: &'static str, events: &[Event], expected: &Table, distances: &[f64], days: &[f64]) {
    let up = |edges: &[f64]| edges.iter().map(|edge| edge.next_up()).collect::<Vec<_>>();
    let cells = table(events, &up(distances), &up(days), 9, 1).unwrap();
    let grid = (0..distances.len()).flat_map(|d| (0..days.len()).map(move |t| (d, t)));
    let sums = grid.map(|(d, t)| {
        let within = cells.iter().enumerate().filter(|(i, _)| i / days.len() <= d && i % days.len() <= t);
        within.fold((0.0, 0.0), |(pairs, mean), (_, cell)| (pairs + cell.pairs as f64, mean + cell.expected))
    });
    let (pairs, means): (Vec<f64>, Vec<f64>) = sums.unzip();
    let with = |got: Vec<f64>, column: &str| got.into_iter().zip(expected.numbers(column)).collect::<Vec<_>>();
    ledger.absolute(answer, "knox pairs", 0.0, &with(pairs, "observed"));
    ledger.relative(answer, "knox expected", 1e-12, &with(means, "expected"));
}

fn events(table: &Table, x: &str, y: &str, day: &str) -> Vec<Event> {
    let places = table.numbers(x).into_iter().zip(table.numbers(y)).zip(table.numbers(day));
    places.map(|((x, y), day)| Event { x, y, day }).collect()
}

pub(crate) fn references(ledger: &mut Ledger) {
    let Some(burglaries) = reference::read("knox/chicago_burglary_district8_2012_events.csv.zst") else { return };
    let expected = reference::read("knox/chicago_burglary_expected_knox.csv").unwrap();
    let burglaries = events(&burglaries, "x_m", "y_m", "day");
    cumulated(ledger, "knox/chicago_burglary, R", &burglaries, &expected, &[0.5, 100.0, 200.0, 400.0], &[2.0, 7.0, 14.0, 28.0]);
    let cases = reference::read("knox/imdepi_events.csv").unwrap();
    let (types, all) = (cases.texts("type"), events(&cases, "x_km", "y_km", "time_days"));
    for part in reference::read("knox/imdepi_expected_knox.csv").unwrap().split(&["set"]) {
        let set = part.texts("set")[0].clone();
        let chosen: Vec<Event> =
            all.iter().zip(&types).filter(|(_, kind)| set == "ALL" || **kind == set).map(|(event, _)| *event).collect();
        cumulated(ledger, "knox/imdepi, R", &chosen, &part, &[10.0, 20.0, 50.0], &[7.0, 14.0, 30.0]);
    }
}
