//! The demo city as `gridwatch up` streams it: asked by psql, scraped by Prometheus, its SQL process killed, its page fed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::load::event;
use crate::support::{Up, request, root, skipped, sql};

/// Tables and views of the surface, each with a column it must have.
const TABLES: [(&str, &str); 32] = [
    ("records", "disposition"),
    ("events", "event_id"),
    ("hotline_calls", "call_id"),
    ("grid_reports", "report_id"),
    ("sensor_events", "device_id"),
    ("case_steps", "stage"),
    ("cells", "voices"),
    ("grid_hours", "hour"),
    ("grid_days", "day"),
    ("grids", "neighbours"),
    ("quarantine", "payload"),
    ("late_events", "event_id"),
    ("unlocated", "event_id"),
    ("jobs.volume", "as_of"),
    ("jobs.hotspots", "q"),
    ("jobs.recurrence", "repeat_rate"),
    ("jobs.feed_health", "table_version"),
    ("jobs.surges", "q"),
    ("jobs.emerging", "class"),
    ("jobs.clusters", "interval_days"),
    ("jobs.silence", "p"),
    ("jobs.near_repeats", "risk_until"),
    ("jobs.reopen", "low"),
    ("detector_settings", "surge_q_max"),
    ("jobs_history.volume", "as_of"),
    ("jobs_history.hotspots", "z"),
    ("system.feeds", "source"),
    ("system.jobs", "job"),
    ("system.functions", "name"),
    ("system.offsets", "next_offset"),
    ("system.commits", "version"),
    ("system.quarantine_reasons", "zh"),
];

/// Metrics that only show when something rare happened, which this test does not bring about, or after weeks of history, which the
/// first look of a job at a city that is still being read has not.
const RARE: [&str; 24] = [
    "gridwatch_source_late_total",
    "gridwatch_job_failures_total",
    "gridwatch_surge_q_value",
    "gridwatch_emerging_class",
    "gridwatch_scan_recurrence_interval_seconds",
    "gridwatch_scan_cluster_cases",
    "gridwatch_scan_signal",
    "gridwatch_silence_p_value",
    "gridwatch_near_repeat_ratio",
    "gridwatch_near_repeat_q_value",
    "gridwatch_reopen_ratio",
    "gridwatch_reopen_cases",
    "gridwatch_reopen_closed_cases",
    "gridwatch_surging_week",
    "gridwatch_surge_week_q_value",
    "gridwatch_chronic_weeks_hot",
    "gridwatch_chronic_persistence_ratio",
    "gridwatch_no_recurrence_ratio",
    "gridwatch_interarrival_median_seconds",
    "gridwatch_interarrival_contacts",
    "gridwatch_monthly_issue_score",
    "gridwatch_monthly_issue_rank",
    "gridwatch_monthly_issue_open_cases",
    "gridwatch_monthly_issue_followed_cases",
];

fn psql(up: &Up, command: &str) -> Result<String, String> {
    let address = format!("postgres://{}/gridwatch", up.sql);
    let out = Command::new("psql").args(["-X", "-v", "ON_ERROR_STOP=1", "--csv", &address, "-c", command]).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(text(&out.stdout)) } else { Err(text(&out.stderr)) }
}

fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skipped(&format!("what {program} is asked; `make tools` installs it"));
    }
    found
}

