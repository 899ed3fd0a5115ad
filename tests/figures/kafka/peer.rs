//! The peer on the same topic: Apache Flink's SQL, counting by minute, place and category, as `flink_tumble.py` says; after each run of ours
//! one that writes its results to another topic, exactly once and committed each second, as ours commits to the lake, since a machine's
//! speed drifts while many minutes pass; and once a job that keeps nothing of what it counted.
//!
//! It runs where `GRIDWATCH_FLINK_PYTHON` names a Python that has apache-flink 2.2 and `GRIDWATCH_FLINK_CONNECTOR` the jar
//! flink-sql-connector-kafka 5.0.0-2.2; otherwise the figure recorded on this kind of machine stands alone.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::{CALLS, PARTITIONS};
use crate::Figure;
use crate::kafka_rig::Rig;
use crate::spread::{Spread, seconds, thousands};
use crate::support::{root, skipped};

/// Flink 2.2.1 on Kafka 4.3.1, tumble of a minute that keeps nothing, 2 shared cores: the slope between 2 and 8 million events of 400 bytes,
/// by Flink's own processor time (its start, 33 core seconds, is not in it).
const RECORDED_PER_CORE: f64 = 53_000.0;

/// What Flink does a second and core, and how ours compares.
pub(super) struct Peer {
    flink: Option<Flink>,
    committing: Job,
    /// Ours by what the peer did right after.
    times: Spread,
    keeping_nothing: Job,
}

/// Runs of a job, each over a quarter of the topic and over nearly all of it.
#[derive(Default)]
struct Job {
    per_core: Spread,
    processor: [Spread; 2],
    wall: [Spread; 2],
    events: [u64; 2],
}

impl Job {
    fn figure(&self, what: &str) -> Figure {
        let run = |index: usize| {
            let (wall, processor) = (self.wall[index].said(seconds), self.processor[index].said(|spent| format!("{spent:.1}")));
            format!("{} records: {wall}, {processor} core seconds", self.events[index])
        };
        Figure::new(
            format!("Flink SQL on the same topic: tumble of a minute by place and category, {what}"),
            format!("{} events a core", self.per_core.said(thousands)),
            format!("slope of {} and {}", run(0), run(1)),
        )
    }
}

const COMMITTING: &str = "results committed exactly once, each second";
const KEEPING_NOTHING: &str = "nothing kept";

impl Peer {
    /// Looks for it; says what it needs where it is not there.
    pub(super) fn find() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the peer's place is given by the environment")]
        let [python, connector] = ["GRIDWATCH_FLINK_PYTHON", "GRIDWATCH_FLINK_CONNECTOR"].map(std::env::var);
        let flink = python.ok().zip(connector.ok()).map(|(python, connector)| Flink { python, connector });
        if flink.is_none() {
            skipped(
                "Flink beside us; GRIDWATCH_FLINK_PYTHON and GRIDWATCH_FLINK_CONNECTOR name what it runs with (tests/figures/kafka/peer.rs)",
            );
        }
        Self { flink, committing: Job::default(), times: Spread::default(), keeping_nothing: Job::default() }
    }

    /// Runs the job that commits, right after `ours` did so many events a second and core.
    pub(super) fn commits(&mut self, rig: &Rig, events: u64, pair: usize, ours: f64) {
        let Some(flink) = &self.flink else { return };
        let topics = ["part", "all"].map(|share| format!("flink-{share}-{pair}"));
        self.times.push(ours / flink.run(rig, events, [Some(&topics[0]), Some(&topics[1])], &mut self.committing));
    }

    /// Runs the job that keeps nothing.
    pub(super) fn keeps_nothing(&mut self, rig: &Rig, events: u64) {
        let Some(flink) = &self.flink else { return };
        flink.run(rig, events, [None, None], &mut self.keeping_nothing);
    }

    /// How many times the peer's events a second and core `ours` are: those recorded, and those of this run.
    pub(super) fn said(&self, ours: f64, floor: f64) -> String {
        let missed = |times: f64| if times < floor { " (MISSED)" } else { "" };
        let times = |peer: f64| format!("×{:.1}{}", ours / peer, missed(ours / peer));
        let mut said =
            format!("floor {floor} × Flink's tumble: {} the recorded {} a core", times(RECORDED_PER_CORE), thousands(RECORDED_PER_CORE));
        if self.flink.is_some() {
            let (committing, nothing) = (&self.committing.per_core, self.keeping_nothing.per_core.median());
            said += &format!(
                ", ×{}{} its {} right after each of ours, {COMMITTING}, {} its {} at the end, {KEEPING_NOTHING}",
                self.times.said(|times| format!("{times:.1}")),
                missed(self.times.median()),
                committing.said(thousands),
                times(nothing),
                thousands(nothing)
            );
        }
        said
    }

    pub(super) fn figures(&self) -> Vec<Figure> {
        if self.flink.is_none() {
            return Vec::new();
        }
        vec![self.committing.figure(COMMITTING), self.keeping_nothing.figure(KEEPING_NOTHING)]
    }
}

/// What it runs with.
struct Flink {
    python: String,
    connector: String,
}

impl Flink {
    /// Runs a job over a quarter of the topic and over nearly all of it; answers its events a second and core between the two, so that the start
    /// of the virtual machine does not count.
    fn run(&self, rig: &Rig, events: u64, results: [Option<&str>; 2], job: &mut Job) -> f64 {
        // Partitions are of nearly the same length; none is asked for more than it has.
        let most = events / u64::from(PARTITIONS) * 9 / 10;
        let mut processor = [0.0; 2];
        for (index, records) in [most / 4, most].into_iter().enumerate() {
            let said = self.count(rig, records, results[index]);
            let number = |name: &str| said[name].as_f64().unwrap();
            job.events[index] = said["counted"].as_u64().unwrap();
            processor[index] = number("processor_s");
            job.processor[index].push(processor[index]);
            job.wall[index].push(number("wall_s"));
        }
        let per_core = (job.events[1] - job.events[0]) as f64 / (processor[1] - processor[0]);
        job.per_core.push(per_core);
        per_core
    }

    /// Counts so many records of each partition; answers what it said of that.
    fn count(&self, rig: &Rig, records: u64, results: Option<&str>) -> serde_json::Value {
        // Records are packed with LZ4, which the connector cannot unpack by itself; the broker's own jars have it.
        let of_lz4 = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lz4-java"));
        let lz4 = std::fs::read_dir(rig.fact("jars")).unwrap().map(|entry| entry.unwrap().path()).find(of_lz4).unwrap();
        let (jars, partitions, began) = (format!("{}:{}", self.connector, lz4.display()), PARTITIONS.to_string(), Instant::now());
        if let Some(topic) = results {
            let arguments = ["--create", "--topic", topic, "--partitions", &partitions];
            let made = rig.tool("org.apache.kafka.tools.TopicCommand", &arguments).stdout(Stdio::null()).status();
            assert!(made.unwrap().success(), "topic {topic} was not created");
        }
        let out = Command::new(&self.python)
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
        said
    }
}
