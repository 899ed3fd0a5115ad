//! Topics of a city's own as a feed meets them: whatever a message holds is an event or stands in quarantine, and the group goes on only after
//! the log has acknowledged it.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use contract::clock::ManualClock;
use contract::log::memory::MemoryLog;
use contract::log::outside::Start;
use contract::log::{Batch, EventLog, LogLimits, Position, Record, TopicSpec};
use contract::{Event, Rejection, topic};

use super::*;
use crate::{Feed, PseudonymKey, Retention, Unobserved};

const MANIFEST: &str = r#"
name = "calls"
kind = "hotline_call"
format = "json"
encoding = "utf-8"
time_zone = "Asia/Taipei"
coordinate_system = "wgs84"
transport = ["kafka"]
kafka = { topic = "city.calls" }
deduplication = "7d"
lateness = "1h"
description = { zh = "測試", en = "a test" }
"#;
const MAPPING: &str = r#"SELECT no AS event_id, "when" AS occurred_at, "where.street" AS address,
    file_name AS attribute_from, row_number AS attribute_at FROM raw"#;

/// Turns of messages as a broker would give them; what is committed, and whether the member left.
#[derive(Debug, Default)]
struct Script {
    turns: Mutex<VecDeque<Result<Vec<Message>, LogError>>>,
    committed: Mutex<Vec<Offsets>>,
    left: AtomicUsize,
    /// Told when there is nothing left.
    done: CancellationToken,
}

#[async_trait]
impl OutsideTopic for Script {
    async fn poll(&self, _: usize, _: Duration) -> Result<Vec<Message>, LogError> {
        self.turns.lock().unwrap().pop_front().unwrap_or_else(|| {
            self.done.cancel();
            Ok(Vec::new())
        })
    }

    async fn commit(&self, next: &Offsets) -> Result<(), LogError> {
        self.committed.lock().unwrap().push(next.clone());
        Ok(())
    }

    async fn leave(&self) {
        self.left.fetch_add(1, Ordering::SeqCst);
    }
}

fn message(offset: u64, value: impl Into<Vec<u8>>) -> Message {
    Message { partition: 2, offset, value: Some(Bytes::from(value.into())), headers: Vec::new() }
}

fn call(number: u64) -> String {
    format!(r#"{{"no":"c{number}","when":"2026-01-01 08:00:00","where":{{"street":"Mill Road {number}"}}}}"#)
}

fn mapper(manifest: &str, sql: Option<&str>) -> Arc<Mapper> {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("calls");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("feed.toml"), manifest).unwrap();
    if let Some(sql) = sql {
        std::fs::write(folder.join("mapping.sql"), sql).unwrap();
    }
    let clock = ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap());
    Arc::new(Mapper::new(&Feed::read(&folder).unwrap(), clock, PseudonymKey::new("k1", &[1; 32]).unwrap()).unwrap())
}

async fn memory() -> Arc<MemoryLog> {
    let log = Arc::new(MemoryLog::new(ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap()), LogLimits::default()));
    Publisher::new(Arc::clone(&log) as Arc<dyn EventLog>).ensure_topics(1, Retention::default()).await.unwrap();
    log
}

fn source(mapper: Arc<Mapper>, script: &Arc<Script>, log: Arc<dyn EventLog>) -> TopicSource {
    let spec = Outside { topic: "city.calls".into(), group: "g".into(), start: Start::Earliest };
    let publisher = Publisher::new(log).with_deadline(Duration::ZERO);
    TopicSource::new(mapper, Arc::clone(script) as Arc<dyn OutsideTopic>, spec, publisher, Arc::new(Unobserved))
}

fn script(turns: Vec<Result<Vec<Message>, LogError>>) -> Arc<Script> {
    Arc::new(Script { turns: Mutex::new(turns.into()), ..Script::default() })
}

async fn run(mapper: Arc<Mapper>, script: &Arc<Script>, log: Arc<dyn EventLog>) -> Result<(), TopicError> {
    source(mapper, script, log).run(script.done.clone()).await
}

async fn records(log: &dyn EventLog, topic: &str) -> Vec<Record> {
    let batch = log.fetch(topic, 0, 0, 1 << 24, Duration::ZERO).await.unwrap();
    batch.records.into_iter().map(|stored| stored.record).collect()
}

async fn events(log: &dyn EventLog) -> Vec<Event> {
    let now = "2026-01-02T00:00:00Z".parse().unwrap();
    records(log, topic::ALL[0]).await.iter().map(|record| Event::from_json(&record.value, now).unwrap()).collect()
}

