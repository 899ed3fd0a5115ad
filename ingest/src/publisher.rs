//! The only place where ingest writes to the log: envelopes grouped by topic, appended in their order, tried again while the log pushes back.
//!
//! A publish is done when every record is durable (G1). When it fails some topics may hold their part; publishing all of it again is safe
//! because repeats of an event are duplicates downstream.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::Envelope;
use contract::log::{EventLog, LogError, Record, Remedy, TopicSpec};
use contract::topic;
use tokio::time::Instant;

/// First pause after the log pushed back; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(10);
/// Longest pause: a log that makes room is noticed within a second.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long a log may push back before we give up, unless set otherwise: half a minute covers a retention run or a broker election.
const DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of one append: the log commits it as a whole, and both sides hold it in memory.
const APPEND_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why records did not get into the log.
#[derive(Debug, thiserror::Error)]
#[error("could not append {records} records to topic \"{topic}\"{waited}")]
pub struct PublishError {
    /// The topic.
    pub topic: &'static str,
    /// How many records were to be appended.
    pub records: usize,
    waited: String,
    /// What the log said.
    #[source]
    pub source: LogError,
}

impl PublishError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        self.source.remedy()
    }
}

/// What a topic keeps of records the lake holds; by default all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// How long.
    pub age: Option<Duration>,
    /// How many bytes over all its partitions.
    pub bytes: Option<u64>,
}

/// Publishes to one log. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Publisher {
    log: Arc<dyn EventLog>,
    deadline: Duration,
}

impl Publisher {
    /// A publisher into `log`.
    pub fn new(log: Arc<dyn EventLog>) -> Self {
        Self { log, deadline: DEADLINE }
    }

    /// The same publisher, giving up when the log pushes back for longer than `deadline`.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Creates every topic of the contract with `partitions` partitions, or checks that it stands so; the retention given holds from now on.
    ///
    /// # Errors
    /// When a topic stands with another number of partitions or the log fails.
    pub async fn ensure_topics(&self, partitions: u32, retention: Retention) -> Result<(), LogError> {
        for name in topic::ALL {
            let spec = TopicSpec { name: name.to_owned(), partitions, retention_age: retention.age, retention_bytes: retention.bytes };
            self.log.ensure_topic(&spec).await?;
        }
        Ok(())
    }

    /// Appends all envelopes; answers when all are durable. Within a topic they keep their order; topics are appended side by side.
    ///
    /// # Errors
    /// When a topic could not be appended, after trying for the deadline where the log asked to try again.
    pub async fn publish(&self, envelopes: Vec<Envelope>) -> Result<(), PublishError> {
        let mut by_topic: BTreeMap<&'static str, Vec<Record>> = BTreeMap::new();
        for envelope in envelopes {
            by_topic.entry(envelope.topic).or_default().push(envelope.record);
        }
        let appends = by_topic.into_iter().map(|(topic, records)| self.append(topic, records));
        futures::future::try_join_all(appends).await.map(|_: Vec<()>| ())
    }

    async fn append(&self, topic: &'static str, records: Vec<Record>) -> Result<(), PublishError> {
        // One append at a time and in order: the next one starts when this one is durable, so a retry never overtakes.
        for records in portions(records) {
            self.append_portion(topic, records).await?;
        }
        Ok(())
    }

    async fn append_portion(&self, topic: &'static str, records: Vec<Record>) -> Result<(), PublishError> {
        let started = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            // Keys and values are reference counted, so keeping the records for a retry copies no bytes but the headers.
            let Err(source) = self.log.append(topic, records.clone()).await else {
                return Ok(());
            };
            let waited = started.elapsed();
            if source.remedy() != Remedy::Retry || waited + pause > self.deadline {
                let waited = if waited < PAUSE_MIN { String::new() } else { format!(" within {} ms", waited.as_millis()) };
                return Err(PublishError { topic, records: records.len(), waited, source });
            }
            tracing::debug!(topic, records = records.len(), %source, "log pushed back, trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}

fn portions(records: Vec<Record>) -> Vec<Vec<Record>> {
    if records.iter().map(Record::bytes).sum::<usize>() <= APPEND_BYTES_MAX {
        return vec![records];
    }
    let mut all: Vec<Vec<Record>> = Vec::new();
    let mut room = 0;
    for record in records {
        let bytes = record.bytes();
        if bytes > room || all.is_empty() {
            all.push(Vec::new());
            room = APPEND_BYTES_MAX;
        }
        room = room.saturating_sub(bytes);
        all.last_mut().expect("a portion was just opened").push(record);
    }
    all
}

#[cfg(test)]
mod tests;
