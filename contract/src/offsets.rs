//! How far a consumer or a table has come: next offset by topic and partition. Pure; no IO.

use std::collections::BTreeMap;
use std::fmt;

/// One partition of one topic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic.
    pub topic: String,
    /// The partition, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Partition `partition` of `topic`.
    pub fn new(topic: impl Into<String>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

impl std::str::FromStr for TopicPartition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (topic, partition) = text.rsplit_once('/').ok_or_else(|| format!("{text:?} is not topic/partition"))?;
        Ok(Self::new(topic, partition.parse().map_err(|_| format!("{text:?} is not topic/partition"))?))
    }
}

/// The next offset to read of each partition. Offsets only grow; gaps between records are legal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offsets(BTreeMap<TopicPartition, u64>);

impl Offsets {
    /// The next offset of a partition; 0 where nothing was read.
    pub fn next(&self, partition: &TopicPartition) -> u64 {
        self.0.get(partition).copied().unwrap_or(0)
    }

    /// Moves a partition forward; a lower offset than the present one changes nothing.
    pub fn advance(&mut self, partition: TopicPartition, next: u64) {
        let entry = self.0.entry(partition).or_insert(0);
        *entry = (*entry).max(next);
    }

    /// Whether every partition has come at least as far as in `other` (compare with `>=`, never equality).
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|(partition, next)| self.next(partition) >= *next)
    }

    /// Partitions and next offsets in order.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, u64)> {
        self.0.iter().map(|(partition, next)| (partition, *next))
    }

    /// The sum of all next offsets.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

impl FromIterator<(TopicPartition, u64)> for Offsets {
    fn from_iter<I: IntoIterator<Item = (TopicPartition, u64)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}
