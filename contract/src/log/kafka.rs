//! The log on Apache Kafka (D3): the only file that names its client, with the folder beside it.
//!
//! - `kafka/options.rs`: what is told to librdkafka, and why. `kafka/shared.rs` and `kafka/errors.rs`: what comes back, sorted.
//! - `kafka/producer.rs`: appending. `kafka/reader.rs`: reading, each partition with a bound of its own, over `kafka/reader_client.rs`;
//!   `kafka/queue.rs`: the messages as records.
//! - `kafka/members.rs`: which partitions are ours, where several processes share them. `kafka/topics.rs`: creating, comparing
//!   and cutting topics.
//! - `kafka/latest.rs`: topics that keep the newest value of each key. `kafka/outside.rs`: reading a topic that is not ours, whose group keeps the position.
//! - `kafka/statistics.rs`: librdkafka's own figures, for `/metrics`. `kafka/raw.rs`: the plain client, for `make bench` alone.
//!
//! An append that fails with [`LogError::Unavailable`] may have left a part of its records: brokers acknowledge by partition,
//! and nothing takes back what stands. The caller appends them again, and analytics knows them by their ids.

mod certificate;
mod errors;
mod fences;
mod latest;
mod members;
mod options;
mod outside;
mod producer;
mod queue;
pub mod raw;
mod reader;
mod reader_client;
mod shared;
mod statistics;
mod topics;

#[cfg(test)]
mod other_producers;
#[cfg(test)]
mod renewal;

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::spawn_blocking;

pub use self::options::{GroupOptions, KafkaOptions, Mechanism, Secret, Tls, User};
pub use self::outside::KafkaTopic;

use self::errors::Cause;
use self::latest::LatestValues;
use self::members::Member;
use self::producer::Appender;
use self::reader::Slot;
use self::reader_client::ReaderClient;
use self::shared::Shared;
use self::topics::Admin;
use super::{Batch, EventLog, Figure, Latest, LogError, Position, Record, TopicSpec, every_partition};
use crate::{Offsets, TopicPartition};

/// A topic as this process knows it: a place for each partition.
type Slots = Arc<[Slot]>;

/// A log on Kafka's brokers.
#[derive(Debug)]
pub struct KafkaLog {
    options: KafkaOptions,
    shared: Arc<Shared>,
    appender: Appender,
    reader: ReaderClient,
    member: Option<Member>,
    latest: LatestValues,
    /// Topics met so far. How many partitions one has never changes, or keys would change theirs.
    topics: RwLock<HashMap<String, Slots>>,
}

impl KafkaLog {
    /// Connects to the brokers, and waits for the first answer of one.
    ///
    /// # Errors
    /// [`LogError::Refused`] says in a sentence what a person has to change; [`LogError::Unavailable`] that no broker answered
    /// in time.
    pub async fn connect(options: KafkaOptions) -> Result<Self, LogError> {
        let log = spawn_blocking(move || Self::start(options)).await.map_err(|_| LogError::Closed)??;
        log.reader.connect(log.options.connect_timeout).await?;
        Ok(log)
    }

    fn start(options: KafkaOptions) -> Result<Self, LogError> {
        let refused = |hint: String, cause: String| LogError::Refused {
            action: "connect to",
            broker: options.brokers.as_str().into(),
            hint: hint.into(),
            source: Box::new(Cause(cause)),
        };
        for (option, file) in options.files() {
            if let Err(error) = File::open(file) {
                return Err(refused(format!("the file {} cannot be read: check {option}", file.display()), error.to_string()));
            }
        }
        let shared = Arc::new(Shared::new(&options));
        // Settings librdkafka does not take, such as a file that holds no certificate; its words name them.
        let failed = |error: rdkafka::error::KafkaError| {
            refused("a setting is not one librdkafka can use: see its words".to_owned(), error.to_string())
        };
        let appender = Appender::new(&options, &shared).map_err(failed)?;
        let reader = ReaderClient::new(&options, &shared).map_err(failed)?;
        let member = options.group.as_ref().map(|group| Member::new(&options, group, &shared)).transpose().map_err(failed)?;
        Ok(Self { shared, appender, reader, member, latest: LatestValues::default(), topics: RwLock::default(), options })
    }

    fn known(&self, topic: &str) -> Option<Slots> {
        // No holder leaves the map half changed.
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(topic).map(Arc::clone)
    }

