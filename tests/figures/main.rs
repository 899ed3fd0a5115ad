//! The figures of README: what gridwatch does in a second, each beside a limit measured in the same run.
//!
//! `make bench` runs it; machines differ and drift, so read the ratios. `--quick` takes less time and says less; naming parts
//! (`requests`, `freshness`, `files`, `statistics`, `kafka` with its halves `kafka-throughput` and `kafka-live`) runs those alone.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark says what it saw, and fails where it stands"
)]

use std::time::Duration;

#[path = "../../contract/tests/kafka_rig/mod.rs"]
#[expect(clippy::expect_used, reason = "shared with the tests of the log")]
mod kafka_rig;
#[path = "../system/roles.rs"]
mod roles;
#[path = "../system/support.rs"]
mod support;

mod client;
mod files;
mod freshness;
mod kafka;
mod limits;
mod requests;
mod spread;
mod statistics;

/// The program's allocator, for the parts measured in this process.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A line of the answer.
struct Figure {
    what: String,
    measured: String,
    /// What bounds it on this machine, measured in this run, and how near it comes.
    limit: String,
}

impl Figure {
    fn new(what: impl Into<String>, measured: impl Into<String>, limit: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into(), limit: limit.into() }
    }
}

/// How long each part lasts.
#[derive(Clone, Copy)]
struct Pace {
    requests: Duration,
    freshness: Duration,
    /// Events of a run on Kafka, and how often ours and the peer's are run in turns.
    kafka_events: u64,
    kafka_pairs: usize,
}

/// A part's name, and what measures it.
type Part = (&'static str, fn(Pace) -> Vec<Figure>);

/// Latencies and the share asked for, in milliseconds.
fn quantile(latencies: &mut [Duration], share: f64) -> f64 {
    latencies.sort_unstable();
    let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
    latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
}

/// Events a second with a thousands separator.
fn per_second(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",") + "/s"
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--quick");
    let seconds = |long: u64, short: u64| Duration::from_secs(if quick { short } else { long });
    let pace = Pace {
        requests: seconds(10, 2),
        freshness: seconds(40, 8),
        kafka_events: if quick { 250_000 } else { 650_000 },
        kafka_pairs: if quick { 2 } else { 3 },
    };
    let mut figures = Vec::new();
    let parts: [Part; 6] = [
        ("requests", requests::figures),
        ("freshness", freshness::figures),
        ("files", files::figures),
        ("statistics", statistics::figures),
        ("kafka-throughput", kafka::throughput),
        ("kafka-live", kafka::live),
    ];
    let named = |name: &str| {
        std::env::args().any(|argument| name.strip_prefix(&argument).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    };
    let all = !parts.iter().any(|(name, _)| named(name));
    for (_, part) in parts.into_iter().filter(|(name, _)| all || named(name)) {
        for figure in part(pace) {
            println!("{}: {} ({})", figure.what, figure.measured, figure.limit);
            figures.push(figure);
        }
    }
    println!("\n| what | measured | limit in the same run |\n|---|---|---|");
    for Figure { what, measured, limit } in figures {
        println!("| {what} | {measured} | {limit} |");
    }
}
