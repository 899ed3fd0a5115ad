//! The client all readers share: it belongs to no group, and answers what the broker knows of topics and partitions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::errors::{Sorted, code, sort};
use super::options::KafkaOptions;
use super::shared::{Context, Role, Shared};
use crate::log::LogError;

/// How long the thread that serves the client's own events sleeps at most.
const POLL: Duration = Duration::from_millis(100);

/// The client all readers share.
pub(super) struct ReaderClient {
    pub(super) consumer: Arc<BaseConsumer<Context>>,
    pub(super) shared: Arc<Shared>,
    pub(super) answer_timeout: Duration,
    closed: Arc<AtomicBool>,
}

impl fmt::Debug for ReaderClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReaderClient").finish_non_exhaustive()
    }
}

impl Drop for ReaderClient {
    /// The serving thread lets the client go: that waits for its threads, and a caller's thread must not.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl ReaderClient {
    pub(super) fn new(options: &KafkaOptions, shared: &Arc<Shared>) -> Result<Self, KafkaError> {
        let context = Context { shared: Arc::clone(shared), role: Role::Reader };
        let consumer = Arc::new(BaseConsumer::from_config_and_context(&options.reader(), context)?);
        let closed = Arc::new(AtomicBool::new(false));
        let (serving, stop, told) = (Arc::clone(&consumer), Arc::clone(&closed), Arc::clone(shared));
        thread::Builder::new()
            .name("kafka-reader".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    // Records come through the partitions' queues; what came here was taken from its reader.
                    if let Some(Ok(_)) = serving.poll(POLL) {
                        told.stray();
                    }
                }
            })
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { consumer, shared: Arc::clone(shared), answer_timeout: options.answer_timeout, closed })
    }

    /// The number of partitions of a topic, asked of the broker.
    pub(super) async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        let (consumer, name, patience) = (Arc::clone(&self.consumer), topic.to_owned(), self.answer_timeout);
        let asked = spawn_blocking(move || {
            let metadata = consumer.fetch_metadata(Some(&name), patience)?;
            let found = metadata.topics().iter().find(|topic| topic.name() == name);
            let error = found.and_then(|topic| topic.error()).map(Code::from);
            Ok::<_, KafkaError>((found.map_or(0, |topic| topic.partitions().len()), error))
        });
        let (count, error) = asked.await.map_err(|_| LogError::Closed)?.map_err(|error| self.shared.error("ask", &error))?;
        self.shared.answered();
        match error.map(|code| (code, sort(code))) {
            Some((_, Sorted::NotThere)) => Err(LogError::UnknownTopic { topic: topic.to_owned() }),
            Some((code, _)) => Err(self.shared.coded("ask", code, &code.to_string())),
            None if count == 0 => Err(LogError::UnknownTopic { topic: topic.to_owned() }),
            None => Ok(u32::try_from(count).expect("Kafka counts partitions in 31 bits")),
        }
    }

    /// Waits for the first answer of a broker.
    pub(super) async fn connect(&self, patience: Duration) -> Result<(), LogError> {
        let end = Instant::now() + patience;
        let mut slice = Duration::from_millis(250);
        loop {
            let consumer = Arc::clone(&self.consumer);
            let wait = slice.min(end.saturating_duration_since(Instant::now())).max(Duration::from_millis(1));
            // In slices, so that a refusal is told when it is known, and a runtime that ends waits for one slice only.
            let asked = spawn_blocking(move || consumer.fetch_metadata(None, wait).map(|_| ()));
            match asked.await.map_err(|_| LogError::Closed)? {
                Ok(()) => {
                    self.shared.answered();
                    return Ok(());
                }
                Err(_) if self.shared.refused() || Instant::now() >= end => {
                    return Err(self.shared.unreachable(&format!("no broker answered within {patience:?}")).await);
                }
                Err(error) if !matches!(sort(code(&error)), Sorted::Away) => return Err(self.shared.error("connect to", &error)),
                Err(_) => slice = (slice * 2).min(Duration::from_secs(2)),
            }
        }
    }

    /// First kept offset, and the offset up to which committed records can be read.
    pub(super) async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let (consumer, name, patience) = (Arc::clone(&self.consumer), topic.to_owned(), self.answer_timeout);
        let asked = spawn_blocking(move || consumer.fetch_watermarks(&name, partition.cast_signed(), patience));
        let marks = asked.await.map_err(|_| LogError::Closed)?.map_err(|error| self.failed(topic, partition, code(&error), &error))?;
        self.shared.answered();
        Ok((marks.0.max(0).cast_unsigned(), marks.1.max(0).cast_unsigned()))
    }

    /// An error of the client as the log's.
    pub(super) fn failed(&self, topic: &str, partition: u32, code: Code, error: &KafkaError) -> LogError {
        match sort(code) {
            Sorted::NotThere => LogError::UnknownPartition { topic: topic.to_owned(), partition },
            _ => self.shared.coded("read from", code, &error.to_string()),
        }
    }
}
