//! A deployment's roles as plain processes on free ports, meeting in a log on Kafka and in a lake.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{program, request};

/// Longest wait for a process to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where roles meet.
#[derive(Clone)]
pub(crate) struct Place {
    /// `kafka://HOST:PORT`.
    pub(crate) log: String,
    /// Folder of the lake.
    pub(crate) data: PathBuf,
}

/// A process of one role.
pub(crate) struct Role {
    child: Child,
    addresses: BTreeMap<String, SocketAddr>,
    said: Arc<Mutex<String>>,
}

impl Place {
    pub(crate) fn new(brokers: &str, data: &Path) -> Self {
        Self { log: format!("kafka://{brokers}"), data: data.to_owned() }
    }

    /// Starts a role and waits until it has said its `addresses`; what it needs beyond log, lake and metrics stands in `arguments`.
    pub(crate) fn start(&self, role: &str, arguments: &[&str], addresses: usize) -> Role {
        let mut command = program();
        command.arg(role).args(["--log", &self.log, "--metrics", "127.0.0.1:0", "--data-dir"]).arg(&self.data).args(arguments);
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

    /// Takes events over HTTP; waits until it does.
    pub(crate) fn ingest(&self) -> Role {
        let ingest = self.start("ingest", &["--ingest", "127.0.0.1:0"], 2);
        let began = Instant::now();
        while request(ingest.at("ingest"), "POST", "/v1/events", "application/json", "[]").is_none() {
            assert!(began.elapsed() < PATIENCE, "ingest does not answer: {}", ingest.said.lock().unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        ingest
    }
}

impl Role {
    /// One of its addresses.
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

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// What fails leaves nothing running.
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
