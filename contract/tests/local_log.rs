//! What only the local log promises: one writer, files that are not its own left alone, a clean close, bounded rounds and queues.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use contract::clock::SystemClock;
use contract::log::local::{LocalLog, LocalOptions};
use contract::log::{EventLog, LogError, Record, Remedy, TopicSpec};
use contract::{Offsets, TopicPartition};

fn open(path: &Path) -> Result<LocalLog, LogError> {
    open_with(path, LocalOptions::default())
}

fn open_with(path: &Path, options: LocalOptions) -> Result<LocalLog, LogError> {
    LocalLog::open(path, Arc::new(SystemClock), options)
}

fn calls() -> TopicSpec {
    TopicSpec { name: "calls".to_owned(), partitions: 1, retention_age: None, retention_bytes: None }
}

/// An error with its causes, as a person would see it.
fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", told(source)))
}

#[tokio::test]
async fn a_second_opening_names_who_has_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let log = open(&path).unwrap();
    let refusal = open(&path).unwrap_err();
    assert_eq!(refusal.remedy(), Remedy::Fix);
    let text = told(&refusal);
    assert!(text.contains(&format!("pid {}", std::process::id())) && text.contains("log.redb"), "{text}");
    drop(log);
    open(&path).unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_log_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    let foreign = "case_id,opened_at\n1,2026-01-01\n".repeat(400);
    std::fs::write(&path, &foreign).unwrap();
    let refusal = open(&path).unwrap_err();
    assert!(matches!(refusal, LogError::Storage { action: "open", .. }) && told(&refusal).contains("log.redb"), "{}", told(&refusal));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), foreign);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = told(&open(&folder.path().join("nowhere/log.redb")).unwrap_err());
    assert!(refusal.contains("nowhere") && refusal.contains("No such file"), "{refusal}");
}

#[tokio::test]
async fn a_log_can_be_opened_at_once_after_it_was_dropped_with_readers_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.redb");
    for round in 0..10_u64 {
        let log = open(&path).unwrap();
        log.ensure_topic(&calls()).await.unwrap();
        log.append("calls", vec![Record::new("k", vec![0; 100_000])]).await.unwrap();
        // One reader is cut off while it waits, the other while it reads.
        let waiting = log.fetch("calls", 0, round + 1, 1, Duration::from_secs(60));
        tokio::time::timeout(Duration::from_millis(1), waiting).await.unwrap_err();
        let reading = log.fetch("calls", 0, 0, 10_000_000, Duration::from_secs(60));
        tokio::time::timeout(Duration::ZERO, reading).await.ok();
    }
}

#[tokio::test]
async fn a_long_retention_goes_in_rounds_until_all_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.redb")).unwrap();
    log.ensure_topic(&TopicSpec { retention_bytes: Some(0), ..calls() }).await.unwrap();
    log.append("calls", (0..25_000).map(|_| Record::new("k", "v")).collect()).await.unwrap();
    let read: Offsets = [(TopicPartition::new("calls", 0), 24_999)].into_iter().collect();
    assert_eq!(log.retain(0, &read).await.unwrap(), 24_999);
    assert_eq!(log.watermarks("calls", 0).await.unwrap(), (24_999, 25_000));
    log.truncate_before("calls", 0, 25_000).await.unwrap();
    assert_eq!(log.watermarks("calls", 0).await.unwrap(), (25_000, 25_000));
}

#[tokio::test]
async fn a_queue_smaller_than_its_callers_makes_them_wait_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let options = LocalOptions { queue_bytes_max: 4096, ..LocalOptions::default() };
    let log = Arc::new(open_with(&folder.path().join("log.redb"), options).unwrap());
    log.ensure_topic(&calls()).await.unwrap();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..40 {
        let log = Arc::clone(&log);
        // Each is near or beyond the whole queue.
        callers.spawn(async move {
            log.append("calls", vec![Record::new(format!("{caller}"), vec![1; 3000 + caller * 50])]).await.map(|at| at.len())
        });
    }
    let answers = callers.join_all().await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(1))), "{answers:?}");
    assert_eq!(log.watermarks("calls", 0).await.unwrap(), (0, 40));
}

#[tokio::test]
async fn an_append_beyond_the_bound_of_a_call_says_how_much_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(&folder.path().join("log.redb")).unwrap();
    log.ensure_topic(&calls()).await.unwrap();
    let answer = log.append("calls", vec![Record::new("k", vec![0; 1_000_000]); 70]).await.unwrap_err();
    assert!(matches!(answer, LogError::AppendTooLarge { records: 70, bytes: 70_000_070, .. }), "{answer}");
}
