//! A topic of the city's own read into the log: messages through the feed's mapping, good rows to the contract's topics, bad ones to quarantine.
//!
//! One turn takes what has come, maps it, publishes it and then commits the group's position: a process that dies in between reads the same
//! messages again, whose events are known by their ids (what was refused stands in quarantine once more). Several processes share the
//! partitions. Nothing is read while the log pushes back. `kafka/messages.rs` makes rows of messages.

mod messages;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use contract::log::outside::{Message, Outside, OutsideTopic};
use contract::log::{LogError, Remedy};
use contract::{Envelope, Offsets, Reason};
use tokio_util::sync::CancellationToken;

use crate::{Mapper, MappingError, Observer, PublishError, Publisher};

/// Bytes of a turn: as much as one append takes.
const TURN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest wait for a message; a stop is seen after it.
const WAIT: Duration = Duration::from_millis(500);
/// Pause before a broker that is away is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Why a feed's topic is read no further. The group stands where what came before is acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The group's position is not among what the topic keeps. Going on elsewhere would lose messages unseen, so a person says where.
    #[error(
        "feed \"{feed}\" is read no further: where group \"{group}\" stands is not in topic \"{topic}\" any more; \
         say where to go on with `kafka-consumer-groups.sh --group {group} --topic {topic} --reset-offsets --to-earliest --execute`, and start again"
    )]
    PositionLost {
        /// The feed.
        feed: String,
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The range that is lost.
        #[source]
        source: LogError,
    },
    /// The topic cannot be read.
    #[error("feed \"{feed}\" is read no further from topic \"{topic}\"")]
    Read {
        /// The feed.
        feed: String,
        /// The topic.
        topic: String,
        /// The cause.
        #[source]
        source: LogError,
    },
    /// The log does not take what came.
    #[error("feed \"{feed}\" is read no further")]
    Publish {
        /// The feed.
        feed: String,
        /// The cause.
        #[source]
        source: PublishError,
    },
    /// The mapping cannot be evaluated at all.
    #[error("feed \"{feed}\" is read no further")]
    Mapping {
        /// The feed.
        feed: String,
        /// The cause.
        #[source]
        source: MappingError,
    },
    /// The mapping thread died: a fault of the program.
    #[error("feed \"{feed}\" is read no further: its mapping ended without an answer")]
    Lost {
        /// The feed.
        feed: String,
    },
}

/// A feed and the topic it is read from.
#[derive(Debug)]
pub struct TopicSource {
    mapper: Arc<Mapper>,
    topic: Arc<dyn OutsideTopic>,
    spec: Outside,
    publisher: Publisher,
    observer: Arc<dyn Observer>,
}

/// What the messages of a turn became.
struct Mapped {
    envelopes: Vec<Envelope>,
    published: u64,
    rejected: BTreeMap<Reason, u64>,
}

impl TopicSource {
    /// Reads `topic`, which is that of `spec`, for the feed of `mapper`.
    pub fn new(
        mapper: Arc<Mapper>,
        topic: Arc<dyn OutsideTopic>,
        spec: Outside,
        publisher: Publisher,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self { mapper, topic, spec, publisher, observer }
    }

    /// Reads until `stop`, then leaves the group.
    ///
    /// # Errors
    /// The topic cannot be read on, or what came cannot be kept. A broker or log that is away is waited for.
    pub async fn run(self, stop: CancellationToken) -> Result<(), TopicError> {
        let ended = self.read(&stop).await;
        self.topic.leave().await;
        ended
    }

    async fn read(&self, stop: &CancellationToken) -> Result<(), TopicError> {
        let mut away = false;
        while !stop.is_cancelled() {
            match self.topic.poll(TURN_BYTES_MAX, WAIT).await {
                Ok(messages) => {
                    away = false;
                    if !messages.is_empty() && !self.take(messages, stop).await? {
                        return Ok(());
                    }
                }
                Err(error) if error.remedy() == Remedy::Retry => {
                    if !std::mem::replace(&mut away, true) {
                        tracing::warn!(feed = self.feed(), topic = self.spec.topic, error = %told(&error), "a feed's topic is away; waiting for it");
                    }
                    rest(stop).await;
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(())
    }

    /// Maps, publishes, commits. `false` where the stop came before all was published: then the messages come again.
    async fn take(&self, messages: Vec<Message>, stop: &CancellationToken) -> Result<bool, TopicError> {
        let next: Offsets = messages.iter().map(|message| (self.spec.partition(message.partition), message.offset + 1)).fold(
            Offsets::default(),
            |mut all, one| {
                all.advance(one.0, one.1);
                all
            },
        );
        let (mapper, topic) = (Arc::clone(&self.mapper), self.spec.topic.clone());
        let mapped = tokio::task::spawn_blocking(move || messages::map(&mapper, &topic, messages)).await;
        let mapped = mapped.map_err(|_| TopicError::Lost { feed: self.feed().to_owned() })?;
        let mapped = mapped.map_err(|source| TopicError::Mapping { feed: self.feed().to_owned(), source })?;
        if !self.publish(mapped, stop).await? {
            return Ok(false);
        }
        match self.topic.commit(&next).await {
            Ok(()) => {}
            // Another member reads them again, or we do.
            Err(error) if error.remedy() == Remedy::Retry => {
                tracing::warn!(feed = self.feed(), topic = self.spec.topic, error = %told(&error), "a feed's position was not kept; its newest messages may come again");
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(true)
    }

    async fn publish(&self, mapped: Mapped, stop: &CancellationToken) -> Result<bool, TopicError> {
        // Keys and values are reference counted: kept for another attempt they cost no copy.
        while let Err(source) = self.publisher.publish(mapped.envelopes.clone()).await {
            if source.remedy() != Remedy::Retry {
                return Err(TopicError::Publish { feed: self.feed().to_owned(), source });
            }
            tracing::warn!(feed = self.feed(), error = %told(&source), "the log pushes back; the feed's topic waits");
            rest(stop).await;
            if stop.is_cancelled() {
                return Ok(false);
            }
        }
        self.observer.published(self.feed(), mapped.published);
        for (reason, rows) in mapped.rejected {
            self.observer.rejected(self.feed(), reason, rows);
        }
        Ok(true)
    }

    fn failed(&self, source: LogError) -> TopicError {
        let (feed, topic) = (self.feed().to_owned(), self.spec.topic.clone());
        match source {
            LogError::OutOfRange { .. } | LogError::BeyondEnd { .. } => {
                TopicError::PositionLost { feed, group: self.spec.group.clone(), topic, source }
            }
            source => TopicError::Read { feed, topic, source },
        }
    }

    fn feed(&self) -> &str {
        &self.mapper.feed().name
    }
}

async fn rest(stop: &CancellationToken) {
    // Over at the stop or after the pause: either way the loop looks again.
    drop(tokio::time::timeout(RETRY_PAUSE, stop.cancelled()).await);
}

/// An error with its causes.
fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", told(source)))
}

#[cfg(test)]
mod tests;