async fn rejections(log: &dyn EventLog) -> Vec<Rejection> {
    records(log, topic::QUARANTINE).await.iter().map(|record| serde_json::from_slice(&record.value).unwrap()).collect()
}

#[tokio::test]
async fn every_message_is_an_event_or_stands_in_quarantine_with_its_bytes() {
    let deep = format!("{{\"no\":{}1{}}}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!("{{\"no\":\"{}\"}}", "x".repeat(2 << 20));
    let (script, log) = (
        script(vec![
            Ok(vec![message(7, call(1)), message(9, format!("[{},\n{}]", call(2), call(3))), message(10, "[ ]")]),
            Ok(vec![
                Message { value: None, ..message(11, "") },
                message(12, ""),
                message(13, "{\"no\":"),
                message(14, b"{\"no\":\"\xff\xfe\"}".to_vec()),
                message(15, deep),
                message(16, "[".repeat(100_000)),
                message(17, long),
                message(18, "["),
                message(19, "7"),
                Message { partition: 0, ..message(3, call(4)) },
                message(20, call(5)),
            ]),
        ]),
        memory().await,
    );
    run(mapper(MANIFEST, Some(MAPPING)), &script, Arc::clone(&log) as Arc<dyn EventLog>).await.unwrap();
    let events = events(log.as_ref()).await;
    let came: Vec<_> =
        events.iter().map(|event| (event.event_id.as_str(), event.attributes["from"].as_str(), event.attributes["at"].as_str())).collect();
    let due = [
        ("c1", "city.calls/2", "7"),
        ("c2", "city.calls/2", "9"),
        ("c3", "city.calls/2", "9"),
        ("c4", "city.calls/0", "3"),
        ("c5", "city.calls/2", "20"),
    ];
    assert_eq!(came, due);
    assert_eq!(events[0].address.as_deref(), Some("Mill Road 1"));
    let rejections = rejections(log.as_ref()).await;
    let refused: Vec<_> = rejections.iter().map(|rejection| (rejection.origin.as_str(), rejection.reason)).collect();
    let at = |offset| format!("city.calls/2:{offset}");
    let due = [
        (at(11), Reason::BadJson),
        (at(12), Reason::BadJson),
        (at(13), Reason::BadJson),
        (at(14), Reason::BadText),
        // As text it is an id, and longer than one may be.
        (at(15), Reason::TooLong),
        (at(16), Reason::BadJson),
        (at(17), Reason::TooLong),
        (at(18), Reason::BadJson),
        (at(19), Reason::BadJson),
    ];
    let due: Vec<_> = due.iter().map(|(origin, reason)| (origin.as_str(), *reason)).collect();
    let refused: Vec<_> = refused.into_iter().filter(|(origin, _)| *origin != at(15)).collect();
    let due: Vec<_> = due.into_iter().filter(|(origin, _)| *origin != at(15)).collect();
    assert_eq!(refused, due);
    assert!(rejections.iter().any(|rejection| rejection.origin == at(15)));
    assert_eq!(rejections[2].payload, "{\"no\":");
    assert!(rejections.iter().all(|rejection| rejection.source == "calls"));
    let offsets = |of: &[(u32, u64)]| {
        of.iter().map(|(partition, next)| (contract::TopicPartition::new("city.calls", *partition), *next)).collect::<Offsets>()
    };
    assert_eq!(*script.committed.lock().unwrap(), [offsets(&[(2, 11)]), offsets(&[(0, 4), (2, 21)])]);
    assert_eq!(script.left.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn csv_messages_bring_their_header_and_one_that_does_not_fit_is_kept() {
    let manifest = MANIFEST.replace("format = \"json\"", "format = \"csv\"");
    let sql = "SELECT no AS event_id, at AS occurred_at, street AS address FROM raw";
    let good = |number: u64| format!("no,at,street\nc{number},2026-01-01 08:00:00,Mill Road\n");
    let messages =
        vec![message(0, good(1)), message(1, "number,at\n1,2"), message(2, "no,at,street\n"), message(3, good(2)), message(4, "")];
    let (script, log) = (script(vec![Ok(messages)]), memory().await);
    run(mapper(&manifest, Some(sql)), &script, Arc::clone(&log) as Arc<dyn EventLog>).await.unwrap();
    assert_eq!(events(log.as_ref()).await.iter().map(|event| event.event_id.clone()).collect::<Vec<_>>(), ["c1", "c2"]);
    let refused: Vec<_> = rejections(log.as_ref()).await.into_iter().map(|rejection| (rejection.origin, rejection.payload)).collect();
    let due = [("city.calls/2:1", "number,at\n1,2"), ("city.calls/2:2", "no,at,street\n"), ("city.calls/2:4", "")];
    assert_eq!(refused, due.map(|(origin, payload)| (origin.to_owned(), payload.to_owned())));
}

#[tokio::test]
async fn cloud_events_in_headers_and_in_one_object_are_mapped_alike_and_need_no_mapping() {
    let attributes = [("ce_specversion", "1.0"), ("ce_id", "e1"), ("ce_source", "calls"), ("ce_type", "x.hotline_call")];
    let owned = |more: &[(&str, &str)]| {
        attributes.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
    };
    let headers = owned(&[("ce_time", "2026-01-01T08:00:00Z"), ("content-type", "application/json")]);
    let data = r#"{"address":"Mill Road 1"}"#;
    let binary = Message { headers: headers.clone(), ..message(0, data) };
    let one = format!(
        r#"{{"specversion":"1.0","id":"e2","source":"calls","type":"x.hotline_call","time":"2026-01-01T08:00:00Z","data":{data}}}"#
    );
    let structured = Message { headers: vec![("content-type".into(), "application/cloudevents+json".into())], ..message(1, one) };
    let broken = Message { headers, ..message(2, "<xml/>") };
    let messages = vec![binary, structured, broken];
    let manifest = MANIFEST.replace("format = \"json\"", "format = \"cloudevents\"");
    let mapping = "SELECT id AS event_id, time AS occurred_at, \"data.address\" AS address FROM raw";
    for sql in [None, Some(mapping)] {
        let (script, log) = (script(vec![Ok(messages.clone())]), memory().await);
        run(mapper(&manifest, sql), &script, Arc::clone(&log) as Arc<dyn EventLog>).await.unwrap();
        let events = events(log.as_ref()).await;
        let rejections = rejections(log.as_ref()).await;
        assert_eq!(events.iter().map(|event| event.event_id.as_str()).collect::<Vec<_>>(), ["e1", "e2"], "{sql:?}: {rejections:?}");
        assert!(events.iter().all(|event| event.address.as_deref() == Some("Mill Road 1") && event.source == "calls"));
        assert_eq!((rejections[0].reason, rejections[0].payload.as_str()), (Reason::BadJson, "<xml/>"));
    }
}

/// A log that is away for its first appends.
#[derive(Debug)]
struct Away {
    log: Arc<MemoryLog>,
    script: Arc<Script>,
    left: AtomicUsize,
}

#[async_trait]
impl EventLog for Away {
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.log.ensure_topic(spec).await
    }
    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }
    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        assert!(self.script.committed.lock().unwrap().is_empty(), "the position was committed before the log had acknowledged");
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(LogError::Full { topic: topic.to_owned(), bytes: 1, bytes_max: 1 });
        }
        self.log.append(topic, records).await
    }
    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError> {
        self.log.fetch(topic, partition, from, bytes_max, wait).await
    }
    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        self.log.watermarks(topic, partition).await
    }
    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        self.log.truncate_before(topic, partition, offset).await
    }
    async fn retain(&self, now_micros: i64, keep_from: &Offsets) -> Result<u64, LogError> {
        self.log.retain(now_micros, keep_from).await
    }
}

