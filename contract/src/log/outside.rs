//! The seam to a topic that is not ours: a city's own messages, read by a group whose members share its partitions.
//!
//! Other than with the log, the position is the group's: it is committed after what came of the messages is acknowledged
//! elsewhere, so a message is read at least once. What the broker kept is read from where the group stands; a position that
//! retention passed, or that is beyond the end, is an error that names it, never a jump.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::LogError;
use crate::{Offsets, TopicPartition};

/// Where a group begins that has no position in a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// With the first message kept.
    #[default]
    Earliest,
    /// With the first message to come.
    Latest,
    /// With the first message of this instant or later, by the messages' own times.
    At(DateTime<Utc>),
}

/// Which topic is read, by whom, from where on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// The topic.
    pub topic: String,
    /// The group, which keeps the position.
    pub group: String,
    /// Where it begins; of no effect where the group has a position.
    pub start: Start,
}

impl Outside {
    /// Its partition of that number.
    pub fn partition(&self, number: u32) -> TopicPartition {
        TopicPartition::new(&self.topic, number)
    }
}

/// A message as it came. Anything may be absent, and nothing need be text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// Its bytes; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Names and values beside the bytes; what is no UTF-8 is replaced.
    pub headers: Vec<(String, String)>,
}

/// A topic of somebody else's, read by a member of a group.
#[async_trait]
pub trait OutsideTopic: Send + Sync + Debug {
    /// The next messages of the partitions that are this member's at present: about `bytes_max` bytes, at least one message, or
    /// none when nothing came within `wait`. To ask is also what keeps the membership.
    ///
    /// Not cancellation safe: what a dropped call had taken comes again only to the next member.
    ///
    /// # Errors
    /// [`super::Remedy::Retry`] where the broker is away. [`LogError::OutOfRange`] and [`LogError::BeyondEnd`] name a position
    /// that is lost.
    async fn poll(&self, bytes_max: usize, wait: Duration) -> Result<Vec<Message>, LogError>;

    /// Makes the group go on there. Partitions that are not this member's any more are left out.
    ///
    /// # Errors
    /// The broker did not take it: the messages will come again.
    async fn commit(&self, next: &Offsets) -> Result<(), LogError>;

    /// Leaves the group, so that others take the partitions at once. Nothing is read afterwards.
    async fn leave(&self);
}
