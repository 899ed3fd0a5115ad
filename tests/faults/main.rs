//! `make faults`: every fault a city on Kafka has to outlast, the full number of times, on a real Apache Kafka.
//!
//! `--only NAME[,NAME]` chooses faults, `--times N` says how often each is done, `--list` names them. Prints a table of what
//! was done how often and what the checkers said; exit 1 where one did harm.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "says what it saw, and fails where it stands")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

#[path = "../system/roles.rs"]
mod roles;

#[path = "../system/support.rs"]
mod support;

#[path = "../system/load.rs"]
#[expect(dead_code, reason = "shared with the whole-system tests")]
mod load;

#[path = "../../contract/tests/kafka_rig/mod.rs"]
#[expect(clippy::expect_used, reason = "shared with the tests of the log")]
mod kafka_rig;

#[path = "../figures/spread.rs"]
#[expect(dead_code, reason = "shared with the figures")]
mod spread;

#[path = "faults.rs"]
mod faults;

use faults::{Told, brokers, gaps, members, poison, retention, zombies};

/// A fault, how often it is done, and what does it.
struct Fault {
    name: &'static str,
    what: &'static str,
    times: u32,
    run: fn(u32) -> Told,
}

const FAULTS: [Fault; 12] = [
    Fault { name: "broker", what: "kill -9 and restart of the only broker", times: 20, run: brokers::only },
    Fault { name: "one-of-three", what: "kill -9 of one of three brokers (3 copies, 2 in sync)", times: 12, run: brokers::one_of_three },
    Fault { name: "leader", what: "kill -9 of the leader of a partition, of three brokers", times: 12, run: brokers::leader },
    Fault { name: "silence", what: "SIGSTOP of the only broker for 1, 2, 5, 10, 20, 40, 60 s", times: 7, run: brokers::only_is_silent },
    Fault {
        name: "silent-leader",
        what: "SIGSTOP of the leader of three brokers for 1, 2, 5, 10, 20, 40, 60 s",
        times: 7,
        run: brokers::leader_is_silent,
    },
    Fault {
        name: "rebalance",
        what: "a member joins or leaves every 3 s (cooperative-sticky, named and unnamed)",
        times: 100,
        run: members::come_and_go,
    },
    Fault { name: "zombie", what: "writer stopped mid-commit, resumed after another advanced", times: 50, run: zombies::run },
    Fault { name: "consumer", what: "kill -9 of `analyze`", times: 50, run: members::killed },
    Fault { name: "hang", what: "a named member hangs past its session", times: 10, run: members::named_one_hangs },
    Fault { name: "namesake", what: "a second process takes a live member's name", times: 5, run: members::namesakes },
    Fault { name: "gaps", what: "transactional producer beside us, every other run killed", times: 20, run: gaps::transactions },
    Fault { name: "retention", what: "retention passes a member that is down, or hangs", times: 20, run: retention::passed },
];

/// Poison comes in numbers of its own: rounds of so many records.
const POISON: (&str, u32, u64) = ("poison", 5, 100_000);

struct Asked {
    only: Vec<String>,
    times: Option<u32>,
}

impl Asked {
    fn of(arguments: impl Iterator<Item = String>) -> Self {
        let (mut asked, mut arguments) = (Self { only: Vec::new(), times: None }, arguments);
        let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).chain([POISON.0]).collect();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--only" => asked.only = arguments.next().unwrap_or_default().split(',').map(ToOwned::to_owned).collect(),
                "--times" => asked.times = arguments.next().and_then(|times| times.parse().ok()),
                "--list" => {
                    println!("{}", names.join("\n"));
                    std::process::exit(0);
                }
                other => {
                    eprintln!("{other}: not known; there are --only NAME[,NAME], --times N and --list");
                    std::process::exit(64);
                }
            }
        }
        if let Some(unknown) = asked.only.iter().find(|name| !names.contains(&name.as_str())) {
            eprintln!("no fault is called {unknown}; there are {}", names.join(", "));
            std::process::exit(64);
        }
        asked
    }

    fn chosen(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Runs one; what the table says of it, and whether it did no harm.
fn row(what: &str, times: u32, run: impl FnOnce() -> Told) -> (String, bool) {
    let began = Instant::now();
    let (said, held) = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Some(said)) => (said, true),
        Ok(None) => ("skipped: Java or Maven is missing".to_owned(), false),
        Err(_) => ("DID HARM, or did not end: see above".to_owned(), false),
    };
    let row = format!("| {what} | {times} | {:.0} s | {said} |", began.elapsed().as_secs_f64());
    println!("{row}");
    (row, held)
}

fn main() {
    let asked = Asked::of(std::env::args().skip(1));
    let mut rows = Vec::new();
    for fault in FAULTS.iter().filter(|fault| asked.chosen(fault.name)) {
        let times = asked.times.unwrap_or(fault.times);
        rows.push(row(fault.what, times, || (fault.run)(times)));
    }
    let (name, rounds, records) = POISON;
    if asked.chosen(name) {
        let rounds = asked.times.unwrap_or(rounds);
        let what = format!(
            "1 % of {records} records is poison: bad JSON, another schema, 1 MiB strings, NUL, no UTF-8, tombstones, magic bytes, nesting 10,000 deep"
        );
        rows.push(row(&what, rounds, || {
            poison::one_in_a_hundred(rounds, records, &[&poison::ALL, &poison::FIVE, &poison::UNPACKABLE, &poison::SMALL])
        }));
    }
    println!("\n| fault | times | took | what the checkers said |\n|---|---|---|---|");
    rows.iter().for_each(|(row, _)| println!("{row}"));
    if !rows.iter().all(|(_, held)| *held) {
        std::process::exit(1);
    }
}
