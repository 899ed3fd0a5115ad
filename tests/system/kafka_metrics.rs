//! What a process says of its Kafka log on `/metrics`: the names of a list, values that follow the broker, nothing without one.

use std::collections::BTreeSet;

use crate::demo_city::{declared, promtool_finds_nothing};
use crate::kafka_rig::Rig;
use crate::load::event;
use crate::roles::{Deployment, Role};
use crate::support::{Up, request, root};

/// The names of the list that a process without membership in a group does not show.
const OF_MEMBERS: [&str; 2] = ["gridwatch_kafka_rebalances_total", "gridwatch_kafka_assigned_partitions"];

fn of_kafka(text: &str) -> BTreeSet<String> {
    declared(text).into_iter().filter(|line| line.starts_with("gridwatch_kafka_")).collect()
}

#[test]
fn every_process_with_a_log_on_kafka_shows_what_its_client_says() {
    let Some(rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let analyze = city.start("analyze", &["--member", "one", "--commit-interval-ms", "200"], 1);
    let body: Vec<String> = (0..100).map(|id| event(&format!("k{id}"), id)).collect();
    assert_eq!(request(ingest.at("ingest"), "POST", "/v1/events", "application/x-ndjson", &body.join("\n")).unwrap().0, 202);

    // What was sent was sent by the producer of one process, and is read by the reader of the other, which has every partition.
    ingest.until("gridwatch_kafka_requests_total{client=\"producer\"}", |requests| requests > 0.0);
    analyze.until("gridwatch_source_events_total", |events| events >= 100.0);
    analyze.until("gridwatch_kafka_assigned_partitions", |partitions| partitions >= 17.0);
    analyze.until("gridwatch_kafka_answer_bytes_total{client=\"reader\"}", |bytes| bytes > 0.0);

    let golden = root().join("tests/system/kafka_metrics.txt");
    let known: BTreeSet<String> = std::fs::read_to_string(&golden).unwrap_or_default().lines().map(str::to_owned).collect();
    let seen = of_kafka(&analyze.metrics());
    assert_eq!(seen, known, "{} is the list; this is what analyze shows:\n{}", golden.display(), lines(&seen));
    let without_group: BTreeSet<String> = known.into_iter().filter(|line| !OF_MEMBERS.iter().any(|name| line.starts_with(name))).collect();
    assert_eq!(of_kafka(&ingest.metrics()), without_group);
    for role in [&ingest, &analyze] {
        promtool_finds_nothing(&role.metrics());
    }

    let whole = Up::start(&folder.path().join("up"), &["--city", "none", "--log", &city.log]);
    let text = request(whole.metrics, "GET", "/metrics", "text/plain", "").unwrap().1;
    assert_eq!(of_kafka(&text), without_group);
    promtool_finds_nothing(&text);
    whole.end("TERM");
    let embedded = Up::start(&folder.path().join("embedded"), &["--city", "none"]);
    let text = request(embedded.metrics, "GET", "/metrics", "text/plain", "").unwrap().1;
    assert_eq!(of_kafka(&text), BTreeSet::new());
    embedded.end("TERM");

    // What the alert about brokers asks for.
    let connected = |role: &Role, asked: fn(f64) -> bool| role.until("gridwatch_kafka_brokers_up", asked);
    connected(&analyze, |brokers| brokers > 0.0);
    rig.kill(1);
    connected(&analyze, |brokers| brokers < 0.5);
    connected(&ingest, |brokers| brokers < 0.5);
}

fn lines(all: &BTreeSet<String>) -> String {
    all.iter().cloned().collect::<Vec<_>>().join("\n")
}
