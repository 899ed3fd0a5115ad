//! The log in memory, for tests and simulations: the promises of [`EventLog`] without a disk, the same at every run.
//!
//! With [`MemoryLog::with_gaps`] offsets jump by a seed, as they do on a broker after transactions and compaction, so a
//! reader that counts `last + 1` fails here and not in production.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use super::retention::{Allowance, Candidate, Head, cuts};
use super::{Batch, EventLog, Latest, LogError, LogLimits, Position, Record, Stored, TopicSpec};
use crate::clock::Clock;
use crate::{Offsets, TopicPartition, topic};

/// What a record costs beside its bytes, so that a log of empty records has a bound as well; the local log adds as much.
const RECORD_OVERHEAD_BYTES: u64 = 16;

/// A log that lives as long as the process.
#[derive(Debug)]
pub struct MemoryLog {
    clock: Arc<dyn Clock>,
    limits: LogLimits,
    state: Mutex<State>,
    /// Counts appends; a waiting fetch looks again when it moves.
    appends: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    topics: BTreeMap<String, Topic>,
    gaps: Option<ChaCha8Rng>,
}

#[derive(Debug)]
struct Topic {
    spec: TopicSpec,
    partitions: Vec<Partition>,
}

#[derive(Debug, Default)]
struct Partition {
    records: VecDeque<Stored>,
    first: u64,
    next: u64,
    bytes: u64,
}

impl MemoryLog {
    /// An empty log without gaps.
    pub fn new(clock: Arc<dyn Clock>, limits: LogLimits) -> Self {
        Self { clock, limits, state: Mutex::default(), appends: watch::Sender::new(0) }
    }

    /// The same log, whose offsets jump by this seed.
    #[must_use]
    pub fn with_gaps(self, seed: u64) -> Self {
        self.state().gaps = Some(ChaCha8Rng::seed_from_u64(seed));
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No call leaves the state half changed, so a panic of another thread does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn topic(&mut self, name: &str) -> Result<&mut Topic, LogError> {
        self.topics.get_mut(name).ok_or_else(|| LogError::UnknownTopic { topic: name.to_owned() })
    }

    fn partition(&mut self, topic: &str, partition: u32) -> Result<&mut Partition, LogError> {
        let unknown = || LogError::UnknownPartition { topic: topic.to_owned(), partition };
        self.topic(topic)?.partitions.get_mut(partition as usize).ok_or_else(unknown)
    }

    /// How many offsets to leave out before the next one: mostly none.
    fn gap(&mut self) -> u64 {
        self.gaps.as_mut().map_or(0, |dice| if dice.random_bool(0.2) { dice.random_range(1..=7) } else { 0 })
    }
}

fn kept_bytes(record: &Record) -> u64 {
    record.bytes() as u64 + RECORD_OVERHEAD_BYTES
}

impl Topic {
    fn bytes(&self) -> u64 {
        self.partitions.iter().map(|partition| partition.bytes).sum()
    }
}

impl Partition {
    fn push(&mut self, stored: Stored) {
        debug_assert!(stored.offset >= self.next, "offsets only grow");
        self.next = stored.offset + 1;
        self.bytes += kept_bytes(&stored.record);
        self.records.push_back(stored);
    }

    fn trim(&mut self, below: u64) -> u64 {
        let mut removed = 0;
        while self.records.front().is_some_and(|oldest| oldest.offset < below) {
            self.bytes -= self.records.pop_front().map_or(0, |oldest| kept_bytes(&oldest.record));
            removed += 1;
        }
        self.first = self.first.max(below);
        removed
    }

    /// Records from `from` on; the position after them, which is the end where nothing is left.
    fn read(&self, from: u64, bytes_max: usize) -> Batch {
        let start = self.records.partition_point(|stored| stored.offset < from);
        let mut bytes = 0;
        let mut records = Vec::new();
        for stored in self.records.range(start..) {
            bytes += stored.record.bytes();
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.push(stored.clone());
        }
        let whole = start + records.len() == self.records.len();
        let next = if whole { self.next } else { records.last().map_or(from, |last| last.offset + 1) };
        Batch { records, next }
    }

    fn check_position(&self, topic: &str, partition: u32, asked: u64) -> Result<(), LogError> {
        if asked < self.first {
            return Err(LogError::OutOfRange { topic: topic.to_owned(), partition, asked, first: self.first });
        }
        self.check_end(topic, partition, asked)
    }

