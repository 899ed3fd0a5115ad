//! What the whole-system tests share: a gridwatch process on free ports, a plain HTTP client, and the independent checker.
#![allow(dead_code, reason = "each test uses a part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gridwatch"))
}

/// Runs a command that must succeed; answers what it printed.
pub(crate) fn said(command: &mut Command) -> String {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{command:?}: {}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Says what is not tested here and how it could be. Past the test's capture, which hides what a test that passes prints.
pub(crate) fn skipped(what: &str) {
    std::io::stderr().write_all(format!("skipped: {what}\n").as_bytes()).unwrap();
}

/// A file of the public city data: in the folder GRIDWATCH_TEST_DATA names, otherwise beside the project. `None`, said loudly, where it
/// is not at hand.
pub(crate) fn city_data(file: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "the data's place is given by the environment")]
    let folder = std::env::var("GRIDWATCH_TEST_DATA").map_or_else(|_| root().join("../shared/data"), PathBuf::from);
    let path = folder.join(file);
    if !path.exists() {
        skipped(&format!("what is tested with {file}; GRIDWATCH_TEST_DATA names the folder that holds it"));
        return None;
    }
    Some(path)
}

/// The text of a packed file.
pub(crate) fn unpacked(path: &Path) -> String {
    let mut text = String::new();
    zstd::Decoder::new(std::fs::File::open(path).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// A running `gridwatch up`.
pub(crate) struct Up {
    child: Child,
    said: Arc<Mutex<String>>,
    pub(crate) page: SocketAddr,
    pub(crate) ingest: SocketAddr,
    pub(crate) metrics: SocketAddr,
    pub(crate) sql: SocketAddr,
}

impl Up {
    /// Starts it on `data_dir` with free ports and waits for its addresses.
    pub(crate) fn start(data_dir: &Path, extra: &[&str]) -> Self {
        let free = ["--page", "127.0.0.1:0", "--ingest", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--sql", "127.0.0.1:0"];
        let mut child = program()
            .arg("up")
            .arg("--data-dir")
            .arg(data_dir)
            .args(free)
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (errors, heard) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&said));
        std::thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                *heard.lock().unwrap() += &(line + "\n");
            }
        });
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = |name: &str| -> SocketAddr {
            let line = lines
                .find(|line| line.as_ref().is_ok_and(|line| line.trim_start().starts_with(name)))
                .unwrap_or_else(|| panic!("up said no {name}"))
                .unwrap();
            let after = line.split_once("://").unwrap().1;
            after[..after.find('/').unwrap()].parse().unwrap()
        };
        let (page, ingest, metrics, sql) = (address("duty page"), address("ingest"), address("metrics"), address("sql"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, said, page, ingest, metrics, sql }
    }

    /// kill -9.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it a signal and waits until it is down; answers its exit code.
    pub(crate) fn end(mut self, signal: &str) -> Option<i32> {
        Command::new("kill").args(["-s", signal]).arg(self.child.id().to_string()).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// Waits until it ends by itself; answers its exit code and what it said on standard error.
    pub(crate) fn ends_by_itself(mut self, within: Duration) -> (Option<i32>, String) {
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < within, "it runs on; it said: {}", self.said.lock().unwrap());
            std::thread::sleep(Duration::from_millis(50));
        }
        let said = self.said.lock().unwrap().clone();
        (self.child.wait().unwrap().code(), said)
    }

    /// Its child process that serves SQL.
    pub(crate) fn sql_process(&self) -> u32 {
        let listed = Command::new("pgrep").args(["-P", &self.child.id().to_string(), "-f", "sql-door"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap().trim().parse().unwrap()
    }

    /// Waits until a statement's first row says `value` in `column`.
    pub(crate) fn eventually(&self, statement: &str, column: &str, value: impl Into<serde_json::Value>) {
        let (value, began) = (value.into(), Instant::now());
        loop {
            let rows = sql(self.page, statement);
            if rows.first().is_some_and(|row| row[column] == value) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{statement}: {rows:?}, expected {value}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A test that fails leaves nothing running.
impl Drop for Up {
    fn drop(&mut self) {
        // An error says that it ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("it said:\n{}", self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        }
    }
}

/// One request on a connection of its own; the status and the body, or nothing where the server went away.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str, content_type: &str, body: &str) -> Option<(u16, String)> {
    let (status, _, body) = exchange(address, method, path, &format!("content-type: {content_type}\r\n"), body)?;
    Some((status, body))
}

/// The same with headers of one's own, each ended by CR LF; status, head and body.
pub(crate) fn exchange(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> Option<(u16, String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: gridwatch\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, head.to_owned(), if chunked { unchunked(body) } else { body.to_owned() }))
}

fn unchunked(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        if size == 0 || rest.len() < size {
            break;
        }
        whole.push_str(&rest[..size]);
        body = rest[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Rows of `POST /v1/sql`.
pub(crate) fn sql(page: SocketAddr, statement: &str) -> Vec<serde_json::Value> {
    let body = serde_json::json!({"sql": statement}).to_string();
    let (status, answer) = request(page, "POST", "/v1/sql", "application/json", &body).expect("the page answers");
    assert_eq!(status, 200, "{statement}: {answer}");
    serde_json::from_str::<serde_json::Value>(&answer).unwrap()["rows"].as_array().unwrap().clone()
}

/// The independent checker's answer about a lake, or `None` (said loudly) where its packages are not installed.
pub(crate) fn ledger(data_dir: &Path, extra: &[&str]) -> Option<serde_json::Value> {
    #[expect(clippy::disallowed_methods, reason = "the test command names the Python that holds the independent readers")]
    let Ok(python) = std::env::var("GRIDWATCH_PYTHON") else {
        skipped("the independent readers (deltalake, duckdb, polars); `make test` installs them");
        return None;
    };
    let out = Command::new(python).arg(root().join("tests/ledger/check.py")).arg(data_dir.join("lake")).args(extra).output().unwrap();
    assert!(!out.stdout.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(serde_json::from_slice(&out.stdout).unwrap())
}
