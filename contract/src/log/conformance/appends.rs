//! Checks of appending: order per key, one partition per key, all or nothing, many appenders at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::{Harness, Outcome, Violation, hold, numbered, opened, read_all};
use crate::log::{EventLog, Record};
use crate::topic;

pub(super) async fn records_come_back_as_they_were_appended(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "as-appended", 3).await?;
    let headers = vec![("mapping_version".to_owned(), "v1".to_owned()), ("empty".to_owned(), String::new())];
    let records = vec![
        Record::new("a/1", "plain"),
        Record::new("b/2", "with headers").with_headers(headers),
        Record::new("c/3", vec![0, 255, 0, 10]),
        Record::new("", ""),
    ];
    let positions = log.append(&topic, records.clone()).await?;
    hold!(positions.len() == records.len(), "{} positions for {} records", positions.len(), records.len());
    let stored: BTreeMap<_, _> = read_all(&*log, &topic).await?.into_iter().collect();
    for (position, record) in positions.iter().zip(&records) {
        let found = stored.get(position).map(|stored| &stored.record);
        hold!(found == Some(record), "{record:?} was answered {position:?}, where {found:?} stands");
    }
    let times = stored.values().map(|stored| stored.appended_at);
    hold!(times.clone().all(|at| at > 0), "records carry no time of appending: {:?}", times.collect::<Vec<_>>());
    Ok(())
}

pub(super) async fn one_key_keeps_its_partition_and_its_order(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "order", 5).await?;
    let keys: Vec<String> = (0..40).map(|key| format!("source/{key}")).collect();
    for round in 0..10 {
        let records = keys.iter().flat_map(|key| numbered(key, round * 3..round * 3 + 3)).collect();
        log.append(&topic, records).await?;
    }
    let mut seen = BTreeMap::<_, Vec<_>>::new();
    for (position, stored) in read_all(&*log, &topic).await? {
        let due = topic::partition(&stored.record.key, 5);
        hold!(position.partition == due, "key {:?} stands in partition {}, murmur2 says {due}", stored.record.key, position.partition);
        seen.entry(stored.record.key).or_default().push(stored.record.value);
    }
    for key in &keys {
        let due: Vec<_> = numbered(key, 0..30).into_iter().map(|record| record.value).collect();
        let found = seen.get(key.as_bytes());
        hold!(found == Some(&due), "records of key {key:?} came back as {found:?}");
    }
    Ok(())
}

pub(super) async fn an_append_is_all_or_nothing(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "all-or-nothing", 3).await?;
    log.append(&topic, numbered("kept", 0..3)).await?;
    let mut records: Vec<_> = (0..20).flat_map(|key| numbered(&format!("refused/{key}"), 0..2)).collect();
    records.push(Record::new("refused/large", vec![0; harness.record_bytes_max() + 1]));
    let answer = log.append(&topic, records).await;
    hold!(answer.is_err(), "an append with a record beyond the bound was answered {answer:?}");
    let left = read_all(&*log, &topic).await?;
    hold!(left.len() == 3, "{} records stand after a refused append, 3 stood before", left.len());
    Ok(())
}

pub(super) async fn an_empty_append_changes_nothing(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "empty", 1).await?;
    let before = log.watermarks(&topic, 0).await?;
    let positions = log.append(&topic, Vec::new()).await?;
    hold!(positions.is_empty(), "no records were answered {positions:?}");
    let after = log.watermarks(&topic, 0).await?;
    hold!(before == after, "watermarks moved from {before:?} to {after:?}");
    Ok(())
}

pub(super) async fn concurrent_appenders_lose_and_mix_nothing(harness: &dyn Harness) -> Outcome {
    const APPENDERS: usize = 16;
    const ROUNDS: usize = 12;
    let (log, topic) = opened(harness, "concurrent", 4).await?;
    let mut tasks = JoinSet::new();
    for appender in 0..APPENDERS {
        tasks.spawn(append_rounds(Arc::clone(&log), topic.clone(), format!("appender/{appender}"), ROUNDS));
    }
    let mut positions = Vec::new();
    while let Some(done) = tasks.join_next().await {
        positions.extend(done.map_err(|error| Violation(format!("an appender died: {error}")))??);
    }
    positions.sort();
    positions.dedup();
    let all = read_all(&*log, &topic).await?;
    hold!(positions.len() == APPENDERS * ROUNDS * 5, "positions were given twice: {} are distinct", positions.len());
    hold!(all.iter().map(|(position, _)| *position).eq(positions), "the positions answered are not those that are kept");
    for appender in 0..APPENDERS {
        let key = format!("appender/{appender}");
        let found = all.iter().filter(|(_, stored)| stored.record.key == key).map(|(_, stored)| &stored.record);
        hold!(found.eq(numbered(&key, 0..ROUNDS * 5).iter()), "records of {key:?} are not in their order");
    }
    Ok(())
}

async fn append_rounds(log: Arc<dyn EventLog>, topic: String, key: String, rounds: usize) -> Result<Vec<crate::log::Position>, Violation> {
    let mut positions = Vec::new();
    for round in 0..rounds {
        positions.extend(log.append(&topic, numbered(&key, round * 5..round * 5 + 5)).await?);
    }
    Ok(positions)
}

pub(super) async fn ten_thousand_records_are_one_append(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "large", 2).await?;
    let positions = log.append(&topic, (0..10_000).flat_map(|key| numbered(&format!("k/{key}"), 0..1)).collect()).await?;
    let all = read_all(&*log, &topic).await?;
    hold!(positions.len() == 10_000 && all.len() == 10_000, "{} positions, {} records kept", positions.len(), all.len());
    Ok(())
}
