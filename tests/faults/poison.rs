//! Records no city should send, one in a hundred, written by Kafka's own client: each ends in quarantine with its reason, and the rest
//! goes on nearly as fast as without them. Beside it the plain client, which only reads the same topics: megabytes among records of two
//! hundred bytes have their price for whoever receives them.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use contract::log::kafka::{KafkaOptions, raw};

use super::Told;
use super::stream::{call, id, told};
use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment, PARTITIONS};
use crate::spread::{Spread, Took, Watch, ratio};

/// One in so many is poison.
const SHARE: u64 = 100;

/// A sort of poison.
#[derive(Debug, Clone, Copy)]
enum Sort {
    CutOff,
    /// An event of a city that speaks another language.
    OtherSchema,
    Megabyte,
    /// A megabyte that packing makes no smaller, as of a picture.
    Picture,
    Nul,
    /// Text in an encoding that is not UTF-8.
    NotUtf8,
    /// A key without a value.
    Tombstone,
    /// JSON behind five bytes that name the schema of a registry.
    MagicByte,
    Nested,
}

/// Sorts that come in turn.
pub(crate) struct Mix {
    name: &'static str,
    sorts: &'static [Sort],
    /// The least of the clean speed that the rest should keep, if any is asked for.
    floor: Option<f64>,
}

use Sort::{CutOff, MagicByte, Megabyte, Nested, NotUtf8, Nul, OtherSchema, Picture, Tombstone};

const FLOOR: Option<f64> = Some(0.70);

pub(crate) const ALL: Mix =
    Mix { name: "eight-sorts", sorts: &[CutOff, OtherSchema, Megabyte, Nul, NotUtf8, Tombstone, MagicByte, Nested], floor: FLOOR };
/// One in five hundred records is then a megabyte: twelve times the bytes of the good ones. The broker packs them (`topics.rs`).
pub(crate) const FIVE: Mix = Mix { name: "five-sorts", sorts: &[CutOff, Tombstone, Nul, Megabyte, Nested], floor: FLOOR };
/// What is left where it cannot: whoever reads receives all of those bytes.
pub(crate) const UNPACKABLE: Mix = Mix { name: "five-sorts-unpackable", sorts: &[CutOff, Tombstone, Nul, Picture, Nested], floor: None };
pub(crate) const SMALL: Mix =
    Mix { name: "all-but-megabytes", sorts: &[CutOff, OtherSchema, Nul, NotUtf8, Tombstone, MagicByte, Nested], floor: FLOOR };

/// Why poison is refused.
const REASONS: [&str; 4] = ["bad_json", "bad_text", "too_long", "unknown_field"];