    fn check_end(&self, topic: &str, partition: u32, asked: u64) -> Result<(), LogError> {
        if asked > self.next {
            return Err(LogError::BeyondEnd { topic: topic.to_owned(), partition, asked, end: self.next });
        }
        Ok(())
    }

    fn heads(&self) -> impl Iterator<Item = Result<Head, Infallible>> {
        self.records
            .iter()
            .map(|stored| Ok(Head { offset: stored.offset, appended_at: stored.appended_at, bytes: kept_bytes(&stored.record) }))
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        spec.check()?;
        let mut state = self.state();
        if let Some(topic) = state.topics.get_mut(&spec.name) {
            spec.check_stands(topic.spec.partitions)?;
            topic.spec = spec.clone();
            return Ok(());
        }
        let partitions = (0..spec.partitions).map(|_| Partition::default()).collect();
        state.topics.insert(spec.name.clone(), Topic { spec: spec.clone(), partitions });
        Ok(())
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(self.state().topic(topic)?.spec.partitions)
    }

    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        let mut state = self.state();
        let standing = state.topic(topic)?;
        let partitions = standing.spec.partitions;
        self.limits.check(&records)?;
        self.limits.check_room(topic, standing.bytes(), records.iter().map(kept_bytes).sum())?;
        let appended_at = self.clock.now().timestamp_micros();
        let mut positions = Vec::with_capacity(records.len());
        for record in records {
            let gap = state.gap();
            let partition = topic::partition(&record.key, partitions);
            let target = state.partition(topic, partition)?;
            let offset = target.next + gap;
            target.push(Stored::whole(offset, appended_at, record));
            positions.push(Position { partition, offset });
        }
        // A gap after the newest record, too: the end is then not `last + 1`, as after a broker's transaction.
        if let Some(last) = positions.last() {
            let gap = state.gap();
            state.partition(topic, last.partition)?.next += gap;
        }
        drop(state);
        self.appends.send_modify(|appends| *appends += 1);
        Ok(positions)
    }

    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError> {
        let mut appends = self.appends.subscribe();
        let mut expiry = pin!(tokio::time::sleep(wait));
        let mut from = from;
        loop {
            appends.mark_unchanged();
            let batch = {
                let mut state = self.state();
                let source = state.partition(topic, partition)?;
                source.check_position(topic, partition, from)?;
                source.read(from, bytes_max)
            };
            if !batch.records.is_empty() {
                return Ok(batch);
            }
            from = batch.next;
            tokio::select! {
                biased;
                changed = appends.changed() => changed.map_err(|_| LogError::Closed)?,
                () = &mut expiry => return Ok(batch),
            }
        }
    }

    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let mut state = self.state();
        let partition = state.partition(topic, partition)?;
        Ok((partition.first, partition.next))
    }

    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        let mut state = self.state();
        let target = state.partition(topic, partition)?;
        target.check_end(topic, partition, offset)?;
        target.trim(offset);
        Ok(())
    }

    async fn retain(&self, now_micros: i64, keep_from: &Offsets) -> Result<u64, LogError> {
        let mut removed = 0;
        for (name, topic) in &mut self.state().topics {
            let allowance = Allowance::of(&topic.spec, now_micros, topic.bytes());
            let candidates = (0..).zip(&topic.partitions).map(|(partition, source)| Candidate {
                partition,
                heads: source.heads(),
                keep_from: keep_from.next(&TopicPartition::new(name, partition)),
            });
            let Ok(cuts) = cuts(candidates.collect(), allowance, usize::MAX);
            for (partition, below) in cuts {
                removed += topic.partitions[partition as usize].trim(below);
            }
        }
        Ok(removed)
    }

    fn keeps_latest(&self) -> bool {
        true
    }

    /// Nothing is compacted: of a key's values the last one counts.
    async fn ensure_latest(&self, topic: &str, partitions: u32) -> Result<(), LogError> {
        if self.partitions(topic).await.is_ok() {
            return Ok(());
        }
        self.ensure_topic(&TopicSpec { name: topic.to_owned(), partitions, retention_age: None, retention_bytes: None }).await
    }

    async fn append_latest(&self, topic: &str, values: &[Latest]) -> Result<(), LogError> {
        let record = |latest: &Latest| Record::new(latest.key.clone(), latest.value.clone().unwrap_or_default());
        self.append(topic, values.iter().map(record).collect()).await.map(drop)
    }
}
