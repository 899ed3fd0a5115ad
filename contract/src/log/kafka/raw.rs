//! What the client does without us: plain producing and plain reading under the promises we keep (acknowledged by all replicas in
//! sync, nothing twice, committed records only). The yardstick `tests/figures/` holds the log against; the program never calls it, and
//! it stands here because nothing outside this folder may name the client (`tests/workspace.rs`).
//!
//! Both block their thread.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfig, FromClientConfigAndContext};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use super::errors::Cause;
use super::options::KafkaOptions;
use crate::log::{LogError, Record};

/// Records that wait in librdkafka at most, its own default bound; beyond it the producer waits.
const QUEUE_RECORDS: &str = "100000";

/// Pause of a full queue, and until it is looked again whether all is acknowledged: a batch is on its way within the linger.
const PAUSE: Duration = Duration::from_millis(1);

/// How long a broker may keep silent while records are owed.
const SILENCE: Duration = Duration::from_secs(10);

/// Counts what was acknowledged.
#[derive(Debug, Clone, Default)]
struct Acknowledged(Arc<AtomicU64>);

impl ClientContext for Acknowledged {}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The plain client's producer. Made once: the first records wait for half a second until the broker has given it a number.
pub struct Plain {
    producer: ThreadedProducer<Acknowledged>,
    acknowledged: Acknowledged,
    sent: u64,
    options: KafkaOptions,
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain").field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl Plain {
    /// A producer for these brokers, which connects by itself.
    ///
    /// # Errors
    /// A setting is not one librdkafka can use.
    pub fn new(options: &KafkaOptions) -> Result<Self, LogError> {
        let acknowledged = Acknowledged::default();
        let mut config = options.producer();
        config.set("queue.buffering.max.messages", QUEUE_RECORDS).remove("statistics.interval.ms");
        let made = ThreadedProducer::from_config_and_context(&config, acknowledged.clone());
        let producer = made.map_err(|error| unavailable(options, "append to", &error))?;
        Ok(Self { producer, acknowledged, sent: 0, options: options.clone() })
    }

    /// Sends records as fast as librdkafka takes them, each to the partition of its key, and waits until all are acknowledged.
    ///
    /// # Errors
    /// One was not acknowledged within the options' `append_timeout`.
    pub fn produce(&mut self, topic: &str, records: &[Record]) -> Result<(), LogError> {
        let failed = |error: &KafkaError| unavailable(&self.options, "append to", error);
        for record in records {
            let mut message = BaseRecord::to(topic).key(record.key.as_ref()).payload(record.value.as_ref());
            if !record.headers.is_empty() {
                let headers = OwnedHeaders::new_with_capacity(record.headers.len());
                let insert = |all: OwnedHeaders, (key, value): &(String, String)| all.insert(Header { key, value: Some(value.as_str()) });
                message = message.headers(record.headers.iter().fold(headers, insert));
            }
            while let Err((error, again)) = self.producer.send(message) {
                if error.rdkafka_error_code() != Some(Code::QueueFull) {
                    return Err(failed(&error));
                }
                std::thread::sleep(PAUSE);
                message = again;
            }
        }
        self.sent += records.len() as u64;
        // Not by `flush`, which takes turns with the reporting thread and may wait a tenth of a second for what that has taken.
        let began = Instant::now();
        while self.acknowledged.0.load(Ordering::Relaxed) < self.sent {
            if began.elapsed() > self.options.append_timeout {
                return Err(failed(&KafkaError::MessageProduction(Code::MessageTimedOut)));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// Reads every partition from its first record to its end, and does nothing with the records.
///
/// # Errors
/// The broker fails, or says nothing for ten seconds.
pub fn consume(options: &KafkaOptions, topic: &str, partitions: u32) -> Result<Consumed, LogError> {
    let failed = |error: &KafkaError| unavailable(options, "read from", error);
    let mut config = options.reader();
    // Its own bound of what is read ahead.
    config.remove("queued.max.messages.kbytes").remove("statistics.interval.ms");
    let consumer = BaseConsumer::from_config(&config).map_err(|error| failed(&error))?;
    let mut list = TopicPartitionList::new();
    for partition in 0..partitions {
        list.add_partition_offset(topic, partition.cast_signed(), Offset::Beginning).map_err(|error| failed(&error))?;
    }
    consumer.assign(&list).map_err(|error| failed(&error))?;
    let (mut read, mut ended) = (Consumed::default(), BTreeSet::new());
    while ended.len() < partitions as usize {
        match consumer.poll(SILENCE) {
            Some(Ok(message)) => {
                read.records += 1;
                read.bytes += (message.key().map_or(0, <[u8]>::len) + message.payload_len()) as u64;
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition)),
            Some(Err(error)) => return Err(failed(&error)),
            None => return Err(failed(&KafkaError::MessageConsumption(Code::OperationTimedOut))),
        }
    }
    Ok(read)
}

fn unavailable(options: &KafkaOptions, action: &'static str, error: &KafkaError) -> LogError {
    LogError::Unavailable { action, broker: options.brokers.as_str().into(), source: Box::new(Cause(error.to_string())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::kafka::KafkaLog;
    use crate::log::kafka::other_producers::kafka_rig::Rig;
    use crate::log::{EventLog, TopicSpec};
    use crate::topic::partition;
    use tokio::task::spawn_blocking;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_plain_client_leaves_and_finds_the_records_the_log_does() {
        const NAME: &str = "plain";
        let Some(rig) = Rig::start(1, false) else { return };
        let options = KafkaOptions::new(rig.bootstrap());
        let log = KafkaLog::connect(options.clone()).await.unwrap();
        log.ensure_topic(&TopicSpec { name: NAME.into(), partitions: 3, retention_age: None, retention_bytes: None }).await.unwrap();
        let records: Vec<Record> = (0..2000)
            .map(|n| Record::new(format!("k{}", n % 50), format!("value {n}")).with_headers(vec![("n".into(), n.to_string())]))
            .collect();
        let (sent, to) = (records.clone(), options.clone());
        spawn_blocking(move || Plain::new(&to)?.produce(NAME, &sent)).await.unwrap().unwrap();
        for number in 0..3 {
            let expected: Vec<&Record> = records.iter().filter(|record| partition(&record.key, 3) == number).collect();
            let read = log.fetch(NAME, number, 0, 1 << 20, Duration::from_secs(5)).await.unwrap().records;
            assert_eq!(read.iter().map(|stored| &stored.record).collect::<Vec<_>>(), expected, "partition {number}");
        }
        // What the log appends is read by the plain client as well.
        log.append(NAME, records.clone()).await.unwrap();
        let bytes: usize = records.iter().map(|record| record.key.len() + record.value.len()).sum();
        let read = spawn_blocking(move || consume(&options, NAME, 3)).await.unwrap().unwrap();
        assert_eq!(read, Consumed { records: 4000, bytes: 2 * bytes as u64 });
    }
}