impl Mix {
    /// The n-th poisoned record's value, if it has one, and the reason it is refused for.
    fn poison(&self, nth: u64) -> (Option<Vec<u8>>, &'static str) {
        let event = |place: &[u8], more: &str| {
            let begin = format!(
                r#"{{"event_id":"p{nth}","source":"poison","kind":"hotline_call","occurred_at":"2026-01-05T08:00:00Z","address":""#
            );
            [begin.as_bytes(), place, b"\"", more.as_bytes(), b"}"].concat()
        };
        let road = b"Mill Road";
        let (value, reason) = match self.sorts[nth as usize % self.sorts.len()] {
            CutOff => (event(road, "")[..40].to_vec(), "bad_json"),
            OtherSchema => (format!(r#"{{"ticket":{nth},"opened":"2026-01-05 08:00","text":"noise"}}"#).into_bytes(), "unknown_field"),
            Megabyte => (event(&vec![b'x'; 1 << 20], ""), "too_long"),
            Picture => (event(&noise(nth, 1 << 20), ""), "too_long"),
            Nul => (event(br"Mill\u0000Road", ""), "bad_text"),
            NotUtf8 => (event(b"Mill Road \xa4\xa4", ""), "bad_json"),
            Tombstone => return (None, "bad_json"),
            MagicByte => ([&[0, 0, 0, 0, 7], &*event(road, "")].concat(), "bad_json"),
            Nested => (event(road, &format!(r#","attributes":{}1{}"#, r#"{"a":"#.repeat(10_000), "}".repeat(10_000))), "bad_json"),
        };
        (Some(value), reason)
    }
}

/// So many letters that look like chance (xorshift), six bits each.
fn noise(seed: u64, letters: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-";
    let mut state = seed + 1;
    let letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ALPHABET[(state >> 58) as usize]
    };
    std::iter::repeat_with(letter).take(letters).collect()
}

/// Writes so many records, poisoned or not; `None` where Java has no compiler.
fn produce(rig: &Rig, records: u64, mix: Option<&Mix>) -> Option<()> {
    let mut command = rig.java_producer(CALLS, &["linger.ms=20", "max.request.size=2097152"])?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = BufWriter::new(child.stdin.take().unwrap());
    for nth in 0..records {
        if let Some(mix) = mix.filter(|_| nth % SHARE == SHARE / 2) {
            write!(lines, "poison/{nth}").unwrap();
            if let (Some(value), _) = mix.poison(nth / SHARE) {
                lines.write_all(&[b"\t", &*value].concat()).unwrap();
            }
            writeln!(lines).unwrap();
        } else {
            let (key, value) = call(nth);
            writeln!(lines, "{key}\t{value}").unwrap();
        }
    }
    lines.flush().unwrap();
    drop(lines);
    assert!(child.wait().unwrap().success());
    Some(())
}

/// The time of a process and of the broker it reads from.
fn watch(process: u32, rig: &Rig) -> Watch {
    Watch::start(&[process, rig.fact("broker.1.pid").parse().unwrap()])
}

/// Takes in everything the topic holds, on a lake of its own; what that took from the first partition on.
fn take_in(rig: &Rig, folder: &Path, name: &str, records: u64) -> (Deployment, Took) {
    let city = Deployment { data: folder.join(name), ..Deployment::new(rig, folder) };
    let member = city.start("analyze", &["--group", name, "--commit-interval-ms", "50"], 1);
    // A drain is over in a quarter of a second: what is late here is missing in the figure.
    let assigned = || member.times_said("partitions were assigned") > 0;
    city.wait_looking_each(Duration::from_millis(1), "the member has partitions", &[&member], assigned);
    let watch = watch(member.id(), rig);
    // By the table's own log: the cut that readers see follows up to a quarter of a second later.
    let (mut version, mut taken) = (0, BTreeMap::new());
    let mut all_taken = || {
        while let Some(moves) = city.moves(version) {
            taken.extend(moves.into_iter().filter(|(position, _)| position.starts_with(CALLS)));
            version += 1;
        }
        taken.values().sum::<u64>() == records
    };
    city.wait_looking_each(Duration::from_millis(1), "everything is in the lake", &[&member], &mut all_taken);
    let took = watch.took();
    let seen = || city.cut().iter().filter(|(partition, _)| partition.starts_with(CALLS)).map(|(_, next)| next).sum::<u64>() == records;
    city.wait_looking_each(Duration::from_millis(5), "readers see everything", &[&member], seen);
    member.end();
    (city, took)
}

fn quarantined(city: &Deployment, reason: &str) -> u64 {
    city.count(&format!("records WHERE disposition = 'quarantined' AND reason = '{reason}'"))
}

/// What the plain client takes to read everything the topic holds.
fn only_read(rig: &Rig, records: u64) -> Took {
    let watch = watch(std::process::id(), rig);
    assert_eq!(raw::consume(&KafkaOptions::new(rig.bootstrap()), CALLS, PARTITIONS).unwrap().records, records);
    watch.took()
}

/// A broker whose topic holds so many records.
fn topic_of(records: u64, mix: Option<&Mix>) -> Option<Rig> {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    // Whoever takes in events declares the topics.
    let declaring = Deployment::new(&rig, folder.path()).ingest();
    produce(&rig, records, mix)?;
    declaring.end();
    Some(rig)
}

/// Speed of the rest ÷ clean speed, of several rounds.
#[derive(Default)]
struct Ratios {
    clock: Spread,
    processor: Spread,
    /// By processor time as well, of one for whom poison costs nothing but to receive it.
    received: Spread,
}

impl Ratios {
    fn push(&mut self, rest: f64, [clean, poisoned]: [&Took; 2], [read_clean, read_poisoned]: [&Took; 2]) {
        self.clock.push(rest * clean.seconds / poisoned.seconds);
        self.processor.push(rest * clean.processor / poisoned.processor);
        let receiving = (read_poisoned.processor - read_clean.processor).max(0.0);
        self.received.push(rest * clean.processor / (clean.processor + receiving));
    }

    fn said(&self, floor: Option<f64>) -> String {
        let missed = |floor| if self.clock.median() < floor { ", MISSED" } else { "" };
        let floor = floor.map_or("no floor".to_owned(), |floor| format!("floor {floor:.2}{}", missed(floor)));
        let [clock, processor, received] = [&self.clock, &self.processor, &self.received].map(|spread| spread.said(ratio));
        format!("{clock} of the clean speed ({floor}), by processor time {processor}; {received} if poison were only received")
    }
}

/// Rounds of taking in so many clean records and as many of each mix, side by side.
pub(crate) fn one_in_a_hundred(rounds: u32, records: u64, mixes: &[&Mix]) -> Told {
    let clean = topic_of(records, None)?;
    let folder = tempfile::tempdir().unwrap();
    let bad = records / SHARE;
    let good: Vec<_> = (0..records).filter(|nth| nth % SHARE != SHARE / 2).map(id).collect();
    let rest = good.len() as f64 / records as f64;
    let mut lines = vec![format!("{bad} of {records} in quarantine, each with its reason")];
    for mix in mixes {
        let poisoned = topic_of(records, Some(mix))?;
        let (mut ratios, mut said) = (Ratios::default(), String::new());
        // The first round does not count: the broker of these records has just started, and that of the clean ones has served others.
        for round in 0..=rounds {
            let name = |topic: &str| format!("{}-{topic}-{round}", mix.name);
            let (_, without) = take_in(&clean, folder.path(), &name("clean"), records);
            let (city, with) = take_in(&poisoned, folder.path(), &name("poisoned"), records);
            for reason in REASONS {
                let due = (0..bad).filter(|nth| mix.poison(*nth).1 == reason).count() as u64;
                assert_eq!(quarantined(&city, reason), due, "{reason}");
            }
            let read = [&clean, &poisoned].map(|topic| only_read(topic, records));
            if round == 0 {
                continue;
            }
            ratios.push(rest, [&without, &with], [&read[0], &read[1]]);
            let of = |took: &Took| format!("{:.2} s, {:.2} core seconds", took.seconds, took.processor);
            let [clean, poisoned, read_clean, read_poisoned] = [&without, &with, &read[0], &read[1]].map(of);
            println!("  {}, round {round}: clean {clean}; poisoned {poisoned}; only read {read_clean} and {read_poisoned}", mix.name);
            said = told(folder.path(), &city, &good);
        }
        lines.push(format!("{}: the rest at {}; {said}", mix.name, ratios.said(mix.floor)));
    }
    Some(lines.join("; "))
}
