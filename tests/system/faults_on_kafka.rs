//! A few of each fault that `make faults` does in full (`tests/faults/`), by the same code: what they would find first, they find
//! in the test command.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::faults::{Told, brokers, gaps, members, poison, retention, zombies};

/// One after the other: each has brokers of its own, and the machine two cores.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    // A fault that did harm has said so; the next one has nothing to do with it.
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(told: Told) {
    if let Some(said) = told {
        println!("{said}");
    }
}

#[test]
fn the_leader_of_three_brokers_is_killed() {
    let _turn = turn();
    say(brokers::leader(1));
}

#[test]
fn writers_stopped_in_the_middle_of_a_commit_are_refused() {
    let _turn = turn();
    say(zombies::run(6));
}

#[test]
fn consumers_are_killed() {
    let _turn = turn();
    say(members::killed(6));
}

#[test]
fn members_come_and_go() {
    let _turn = turn();
    say(members::come_and_go(8));
}

#[test]
fn a_member_whose_name_is_taken_says_so_and_one_that_was_away_goes_on() {
    let _turn = turn();
    say(members::namesakes(1));
    say(members::named_one_hangs(1));
}

#[test]
fn transactions_of_others_leave_gaps_that_are_counted() {
    let _turn = turn();
    say(gaps::transactions(2));
}

#[test]
fn what_retention_took_is_named_and_never_jumped_over() {
    let _turn = turn();
    say(retention::passed(2));
}

#[test]
fn poison_ends_in_quarantine_and_the_rest_goes_on() {
    let _turn = turn();
    say(poison::one_in_a_hundred(1, 10_000, &[&poison::ALL]));
}
