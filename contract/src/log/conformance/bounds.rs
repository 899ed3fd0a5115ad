//! Checks of bounds: what is removed is named, what is too much is refused, what is not read yet stays.

use std::time::Duration;

use super::{Harness, Outcome, Violation, hold, numbered, opened, read_all, topic};
use crate::log::{LogError, Record, TopicSpec};
use crate::{Offsets, TopicPartition};

pub(super) async fn a_removed_range_is_named_never_skipped(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "removed", 1).await?;
    let positions = log.append(&topic, numbered("k", 0..50)).await?;
    let (reader, cut) = (positions[10].offset, positions[30].offset);
    log.truncate_before(&topic, 0, cut).await?;
    let answer = log.fetch(&topic, 0, reader, 1000, Duration::ZERO).await;
    let named = matches!(&answer, Err(LogError::OutOfRange { asked, first, partition: 0, .. }) if *asked == reader && *first == cut);
    hold!(named, "a reader at {reader} with {cut} as first kept offset was answered {answer:?}");
    let kept = log.fetch(&topic, 0, cut, 1, Duration::ZERO).await?;
    hold!(kept.records.first().is_some_and(|stored| stored.offset == cut), "the first kept record is not at {cut}: {kept:?}");
    // Truncating again to the same or an earlier offset brings nothing back.
    log.truncate_before(&topic, 0, reader).await?;
    let (first, _) = log.watermarks(&topic, 0).await?;
    hold!(first == cut, "truncating before {reader} moved the first offset from {cut} to {first}");
    Ok(())
}

pub(super) async fn truncating_beyond_the_end_is_refused(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "truncate-beyond", 1).await?;
    log.append(&topic, numbered("k", 0..3)).await?;
    let (_, end) = log.watermarks(&topic, 0).await?;
    let answer = log.truncate_before(&topic, 0, end + 1).await;
    hold!(matches!(answer, Err(LogError::BeyondEnd { .. })), "truncating before {} with the end at {end} was answered {answer:?}", end + 1);
    hold!(read_all(&*log, &topic).await?.len() == 3, "a refused truncation removed records");
    Ok(())
}

/// A topic with retention, ten records in each of two rounds, and an instant an hour past the newest.
async fn retained(
    harness: &dyn Harness,
    name: &str,
    spec: TopicSpec,
) -> Result<(std::sync::Arc<dyn crate::log::EventLog>, i64), Violation> {
    let log = harness.open(name).await?;
    log.ensure_topic(&spec).await?;
    for round in 0..2 {
        log.append(&spec.name, (0..10).map(|number| Record::new(format!("k/{}", round * 10 + number), vec![7; 1000])).collect()).await?;
    }
    let newest = read_all(&*log, &spec.name).await?.iter().map(|(_, stored)| stored.appended_at).max();
    Ok((log, newest.unwrap_or_default() + 3_600_000_000))
}

async fn ends(log: &dyn crate::log::EventLog, topic: &str) -> Result<Offsets, Violation> {
    let mut ends = Offsets::default();
    for partition in 0..log.partitions(topic).await? {
        ends.advance(TopicPartition::new(topic, partition), log.watermarks(topic, partition).await?.1);
    }
    Ok(ends)
}

pub(super) async fn retention_by_age_stops_at_what_is_not_read_yet(harness: &dyn Harness) -> Outcome {
    if !harness.retains_on_call() {
        return Ok(());
    }
    let spec = TopicSpec { retention_age: Some(Duration::from_secs(60)), ..topic("age", 2) };
    let (log, later) = retained(harness, "age", spec.clone()).await?;
    hold!(log.retain(later, &Offsets::default()).await? == 0, "records nobody has read were removed");
    let ends = ends(&*log, &spec.name).await?;
    hold!(log.retain(later - 3_600_000_000, &ends).await? == 0, "records younger than their age were removed");
    let all = read_all(&*log, &spec.name).await?;
    let of_first: Vec<_> = all.iter().filter(|(position, _)| position.partition == 0).collect();
    let keep_from: Offsets = [(TopicPartition::new(&spec.name, 0), of_first[2].0.offset)].into_iter().collect();
    let removed = log.retain(later, &keep_from).await?;
    hold!(removed == 2, "{removed} records went where 2 were old and read");
    let left = read_all(&*log, &spec.name).await?;
    hold!(left.len() == all.len() - 2, "{} records are left of {}", left.len(), all.len());
    let removed = log.retain(later, &ends).await?;
    hold!(removed == left.len() as u64, "{removed} of {} old and read records went", left.len());
    Ok(())
}

