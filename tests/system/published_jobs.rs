//! A job's newest rows in a topic for consumers outside: keyed by grid, compacted, ended with a null, and told of nothing twice across restarts.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use contract::log::kafka::{KafkaLog, KafkaOptions};
use contract::log::{EventLog, LogError, TopicSpec};

use crate::kafka_rig::Rig;
use crate::outside_producers::kcat_is_here;
use crate::roles::{Deployment, PATIENCE, Role};
use crate::support::{Up, program, request};

const TOPIC: &str = "city.counts";

/// A job of one's own: events of the newest hour by grid and category.
fn job(jobs: &Path) {
    let folder = jobs.join("counts");
    std::fs::create_dir_all(&folder).unwrap();
    let toml = format!(
        "schedule = \"1s\"\nwindow = \"an hour\"\nkey = [\"grid_id\", \"category\"]\npublish_topic = \"{TOPIC}\"\n\
         question = {{ en = \"How many?\", zh = \"多少？\" }}\n"
    );
    std::fs::write(folder.join("job.toml"), toml).unwrap();
    let query =
        "SELECT grid_id, category, count(*) AS n FROM events WHERE occurred_at > :as_of - INTERVAL '1 hour' GROUP BY grid_id, category";
    std::fs::write(folder.join("query.sql"), query).unwrap();
}

fn event(id: &str, grid: &str, category: &str, hour: u32) -> String {
    format!(
        r#"{{"event_id":"{id}","source":"s","kind":"hotline_call","occurred_at":"2026-01-01T{hour:02}:00:00Z","category":"{category}","grid_id":"{grid}"}}"#
    )
}

fn post(ingest: &Role, lines: &[String]) {
    let answer = request(ingest.at("ingest"), "POST", "/v1/events", "application/x-ndjson", &lines.join("\n"));
    assert!(matches!(answer, Some((202, _))), "{answer:?}");
}

/// Every message of the topic: key, and its rows or `None` for a null.
fn messages(rig: &Rig) -> Vec<(String, Option<serde_json::Value>)> {
    let out = Command::new("kcat").args(["-C", "-b", &rig.bootstrap(), "-t", TOPIC, "-e", "-q", "-f", "%k\t%S\t%s\n"]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let one = |line: &str| {
        let parts: Vec<&str> = line.splitn(3, '\t').collect();
        let value = (parts[1] != "-1").then(|| serde_json::from_str::<serde_json::Value>(parts[2]).unwrap()["rows"].clone());
        (parts[0].to_owned(), value)
    };
    text.lines().map(one).collect()
}

fn until_messages(rig: &Rig, count: usize, member: &Role) -> BTreeMap<String, Option<serde_json::Value>> {
    let began = Instant::now();
    loop {
        let all = messages(rig);
        if all.len() >= count {
            assert_eq!(all.len(), count, "{all:?}");
            return all.into_iter().collect();
        }
        assert!(began.elapsed() < PATIENCE, "{count} messages were due: {all:?}; the member said: {}", member.said.lock().unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn runs(city: &Deployment) -> u64 {
    city.rows("SELECT runs FROM system.jobs WHERE job = 'counts'").lines().nth(1).map_or(0, |runs| runs.parse().unwrap())
}

#[test]
fn a_jobs_rows_are_published_by_grid_once_and_ended_when_they_end() {
    if !kcat_is_here() {
        return;
    }
    let Some(rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (city, jobs) = (Deployment::new(&rig, folder.path()), folder.path().join("jobs"));
    job(&jobs);
    let analyze = || city.start("analyze", &["--jobs-dir", jobs.to_str().unwrap(), "--commit-interval-ms", "200"], 1);
    let (ingest, member) = (city.ingest(), analyze());
    post(&ingest, &[event("1", "g1", "noise", 8), event("2", "g1", "litter", 8), event("3", "g2", "noise", 8)]);
    let kept = until_messages(&rig, 2, &member);
    let g1 = serde_json::json!([{"grid_id": "g1", "category": "litter", "n": 1}, {"grid_id": "g1", "category": "noise", "n": 1}]);
    assert_eq!(kept["g1"], Some(g1));
    assert_eq!(kept["g2"], Some(serde_json::json!([{"grid_id": "g2", "category": "noise", "n": 1}])));

    // A restart runs the job again, and has nothing to tell.
    member.end();
    let before = runs(&city);
    let member = analyze();
    let began = Instant::now();
    while runs(&city) <= before {
        assert!(began.elapsed() < PATIENCE, "the job did not run again: {}", member.said.lock().unwrap());
        std::thread::sleep(Duration::from_millis(200));
    }
    // Killed, so that nothing is put in order; then g1 has no rows any more, and those of g2 are others.
    member.kill();
    assert_eq!(messages(&rig).len(), 2);
    post(&ingest, &[event("4", "g2", "noise", 10)]);
    post(&ingest, &[event("5", "g3", "noise", 10)]);
    let member = analyze();
    city.until("events", 5, &[&member]);
    let kept = until_messages(&rig, 4, &member);
    assert_eq!(kept["g1"], None);
    assert_eq!(kept["g3"], Some(serde_json::json!([{"grid_id": "g3", "category": "noise", "n": 1}])));
    // g2 has as many as before: the same rows, of which nobody is told again.
    assert_eq!(messages(&rig).iter().filter(|(key, _)| key == "g2").count(), 1);
    member.end();
    ingest.end();

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let as_events = TopicSpec { name: TOPIC.to_owned(), partitions: 4, retention_age: None, retention_bytes: None };
    let told =
        runtime.block_on(async { KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap().ensure_topic(&as_events).await });
    let Err(LogError::InvalidTopic { detail, .. }) = told else { panic!("{told:?}") };
    assert!(detail.contains("cleanup.policy=compact"), "{detail}");
}

#[test]
fn without_kafka_a_job_with_a_topic_runs_and_says_that_it_is_not_published() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = folder.path().join("jobs");
    job(&jobs);
    let jobs = jobs.to_str().unwrap();
    let out = program().args(["jobs", "--format", "csv", "--jobs-dir", jobs, "--data-dir"]).arg(folder.path()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("city.counts (not now: it needs --log kafka://HOST:PORT)"), "{text}");
    let up = Up::start(&folder.path().join("data"), &["--city", "none", "--jobs-dir", jobs]);
    let line = event("1", "g1", "noise", 8);
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/x-ndjson", &line).unwrap().0, 202);
    // The job's table is there from its first run on.
    up.eventually("SELECT count(*) AS n FROM system.jobs WHERE job = 'counts'", "n", 1);
    up.eventually("SELECT n FROM jobs.counts", "n", 1);
    assert_eq!(up.end("TERM"), Some(0));
}
