//! Records no city should send, one in a hundred, written by Kafka's own producer: each ends in quarantine with its reason, and
//! the rest goes on nearly as fast as without them. Beside it the plain client, which only reads the same topics: a megabyte among
//! records of two hundred bytes has its price for whoever carries it.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use contract::log::kafka::{KafkaOptions, raw};

use super::Told;
use super::stream::{call, id, told};
use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment, PARTITIONS};

/// One in so many is poison.
const SHARE: u64 = 100;
/// What the producer turns into a record without a value.
const TOMBSTONE: &str = "TOMBSTONE";

/// A sort of poison.
#[derive(Debug, Clone, Copy)]
enum Sort {
    CutOff,
    Tombstone,
    Nul,
    Megabyte,
    Nested,
}

/// Sorts that come in turn.
pub(crate) struct Mix {
    name: &'static str,
    sorts: &'static [Sort],
}

pub(crate) const ALL: Mix = Mix { name: "all", sorts: &[Sort::CutOff, Sort::Tombstone, Sort::Nul, Sort::Megabyte, Sort::Nested] };
pub(crate) const SMALL: Mix = Mix { name: "all-but-megabytes", sorts: &[Sort::CutOff, Sort::Tombstone, Sort::Nul, Sort::Nested] };

impl Mix {
    /// The n-th poisoned record, and the reason it is refused for.
    fn poison(&self, nth: u64) -> (String, &'static str) {
        let event = |place: &str, more: &str| {
            format!(
                r#"{{"event_id":"p{nth}","source":"poison","kind":"hotline_call","occurred_at":"2026-01-05T08:00:00Z","address":"{place}"{more}}}"#
            )
        };
        match self.sorts[nth as usize % self.sorts.len()] {
            Sort::CutOff => (format!(r#"{{"event_id":"p{nth}","source":"poison","kind":"#), "bad_json"),
            Sort::Tombstone => (TOMBSTONE.to_owned(), "bad_json"),
            Sort::Nul => (event(r"Mill\u0000Road", ""), "bad_text"),
            Sort::Megabyte => (event(&"x".repeat(1 << 20), ""), "too_long"),
            Sort::Nested => {
                let nested = format!(r#","attributes":{}{}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
                (event("Mill Road", &nested), "bad_json")
            }
        }
    }
}

/// Writes so many records, poisoned or not, by Kafka's console producer.
fn produce(rig: &Rig, records: u64, mix: Option<&Mix>) {
    let reading = ["--reader-property", "parse.key=true", "--reader-property", "null.marker=TOMBSTONE"];
    let sending = ["--command-property", "max.request.size=2097152", "--command-property", "linger.ms=20"];
    // Patience: the tool's own is 1.5 s, and a megabyte may wait that long.
    let patience = ["--request-timeout-ms", "30000", "--message-send-max-retries", "100", "--topic", CALLS];
    let mut command = rig.tool("org.apache.kafka.tools.ConsoleProducer", &[&reading[..], &sending, &patience].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufWriter::new(child.stdin.take().unwrap());
    for nth in 0..records {
        if let Some(mix) = mix.filter(|_| nth % SHARE == SHARE / 2) {
            writeln!(lines, "poison/{nth}\t{}", mix.poison(nth / SHARE).0).unwrap();
        } else {
            let (key, value) = call(nth);
            writeln!(lines, "{key}\t{value}").unwrap();
        }
    }
    lines.flush().unwrap();
    drop(lines);
    assert!(child.wait().unwrap().success());
}

/// Takes in everything the topic holds, on a lake of its own; how long that took from the first partition on.
fn take_in(rig: &Rig, folder: &Path, name: &str, records: u64) -> (Deployment, Duration) {
    let city = Deployment { data: folder.join(name), ..Deployment::new(rig, folder) };
    let member = city.start("analyze", &["--group", name, "--commit-interval-ms", "50"], 1);
    city.wait("the member has partitions", &[&member], || member.times_said("partitions were assigned") > 0);
    let began = Instant::now();
    let mut took = Duration::ZERO;
    let taken = || city.cut().iter().filter(|(partition, _)| partition.starts_with(CALLS)).map(|(_, next)| next).sum::<u64>();
    city.wait("everything is in the lake", &[&member], || {
        while taken() < records && began.elapsed() < Duration::from_secs(300) {
            std::thread::sleep(Duration::from_millis(5));
        }
        took = began.elapsed();
        taken() == records
    });
    member.end();
    (city, took)
}

fn quarantined(city: &Deployment, reason: &str) -> u64 {
    city.count(&format!("records WHERE disposition = 'quarantined' AND reason = '{reason}'"))
}

/// How long the plain client takes to read everything the topic holds.
fn only_read(rig: &Rig, records: u64) -> Duration {
    let began = Instant::now();
    assert_eq!(raw::consume(&KafkaOptions::new(rig.bootstrap()), CALLS, PARTITIONS).unwrap().records, records);
    began.elapsed()
}

/// A broker whose topic holds so many records.
fn topic_of(records: u64, mix: Option<&Mix>) -> Option<Rig> {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    // Whoever takes in events declares the topics.
    let declaring = Deployment::new(&rig, folder.path()).ingest();
    produce(&rig, records, mix);
    declaring.end();
    Some(rig)
}

/// Speeds of the rest ÷ clean speeds, by round.
#[derive(Default)]
struct Ratios(Vec<f64>);

impl Ratios {
    fn push(&mut self, share: f64, clean: Duration, poisoned: Duration) {
        self.0.push(share * clean.as_secs_f64() / poisoned.as_secs_f64());
    }

    fn said(&mut self) -> String {
        self.0.sort_by(f64::total_cmp);
        self.0.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", ")
    }
}

/// Rounds of taking in so many clean records and as many of each mix, side by side.
pub(crate) fn one_in_a_hundred(rounds: u32, records: u64, mixes: &[&Mix]) -> Told {
    let clean = topic_of(records, None)?;
    let folder = tempfile::tempdir().unwrap();
    let bad = records / SHARE;
    let good: Vec<_> = (0..records).filter(|nth| nth % SHARE != SHARE / 2).map(id).collect();
    let rest = good.len() as f64 / records as f64;
    let mut lines = vec![format!("{bad} of {records} in quarantine, each with its reason; speed of the rest ÷ clean speed")];
    for mix in mixes {
        let poisoned = topic_of(records, Some(mix))?;
        let (mut ours, mut plain, mut said) = (Ratios::default(), Ratios::default(), String::new());
        for round in 0..rounds {
            let name = |topic: &str| format!("{}-{topic}-{round}", mix.name);
            let (_, without) = take_in(&clean, folder.path(), &name("clean"), records);
            let (city, with) = take_in(&poisoned, folder.path(), &name("poisoned"), records);
            for reason in ["bad_json", "bad_text", "too_long"] {
                let due = (0..bad).filter(|nth| mix.poison(*nth).1 == reason).count() as u64;
                assert_eq!(quarantined(&city, reason), due, "{reason}");
            }
            ours.push(rest, without, with);
            let (read_without, read_with) = (only_read(&clean, records), only_read(&poisoned, records));
            plain.push(rest, read_without, read_with);
            println!(
                "  {}, round {}: clean {:.2} s, poisoned {:.2} s; only read {:.2} s and {:.2} s",
                mix.name,
                round + 1,
                without.as_secs_f64(),
                with.as_secs_f64(),
                read_without.as_secs_f64(),
                read_with.as_secs_f64()
            );
            said = told(folder.path(), &city, &good);
        }
        let floor = "floor 0.70; a client that only reads";
        lines.push(format!("{}: {} ({floor}: {}); {said}", mix.name, ours.said(), plain.said()));
    }
    Some(lines.join("; "))
}
