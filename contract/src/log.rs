//! The seam to the log: what every backend promises. `log/local.rs` keeps it on one machine, `log/memory.rs` in tests,
//! `log/kafka.rs` on a broker; `log/conformance.rs` is the suite all of them pass.
//!
//! - An append is acknowledged only when durable. What can be known beforehand (sizes, topic) refuses it as a whole; a log on
//!   one machine keeps all of it or nothing. A broker that fails in the middle may keep a part: the caller is told to retry,
//!   appends the same records again, and their ids make the repeats harmless.
//! - Records of one key stay in one partition, in the order they were appended.
//! - Offsets grow; gaps are legal; nobody may assume `next = last + 1`.
//! - Reading below the first kept offset is an error that names the lost range, never a silent jump.
//! - At its bound a log pushes back ([`LogError::Full`]); it never drops.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

pub mod conformance;
pub mod kafka;
mod limits;
pub mod local;
pub mod memory;
pub mod outside;
mod retention;

pub use limits::LogLimits;

use crate::{Offsets, TopicPartition};

/// What a producer hands over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Decides the partition; records of one key keep their order.
    pub key: Bytes,
    /// The bytes.
    pub value: Bytes,
    /// Names and values beside the bytes.
    pub headers: Vec<(String, String)>,
}

impl Record {
    /// A record without headers.
    pub fn new(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self { key: key.into(), value: value.into(), headers: Vec::new() }
    }

    /// The same record with these headers.
    #[must_use]
    pub fn with_headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers = headers;
        self
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// Bytes of key, value and headers: what bounds are counted in.
    pub fn bytes(&self) -> usize {
        self.key.len() + self.value.len() + self.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    }
}

/// Where an appended record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The partition.
    pub partition: u32,
    /// The offset within it.
    pub offset: u64,
}

/// A record as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its offset.
    pub offset: u64,
    /// When it was appended, microseconds since 1970, UTC, by the log's clock.
    pub appended_at: i64,
    /// What was appended; of a record larger than [`RECORD_BYTES_MAX`], which only others than we can append, the beginning.
    pub record: Record,
    /// Bytes of the value that are left out of `record`.
    pub left_out: usize,
}

impl Stored {
    /// A record as it was appended.
    pub const fn whole(offset: u64, appended_at: i64, record: Record) -> Self {
        Self { offset, appended_at, record, left_out: 0 }
    }

    /// Bytes of key, value and headers, as they were appended.
    pub fn bytes(&self) -> usize {
        self.record.bytes() + self.left_out
    }
}

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Records in offset order; empty when nothing came within the wait.
    pub records: Vec<Stored>,
    /// Where to read next.
    pub next: u64,
}

/// A topic as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// How many partitions; fixed once created.
    pub partitions: u32,
    /// How long records are kept; `None` = for ever.
    pub retention_age: Option<Duration>,
    /// How many bytes of records are kept over all partitions; `None` = no limit.
    pub retention_bytes: Option<u64>,
}

/// What a client of the log says of itself, as a metric: a name of its own, in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The metric's name.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Whether it only grows while the process lives.
    pub grows: bool,
    /// Which client says it, where several say the same.
    pub client: Option<&'static str>,
    /// What is said.
    pub value: f64,
}

/// What a caller has to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Wait and try again.
    Retry,
    /// This record only; go on.
    Reject,
    /// A person must change configuration, data or the machine: stop with the hint.
    Fix,
    /// An invariant is broken: stop.
    Bug,
}

/// What went wrong with the log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log is at its bound.
    #[error("log is full: topic \"{topic}\" holds {bytes} bytes, at most {bytes_max}")]
    Full {
        /// The topic.
        topic: String,
        /// Bytes it holds.
        bytes: u64,
        /// Its bound.
        bytes_max: u64,
    },
    /// The record alone is beyond the bound of a record.
    #[error("record of {bytes} bytes is beyond the log's bound of {bytes_max}")]
    RecordTooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The records of one call are together beyond the bound of a call: the caller has to send fewer at once.
    #[error("{records} records of {bytes} bytes in one append are beyond the log's bound of {bytes_max}")]
    AppendTooLarge {
        /// How many records were handed over.
        records: usize,
        /// Their bytes.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// A topic was declared that no backend can keep.
    #[error("topic \"{topic}\" cannot be declared: {detail}")]
    InvalidTopic {
        /// The topic.
        topic: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The topic was never created.
    #[error("topic \"{topic}\" does not exist in the log")]
    UnknownTopic {
        /// The topic.
        topic: String,
    },
    /// The partition is not one of the topic's.
    #[error("topic \"{topic}\" has no partition {partition}")]
    UnknownPartition {
        /// The topic.
        topic: String,
        /// The partition asked for.
        partition: u32,
    },
    /// The topic stands with another number of partitions.
    #[error("topic \"{topic}\" has {found} partitions, {wanted} were declared")]
    TopicDiffers {
        /// The topic.
        topic: String,
        /// What stands.
        found: u32,
        /// What was declared.
        wanted: u32,
    },
    /// Retention has removed records a reader had not read: they are lost to it.
    #[error("records {asked}..{first} of {topic}/{partition} are gone by retention")]
    OutOfRange {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        asked: u64,
        /// The first offset kept.
        first: u64,
    },
    /// A reader asks beyond the end: its position comes from another log.
    #[error("offset {asked} of {topic}/{partition} is beyond the log's end {end}")]
    BeyondEnd {
        /// The topic.
        topic: String,
        /// The partition.
        partition: u32,
        /// The offset asked for.
        asked: u64,
        /// The next offset to be written.
        end: u64,
    },
    /// Another process writes this log.
    #[error("log \"{path}\" is in use by another writer{holder}: stop it, or choose another data directory")]
    InUse {
        /// The file.
        path: String,
        /// ` (pid N)` where known.
        holder: String,
    },
    /// The disk or the broker failed.
    #[error("could not {action} the log at \"{path}\"")]
    Storage {
        /// What was being done.
        action: &'static str,
        /// The file or broker.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The broker is away, busy, or moving a partition: it may work the next time.
    #[error("could not {action} the log at {broker}")]
    Unavailable {
        /// What was being done.
        action: &'static str,
        /// The brokers' addresses.
        broker: Box<str>,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The broker refuses, and will until a person changes something.
    #[error("could not {action} the log at {broker}: {hint}")]
    Refused {
        /// What was being done.
        action: &'static str,
        /// The brokers' addresses.
        broker: Box<str>,
        /// What stands in the way, and what to do about it.
        hint: Box<str>,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log was closed.
    #[error("log is closed")]
    Closed,
}

impl LogError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Full { .. } | Self::Unavailable { .. } => Remedy::Retry,
            Self::RecordTooLarge { .. } => Remedy::Reject,
            Self::AppendTooLarge { .. } | Self::UnknownTopic { .. } | Self::UnknownPartition { .. } | Self::Closed => Remedy::Bug,
            Self::InvalidTopic { .. }
            | Self::TopicDiffers { .. }
            | Self::OutOfRange { .. }
            | Self::BeyondEnd { .. }
            | Self::InUse { .. }
            | Self::Storage { .. }
            | Self::Refused { .. } => Remedy::Fix,
        }
    }
}

/// Largest record a log takes: twice the HTTP body of one event, below every broker's default of 1 MiB with headroom for batches.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;

/// The newest value of a key, for a topic that keeps nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The key.
    pub key: Bytes,
    /// Its value; `None` ends the key.
    pub value: Option<Bytes>,
}

