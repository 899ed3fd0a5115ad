//! A city runs for years: commits that come every second leave a lake that still opens quickly, and old versions go.
//!
//! Small files reach their steady number within minutes; an hour (`SECONDS` = 3600) was seen to have the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use analytics::consume::Consumer;
use analytics::engine;
use analytics::lake::delta::Table;
use analytics::records;
use analytics::session::{SessionSettings, Worlds};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::{Clock, ManualClock};
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits, TopicSpec};
use contract::{DeliveryRules, Envelope, Event, Kind, topic};

const SECONDS: i64 = 420;
/// Rounds of upkeep come every fifteen seconds.
const ROUND: i64 = 15;

fn event(second: i64, number: i64, start: DateTime<Utc>) -> Event {
    let at = start + TimeDelta::seconds(second);
    let text = format!(
        r#"{{"event_id":"e{second}-{number}","source":"desk","kind":"hotline_call","occurred_at":"{}","category":"noise","address":"Mill Road {}"}}"#,
        at.to_rfc3339(),
        number % 7
    );
    let event = Event::from_json(text.as_bytes(), at).unwrap();
    assert_eq!(event.kind, Kind::HotlineCall);
    event
}

fn files(folder: &Path, suffix: &str) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() { files(&entry.path(), suffix) } else { usize::from(entry.path().to_string_lossy().ends_with(suffix)) }
        })
        .sum()
}

/// A log to which events of each second are appended, and who takes them into the lake.
struct Desk {
    start: DateTime<Utc>,
    log: Arc<dyn EventLog>,
    consumer: Consumer,
}

impl Desk {
    async fn open(lake: &Path) -> Self {
        let start: DateTime<Utc> = "2026-03-31T23:30:00Z".parse().unwrap();
        let clock = ManualClock::at(start + TimeDelta::days(1)) as Arc<dyn Clock>;
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(Arc::clone(&clock), LogLimits::default()));
        for name in topic::ALL {
            log.ensure_topic(&TopicSpec { name: name.into(), partitions: 1, retention_age: None, retention_bytes: None }).await.unwrap();
        }
        let consumer = Consumer::open(Arc::clone(&log), lake, clock).await.unwrap();
        Self { start, log, consumer }
    }

    async fn take_in(&mut self, second: i64) {
        let events = (0..3).map(|number| Envelope::event(&event(second, number, self.start), &DeliveryRules::default()));
        let records: Vec<_> = events.map(|envelope| envelope.record).collect();
        self.log.append(topic::of_kind(Kind::HotlineCall), records).await.unwrap();
        self.consumer.drain(|_| ()).await.unwrap();
    }
}

/// The columns whose bounds the table's log says of the files it names.
fn bounded(table: &Path) -> BTreeSet<String> {
    let mut columns = BTreeSet::new();
    for entry in std::fs::read_dir(table.join("_delta_log")).unwrap() {
        for line in std::fs::read_to_string(entry.unwrap().path()).unwrap().lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let Some(statistics) = line["add"]["stats"].as_str() else { continue };
            let statistics: serde_json::Value = serde_json::from_str(statistics).unwrap();
            for bound in ["minValues", "maxValues", "nullCount"] {
                columns.extend(statistics[bound].as_object().unwrap().keys().cloned());
            }
        }
    }
    columns
}

#[tokio::test]
async fn the_logs_of_the_tables_say_the_bounds_of_few_columns() {
    let folder = tempfile::tempdir().unwrap();
    let mut desk = Desk::open(folder.path()).await;
    desk.take_in(0).await;
    let said = |table: &str| bounded(&folder.path().join(table)).into_iter().collect::<Vec<_>>().join(", ");
    assert_eq!(said("records"), "log_offset, log_partition, occurred_at, revision");
    assert_eq!(said("cells"), "hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_second_commits_leave_few_files_and_every_row() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path();
    let mut desk = Desk::open(lake).await;
    // A reader that was opened at the start and never asked for anything since.
    let mut sleeper = Worlds::open(lake, SessionSettings::default()).await.unwrap();
    let mut most = 0;
    for second in 0..SECONDS {
        desk.take_in(second).await;
        if second % ROUND == 0 {
            // Nothing old is kept, so that what readers stand on is tried hardest.
            engine::upkeep_once(lake, TimeDelta::zero()).await.unwrap();
            most = most.max(Table::open(records::spec(lake)).await.unwrap().snapshot().unwrap().files.len());
        }
    }
    engine::vacuum_once(lake, TimeDelta::zero()).await.unwrap();
    let (records, entries) = (lake.join("records"), lake.join("records/_delta_log"));
    println!(
        "{SECONDS} commits: at most {most} live files; {} data files and {} log entries on disk",
        files(&records, ".parquet"),
        files(&entries, ".json")
    );
    assert!(most < 200, "{most} live files");
    assert!(files(&records, ".parquet") < 300, "files that left the table are gone");
    assert!(files(&entries, ".json") < 300, "entries a checkpoint stands for are gone");
    let world = sleeper.newest().await.unwrap();
    for (query, expected) in [
        ("SELECT count(*) FROM events", 3 * SECONDS),
        ("SELECT sum(events) FROM cells", 3 * SECONDS),
        ("SELECT count(DISTINCT event_id) FROM records", 3 * SECONDS),
    ] {
        let rows = world.query(query).await.unwrap();
        assert_eq!(rows[0].column(0).as_primitive::<Int64Type>().value(0), expected, "{query}");
    }
}
