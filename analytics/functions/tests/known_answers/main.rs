//! Every golden value of the definitions and every reference file, in one table: what was compared, how many values, the largest
//! deviation and the tolerance it must stay below. `cargo test --test known_answers -- --nocapture` prints it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot compute")]

#[path = "../reference/mod.rs"]
mod reference;

mod ledger;

mod cases;
mod maps;
mod rates;
mod scan;
mod series;

#[test]
fn the_largest_deviation_from_every_known_answer_is_within_its_tolerance() {
    let mut ledger = ledger::Ledger::default();
    maps::goldens(&mut ledger);
    maps::references(&mut ledger);
    series::goldens(&mut ledger);
    series::references(&mut ledger);
    scan::goldens(&mut ledger);
    scan::references(&mut ledger);
    cases::goldens(&mut ledger);
    cases::references(&mut ledger);
    rates::goldens(&mut ledger);
    eprintln!("{ledger}");
    ledger.hold();
}
