//! Appending: one idempotent producer at a time, bytes in flight bounded by a semaphore, one answer per append.
//!
//! librdkafka reports each record's delivery on one thread; a report counts its append down, and the last one wakes the
//! caller. A future for each record would cost more than sending it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::warn;

use super::errors::{Sorted, sort};
use super::options::KafkaOptions;
use super::shared::{Context, Role, Shared};
use crate::log::{LogError, Position, Record};
use crate::topic;

/// What a record takes in librdkafka beside its bytes: a message, its queue entry and our report of it.
const RECORD_BYTES: usize = 256;

/// Records handed over before others on this thread get a turn: 1,000 take about a millisecond.
const TURN_RECORDS: usize = 1024;

/// How long the reporting thread sleeps at most; what it waits for wakes it before.
const POLL: Duration = Duration::from_millis(100);

/// An append on its way.
struct Append {
    /// Offsets by record; negative until known.
    offsets: Box<[AtomicI64]>,
    remaining: AtomicUsize,
    failure: Mutex<Option<Code>>,
    done: Mutex<Option<oneshot::Sender<()>>>,
    /// The room it takes is free when its last record is answered, also if the caller has gone.
    _room: OwnedSemaphorePermit,
}

impl Append {
    fn count_down(&self, answered: usize) {
        if self.remaining.fetch_sub(answered, Ordering::AcqRel) == answered
            && let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            // The caller may have gone: nobody is left to tell.
            done.send(()).unwrap_or_default();
        }
    }

    fn fail(&self, code: Code) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(code);
    }
}

/// One record of an append on its way.
pub(super) struct Delivery {
    append: Arc<Append>,
    index: u32,
}

impl Delivery {
    /// Takes librdkafka's report.
    pub(super) fn answered(&self, result: &DeliveryResult<'_>) {
        match result {
            Ok(message) => self.append.offsets[self.index as usize].store(message.offset(), Ordering::Relaxed),
            Err((error, _)) => self.append.fail(error.rdkafka_error_code().unwrap_or(Code::Fail)),
        }
        self.append.count_down(1);
    }
}

/// A client of the brokers, and the thread that takes its reports.
struct Client {
    producer: Arc<BaseProducer<Context>>,
    closed: Arc<AtomicBool>,
}

impl Drop for Client {
    /// The reporting thread lets the producer go: that waits for the network, and a caller's thread must not.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Release);
    }
}

impl Client {
    fn new(config: &ClientConfig, shared: &Arc<Shared>) -> Result<Self, KafkaError> {
        let context = Context { shared: Arc::clone(shared), role: Role::Producer };
        let producer: Arc<BaseProducer<Context>> = Arc::new(BaseProducer::from_config_and_context(config, context)?);
        let closed = Arc::new(AtomicBool::new(false));
        let (reporting, stop) = (Arc::clone(&producer), Arc::clone(&closed));
        thread::Builder::new()
            .name("kafka-producer".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    reporting.poll(POLL);
                }
            })
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self { producer, closed })
    }

    fn send(&self, name: &str, partition: u32, record: &Record, append: &Arc<Append>, index: usize) -> Result<(), Code> {
        let index = u32::try_from(index).expect("an append is bounded far below 4 billion records");
        let delivery = Box::new(Delivery { append: Arc::clone(append), index });
        let mut message = BaseRecord::with_opaque_to(name, delivery)
            .partition(partition.cast_signed())
            .key(record.key.as_ref())
            .payload(record.value.as_ref());
        if !record.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(record.headers.len());
            let insert = |all: OwnedHeaders, (key, value): &(String, String)| all.insert(Header { key, value: Some(value.as_str()) });
            message = message.headers(record.headers.iter().fold(headers, insert));
        }
        self.producer.send(message).map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail))
    }
}

/// The producer of a log.
///
/// A client that fell out of step with a broker sends nothing any more. It is then replaced: what it had under way is answered
/// as unavailable, its callers append it again by the new one, each in its order, and what was acknowledged stands. An append
/// keeps to the client it began with and answers after that client has heard of each of its records, so nothing of it comes
/// after its repeat.
pub(super) struct Appender {
    config: ClientConfig,
    client: RwLock<Arc<Client>>,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    room_bytes: usize,
}

