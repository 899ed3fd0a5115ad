//! Producers that know nothing of gridwatch but the contract: kcat, and Kafka's own Java client, write JSON and CloudEvents to its topics, and
//! `analyze` takes in what they wrote as it stands.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use contract::topic;

use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment};
use crate::support::skipped;

/// Feeds a program's standard input, and answers what it printed.
pub(crate) fn piped(command: &mut Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Whether kcat is here; says so where it is not.
pub(crate) fn kcat_is_here() -> bool {
    let here = Command::new("kcat").arg("-V").output().is_ok_and(|out| out.status.success());
    if !here {
        skipped("producers that are not ours; get kcat with: apt-get install kcat");
    }
    here
}

/// kcat as a producer of lines `KEY<TAB>VALUE`, which takes the partition that a Java client would.
pub(crate) fn kcat(rig: &Rig, topic: &str, more: &[&str], lines: &[u8]) {
    let mut command = Command::new("kcat");
    command.args(["-P", "-b", &rig.bootstrap(), "-t", topic, "-K", "\t", "-X", "partitioner=murmur2_random"]).args(more);
    piped(&mut command, lines);
}

fn call(source: &str, id: u64) -> String {
    format!(
        r#"{{"event_id":"{id}","source":"{source}","kind":"hotline_call","occurred_at":"2026-01-01T08:00:00+08:00","case_id":"case-{id}","category":"噪音","address":"磨坊路 {id} 号"}}"#
    )
}

fn lines(source: &str, ids: std::ops::Range<u64>) -> String {
    ids.map(|id| format!("{source}/case-{id}\t{}\n", call(source, id))).collect()
}

/// What stands in the lake of a source: partitions by key.
fn partitions(city: &Deployment, source: &str) -> BTreeMap<String, u32> {
    let rows = city.rows(&format!("SELECT case_id, log_partition FROM records WHERE source = '{source}' AND disposition = 'accepted'"));
    rows.lines()
        .skip(1)
        .map(|line| line.split_once(',').unwrap())
        .map(|(case, partition)| (format!("{source}/{case}"), partition.parse().unwrap()))
        .collect()
}

#[test]
fn json_and_cloud_events_of_kcat_and_of_a_java_client_are_taken_in_as_they_stand() {
    if !kcat_is_here() {
        return;
    }
    let Some(rig) = Rig::start(1, false) else { return };
    let Some(mut java) = rig.java_producer(CALLS, &[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    // Makes the topics.
    city.ingest().end();

    kcat(&rig, CALLS, &[], lines("kcat", 0..100).as_bytes());
    let java = piped(&mut java, lines("java", 0..100).as_bytes());
    let bad = "kcat/x\t{\"event_id\":\nkcat/y\t{\"event_id\":\"y\",\"source\":\"kcat\",\"kind\":\"hotline_call\",\"occurred_at\":\"soon\"}\njava/z\tnot json\n";
    kcat(&rig, CALLS, &[], bad.as_bytes());
    kcat(&rig, CALLS, &["-Z"], b"kcat/gone\t\n");
    let attributes = ["-H", "ce_specversion=1.0", "-H", "ce_id=e1", "-H", "ce_source=events", "-H", "ce_type=city.hotline_call"];
    let time = ["-H", "ce_time=2026-01-01T00:00:00Z", "-H", "content-type=application/json"];
    kcat(&rig, CALLS, &[&attributes[..], &time[..]].concat(), "events/e1\t{\"address\":\"磨坊路\",\"case_id\":\"e1\"}\n".as_bytes());
    let whole = "events/e2\t{\"specversion\":\"1.0\",\"id\":\"e2\",\"source\":\"events\",\"type\":\"city.hotline_call\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":{\"address\":\"磨坊路\",\"case_id\":\"e2\"}}\n";
    kcat(&rig, CALLS, &["-H", "content-type=application/cloudevents+json; charset=UTF-8"], whole.as_bytes());
    kcat(&rig, CALLS, &attributes, b"events/e3\t<call/>\n");

    let member = city.member("m");
    city.until("records", 207, &[&member]);
    member.end();
    city.check();
    for source in ["kcat", "java"] {
        let stands = partitions(&city, source);
        let ours: BTreeMap<String, u32> =
            (0..100).map(|id| format!("{source}/case-{id}")).map(|key| (key.clone(), topic::partition(key.as_bytes(), 4))).collect();
        assert_eq!(stands, ours, "each key of {source} is where we would put it");
    }
    let told: BTreeMap<String, u32> = java
        .lines()
        .map(|line| line.split_once('\t').unwrap())
        .map(|(key, partition)| (key.to_owned(), partition.parse().unwrap()))
        .collect();
    assert_eq!(told, partitions(&city, "java"));
    let events = city.rows("SELECT event_id, source, kind, address FROM events WHERE source = 'events' ORDER BY event_id");
    assert_eq!(events, "event_id,source,kind,address\ne1,events,hotline_call,磨坊路\ne2,events,hotline_call,磨坊路\n");
    let refused = city.rows("SELECT source, reason, reason_field, payload FROM quarantine ORDER BY source, reason, payload");
    let due = [
        "source,reason,reason_field,payload",
        "events,bad_json,,<call/>",
        "java,bad_json,,not json",
        "kcat,bad_json,,",
        "kcat,bad_json,,\"{\"\"event_id\"\":\"",
        "kcat,bad_time,occurred_at,\"{\"\"event_id\"\":\"\"y\"\",\"\"source\"\":\"\"kcat\"\",\"\"kind\"\":\"\"hotline_call\"\",\"\"occurred_at\"\":\"\"soon\"\"}\"",
    ];
    let refused: Vec<&str> = refused.lines().map(|line| if line == "kcat,bad_json,,\"\"" { "kcat,bad_json,," } else { line }).collect();
    assert_eq!(refused, due);
}