fn speaks_to_psql(up: &Up) {
    // Commits go on meanwhile: each meta command asks several times, and must not lose the table in between.
    for _ in 0..10 {
        let described = psql(up, r"\d events").unwrap();
        for column in ["event_id", "occurred_at", "category", "address", "grid_id", "revision"] {
            assert!(described.lines().any(|line| line.starts_with(column)), "{column} is missing in: {described}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let listed = psql(up, r"\d").unwrap();
    for (table, column) in TABLES {
        let name = table.rsplit('.').next().unwrap();
        assert!(listed.contains(name), "{table} is missing in: {listed}");
        psql(up, &format!("SELECT {column}, * FROM {table} LIMIT 3")).unwrap_or_else(|error| panic!("{table}: {error}"));
    }
    let joined = psql(
        up,
        "SELECT g.name_zh, h.z, h.q, count(*) AS calls FROM events e JOIN grids g ON g.grid_id = e.grid_id \
         JOIN jobs.hotspots h ON h.grid_id = e.grid_id AND h.category = '*' AND h.period = '7d' AND h.measure = 'count' \
         WHERE e.kind = 'hotline_call' GROUP BY 1, 2, 3 ORDER BY h.z DESC LIMIT 3",
    )
    .unwrap();
    println!("{joined}");
    assert_eq!(joined.lines().count(), 4, "a header and three grids: {joined}");
    let refused = psql(up, "DELETE FROM records").unwrap_err();
    assert!(refused.contains("ERROR"), "{refused}");
}

fn killed_sql_process_costs_one_reconnect(up: &Up) {
    let before = sql(up.page, "SELECT count(*) AS n FROM events")[0]["n"].as_i64().unwrap();
    let body: Vec<String> = (0..500).map(|id| event(&format!("door{id}"), id)).collect();
    let killed = up.sql_process();
    assert!(Command::new("kill").args(["-9", &killed.to_string()]).status().unwrap().success());
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/x-ndjson", &body.join("\n")).unwrap().0, 202, "ingest goes on");
    // A connection made while the process is away waits for the next one.
    let began = Instant::now();
    let answer = psql(up, "SELECT 1 AS one").unwrap();
    println!("answered {} ms after the kill", began.elapsed().as_millis());
    assert_eq!(answer, "one\n1\n");
    assert_ne!(up.sql_process(), killed);
    up.eventually("SELECT count(*) AS n FROM events WHERE event_id LIKE 'door%'", "n", 500);
    let after = sql(up.page, "SELECT count(*) AS n FROM events")[0]["n"].as_i64().unwrap();
    assert!(after >= before + 500, "{before} before, {after} after");
}

/// `name type {labels} help` of every metric.
pub(crate) fn declared(text: &str) -> BTreeSet<String> {
    let (mut help, mut kind, mut labels) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for line in text.lines() {
        if let Some((name, said)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            help.insert(name.to_owned(), said.to_owned());
        } else if let Some((name, said)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            kind.insert(name.to_owned(), said.to_owned());
        } else if let Some(end) = line.find(['{', ' ']) {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| line[..end].strip_suffix(part).filter(|name| kind.contains_key(*name)));
            let own = labels.entry(name.unwrap_or(&line[..end]).to_owned()).or_default();
            let inside = line[end..].strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inside, _)| inside);
            own.extend(
                inside
                    .split("\",")
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(label, _)| label.to_owned())
                    .filter(|label| label != "le"),
            );
        }
    }
    let labels = |name: &str| labels.get(name).into_iter().flatten().cloned().collect::<Vec<_>>().join(",");
    help.iter().map(|(name, help)| format!("{name} {} {{{}}} {help}", kind[name], labels(name))).collect()
}

fn metrics_are_those_declared(up: &Up) {
    let bad = r#"{"event_id":"b1","source":"load","kind":"hotline_call","occurred_at":"never"}"#;
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/json", bad).unwrap().0, 400);
    let again = event("door1", 1);
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/json", &again).unwrap().0, 202);
    up.eventually("SELECT count(*) FILTER (WHERE disposition = 'duplicate') AS n FROM records WHERE source = 'load'", "n", 1);
    up.eventually("SELECT count(DISTINCT job) AS n FROM system.jobs", "n", 14);
    std::thread::sleep(Duration::from_secs(2));
    let (status, text) = request(up.metrics, "GET", "/metrics", "text/plain", "").unwrap();
    assert_eq!(status, 200);
    let golden = root().join("tests/system/metrics.txt");
    let seen = declared(&text);
    let known: BTreeSet<String> = std::fs::read_to_string(&golden).unwrap_or_default().lines().map(str::to_owned).collect();
    // What a job declares stands in the list, whether or not it has rows to show here.
    for gauge in analytics::jobs::discover(None).unwrap().iter().flat_map(|job| &job.definition.gauges) {
        let labels = gauge.labels.keys().cloned().collect::<Vec<_>>().join(",");
        let line = format!("{} gauge {{{labels}}} {}", gauge.metric, gauge.help);
        assert!(known.contains(&line), "not in {}: {line}", golden.display());
    }
    let rare = |line: &&String| RARE.iter().any(|name| line.starts_with(name));
    let hidden: Vec<_> = known.difference(&seen).filter(|line| !rare(line)).collect();
    let undeclared: Vec<_> = seen.difference(&known).collect();
    assert!(hidden.is_empty(), "declared in {} but not shown: {hidden:#?}", golden.display());
    assert!(undeclared.is_empty(), "shown but not declared in {}: {undeclared:#?}", golden.display());
    assert!(text.contains("\ngridwatch_balance_difference_records 0\n"), "the balance holds");
    promtool_finds_nothing(&text);
}

/// Prometheus' own linter has nothing to say of a scrape.
pub(crate) fn promtool_finds_nothing(text: &str) {
    if !is_there("promtool") {
        return;
    }
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let out = check.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.is_empty(), "promtool: {said}");
}

#[test]
fn the_demo_city_answers_psql_prometheus_and_survives_its_sql_process() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), &["--seed", "7"]);
    up.eventually("SELECT count(*) > 400000 AS all FROM events", "all", true);
    // Its jobs run in turn, and the table of each is made by its first run.
    let jobs = analytics::jobs::discover(None).unwrap().len();
    up.eventually("SELECT count(*) AS jobs FROM system.jobs", "jobs", jobs);
    if is_there("psql") {
        speaks_to_psql(&up);
        killed_sql_process_costs_one_reconnect(&up);
    }
    metrics_are_those_declared(&up);
    assert_eq!(up.end("TERM"), Some(0));
}
