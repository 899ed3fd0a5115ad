//! What every log has to prove: one list of checks over [`EventLog`], run unchanged on memory, on the local file and on a broker.
//!
//! A backend's test implements [`Harness`] and asserts that [`run`] finds nothing. A check answers with what it saw broken;
//! each works on a log of its own name, so they run in any order and on a broker that keeps what earlier runs left.

mod appends;
mod bounds;
mod reads;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{EventLog, LogError, Position, Record, Stored, TopicSpec};

/// Longest a check may take: a hanging backend is a broken one. The slowest takes 2 s on a busy machine with a slow disk.
const CHECK_MAX: Duration = Duration::from_secs(60);

/// Opens logs of one backend.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the log of that name: empty the first time, as it was left from then on. Nobody else has it open.
    async fn open(&self, name: &str) -> Result<Arc<dyn EventLog>, LogError>;

    /// The bytes after which a topic of these logs is full; `None` where the backend has no such bound of its own.
    /// At most a few MiB, or the check writes for long.
    fn topic_bytes_max(&self) -> Option<u64>;

    /// The largest record these logs take.
    fn record_bytes_max(&self) -> usize {
        super::RECORD_BYTES_MAX
    }

    /// Whether `retain` removes at once; a broker does it in its own time.
    fn retains_on_call(&self) -> bool {
        true
    }
}

/// A promise that was not kept, and what was seen instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<LogError> for Violation {
    fn from(error: LogError) -> Self {
        use std::error::Error;
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        Self(format!("a call failed: {error}{cause}"))
    }
}

/// What a check answers.
pub type Outcome = Result<(), Violation>;

type Check = for<'a> fn(&'a dyn Harness) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

macro_rules! checks {
    ($($file:ident::$check:ident,)+) => {
        /// Every check by name.
        const CHECKS: &[(&str, Check)] = &[$((stringify!($check), |harness| Box::pin($file::$check(harness))),)+];
    };
}

checks! {
    appends::records_come_back_as_they_were_appended,
    appends::one_key_keeps_its_partition_and_its_order,
    appends::an_append_is_all_or_nothing,
    appends::an_empty_append_changes_nothing,
    appends::concurrent_appenders_lose_and_mix_nothing,
    appends::ten_thousand_records_are_one_append,
    reads::following_next_meets_each_record_once,
    reads::a_small_fetch_still_brings_one_record,
    reads::a_waiting_fetch_is_woken_by_an_append,
    reads::a_fetch_at_the_end_waits_and_comes_back_empty,
    reads::a_reader_beyond_the_end_is_told_so,
    reads::watermarks_frame_what_is_kept,
    reads::a_reopened_log_resumes,
    bounds::a_removed_range_is_named_never_skipped,
    bounds::truncating_beyond_the_end_is_refused,
    bounds::retention_by_age_stops_at_what_is_not_read_yet,
    bounds::retention_by_size_removes_the_oldest,
    bounds::a_record_beyond_the_bound_is_refused,
    bounds::a_full_topic_pushes_back_until_there_is_room,
    bounds::unknown_topics_and_partitions_are_named,
    bounds::a_topic_is_declared_once,
}

/// Runs every check on a backend; answers the broken promises, `check: what was seen`.
pub async fn run(harness: &dyn Harness) -> Vec<String> {
    let mut broken = Vec::new();
    for (name, check) in CHECKS {
        match tokio::time::timeout(CHECK_MAX, check(harness)).await {
            Ok(Ok(())) => {}
            Ok(Err(violation)) => broken.push(format!("{name}: {violation}")),
            Err(_) => broken.push(format!("{name}: took longer than {CHECK_MAX:?}")),
        }
    }
    broken
}

/// The names of all checks, for a backend that wants to run or report them one by one.
pub fn names() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// Answers with a violation unless the condition holds.
macro_rules! hold {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err($crate::log::conformance::Violation(format!($($seen)+)));
        }
    };
}
use hold;

/// A topic without retention.
fn topic(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec { name: format!("conformance.{name}"), partitions, retention_age: None, retention_bytes: None }
}

/// An opened log with one topic in it.
async fn opened(harness: &dyn Harness, name: &str, partitions: u32) -> Result<(Arc<dyn EventLog>, String), Violation> {
    let log = harness.open(name).await?;
    let spec = topic(name, partitions);
    log.ensure_topic(&spec).await?;
    Ok((log, spec.name))
}

/// Records of one key whose values are their numbers.
fn numbered(key: &str, numbers: std::ops::Range<usize>) -> Vec<Record> {
    numbers.map(|number| Record::new(key.to_owned(), format!("{key}:{number}"))).collect()
}

/// Everything a partition keeps from `from` on, read in fetches of `bytes_max`; checks that offsets grow and that `next` moves on.
async fn read_from(log: &dyn EventLog, topic: &str, partition: u32, from: u64, bytes_max: usize) -> Result<Vec<Stored>, Violation> {
    let (_, end) = log.watermarks(topic, partition).await?;
    let (mut from, mut all) = (from, Vec::<Stored>::new());
    while from < end {
        let batch = log.fetch(topic, partition, from, bytes_max, Duration::from_secs(5)).await?;
        for stored in batch.records {
            let after = all.last().map_or(from, |last| last.offset + 1);
            hold!(stored.offset >= after, "offset {} of {topic}/{partition} came where at least {after} was due", stored.offset);
            all.push(stored);
        }
        hold!(batch.next > from, "next stayed at {from} of {topic}/{partition} before the end {end}");
        from = batch.next;
    }
    Ok(all)
}

/// Everything all partitions keep.
async fn read_all(log: &dyn EventLog, topic: &str) -> Result<Vec<(Position, Stored)>, Violation> {
    let mut all = Vec::new();
    for partition in 0..log.partitions(topic).await? {
        let (first, _) = log.watermarks(topic, partition).await?;
        for stored in read_from(log, topic, partition, first, 64 * 1024).await? {
            all.push((Position { partition, offset: stored.offset }, stored));
        }
    }
    Ok(all)
}
