//! A city on a real Kafka: the roles of a deployment as plain processes, meeting in the log and in the lake. Members are killed,
//! stopped and added, the broker dies, and the tables are those of the embedded log.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::load::{in_lake, under_load_at};
use crate::support::{Up, program, request, sql};

#[path = "../../contract/tests/kafka_rig/mod.rs"]
#[expect(clippy::expect_used, reason = "shared with the tests of the log")]
mod kafka_rig;
pub(crate) use kafka_rig::Rig;

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

    pub(crate) fn check(&self) {
        let out = program().args(["check", "--format", "csv", "--log", &self.log, "--data-dir"]).arg(&self.data).output().unwrap();
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
}

fn rows(data: &Path, statement: &str) -> String {
    let out = program().args(["sql", statement, "--format", "csv", "--data-dir"]).arg(data).output().unwrap();
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

impl Role {
    pub(crate) fn at(&self, name: &str) -> SocketAddr {
        self.addresses[name]
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args(["-s", signal]).arg(self.child.id().to_string()).status().unwrap().success());
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(crate) fn end(mut self) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said.lock().unwrap());
    }

    fn metric(&self, line: &str) -> Option<f64> {
        let (_, text) = request(self.at("metrics"), "GET", "/metrics", "text/plain", "")?;
        text.lines().find_map(|said| said.strip_prefix(line)?.trim().parse().ok())
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

/// A city of two days, as files of contract events and of grids.
fn city(folder: &Path) -> Vec<PathBuf> {
    assert!(program().args(["city", "--seed", "7", "--days", "2", "--out"]).arg(folder).stdout(Stdio::null()).status().unwrap().success());
    ["hotline_call", "grid_report", "case_step", "sensor_event"].map(|kind| folder.join(format!("{kind}.ndjson"))).into()
}

fn load_grids(city: &Path, data: &Path) {
    let mut command = program();
    command.args(["grids", "load"]).arg(city.join("grids.geojson")).args(["--level", "grid", "--id", "grid_id", "--name", "name_zh"]);
    let out = command.arg("--data-dir").arg(data).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Posts lines in batches: from the first to the last, or in another order.
fn post(address: SocketAddr, lines: &[&str], forward: bool) {
    let mut batches: Vec<&[&str]> = lines.chunks(500).collect();
    if !forward {
        // The later half, backwards, then the earlier one.
        let half = batches.len() / 2;
        batches.rotate_left(half);
        batches[..half].reverse();
    }
    for batch in batches {
        let answer = request(address, "POST", "/v1/events", "application/x-ndjson", &batch.join("\n"));
        assert!(matches!(answer, Some((202, _))), "{answer:?}");
    }
}

/// What must not depend on the log, on the number of members, on crashes or on the order.
fn tables(data: &Path) -> [String; 4] {
    let job = |name: &str| {
        let out = program().args(["job", "run", name, "--format", "csv", "--data-dir"]).arg(data).output();
        let out = out.unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let mut lines: Vec<String> = text.lines().map(without_version).collect();
        lines[1..].sort();
        lines.join("\n")
    };
    [
        rows(
            data,
            "SELECT source, event_id, kind, occurred_at, case_id, category, address_id, caller, lon, lat, grid_id, revision, located_by \
             FROM events ORDER BY source, event_id",
        ),
        rows(
            data,
            "SELECT source, kind, grid_id, category, hour, events, voices FROM cells ORDER BY source, kind, grid_id, category, hour",
        ),
        job("recurrence"),
        job("hotspots"),
    ]
}

/// A job's row without `table_version`, which counts commits.
fn without_version(line: &str) -> String {
    line.splitn(3, ',').enumerate().filter(|(column, _)| *column != 1).map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

#[test]
fn the_tables_are_those_of_the_embedded_log_with_one_member_with_three_and_crashes_and_in_another_order() {
    let Some(rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = city(&folder.path().join("city"));
    let text: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let lines: Vec<&str> = text.iter().flat_map(|file| file.lines()).collect();
    let all = lines.len() as u64;

    let local = folder.path().join("local");
    load_grids(&folder.path().join("city"), &local);
    let up = Up::start(&local, &["--city", "none"]);
    post(up.ingest, &lines, true);
    up.eventually("SELECT count(*) AS n FROM records", "n", all);
    up.end("TERM");
    let expected = tables(&local);
    assert!(expected.iter().all(|table| table.lines().count() > 20), "the tables hold something");

    // The same topics serve both scenarios: a lake of its own reads them from the beginning, in a group of its own.
    let kafka = Deployment::new(&rig, folder.path());
    load_grids(&folder.path().join("city"), &kafka.data);
    let ingest = kafka.ingest();
    post(ingest.at("ingest"), &lines, false);
    ingest.end();
    let alone = kafka.member("alone");
    kafka.until("records", all, &[&alone]);
    alone.end();
    kafka.check();
    for (table, expected) in tables(&kafka.data).iter().zip(&expected) {
        assert!(table == expected, "one member: the tables differ");
    }

    let shared = Deployment { data: folder.path().join("shared"), ..Deployment::new(&rig, folder.path()) };
    load_grids(&folder.path().join("city"), &shared.data);
    let group = ["--group", "three", "--commit-interval-ms", "50"];
    let mut members: Vec<Role> = (0..3).map(|_| shared.start("analyze", &group, 1)).collect();
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(700));
        members.remove(0).kill();
        members.push(shared.start("analyze", &group, 1));
    }
    shared.until("records", all, &members.iter().collect::<Vec<_>>());
    members.into_iter().for_each(Role::end);
    shared.check();
    for (table, expected) in tables(&shared.data).iter().zip(&expected) {
        assert!(table == expected, "three members and crashes: the tables differ");
    }
}

#[test]
fn nothing_acknowledged_is_lost_while_members_die_hang_and_join_and_the_broker_is_killed() {
    let Some(mut rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let serve = city.start("serve", &["--sql", "127.0.0.1:0", "--sql-http", "127.0.0.1:0"], 3);
    let door = serve.at("sql-http").to_string();
    let dashboard = city.start("dashboard", &["--door", &door, "--page", "127.0.0.1:0"], 1);
    let mut members: Vec<Role> = (0..2).map(|member| city.member(&format!("m{member}"))).collect();
    let acked = under_load_at(ingest.at("ingest"), "f", || {
        for round in 0..3 {
            std::thread::sleep(Duration::from_secs(2));
            // Killed, and another in its place; a third joins for a while.
            members.remove(0).kill();
            members.push(city.member(&format!("m{round}")));
            let guest = city.member("guest");
            std::thread::sleep(Duration::from_secs(2));
            guest.end();
        }
        // Hangs for longer than the session lasts, with partitions of its own and records under way; then goes on.
        let hanging = city.start("analyze", &["--commit-interval-ms", "200"], 1);
        std::thread::sleep(Duration::from_secs(4));
        hanging.signal("STOP");
        std::thread::sleep(Duration::from_secs(13));
        hanging.signal("CONT");
        members.push(hanging);
        rig.kill(1);
        rig.restart(1);
        std::thread::sleep(Duration::from_secs(2));
    });
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    // Requests that failed while the broker was away may stand in the log as well; what was acknowledged must.
    let (page, began) = (dashboard.at("page"), Instant::now());
    let standing = |page| sql(page, "SELECT count(DISTINCT event_id) AS n FROM events")[0]["n"].as_u64().unwrap_or(0);
    while standing(page) < acked.len() as u64 {
        assert!(began.elapsed() < PATIENCE, "{} of {} are there", standing(page), acked.len());
        std::thread::sleep(Duration::from_millis(200));
    }
    let balances: Vec<Option<f64>> = members.iter().map(|member| member.metric("gridwatch_balance_difference_records ")).collect();
    assert!(balances.iter().all(|balance| *balance == Some(0.0)), "{balances:?}");
    members.into_iter().for_each(Role::end);
    ingest.end();
    serve.end();
    dashboard.end();
    let all: Vec<(&str, String)> = acked.into_iter().map(|id| ("load", id)).collect();
    city.check();
    in_lake(folder.path(), &city.data, &all);
}