pub(super) async fn retention_by_size_removes_the_oldest(harness: &dyn Harness) -> Outcome {
    if !harness.retains_on_call() {
        return Ok(());
    }
    let spec = TopicSpec { retention_bytes: Some(11_500), ..topic("size", 2) };
    let (log, later) = retained(harness, "size", spec.clone()).await?;
    let all = read_all(&*log, &spec.name).await?;
    let ends = ends(&*log, &spec.name).await?;
    let removed = log.retain(later, &ends).await?;
    let left = read_all(&*log, &spec.name).await?;
    hold!(all.len() as u64 - removed == left.len() as u64, "{removed} records were said to go, {} of {} are left", left.len(), all.len());
    // Twenty records of 1,000 bytes and what a backend adds to each: eleven fit, ten where it adds up to 150.
    hold!((10..=11).contains(&left.len()), "{} records of 1,000 bytes are left where 11,500 bytes may stay", left.len());
    let gone_newest = all.iter().filter(|record| !left.contains(record)).map(|(_, stored)| stored.appended_at).max();
    let kept_oldest = left.iter().map(|(_, stored)| stored.appended_at).min();
    hold!(gone_newest <= kept_oldest, "a record of {gone_newest:?} went before one of {kept_oldest:?}");
    hold!(log.retain(later, &ends).await? == 0, "a second run removed more");
    Ok(())
}

pub(super) async fn a_record_beyond_the_bound_is_refused(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "too-large", 1).await?;
    let bytes_max = harness.record_bytes_max();
    let answer = log.append(&topic, vec![Record::new("k", vec![0; bytes_max])]).await;
    let refused =
        matches!(answer, Err(LogError::RecordTooLarge { bytes, bytes_max: bound }) if bytes == bytes_max + 1 && bound == bytes_max);
    hold!(refused, "a record of {} bytes was answered {answer:?}", bytes_max + 1);
    log.append(&topic, vec![Record::new("k", vec![0; bytes_max - 1])]).await?;
    Ok(())
}

pub(super) async fn a_full_topic_pushes_back_until_there_is_room(harness: &dyn Harness) -> Outcome {
    let Some(bytes_max) = harness.topic_bytes_max() else { return Ok(()) };
    let (log, topic) = opened(harness, "full", 1).await?;
    let batch = || (0..8).map(|_| Record::new("k", vec![3; 8 * 1024])).collect::<Vec<_>>();
    let mut taken = 0_u64;
    let refusal = loop {
        match log.append(&topic, batch()).await {
            Ok(_) => taken += 1,
            Err(refusal) => break refusal,
        }
        hold!(taken * 64 * 1024 <= bytes_max, "{taken} appends of 64 KiB were taken, beyond {bytes_max} bytes");
    };
    hold!(matches!(refusal, LogError::Full { .. }), "at its bound the log answered {refusal:?}");
    hold!(read_all(&*log, &topic).await?.len() as u64 == taken * 8, "a refused append left records");
    log.truncate_before(&topic, 0, log.watermarks(&topic, 0).await?.1).await?;
    log.append(&topic, batch()).await?;
    Ok(())
}

pub(super) async fn unknown_topics_and_partitions_are_named(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "unknown", 2).await?;
    let answers = [
        log.append("conformance.nowhere", numbered("k", 0..1)).await.err(),
        log.fetch("conformance.nowhere", 0, 0, 1, Duration::ZERO).await.err(),
        log.watermarks("conformance.nowhere", 0).await.err(),
        log.partitions("conformance.nowhere").await.err(),
    ];
    let named = answers.iter().all(|answer| matches!(answer, Some(LogError::UnknownTopic { topic }) if topic == "conformance.nowhere"));
    hold!(named, "calls on a topic that does not exist were answered {answers:?}");
    let answers = [
        log.fetch(&topic, 2, 0, 1, Duration::ZERO).await.err(),
        log.watermarks(&topic, 2).await.err(),
        log.truncate_before(&topic, 2, 0).await.err(),
    ];
    let named = answers.iter().all(|answer| matches!(answer, Some(LogError::UnknownPartition { partition: 2, .. })));
    hold!(named, "calls on a partition that does not exist were answered {answers:?}");
    Ok(())
}

pub(super) async fn a_topic_is_declared_once(harness: &dyn Harness) -> Outcome {
    let (log, name) = opened(harness, "declared", 3).await?;
    log.append(&name, numbered("k", 0..3)).await?;
    log.ensure_topic(&topic("declared", 3)).await?;
    hold!(read_all(&*log, &name).await?.len() == 3, "declaring a topic again changed its records");
    let answer = log.ensure_topic(&topic("declared", 4)).await;
    hold!(
        matches!(answer, Err(LogError::TopicDiffers { found: 3, wanted: 4, .. })),
        "another number of partitions was answered {answer:?}"
    );
    for refused in [TopicSpec { partitions: 0, ..topic("none", 1) }, TopicSpec { name: "a/b".to_owned(), ..topic("slash", 1) }] {
        let answer = log.ensure_topic(&refused).await;
        hold!(matches!(answer, Err(LogError::InvalidTopic { .. })), "{refused:?} was answered {answer:?}");
    }
    Ok(())
}
