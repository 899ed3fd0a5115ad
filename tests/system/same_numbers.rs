//! The same numbers, whatever carries the log: a generated city with its labels and a month of a real hotline, on the embedded
//! log, on Kafka with one member, with three members that are killed, and in another order, give the same events, cells and
//! answers of every job.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::kafka_rig::Rig;
use crate::roles::{Deployment, Role, rows};
use crate::support::{Up, city_data, program, request, root, unpacked};

/// A city of two days, as files of contract events and of grids.
fn city(folder: &Path) -> Vec<PathBuf> {
    assert!(program().args(["city", "--seed", "7", "--days", "2", "--out"]).arg(folder).stdout(Stdio::null()).status().unwrap().success());
    ["hotline_call", "grid_report", "case_step", "sensor_event"].map(|kind| folder.join(format!("{kind}.ndjson"))).into()
}

/// The month of the real hotline: August 2019.
const MONTH: &str = "201908";
const MONTHS_END: &str = "2019-09-01T00:00:00+08:00";

/// A real month: its rows with the file's header, and the grids they lie in; `None` (said loudly) where the data is not at hand.
struct Month {
    header: String,
    rows: Vec<String>,
    folder: PathBuf,
}

impl Month {
    fn at_hand() -> Option<Self> {
        let file = city_data("taipei/hotline1999_2019.csv.zst")?;
        let text = unpacked(&file);
        let mut lines = text.lines().map(str::to_owned);
        let header = lines.next().unwrap();
        // A row begins with its case's number, which begins with the day.
        let rows: Vec<String> = lines.filter(|line| line.starts_with(MONTH)).collect();
        assert!(rows.len() > 10_000, "{} rows of a month", rows.len());
        Some(Self { header, rows, folder: file.parent()?.to_owned() })
    }

    /// Posts the rows to their feed, from the first to the last or the later half first.
    fn post(&self, address: SocketAddr, forward: bool) {
        let (early, late) = self.rows.split_at(self.rows.len() / 2);
        let halves = if forward { [early, late] } else { [late, early] };
        for batch in halves.into_iter().flat_map(|half| half.chunks(1000)) {
            let body = format!("{}\n{}\n", self.header, batch.join("\n"));
            let answer = request(address, "POST", "/v1/feeds/taipei-hotline", "text/csv", &body);
            assert!(matches!(answer, Some((200 | 202, _))), "{answer:?}");
        }
    }
}

fn load(file: &Path, [level, id, name, parent]: [&str; 4], data: &Path) {
    let mut command = program();
    command.args(["grids", "load"]).arg(file).args(["--level", level, "--id", id, "--name", name]);
    if !parent.is_empty() {
        command.args(["--parent", parent]);
    }
    let out = command.arg("--data-dir").arg(data).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// What is sent, and where it lies.
struct Scenario {
    city: PathBuf,
    lines: Vec<String>,
    month: Option<Month>,
}

impl Scenario {
    fn new(folder: &Path) -> Self {
        let files = city(folder);
        let text: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let lines = text.iter().flat_map(|file| file.lines()).map(ToOwned::to_owned).collect();
        Self { city: folder.to_owned(), lines, month: Month::at_hand() }
    }

    fn records(&self) -> u64 {
        (self.lines.len() + self.month.as_ref().map_or(0, |month| month.rows.len())) as u64
    }

    fn load_grids(&self, data: &Path) {
        load(&self.city.join("grids.geojson"), ["grid", "grid_id", "name_zh", ""], data);
        if let Some(Month { folder, .. }) = &self.month {
            load(&folder.join("zones_district.geojson.zst"), ["district", "CPTID", "TNAME", ""], data);
            load(&folder.join("zones_village.geojson.zst"), ["village", "CPTVID", "VNAME", "TNAME"], data);
        }
    }

    /// Posts everything: from the first to the last, or in another order.
    fn post(&self, address: SocketAddr, forward: bool) {
        let mut batches: Vec<&[String]> = self.lines.chunks(500).collect();
        if !forward {
            if let Some(month) = &self.month {
                month.post(address, false);
            }
            // The later half, backwards, then the earlier one.
            let half = batches.len() / 2;
            batches.rotate_left(half);
            batches[..half].reverse();
        }
        for batch in batches {
            let answer = request(address, "POST", "/v1/events", "application/x-ndjson", &batch.join("\n"));
            assert!(matches!(answer, Some((202, _))), "{answer:?}");
        }
        if let Some(month) = self.month.as_ref().filter(|_| forward) {
            month.post(address, true);
        }
    }
}

/// Every job there is.
fn jobs() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("analytics/jobs")).unwrap();
    let mut names: Vec<String> = folders.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What must not depend on the log, on the number of members, on crashes or on the order: each named, as CSV.
