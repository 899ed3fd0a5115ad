//! Checks of reading: each record once whatever the gaps, waiting without polling, ends, watermarks, resuming after a close.

use std::time::Duration;

use super::{Harness, Outcome, hold, numbered, opened, read_all, read_from, topic};
use crate::log::{LogError, Record};

/// Long enough that a fetch that comes back at once has been woken.
const LONG: Duration = Duration::from_secs(30);

pub(super) async fn following_next_meets_each_record_once(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "follow", 1).await?;
    for round in 0..20 {
        log.append(&topic, numbered("k", round * 10..round * 10 + 10)).await?;
    }
    let (first, _) = log.watermarks(&topic, 0).await?;
    for bytes_max in [1, 100, 1000, 1 << 20] {
        let all = read_from(&*log, &topic, 0, first, bytes_max).await?;
        let values = all.iter().map(|stored| stored.record.value.clone());
        let due = numbered("k", 0..200).into_iter().map(|record| record.value);
        hold!(values.eq(due), "fetches of {bytes_max} bytes met {} of 200 records, or not in order", all.len());
    }
    // From each offset, also from those in a gap, reading goes on with the next record there is.
    let all = read_from(&*log, &topic, 0, first, 1 << 20).await?;
    for from in first..=all.last().map_or(first, |last| last.offset) {
        let batch = log.fetch(&topic, 0, from, 1, LONG).await?;
        let due = all.iter().find(|stored| stored.offset >= from);
        hold!(batch.records.first() == due, "a fetch from {from} answered {:?}, due was {due:?}", batch.records.first());
    }
    // Back to the beginning, while a reader that reads ahead still holds most of what comes after the middle.
    log.fetch(&topic, 0, all[all.len() / 2].offset, 1, LONG).await?;
    let again = read_from(&*log, &topic, 0, first, 1 << 20).await?;
    hold!(again == all, "from the first on again there were {} of {} records, or others", again.len(), all.len());
    Ok(())
}

pub(super) async fn a_small_fetch_still_brings_one_record(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "small-fetch", 1).await?;
    log.append(&topic, vec![Record::new("k", vec![1; 50_000]), Record::new("k", "after")]).await?;
    let (first, _) = log.watermarks(&topic, 0).await?;
    let batch = log.fetch(&topic, 0, first, 1, LONG).await?;
    hold!(batch.records.len() == 1, "a fetch of 1 byte brought {} records", batch.records.len());
    Ok(())
}

pub(super) async fn a_waiting_fetch_is_woken_by_an_append(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "woken", 1).await?;
    let (_, end) = log.watermarks(&topic, 0).await?;
    let append = async {
        // Let the fetch come to its wait first; were it not there yet, it would find the record and the check still holds.
        tokio::task::yield_now().await;
        log.append(&topic, numbered("k", 0..1)).await
    };
    let both = async { tokio::join!(log.fetch(&topic, 0, end, 1000, LONG), append) };
    let Ok((batch, appended)) = tokio::time::timeout(LONG / 3, both).await else {
        hold!(false, "a waiting fetch was not woken by an append");
        return Ok(());
    };
    appended?;
    hold!(batch?.records.len() == 1, "a woken fetch came back without the record");
    Ok(())
}

pub(super) async fn a_fetch_at_the_end_waits_and_comes_back_empty(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "at-end", 1).await?;
    log.append(&topic, numbered("k", 0..3)).await?;
    let (_, end) = log.watermarks(&topic, 0).await?;
    for wait in [Duration::ZERO, Duration::from_millis(20)] {
        let batch = log.fetch(&topic, 0, end, 1000, wait).await?;
        hold!(batch.records.is_empty() && batch.next == end, "at the end {end} a fetch answered {batch:?}");
    }
    Ok(())
}

pub(super) async fn a_reader_beyond_the_end_is_told_so(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "beyond-end", 1).await?;
    log.append(&topic, numbered("k", 0..3)).await?;
    let (_, end) = log.watermarks(&topic, 0).await?;
    let answer = log.fetch(&topic, 0, end + 100, 1000, LONG).await;
    let told = matches!(answer, Err(LogError::BeyondEnd { asked, end: told, .. }) if asked == end + 100 && told == end);
    hold!(told, "a fetch from {} with the end at {end} answered {answer:?}", end + 100);
    Ok(())
}

pub(super) async fn watermarks_frame_what_is_kept(harness: &dyn Harness) -> Outcome {
    let (log, topic) = opened(harness, "watermarks", 1).await?;
    let (first, end) = log.watermarks(&topic, 0).await?;
    hold!(first == end, "an empty partition reaches from {first} to {end}");
    let positions = log.append(&topic, numbered("k", 0..10)).await?;
    let (first, end) = log.watermarks(&topic, 0).await?;
    let framed = positions.iter().all(|position| (first..end).contains(&position.offset));
    hold!(framed, "positions {positions:?} are outside of {first}..{end}");
    let cut = positions[4].offset;
    log.truncate_before(&topic, 0, cut).await?;
    let (first, after) = log.watermarks(&topic, 0).await?;
    hold!(first == cut && after == end, "after truncating before {cut} the partition reaches from {first} to {after}, its end was {end}");
    let left = read_all(&*log, &topic).await?;
    hold!(left.len() == 6, "{} of 6 records are left", left.len());
    Ok(())
}

pub(super) async fn a_reopened_log_resumes(harness: &dyn Harness) -> Outcome {
    let (log, name) = opened(harness, "resume", 3).await?;
    let records: Vec<_> = (0..30).flat_map(|key| numbered(&format!("k/{key}"), 0..4)).collect();
    log.append(&name, records.clone()).await?;
    log.truncate_before(&name, 0, log.watermarks(&name, 0).await?.1).await?;
    let (before, marks) = (read_all(&*log, &name).await?, log.watermarks(&name, 0).await?);
    drop(log);

    let log = harness.open("resume").await?;
    hold!(log.partitions(&name).await? == 3, "the topic does not stand as declared");
    log.ensure_topic(&topic("resume", 3)).await?;
    hold!(log.watermarks(&name, 0).await? == marks, "watermarks of an emptied partition moved from {marks:?}");
    hold!(read_all(&*log, &name).await? == before, "a reopened log holds other records");
    let positions = log.append(&name, records).await?;
    let reused = positions.iter().find(|position| position.partition == 0 && position.offset < marks.1);
    hold!(reused.is_none(), "an offset below the end {} was given again: {reused:?}", marks.1);
    Ok(())
}
