//! A consumer of a job's topic, who keeps each key's newest value: always the newest run, told of nothing twice.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use contract::clock::ManualClock;
use contract::log::LogLimits;
use contract::log::memory::MemoryLog;

use super::*;
use crate::jobs::define;

const TOML: &str = r#"
schedule = "10s"
window = "a day"
key = ["grid_id", "category"]
publish_topic = "city.hotspots"
question = { en = "Where?", zh = "哪里？" }
"#;

fn log() -> MemoryLog {
    MemoryLog::new(ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap()), LogLimits::default())
}

fn answer(minute: u32, rows: &[(Option<&str>, &str, f64)]) -> Answer {
    let as_of: chrono::DateTime<chrono::Utc> = format!("2026-01-01T00:{minute:02}:00Z").parse().unwrap();
    let stamps = rows.iter().map(|_| as_of.timestamp_micros());
    let batch = RecordBatch::try_from_iter([
        ("as_of", Arc::new(TimestampMicrosecondArray::from_iter_values(stamps).with_timezone("UTC")) as ArrayRef),
        ("table_version", Arc::new(Int64Array::from_iter_values(rows.iter().map(|_| i64::from(minute))))),
        ("grid_id", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.0)))),
        ("category", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.1)))),
        ("z", Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.2)))),
    ]);
    let batch = batch.unwrap();
    Answer { schema: batch.schema(), rows: vec![batch], as_of }
}

/// What a consumer keeps, and how many messages it was told.
async fn kept(log: &MemoryLog) -> (BTreeMap<String, String>, usize) {
    let (mut kept, mut told) = (BTreeMap::new(), 0);
    for partition in 0..PARTITIONS {
        for stored in log.fetch("city.hotspots", partition, 0, usize::MAX, Duration::ZERO).await.unwrap().records {
            told += 1;
            let key = String::from_utf8(stored.record.key.to_vec()).unwrap();
            if stored.record.value.is_empty() {
                kept.remove(&key);
            } else {
                kept.insert(key, String::from_utf8(stored.record.value.to_vec()).unwrap());
            }
        }
    }
    (kept, told)
}

#[tokio::test]
async fn a_consumer_sees_the_newest_run_and_is_told_of_nothing_twice() {
    let (job, log) = (define("hotspots", TOML, "SELECT 1").unwrap(), log().with_gaps(7));
    let mut publication = Publication::of(&job).unwrap();
    let first = answer(1, &[(Some("g1"), "noise", 2.5), (Some("g2"), "noise", 1.0), (Some("g1"), "litter", -1.0), (None, "noise", 0.5)]);
    assert_eq!(publication.publish(&log, &job, &first).await.unwrap(), 3);
    let g1 = r#"{"job":"hotspots","as_of":"2026-01-01T00:01:00Z","rows":[{"grid_id":"g1","category":"litter","z":-1.0},{"grid_id":"g1","category":"noise","z":2.5}]}"#;
    assert_eq!(kept(&log).await.0["g1"], g1);
    assert!(kept(&log).await.0.contains_key("[null]"));
    // The same rows in another order, of a later run: nothing to tell.
    let same = answer(2, &[(Some("g2"), "noise", 1.0), (None, "noise", 0.5), (Some("g1"), "litter", -1.0), (Some("g1"), "noise", 2.5)]);
    assert_eq!(publication.publish(&log, &job, &same).await.unwrap(), 0);
    // Nor after a restart, or by another leader.
    assert_eq!(Publication::of(&job).unwrap().publish(&log, &job, &same).await.unwrap(), 0);
    // One changed, one came, two ended.
    let later = answer(3, &[(Some("g1"), "noise", 3.0), (Some("g3"), "noise", 1.0)]);
    assert_eq!(Publication::of(&job).unwrap().publish(&log, &job, &later).await.unwrap(), 4);
    let (standing, told) = kept(&log).await;
    assert_eq!(standing.keys().collect::<Vec<_>>(), ["g1", "g3"]);
    assert!(standing["g1"].contains("00:03:00") && told == 7);
    // The former leader learns of it from the topic, and takes nothing back that still holds.
    assert_eq!(publication.publish(&log, &job, &later).await.unwrap(), 0);
    assert_eq!(publication.publish(&log, &job, &answer(4, &[])).await.unwrap(), 2);
    assert!(kept(&log).await.0.is_empty());
}

#[tokio::test]
async fn what_others_left_in_the_topic_is_ended() {
    let (job, log) = (define("hotspots", TOML, "SELECT 1").unwrap(), log());
    log.ensure_latest("city.hotspots", PARTITIONS).await.unwrap();
    let foreign = ["g1", "elsewhere"].map(|key| Latest { key: key.into(), value: Some("no json".into()) });
    log.append_latest("city.hotspots", &foreign).await.unwrap();
    let mut publication = Publication::of(&job).unwrap();
    assert_eq!(publication.publish(&log, &job, &answer(1, &[(Some("g1"), "noise", 2.5)])).await.unwrap(), 2);
    assert_eq!(kept(&log).await.0.keys().collect::<Vec<_>>(), ["g1"]);
}

#[test]
fn jobs_without_grids_are_keyed_by_their_key_columns() {
    let job = define("rates", &TOML.replace("\"grid_id\", ", ""), "SELECT 1").unwrap();
    let rows = rows_by_key(&job, &answer(1, &[(Some("g1"), "noise", 2.5), (Some("g2"), "noise", 1.0)])).unwrap();
    assert_eq!(rows.keys().map(|key| key.as_ref()).collect::<Vec<_>>(), [b"noise"]);
    let job = define("rates", &TOML.replace("\"grid_id\"", "\"z\""), "SELECT 1").unwrap();
    let rows = rows_by_key(&job, &answer(1, &[(Some("g1"), "noise", 2.5)])).unwrap();
    assert_eq!(rows.keys().map(|key| key.as_ref()).collect::<Vec<_>>(), [br#"["2.5","noise"]"#]);
}

#[test]
fn a_topic_that_cannot_be_or_is_the_contracts_is_refused() {
    for topic in ["gridwatch.quarantine", "a b", ""] {
        let said = define("hotspots", &TOML.replace("city.hotspots", topic), "SELECT 1").unwrap_err().to_string();
        assert!(said.contains("publish_topic"), "{said}");
    }
}