    fn learn(&self, topic: &str, partitions: u32) -> Slots {
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(topics.entry(topic.to_owned()).or_insert_with(|| (0..partitions).map(|_| Slot::default()).collect()))
    }

    async fn topic(&self, topic: &str) -> Result<Slots, LogError> {
        match self.known(topic) {
            Some(slots) => Ok(slots),
            None => Ok(self.learn(topic, self.reader.partitions(topic).await?)),
        }
    }

    fn admin(&self) -> Admin<'_> {
        Admin { options: &self.options, shared: &self.shared, reader: &self.reader }
    }

    /// The topic is not what was known of it: it is asked for anew.
    fn forget(&self, topic: &str, error: LogError) -> LogError {
        if matches!(error, LogError::UnknownTopic { .. } | LogError::UnknownPartition { .. }) {
            self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
        }
        error
    }
}

fn slot<'a>(slots: &'a Slots, topic: &str, partition: u32) -> Result<&'a Slot, LogError> {
    slots.get(partition as usize).ok_or_else(|| LogError::UnknownPartition { topic: topic.to_owned(), partition })
}

fn count(slots: &Slots) -> u32 {
    u32::try_from(slots.len()).expect("made from a u32")
}

#[async_trait]
impl EventLog for KafkaLog {
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        spec.check()?;
        let partitions = self.admin().ensure(spec).await?;
        self.learn(&spec.name, partitions);
        Ok(())
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(count(&self.topic(topic).await?))
    }

    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        let slots = self.topic(topic).await?;
        self.options.limits.check(&records)?;
        let positions = self.appender.append(topic, count(&slots), records).await.map_err(|error| self.forget(topic, error))?;
        for position in &positions {
            slots[position.partition as usize].appended(position.offset);
        }
        Ok(positions)
    }

    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError> {
        let slots = self.topic(topic).await?;
        let fetched = slot(&slots, topic, partition)?.fetch(&self.reader, (topic, partition), from, bytes_max, wait).await;
        fetched.map_err(|error| self.forget(topic, error))
    }

    /// Up to the last record that no open transaction holds back. Asks the broker at each call.
    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        slot(&self.topic(topic).await?, topic, partition)?;
        self.reader.watermarks(topic, partition).await
    }

    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        let slots = self.topic(topic).await?;
        let slot = slot(&slots, topic, partition)?;
        let (first, end) = self.reader.watermarks(topic, partition).await?;
        if offset > end {
            return Err(LogError::BeyondEnd { topic: topic.to_owned(), partition, asked: offset, end });
        }
        if offset > first {
            self.admin().truncate(topic, partition, offset).await?;
        }
        slot.doubt().await;
        Ok(())
    }

    /// The broker's own work, by the retention the topics were created with.
    async fn retain(&self, _: i64, _: &Offsets) -> Result<u64, LogError> {
        Ok(0)
    }

    async fn assigned(&self, topics: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
        match &self.member {
            Some(member) => member.assigned(topics).await,
            None => every_partition(self, topics).await,
        }
    }

    fn keeps_latest(&self) -> bool {
        true
    }

    async fn ensure_latest(&self, topic: &str, partitions: u32) -> Result<(), LogError> {
        let spec = TopicSpec { name: topic.to_owned(), partitions, retention_age: None, retention_bytes: None };
        spec.check()?;
        let partitions = self.admin().ensure_compacted(&spec).await?;
        self.learn(topic, partitions);
        Ok(())
    }

    async fn append_latest(&self, topic: &str, values: &[Latest]) -> Result<(), LogError> {
        let slots = self.topic(topic).await?;
        let appended = self.latest.append((&self.options, &self.shared), topic, count(&slots), values).await;
        for position in appended.map_err(|error| self.forget(topic, error))? {
            slots[position.partition as usize].appended(position.offset);
        }
        Ok(())
    }

    async fn report(&self, offsets: &Offsets) -> Result<(), LogError> {
        match &self.member {
            Some(member) => member.report(offsets).await,
            None => Ok(()),
        }
    }

    async fn leave(&self) {
        if let Some(member) = &self.member {
            member.leave().await;
        }
    }

    /// librdkafka's own, as old as [`KafkaOptions::statistics_interval`].
    fn figures(&self) -> Vec<Figure> {
        self.shared.figures(self.member.is_some())
    }
}