#[tokio::test]
async fn the_position_waits_for_the_log_and_a_broker_that_is_away_is_waited_for() {
    let unavailable = || Err(LogError::Full { topic: "city.calls".into(), bytes: 1, bytes_max: 1 });
    let script = script(vec![unavailable(), Ok(vec![message(0, call(1))])]);
    let log = Arc::new(Away { log: memory().await, script: Arc::clone(&script), left: AtomicUsize::new(2) });
    run(mapper(MANIFEST, Some(MAPPING)), &script, Arc::clone(&log) as Arc<dyn EventLog>).await.unwrap();
    assert_eq!(events(log.as_ref()).await.len(), 1);
    assert_eq!(script.committed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lost_position_ends_the_feed_and_names_what_is_lost_and_what_to_do() {
    let lost = LogError::OutOfRange { topic: "city.calls".into(), partition: 2, asked: 5, first: 9 };
    let (script, log) = (script(vec![Ok(vec![message(4, call(1))]), Err(lost), Ok(vec![message(9, call(2))])]), memory().await);
    let error = run(mapper(MANIFEST, Some(MAPPING)), &script, Arc::clone(&log) as Arc<dyn EventLog>).await.unwrap_err();
    let said = told(&error);
    for part in ["feed \"calls\"", "group \"g\"", "records 5..9 of city.calls/2 are gone by retention", "--reset-offsets"] {
        assert!(said.contains(part), "\"{part}\" is missing in: {said}");
    }
    assert_eq!((events(log.as_ref()).await.len(), script.left.load(Ordering::SeqCst)), (1, 1));
}