impl fmt::Debug for Appender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Appender").field("room", &self.room).finish_non_exhaustive()
    }
}

impl Appender {
    pub(super) fn new(options: &KafkaOptions, shared: &Arc<Shared>) -> Result<Self, KafkaError> {
        let config = options.producer();
        let client = RwLock::new(Arc::new(Client::new(&config, shared)?));
        let room_bytes = options.in_flight_bytes_max.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Ok(Self { config, client, shared: Arc::clone(shared), room: Arc::new(Semaphore::new(room_bytes)), room_bytes })
    }

    fn client(&self) -> Arc<Client> {
        // No holder leaves it half changed.
        Arc::clone(&self.client.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new client in the place of a spent one, unless another append has.
    fn replace(&self, spent: &Arc<Client>, words: &str) -> Result<(), KafkaError> {
        let mut client = self.client.write().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&client, spent) {
            *client = Arc::new(Client::new(&self.config, &self.shared)?);
            warn!(words, "the producer fell out of step with a broker and was replaced; what it had under way is appended again");
        }
        Ok(())
    }

    /// Sends all records and waits until each is acknowledged.
    pub(super) async fn append(&self, name: &str, partitions: u32, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let bytes: usize = records.iter().map(|record| record.bytes() + RECORD_BYTES).sum();
        // An append larger than the room takes all of it: it is let in alone.
        let permits = u32::try_from(bytes.min(self.room_bytes)).expect("the room has at most as many bytes as fit a u32");
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await.map_err(|_| LogError::Closed)?;
        let (done, answered) = oneshot::channel();
        let append = Arc::new(Append {
            offsets: records.iter().map(|_| AtomicI64::new(-1)).collect(),
            remaining: AtomicUsize::new(records.len()),
            failure: Mutex::new(None),
            done: Mutex::new(Some(done)),
            _room: room,
        });
        let client = self.client();
        let mut targets = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            if index % TURN_RECORDS == TURN_RECORDS - 1 {
                tokio::task::yield_now().await;
            }
            let partition = topic::partition(&record.key, partitions);
            targets.push(partition);
            if let Err(code) = client.send(name, partition, record, &append, index) {
                append.fail(code);
                append.count_down(records.len() - index);
                break;
            }
        }
        drop(records);
        answered.await.map_err(|_| LogError::Closed)?;
        self.positions(name, &client, &append, &targets)
    }

    fn positions(&self, name: &str, client: &Arc<Client>, append: &Append, targets: &[u32]) -> Result<Vec<Position>, LogError> {
        let failure = *append.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = failure {
            return Err(self.failed(name, client, code));
        }
        self.shared.answered();
        let offsets = append.offsets.iter().map(|offset| u64::try_from(offset.load(Ordering::Relaxed)));
        let known = targets.iter().zip(offsets).map(|(&partition, offset)| offset.map(|offset| Position { partition, offset }));
        // A repeat the broker had already: it stands, and nobody knows where. Appended again, its position is known.
        known
            .collect::<Result<_, _>>()
            .map_err(|_| self.shared.coded("append to", Code::Fail, "a record was acknowledged without its offset"))
    }

    fn failed(&self, name: &str, client: &Arc<Client>, code: Code) -> LogError {
        if let Some((cause, words)) = client.producer.client().fatal_error() {
            // What was under way of a spent client was purged, whatever for.
            if sort(cause) == Sorted::Away
                && let Err(error) = self.replace(client, &words)
            {
                return self.shared.error("append to", &error);
            }
            return self.shared.coded("append to", cause, &words);
        }
        match code {
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownPartition => {
                LogError::UnknownTopic { topic: name.to_owned() }
            }
            Code::PurgeQueue | Code::PurgeInflight | Code::DestroyBroker => LogError::Closed,
            code => self.shared.coded("append to", code, &code.to_string()),
        }
    }
}