fn tables(data: &Path) -> Vec<(String, String)> {
    let job = |name: &str, as_of: &[&str]| {
        let out = program().args(["job", "run", name, "--format", "csv", "--data-dir"]).arg(data).args(as_of).output().unwrap();
        assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
        let text = String::from_utf8(out.stdout).unwrap();
        let mut lines: Vec<String> = text.lines().map(without_version).collect();
        lines[1..].sort();
        lines.join("\n")
    };
    let mut all = vec![
        (
            "events".to_owned(),
            rows(
                data,
                "SELECT source, event_id, kind, occurred_at, case_id, device_id, category, value, address, address_id, caller, lon, lat, \
                 grid_id, revision, located_by FROM events ORDER BY source, event_id",
            ),
        ),
        ("cells".to_owned(), rows(data, "SELECT source, kind, grid_id, category, hour, events, voices FROM cells ORDER BY 1, 2, 3, 4, 5")),
    ];
    // How long ago a feed's records came in is of this machine's clock, not of the city's.
    for name in jobs().into_iter().filter(|name| name != "feed_health") {
        // At the newest event, which is the generated city's, and at the end of the real month.
        all.push((format!("job {name}"), job(&name, &[])));
        all.push((format!("job {name} after the month"), job(&name, &["--as-of", MONTHS_END])));
    }
    all
}

/// A job's row without `table_version`, which counts commits.
fn without_version(line: &str) -> String {
    line.splitn(3, ',').enumerate().filter(|(column, _)| *column != 1).map(|(_, text)| text).collect::<Vec<_>>().join(",")
}

/// The same, table by table; each difference is told by its first line.
fn same(how: &str, found: &[(String, String)], expected: &[(String, String)]) {
    let differences = found.iter().zip(expected).filter(|(found, expected)| found != expected).map(|((name, found), (_, expected))| {
        let first = found.lines().zip(expected.lines()).find(|(one, other)| one != other);
        format!("{name}: {} and {} lines, first {first:?}", found.lines().count(), expected.lines().count())
    });
    let differences: Vec<String> = differences.collect();
    assert!(differences.is_empty(), "{how}:\n{}", differences.join("\n"));
}

#[test]
fn the_tables_are_those_of_the_embedded_log_with_one_member_with_three_and_crashes_and_in_another_order() {
    let Some(rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let scenario = Scenario::new(&folder.path().join("city"));
    let all = scenario.records();

    let local = folder.path().join("local");
    scenario.load_grids(&local);
    let up = Up::start(&local, &["--city", "none"]);
    scenario.post(up.ingest, true);
    up.eventually("SELECT count(*) AS n FROM records", "n", all);
    up.end("TERM");
    let expected = tables(&local);
    let lines: Vec<String> = expected.iter().map(|(name, table)| format!("{name} {}", table.lines().count())).collect();
    println!("{all} records; lines of each table: {}", lines.join(", "));
    assert!(expected.iter().take(2).all(|(_, table)| table.lines().count() > 20), "the tables hold something");

    // The same topics serve both scenarios: a lake of its own reads them from the beginning, in a group of its own.
    let kafka = Deployment::new(&rig, folder.path());
    scenario.load_grids(&kafka.data);
    let ingest = kafka.ingest();
    scenario.post(ingest.at("ingest"), false);
    ingest.end();
    let alone = kafka.member("alone");
    kafka.until("records", all, &[&alone]);
    alone.end();
    kafka.check();
    same("one member, another order", &tables(&kafka.data), &expected);

    let shared = Deployment { data: folder.path().join("shared"), ..Deployment::new(&rig, folder.path()) };
    scenario.load_grids(&shared.data);
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
    same("three members and crashes", &tables(&shared.data), &expected);
}
