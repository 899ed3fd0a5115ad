//! What the open local log knows of its topics without asking the file: how far each partition reaches, and who to wake
//! when it moves. The file is the truth; this is its shadow, moved only after a commit.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::watch;

use crate::log::{LogError, TopicSpec};

/// How far a partition reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Marks {
    /// First kept offset.
    pub(super) first: u64,
    /// Next offset to be written.
    pub(super) next: u64,
    /// Bytes of its records as kept.
    pub(super) bytes: u64,
}

/// A topic of the open log.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    spec: RwLock<TopicSpec>,
    marks: Vec<watch::Sender<Marks>>,
}

impl Topic {
    /// A topic whose partitions reach so far.
    pub(super) fn new(spec: TopicSpec, marks: Vec<Marks>) -> Self {
        debug_assert_eq!(spec.partitions as usize, marks.len());
        Self { name: spec.name.clone(), spec: RwLock::new(spec), marks: marks.into_iter().map(watch::Sender::new).collect() }
    }

    pub(super) fn partitions(&self) -> u32 {
        u32::try_from(self.marks.len()).expect("a topic's partitions are bounded far below 2^32")
    }

    pub(super) fn spec(&self) -> TopicSpec {
        self.spec.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the retention of a topic declared again.
    pub(super) fn declare(&self, spec: TopicSpec) {
        *self.spec.write().unwrap_or_else(PoisonError::into_inner) = spec;
    }

    /// How far every partition reaches now.
    pub(super) fn marks(&self) -> Vec<Marks> {
        self.marks.iter().map(|marks| *marks.borrow()).collect()
    }

    /// The marks of one partition, to look at and to wait on.
    pub(super) fn watch(&self, partition: u32) -> Result<watch::Receiver<Marks>, LogError> {
        let unknown = || LogError::UnknownPartition { topic: self.name.clone(), partition };
        self.marks.get(partition as usize).map(watch::Sender::subscribe).ok_or_else(unknown)
    }

    /// Publishes what a commit changed and wakes who waits.
    pub(super) fn publish(&self, partition: u32, marks: Marks) {
        self.marks[partition as usize].send_replace(marks);
    }
}

impl Marks {
    /// Whether a reader may stand at `asked`.
    pub(super) fn check(self, topic: &str, partition: u32, asked: u64) -> Result<(), LogError> {
        if asked < self.first {
            return Err(LogError::OutOfRange { topic: topic.to_owned(), partition, asked, first: self.first });
        }
        self.check_end(topic, partition, asked)
    }

    /// Whether `asked` lies within what was ever written.
    pub(super) fn check_end(self, topic: &str, partition: u32, asked: u64) -> Result<(), LogError> {
        if asked > self.next {
            return Err(LogError::BeyondEnd { topic: topic.to_owned(), partition, asked, end: self.next });
        }
        Ok(())
    }
}

/// The topics of the open log.
#[derive(Debug, Default)]
pub(super) struct Topics(RwLock<BTreeMap<String, Arc<Topic>>>);

impl Topics {
    pub(super) fn get(&self, name: &str) -> Result<Arc<Topic>, LogError> {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        found.ok_or_else(|| LogError::UnknownTopic { topic: name.to_owned() })
    }

    pub(super) fn insert(&self, topic: Topic) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(topic.name.clone(), Arc::new(topic));
    }

    pub(super) fn all(&self) -> Vec<Arc<Topic>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
