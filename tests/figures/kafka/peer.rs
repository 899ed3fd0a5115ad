//! The peer on the same topic: Apache Flink's SQL, counting by minute, place and category, as `flink_tumble.py` says; once keeping nothing of
//! it, and once writing its results to another topic, exactly once and committed each second, as ours commits to the lake.
//!
//! It runs where `GRIDWATCH_FLINK_PYTHON` names a Python that has apache-flink 2.2 and `GRIDWATCH_FLINK_CONNECTOR` the jar
//! flink-sql-connector-kafka 5.0.0-2.2; otherwise the figure recorded on this kind of machine stands alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{CALLS, PARTITIONS};
use crate::Figure;
use crate::kafka_rig::Rig;
use crate::spread::thousands;
use crate::support::{root, skipped};

/// Flink 2.2.1 on Kafka 4.3.1, tumble of a minute that keeps nothing, 2 shared cores: the slope between 2 and 8 million events of 400 bytes,
/// by Flink's own processor time (its start, 33 core seconds, is not in it).
const RECORDED_PER_CORE: f64 = 53_000.0;

/// What Flink does a second and core.
pub(super) struct Peer {
    measured: Vec<Measured>,
}

/// A job over part of the topic and over nearly all of it.
struct Measured {
    what: &'static str,
    events: [u64; 2],
    processor: [f64; 2],
    wall: [f64; 2],
}

impl Measured {
    /// Between the two, so that the start of the virtual machine does not count.
    fn per_core(&self) -> f64 {
        (self.events[1] - self.events[0]) as f64 / (self.processor[1] - self.processor[0])
    }

    fn figure(&self) -> Figure {
        let Self { what, events, processor, wall } = self;
        let run = |index: usize| format!("{} records: {:.1} s, {:.1} core seconds", events[index], wall[index], processor[index]);
        Figure::new(
            format!("Flink SQL on the same topic: tumble of a minute by place and category, {what}"),
            format!("{} events a core", thousands(self.per_core())),
            format!("slope of {} and {}", run(0), run(1)),
        )
    }
}

impl Peer {
    /// How many times the peer's events a second and core `ours` are: those recorded, and those of this run.
    pub(super) fn said(&self, ours: f64, floor: f64) -> String {
        let times = |peer: f64| format!("×{:.1}{}", ours / peer, if ours < floor * peer { " (MISSED)" } else { "" });
        let recorded = thousands(RECORDED_PER_CORE);
        let mut said = format!("floor {floor} × Flink's tumble: {} the recorded {recorded} a core", times(RECORDED_PER_CORE));
        for run in &self.measured {
            said += &format!(", {} its {} in this run, {}", times(run.per_core()), thousands(run.per_core()), run.what);
        }
        said
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = Figure> {
        self.measured.iter().map(Measured::figure)
    }
}

/// Runs both jobs over a quarter of the topic and over nearly all of it.
pub(super) fn tumble(rig: &Rig, events: u64) -> Peer {
    #[expect(clippy::disallowed_methods, reason = "the peer's place is given by the environment")]
    let [python, connector] = ["GRIDWATCH_FLINK_PYTHON", "GRIDWATCH_FLINK_CONNECTOR"].map(std::env::var);
    let (Ok(python), Ok(connector)) = (python, connector) else {
        skipped(
            "Flink beside us; GRIDWATCH_FLINK_PYTHON and GRIDWATCH_FLINK_CONNECTOR name what it runs with (tests/figures/kafka/peer.rs)",
        );
        return Peer { measured: Vec::new() };
    };
    // Records are packed with zstd, which the connector cannot unpack by itself; the broker's own jars have it.
    let of_zstd = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("zstd-jni"));
    let zstd = std::fs::read_dir(rig.fact("jars")).unwrap().map(|entry| entry.unwrap().path()).find(of_zstd).unwrap();
    let jars = format!("{connector}:{}", zstd.display());
    let partitions = PARTITIONS.to_string();
    let run = |records: u64, results: Option<&str>| -> (u64, f64, f64) {
        let began = Instant::now();
        if let Some(topic) = results {
            let arguments = ["--create", "--topic", topic, "--partitions", &partitions];
            let made = rig.tool("org.apache.kafka.tools.TopicCommand", &arguments).stdout(Stdio::null()).status();
            assert!(made.unwrap().success(), "topic {topic} was not created");
        }
        let out = Command::new(&python)
            .arg(root().join("tests/figures/kafka/flink_tumble.py"))
            .args([&rig.bootstrap(), &jars, CALLS, &partitions, &records.to_string()])
            .args(results)
            .output()
            .unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        let said = String::from_utf8(out.stdout).unwrap();
        let said: serde_json::Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        let kept = results.map_or_else(String::new, |topic| format!(", results to {topic}"));
        println!("  Flink after {:.0} s{kept}: {said}", began.elapsed().as_secs_f64());
        let number = |name: &str| said[name].as_f64().unwrap();
        (said["counted"].as_u64().unwrap(), number("processor_s"), number("wall_s"))
    };
    // Partitions are of nearly the same length; none is asked for more than it has.
    let most = events / u64::from(PARTITIONS) * 9 / 10;
    let job = |what: &'static str, results: [Option<&str>; 2]| {
        let (part, all) = (run(most / 4, results[0]), run(most, results[1]));
        Measured { what, events: [part.0, all.0], processor: [part.1, all.1], wall: [part.2, all.2] }
    };
    let keeping_nothing = job("nothing kept", [None, None]);
    let committing = job("results committed exactly once, each second", [Some("flink-part"), Some("flink-all")]);
    Peer { measured: vec![keeping_nothing, committing] }
}
