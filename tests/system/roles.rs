//! The roles of a deployment as plain processes that meet in the log and in the lake: started, signalled, watched and ended.
#![allow(dead_code, reason = "each test program uses its part of it")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::kafka_rig::Rig;
use crate::support::{program, request};

/// The topic of hotline calls, and its partitions as `gridwatch` declares them.
pub(crate) const CALLS: &str = contract::topic::ALL[0];
pub(crate) const PARTITIONS: u32 = 4;

/// Longest wait for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A process of one role.
pub(crate) struct Role {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    pub(crate) said: Arc<Mutex<String>>,
}

/// Where a deployment's processes meet.
pub(crate) struct Deployment {
    pub(crate) log: String,
    pub(crate) data: PathBuf,
}

impl Deployment {
    pub(crate) fn new(rig: &Rig, folder: &Path) -> Self {
        Self { log: format!("kafka://{}", rig.bootstrap()), data: folder.join("data") }
    }

    /// Starts a role with its addresses on free ports and waits until it has said `addresses` of them.
    pub(crate) fn start(&self, role: &str, arguments: &[&str], addresses: usize) -> Role {
        let mut command = program();
        command.arg(role).args(arguments);
        if role != "dashboard" {
            command.args(["--log", &self.log, "--data-dir"]).arg(&self.data).args(["--metrics", "127.0.0.1:0"]);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (errors, heard) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        std::thread::spawn(move || errors.lines().map_while(Result::ok).for_each(|line| *heard.lock().unwrap() += &(line + "\n")));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut known = BTreeMap::new();
        while known.len() < addresses {
            let line = lines.next().unwrap_or_else(|| panic!("{role} ended: {}", said.lock().unwrap())).unwrap();
            let (name, address) = line.split_once(' ').unwrap();
            known.insert(name.to_owned(), address.parse().unwrap());
        }
        Role { child, addresses: known, said }
    }

    pub(crate) fn ingest(&self) -> Role {
        let ingest = self.start("ingest", &["--ingest", "127.0.0.1:0"], 2);
        let began = Instant::now();
        while request(ingest.at("ingest"), "POST", "/v1/events", "application/json", "[]").is_none() {
            assert!(began.elapsed() < PATIENCE, "ingest does not answer: {}", ingest.said.lock().unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
        ingest
    }

    pub(crate) fn member(&self, name: &str) -> Role {
        self.start("analyze", &["--member", name, "--commit-interval-ms", "200"], 1)
    }

    /// The rows of a statement over the lake, as CSV.
    pub(crate) fn rows(&self, statement: &str) -> String {
        rows(&self.data, statement)
    }

    pub(crate) fn count(&self, of: &str) -> u64 {
        let said = self.rows(&format!("SELECT count(*) AS n FROM {of}"));
        said.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
    }

    /// Waits until something holds, looking a few times a second.
    pub(crate) fn wait(&self, what: &str, members: &[&Role], holds: impl FnMut() -> bool) {
        self.wait_looking_each(Duration::from_millis(100), what, members, holds);
    }

    /// Waits until something holds, whose moment is taken for a figure.
    pub(crate) fn wait_looking_each(&self, pause: Duration, what: &str, members: &[&Role], mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            if began.elapsed() >= PATIENCE {
                let said: Vec<String> = members.iter().map(|member| member.said()).collect();
                panic!("not within {PATIENCE:?}: {what}; the members said:\n{}", said.join("\n--\n"));
            }
            std::thread::sleep(pause);
        }
    }

    /// Next offset by partition, of the cut that readers see.
    pub(crate) fn cut(&self) -> BTreeMap<String, u64> {
        let cut = std::fs::read(self.data.join("lake/cut.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let offsets = |cut: serde_json::Value| Some(serde_json::from_value(cut.get("offsets")?.clone()).unwrap());
        cut.and_then(offsets).unwrap_or_default()
    }

    /// Where `records` stands with a partition.
    pub(crate) fn position(&self, partition: &str) -> u64 {
        let moved = |version| self.moves(version).into_iter().flatten().find_map(|(name, next)| (name == partition).then_some(next));
        let Some(newest) = self.version() else { return 0 };
        (0..=newest).rev().find_map(moved).unwrap_or_default()
    }

    /// The positions that a version of `records` moved; `None` where there is none such.
    pub(crate) fn moves(&self, version: u64) -> Option<Vec<(String, u64)>> {
        let entry = std::fs::read_to_string(self.data.join(format!("lake/records/_delta_log/{version:020}.json"))).ok()?;
        let moved = |line: &str| {
            let txn = serde_json::from_str::<serde_json::Value>(line).unwrap()["txn"].take();
            Some((txn["appId"].as_str()?.to_owned(), txn["version"].as_u64()?))
        };
        Some(entry.lines().filter_map(moved).collect())
    }

    /// Newest version of `records`.
    pub(crate) fn version(&self) -> Option<u64> {
        let log = std::fs::read_dir(self.data.join("lake/records/_delta_log")).ok()?;
        let version = |name: String| name.strip_suffix(".json").and_then(|version| version.parse().ok());
        log.filter_map(|entry| version(entry.ok()?.file_name().to_string_lossy().into_owned())).max()
    }

    /// Waits until the cut that readers see holds that many rows.
    pub(crate) fn until(&self, of: &str, count: u64, members: &[&Role]) {
        let began = Instant::now();
        let mut seen = 0;
        while began.elapsed() < PATIENCE {
            seen = if self.data.join("lake/cut.json").exists() { self.count(of) } else { 0 };
            if seen >= count {
                break;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        let said: Vec<String> = members.iter().map(|member| member.said.lock().unwrap().clone()).collect();
        assert_eq!(seen, count, "rows of {of}; the members said:\n{}", said.join("\n--\n"));
    }

    /// `gridwatch check` holds; how many rules it held.
    pub(crate) fn check(&self) -> usize {
        let out = program().args(["check", "--format", "csv", "--log", &self.log, "--data-dir"]).arg(&self.data).output().unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        String::from_utf8_lossy(&out.stdout).lines().filter(|line| line.starts_with("holds")).count()
    }
}

pub(crate) fn rows(data: &Path, statement: &str) -> String {
    let out = program().args(["sql", statement, "--format", "csv", "--data-dir"]).arg(data).output().unwrap();
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

impl Role {
    pub(crate) fn at(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The text of its `/metrics`; empty where it does not answer.
    pub(crate) fn metrics(&self) -> String {
        request(self.at("metrics"), "GET", "/metrics", "text/plain", "").map(|(_, text)| text).unwrap_or_default()
    }

    /// The sum of a metric's series whose line begins so; nothing where there is none.
    pub(crate) fn sum(&self, begins: &str) -> Option<f64> {
        let text = self.metrics();
        let values = text.lines().filter(|line| line.starts_with(begins)).filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        values.reduce(|sum, value| sum + value)
    }

    /// Waits until `sum` of the metric is as asked.
    pub(crate) fn until(&self, begins: &str, asked: impl Fn(f64) -> bool) {
        let began = Instant::now();
        while !self.sum(begins).is_some_and(&asked) {
            assert!(began.elapsed() < PATIENCE, "{begins}: {:?}; it said: {}", self.sum(begins), self.said.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Hangs it, within microseconds.
    ///
    /// Returns when every thread of it stands: the signal is taken a moment after it is sent, and a commit could still go through then.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let threads = format!("/proc/{}/task", self.id());
        let stands = |stat: String| stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['T', 'Z']));
        // A thread that ends meanwhile has no state any more.
        let all_stand = || {
            let mut threads = std::fs::read_dir(&threads).into_iter().flatten().flatten();
            threads.all(|thread| std::fs::read_to_string(thread.path().join("stat")).map_or(true, stands))
        };
        let began = Instant::now();
        while !all_stand() {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not stop");
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// How often it has said that.
    pub(crate) fn times_said(&self, words: &str) -> usize {
        self.said.lock().unwrap().matches(words).count()
    }

    /// What it has said.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Whether it runs, or hangs.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it ends by itself; answers its exit code and what it said.
    pub(crate) fn ends_by_itself(mut self) -> (Option<i32>, String) {
        let began = Instant::now();
        while self.lives() {
            assert!(began.elapsed() < PATIENCE, "it runs on");
            std::thread::sleep(Duration::from_millis(50));
        }
        // What it said last is on its way through the pipe.
        std::thread::sleep(Duration::from_millis(200));
        (self.child.wait().unwrap().code(), self.said())
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn end(mut self) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said.lock().unwrap());
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        // An error says that it ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("a role said:\n{}", self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        }
    }
}
