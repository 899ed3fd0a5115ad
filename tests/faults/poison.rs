//! Records no city should send, one in a hundred, written by Kafka's own producer: each ends in quarantine with its reason, and
//! the rest goes on nearly as fast as without them.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Told;
use super::stream::{call, id, told};
use crate::kafka_rig::Rig;
use crate::roles::Deployment;

const TOPIC: &str = "gridwatch.hotline_call";
/// One in so many is poison.
const SHARE: u64 = 100;
/// What the producer turns into a record without a value.
const TOMBSTONE: &str = "TOMBSTONE";

/// The kinds of poison in turn, each with the reason it is refused for.
fn poison(nth: u64) -> (String, &'static str) {
    let event = |id: &str, place: &str, more: &str| {
        format!(
            r#"{{"event_id":"{id}","source":"poison","kind":"hotline_call","occurred_at":"2026-01-05T08:00:00Z","address":"{place}"{more}}}"#
        )
    };
    match nth % 5 {
        0 => (format!(r#"{{"event_id":"p{nth}","source":"poison","kind":"#), "bad_json"),
        1 => (TOMBSTONE.to_owned(), "bad_json"),
        2 => (event(&format!("p{nth}"), r"Mill\u0000Road", ""), "bad_text"),
        3 => (event(&format!("p{nth}"), &"x".repeat(1 << 20), ""), "too_long"),
        _ => {
            let nested = format!(r#","attributes":{}{}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
            (event(&format!("p{nth}"), "Mill Road", &nested), "bad_json")
        }
    }
}

/// Writes so many records, poisoned or not, by Kafka's console producer.
fn produce(rig: &Rig, records: u64, poisoned: bool) {
    let reading = ["--reader-property", "parse.key=true", "--reader-property", "null.marker=TOMBSTONE"];
    let sending = ["--command-property", "max.request.size=2097152", "--command-property", "linger.ms=20"];
    // Patience: the tool's own is 1.5 s, and a megabyte may wait that long.
    let patience = ["--request-timeout-ms", "30000", "--message-send-max-retries", "100", "--topic", TOPIC];
    let mut command = rig.tool("org.apache.kafka.tools.ConsoleProducer", &[&reading[..], &sending, &patience].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufWriter::new(child.stdin.take().unwrap());
    for nth in 0..records {
        if poisoned && nth % SHARE == SHARE / 2 {
            writeln!(lines, "poison/{nth}\t{}", poison(nth / SHARE).0).unwrap();
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
    let taken = || city.cut().iter().filter(|(partition, _)| partition.starts_with(TOPIC)).map(|(_, next)| next).sum::<u64>();
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

/// Rounds of taking in so many clean records and as many poisoned ones, side by side.
pub(crate) fn one_in_a_hundred(rounds: u32, records: u64) -> Told {
    let (clean, poisoned) = (Rig::start(1, false)?, Rig::start(1, false)?);
    let folder = tempfile::tempdir().unwrap();
    for (rig, poisoned) in [(&clean, false), (&poisoned, true)] {
        // Whoever takes in events declares the topics.
        let declaring = Deployment::new(rig, folder.path()).ingest();
        produce(rig, records, poisoned);
        declaring.end();
    }
    let bad = records / SHARE;
    let good: Vec<_> = (0..records).filter(|nth| nth % SHARE != SHARE / 2).map(id).collect();
    let mut ratios = Vec::new();
    let mut said = String::new();
    for round in 0..rounds {
        let (_, without) = take_in(&clean, folder.path(), &format!("clean-{round}"), records);
        let (city, with) = take_in(&poisoned, folder.path(), &format!("poisoned-{round}"), records);
        for reason in ["bad_json", "bad_text", "too_long"] {
            let due = (0..bad).filter(|nth| poison(*nth).1 == reason).count() as u64;
            assert_eq!(quarantined(&city, reason), due, "{reason}");
        }
        println!("  round {}: clean {:.2} s, poisoned {:.2} s", round + 1, without.as_secs_f64(), with.as_secs_f64());
        said = told(folder.path(), &city, &good);
        ratios.push((good.len() as f64 / with.as_secs_f64()) / (records as f64 / without.as_secs_f64()));
    }
    ratios.sort_by(f64::total_cmp);
    let listed: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    Some(format!(
        "{bad} of {records} in quarantine, each with its reason; speed of the rest ÷ clean speed: {} (floor 0.70); {said}",
        listed.join(", ")
    ))
}