/// An ordered, durable, partitioned log.
#[async_trait]
pub trait EventLog: Send + Sync + Debug {
    /// Creates the topic, or checks that it stands as declared.
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError>;

    /// Number of partitions of a topic.
    async fn partitions(&self, topic: &str) -> Result<u32, LogError>;

    /// Appends all records, and answers after they are durable, with their positions in the order given.
    ///
    /// After [`LogError::Unavailable`] a broker may have kept a part of them: append all of them again. After any other error
    /// none of them stands.
    ///
    /// Not cancellation safe: a call dropped before its answer may still have appended.
    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError>;

    /// Reads from offset `from` on, up to about `bytes_max` bytes (at least one record), waiting up to `wait` for the first.
    ///
    /// Cancellation safe: the position is the caller's.
    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError>;

    /// First kept offset and next offset to be written.
    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError>;

    /// Removes records below `offset`; below the first kept one nothing is left to do, beyond the end is an error.
    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError>;

    /// Applies the topics' retention by age and size, never removing a record at or above `keep_from` of its partition
    /// (what the lake has not committed yet). Answers how many records went.
    async fn retain(&self, now_micros: i64, keep_from: &Offsets) -> Result<u64, LogError>;

    /// The partitions of these topics that are this process's to read at present. A log of one process gives it all of them;
    /// on a broker with a consumer group the members share them, and a member has to ask regularly to stay one.
    async fn assigned(&self, topics: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
        every_partition(self, topics).await
    }

    /// Whether there are topics that keep the newest value of each key, for consumers outside: [`EventLog::ensure_latest`] and
    /// [`EventLog::append_latest`]. Such a topic is read with [`EventLog::fetch`]; an empty value is a key that ended.
    fn keeps_latest(&self) -> bool {
        false
    }

    /// Creates such a topic, or checks that it is one; how many partitions it has counts only where it is created.
    async fn ensure_latest(&self, topic: &str, partitions: u32) -> Result<(), LogError> {
        let detail = format!("this log keeps no topic of newest values, of {partitions} partitions or any");
        Err(LogError::InvalidTopic { topic: topic.to_owned(), detail })
    }

    /// Appends newest values to such a topic in their order, and answers after they are durable. After any error a part of them
    /// may stand.
    async fn append_latest(&self, topic: &str, values: &[Latest]) -> Result<(), LogError> {
        let detail = format!("this log keeps no topic of newest values, and took none of {}", values.len());
        Err(LogError::InvalidTopic { topic: topic.to_owned(), detail })
    }

    /// Tells lag tools how far this process has read. Never authoritative: where to go on says the lake.
    async fn report(&self, offsets: &Offsets) -> Result<(), LogError> {
        let _told_nobody = offsets;
        Ok(())
    }

    /// Gives up what is this process's to read, so that others go on with it at once: the last call of an orderly end. A log of one process
    /// has nobody to tell. Waits some seconds at most for a broker that does not answer.
    async fn leave(&self) {}

    /// What the clients of the log say of themselves: always the same names in the same order. A log without clients says nothing.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

/// Every partition of these topics, whoever reads it.
///
/// # Errors
/// A topic is unknown, or the log does not answer.
pub async fn every_partition<L: EventLog + ?Sized>(log: &L, topics: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
    let mut all = BTreeSet::new();
    for topic in topics {
        all.extend((0..log.partitions(topic).await?).map(|partition| TopicPartition::new(*topic, partition)));
    }
    Ok(all)
}
