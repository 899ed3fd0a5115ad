//! A real Kafka for a test: starts `tests/kafka/broker.sh`, and hurts its brokers. Gone when dropped, and when the test is.
#![allow(dead_code, reason = "each test program that includes this file uses its part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Brokers of a test, numbered from 1.
pub(crate) struct Rig {
    child: Child,
    /// `None` once dropping: its end is the script's sign to clean up.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    facts: BTreeMap<String, String>,
    brokers: usize,
}

/// A file of `tests/kafka/`.
fn file(name: &str) -> PathBuf {
    // This one is included from crates beside `contract` as well as from the root.
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let tried = ["tests/kafka", "../tests/kafka"].map(|folder| here.join(folder).join(name));
    tried.into_iter().find(|path| path.exists()).expect("tests/kafka is in the repository")
}

fn script() -> PathBuf {
    file("broker.sh")
}

/// Says so past the test's captured output, so that it is seen where the test passes.
fn skip(why: &str) {
    let line = format!("skipped: Kafka tests: {}\n", why.trim());
    std::io::stderr().write_all(line.as_bytes()).expect("standard error takes a line");
}

impl Rig {
    /// Starts that many brokers, `secure` with listeners for TLS and users as well; `None` where Java or Maven is missing.
    pub(crate) fn start(brokers: usize, secure: bool) -> Option<Self> {
        let check = Command::new("bash").arg(script()).arg("check").output();
        match check {
            Ok(check) if check.status.success() => {}
            Ok(check) => {
                skip(&String::from_utf8_lossy(&check.stdout));
                return None;
            }
            Err(error) => {
                skip(&format!("bash cannot be run ({error}); get it with: apt-get install bash"));
                return None;
            }
        }
        let mut command = Command::new("bash");
        command.arg(script()).arg("run").arg(brokers.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        if secure {
            command.arg("secure");
        }
        let mut child = command.spawn().expect("bash runs");
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        let mut rig = Self { child, commands, answers, facts: BTreeMap::new(), brokers };
        rig.wait_ready();
        Some(rig)
    }

    fn wait_ready(&mut self) {
        let mut line = String::new();
        while self.answers.read_line(&mut line).expect("the script speaks UTF-8") > 0 {
            match line.trim().split_once('=') {
                Some((name, value)) => drop(self.facts.insert(name.to_owned(), value.to_owned())),
                None if line.trim() == "ready" => return,
                None => {}
            }
            line.clear();
        }
        panic!("the brokers did not start; what they said stands above");
    }

    /// What the script said under that name.
    pub(crate) fn fact(&self, name: &str) -> &str {
        self.facts.get(name).unwrap_or_else(|| panic!("the script did not say {name}: {:?}", self.facts))
    }

    /// The address of the first broker's listener: `plain`, and where secure `scram`, `expired`, `elsewhere`, `mutual`.
    pub(crate) fn address(&self, listener: &str) -> &str {
        self.fact(&format!("broker.1.{listener}"))
    }

    /// The addresses of all brokers, without encryption.
    pub(crate) fn bootstrap(&self) -> String {
        (1..=self.brokers).map(|broker| self.fact(&format!("broker.{broker}.plain"))).collect::<Vec<_>>().join(",")
    }

    /// A file of the certificates made for this run.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        PathBuf::from(self.fact("certificates")).join(name)
    }

    fn signal(&self, broker: usize, signal: &str) {
        let status = Command::new("kill").arg(signal).arg(self.fact(&format!("broker.{broker}.pid"))).status();
        assert!(status.expect("kill runs").success(), "broker {broker} is not there");
    }

    /// `kill -9`.
    pub(crate) fn kill(&self, broker: usize) {
        self.signal(broker, "-KILL");
    }

    /// Stops it as a network does that takes packets and gives none.
    pub(crate) fn stop(&self, broker: usize) {
        self.signal(broker, "-STOP");
    }

    /// Lets it go on.
    pub(crate) fn resume(&self, broker: usize) {
        self.signal(broker, "-CONT");
    }

    /// One of Kafka's own programs, which are in Java: its class and arguments, spoken to the brokers.
    pub(crate) fn tool(&self, class: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]).arg(format!("{}/*", self.fact("jars")));
        command.arg(class).args(["--bootstrap-server", &self.bootstrap()]).args(arguments);
        command
    }

    /// Kafka's own client as a producer of lines (`tests/kafka/Producer.java`), with settings `NAME=VALUE`; `None` where Java here runs no
    /// program from its source, for which it needs its compiler.
    pub(crate) fn java_producer(&self, topic: &str, settings: &[&str]) -> Option<Command> {
        let modules = Command::new("java").arg("--list-modules").output().expect("java runs");
        if !String::from_utf8_lossy(&modules.stdout).contains("jdk.compiler") {
            skip("a producer in Java; get Java with its compiler with: apt-get install default-jdk-headless");
            return None;
        }
        let mut command = Command::new("java");
        command.arg("-cp").arg(format!("{}/*", self.fact("jars"))).arg(file("Producer.java"));
        command.args([&self.bootstrap(), topic]).args(settings);
        Some(command)
    }

    /// The broker that leads a partition at present.
    pub(crate) fn leader(&self, topic: &str, partition: u32) -> usize {
        let described = self.tool("org.apache.kafka.tools.TopicCommand", &["--describe", "--topic", topic]).output().expect("java runs");
        let text = String::from_utf8_lossy(&described.stdout).into_owned();
        let line = text.lines().find(|line| line.contains(&format!("Partition: {partition}\t")));
        let leader = line.and_then(|line| line.split("Leader: ").nth(1)?.split_whitespace().next()?.parse().ok());
        leader.unwrap_or_else(|| panic!("no leader of {topic}/{partition} is told: {text}{}", String::from_utf8_lossy(&described.stderr)))
    }

    /// Starts a killed broker again, on its ports and its data. Blocks until its port is open.
    pub(crate) fn restart(&mut self, broker: usize) {
        let commands = self.commands.as_mut().expect("the script runs until dropped");
        writeln!(commands, "restart {broker}").expect("the script reads commands");
        self.wait_ready();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        drop(self.commands.take());
        // The script kills the brokers and removes their data.
        self.child.wait().map(drop).unwrap_or_default();
    }
}
