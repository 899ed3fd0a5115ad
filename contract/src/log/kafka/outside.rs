//! Reading a topic that is not ours: one member of a group, whose position the broker keeps.
//!
//! When the group gives a partition, its position is settled before anything is read: the group's own, looked at against what
//! the broker still keeps, or where the feed says to begin, which is then committed, so that a start at the latest message is
//! decided once and not anew by each member.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::errors::{Cause, Sorted, code, sort};
use super::options::{GroupOptions, KafkaOptions};
use super::shared::{Context, Role, Shared};
use crate::Offsets;
use crate::log::LogError;
use crate::log::outside::{Message, Outside, OutsideTopic, Start};

/// Most messages of one turn, whatever their bytes.
const MESSAGES_MAX: usize = 8192;

/// Between two looks at a topic that is not there: somebody may create it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What a member of the group knows of its partitions.
#[derive(Debug, Default)]
struct Positions {
    /// Where each of our partitions goes on.
    next: BTreeMap<i32, u64>,
    /// Partitions that had no position before, which is to be committed.
    settled: Vec<i32>,
    /// Why a position could not be settled: told by the next turn.
    failed: Option<LogError>,
}

/// What the group's client calls back.
struct OutsideContext {
    context: Context,
    spec: Outside,
    patience: Duration,
    positions: Mutex<Positions>,
}

impl OutsideContext {
    fn positions(&self) -> MutexGuard<'_, Positions> {
        // No holder leaves it half changed.
        self.positions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn error(&self, error: &KafkaError) -> LogError {
        self.context.shared.error("read a feed's topic from", error)
    }

    /// Where each given partition goes on, with those that had no position.
    fn settle(&self, consumer: &BaseConsumer<Self>, given: &TopicPartitionList) -> Result<(BTreeMap<i32, u64>, Vec<i32>), LogError> {
        let committed = consumer.committed_offsets(given.clone(), self.patience).map_err(|error| self.error(&error))?;
        let (mut next, mut fresh) = (BTreeMap::new(), Vec::new());
        for element in committed.elements() {
            element.error().map_err(|error| self.error(&error))?;
            let partition = element.partition();
            let (first, end) = self.kept(consumer, partition)?;
            let position = match element.offset() {
                Offset::Offset(offset) => self.within(partition, offset.max(0).cast_unsigned(), (first, end))?,
                _ => {
                    fresh.push(partition);
                    self.start(consumer, partition, (first, end))?
                }
            };
            next.insert(partition, position);
        }
        Ok((next, fresh))
    }

    fn kept(&self, consumer: &BaseConsumer<Self>, partition: i32) -> Result<(u64, u64), LogError> {
        let marks = consumer.fetch_watermarks(&self.spec.topic, partition, self.patience).map_err(|error| self.error(&error))?;
        Ok((marks.0.max(0).cast_unsigned(), marks.1.max(0).cast_unsigned()))
    }

    fn within(&self, partition: i32, asked: u64, (first, end): (u64, u64)) -> Result<u64, LogError> {
        let (topic, partition) = (self.spec.topic.clone(), partition.cast_unsigned());
        match asked {
            _ if asked < first => Err(LogError::OutOfRange { topic, partition, asked, first }),
            _ if asked > end => Err(LogError::BeyondEnd { topic, partition, asked, end }),
            _ => Ok(asked),
        }
    }

    fn start(&self, consumer: &BaseConsumer<Self>, partition: i32, (first, end): (u64, u64)) -> Result<u64, LogError> {
        let at = match self.spec.start {
            Start::Earliest => return Ok(first),
            Start::Latest => return Ok(end),
            Start::At(at) => at.timestamp_millis(),
        };
        let mut asked = TopicPartitionList::new();
        let times = asked.add_partition_offset(&self.spec.topic, partition, Offset::Offset(at));
        let found = times.and_then(|()| consumer.offsets_for_times(asked, self.patience)).map_err(|error| self.error(&error))?;
        match found.find_partition(&self.spec.topic, partition).map(|found| found.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset.max(0).cast_unsigned()),
            // Every message is older.
            _ => Ok(end),
        }
    }

    fn given(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) -> Result<(), KafkaError> {
        match self.settle(consumer, partitions) {
            Ok((next, fresh)) => {
                for (partition, offset) in &next {
                    partitions.set_partition_offset(&self.spec.topic, *partition, Offset::Offset(offset.cast_signed()))?;
                }
                consumer.incremental_assign(partitions)?;
                let mut positions = self.positions();
                positions.next.extend(next);
                positions.settled.extend(fresh);
                Ok(())
            }
            Err(error) => {
                // The group waits for an answer: it is taken, but nothing is read, and the next turn says why.
                self.positions().failed = Some(error);
                partitions.set_all_offsets(Offset::End)?;
                consumer.incremental_assign(partitions)?;
                consumer.pause(partitions)
            }
        }
    }
}

impl ClientContext for OutsideContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        self.context.log(level, fac, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }
}

impl ConsumerContext for OutsideContext {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let numbers: Vec<_> = partitions.elements().iter().map(|element| element.partition()).collect();
        let (topic, group) = (&self.spec.topic, &self.spec.group);
        let answer = if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            info!(topic, group, partitions = ?numbers, "partitions of a feed's topic were assigned");
            self.given(consumer, partitions)
        } else {
            info!(topic, group, partitions = ?numbers, "partitions of a feed's topic were revoked");
            let mut positions = self.positions();
            positions.next.retain(|partition, _| !numbers.contains(partition));
            positions.settled.retain(|partition| !numbers.contains(partition));
            consumer.incremental_unassign(partitions)
        };
        if let Err(error) = answer {
            self.positions().failed = Some(self.error(&error));
        }
    }
}

/// The client and whether it has joined.
struct Member {
    consumer: BaseConsumer<OutsideContext>,
    joined: Cell<bool>,
}

/// A topic of somebody else's on Kafka.
pub struct KafkaTopic {
    /// `None` once left. A turn holds it: turns come one after another.
    member: Arc<Mutex<Option<Member>>>,
    shared: Arc<Shared>,
    spec: Outside,
}

impl fmt::Debug for KafkaTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaTopic").field("spec", &self.spec).finish_non_exhaustive()
    }
}

impl Drop for KafkaTopic {
    /// Leaving waits for the broker, and a caller's thread must not.
    fn drop(&mut self) {
        let member = locked(&self.member).take();
        let Some(member) = member else { return };
        let left = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || drop(member));
        if let Err(error) = left {
            warn!(%error, "could not leave the group; its members wait for the session timeout");
        }
    }
}

fn locked(member: &Mutex<Option<Member>>) -> MutexGuard<'_, Option<Member>> {
    member.lock().unwrap_or_else(PoisonError::into_inner)
}

impl KafkaTopic {
    /// A member-to-be of the group of `spec`, at the brokers and with the user of `options`. It joins with its first turn, and
    /// needs no broker before.
    ///
    /// # Errors
    /// [`LogError::Refused`]: a file or setting is not one to be used.
    pub fn new(options: &KafkaOptions, spec: Outside) -> Result<Self, LogError> {
        let shared = Arc::new(Shared::new(options));
        let context = OutsideContext {
            context: Context { shared: Arc::clone(&shared), role: Role::Other },
            spec: spec.clone(),
            patience: options.answer_timeout,
            positions: Mutex::default(),
        };
        let made = BaseConsumer::from_config_and_context(&options.outside(&GroupOptions::new(&spec.group)), context);
        let consumer = made.map_err(|error| LogError::Refused {
            action: "read a feed's topic from",
            broker: options.brokers.as_str().into(),
            hint: "a setting is not one librdkafka can use: see its words".into(),
            source: Box::new(Cause(error.to_string())),
        })?;
        Ok(Self { member: Arc::new(Mutex::new(Some(Member { consumer, joined: Cell::new(false) }))), shared, spec })
    }

    /// Does something with the member on a thread that may wait.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Member, &Outside) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let (member, spec) = (Arc::clone(&self.member), self.spec.clone());
        let done = spawn_blocking(move || work(locked(&member).as_ref().ok_or(LogError::Closed)?, &spec));
        done.await.map_err(|_| LogError::Closed)?
    }
}

#[async_trait]
impl OutsideTopic for KafkaTopic {
    async fn poll(&self, bytes_max: usize, wait: Duration) -> Result<Vec<Message>, LogError> {
        let taken = self.with(move |member, spec| member.turn(spec, bytes_max, wait)).await;
        match taken {
            Ok(messages) if messages.is_empty() && self.shared.refused() => Err(self.shared.unreachable("the broker refuses us").await),
            Ok(messages) => {
                if !messages.is_empty() {
                    self.shared.answered();
                }
                Ok(messages)
            }
            Err(error) => Err(error),
        }
    }

    async fn commit(&self, next: &Offsets) -> Result<(), LogError> {
        let next: Vec<(i32, u64)> = next
            .iter()
            .filter(|(partition, _)| partition.topic == self.spec.topic)
            .map(|(partition, next)| (partition.partition.cast_signed(), next))
            .collect();
        self.with(move |member, spec| member.commit(spec, &next)).await
    }

    async fn leave(&self) {
        let member = locked(&self.member).take();
        // Closing tells the broker, and waits for its answer.
        drop(spawn_blocking(move || drop(member)).await);
    }
}

impl Member {
    /// Follows the group, then takes what has come.
    fn turn(&self, spec: &Outside, bytes_max: usize, wait: Duration) -> Result<Vec<Message>, LogError> {
        let failed = |error: &KafkaError| self.consumer.context().error(error);
        if !self.joined.get() {
            self.consumer.subscribe(&[&spec.topic]).map_err(|error| failed(&error))?;
            self.joined.set(true);
        }
        let (end, mut messages, mut bytes) = (Instant::now() + wait, Vec::new(), 0);
        while messages.len() < MESSAGES_MAX && bytes < bytes_max {
            if let Err(error) = self.settled(spec) {
                // What was taken already is read again from where the group stands.
                self.rejoin_later();
                return Err(error);
            }
            let patience = if messages.is_empty() { end.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            match self.consumer.poll(patience) {
                // It also follows a rebalance that was served: the wait is over when its time is.
                None if messages.is_empty() && Instant::now() < end => {}
                None => break,
                Some(Ok(message)) => {
                    let mut positions = self.consumer.context().positions();
                    // A partition that was revoked while this was on its way is another member's.
                    let Some(next) = positions.next.get_mut(&message.partition()) else { continue };
                    *next = message.offset().max(0).cast_unsigned() + 1;
                    bytes += message.payload_len() + message.key_len();
                    messages.push(Message {
                        partition: message.partition().cast_unsigned(),
                        offset: message.offset().max(0).cast_unsigned(),
                        value: message.payload().map(Bytes::copy_from_slice),
                        headers: headers(&message),
                    });
                }
                // What came before an error is good: it is given now, and the error with the next turn, if it lasts.
                Some(Err(error)) => match self.explain(&error) {
                    Some(error) if messages.is_empty() => {
                        self.rejoin_later();
                        return Err(error);
                    }
                    Some(_) => {
                        self.rejoin_later();
                        break;
                    }
                    None => {}
                },
            }
        }
        Ok(messages)
    }

    /// What an error asks for; `None` where librdkafka goes on by itself.
    fn explain(&self, error: &KafkaError) -> Option<LogError> {
        let context = self.consumer.context();
        match code(error) {
            Code::AutoOffsetReset | Code::OffsetOutOfRange => Some(self.lost().unwrap_or_else(|| context.error(error))),
            Code::PollExceeded => {
                warn!(topic = context.spec.topic, "a turn of the feed took longer than the group's poll interval; it joins again");
                None
            }
            code => match sort(code) {
                Sorted::Refused(_) => Some(context.error(error)),
                Sorted::NotThere => {
                    warn!(topic = context.spec.topic, "the feed's topic is not there yet");
                    std::thread::sleep(LOOK_AGAIN);
                    None
                }
                Sorted::Away => {
                    debug!(%error, "trouble with a feed's topic");
                    None
                }
            },
        }
    }

    /// The position that the broker does not have any more.
    fn lost(&self) -> Option<LogError> {
        let context = self.consumer.context();
        let next = context.positions().next.clone();
        next.into_iter().find_map(|(partition, asked)| {
            context.kept(&self.consumer, partition).and_then(|kept| context.within(partition, asked, kept)).err()
        })
    }

    /// Whether the group's last gift could be taken; positions that were decided by where to begin are made the group's.
    fn settled(&self, spec: &Outside) -> Result<(), LogError> {
        let settled: Vec<(i32, u64)> = {
            let mut positions = self.consumer.context().positions();
            if let Some(error) = positions.failed.take() {
                return Err(error);
            }
            let settled = std::mem::take(&mut positions.settled);
            settled.into_iter().filter_map(|partition| Some((partition, *positions.next.get(&partition)?))).collect()
        };
        self.commit(spec, &settled)
    }

    fn commit(&self, spec: &Outside, next: &[(i32, u64)]) -> Result<(), LogError> {
        let context = self.consumer.context();
        let mut list = TopicPartitionList::new();
        {
            let positions = context.positions();
            for (partition, next) in next.iter().filter(|(partition, _)| positions.next.contains_key(partition)) {
                let offset = Offset::Offset(next.cast_signed());
                list.add_partition_offset(&spec.topic, *partition, offset).map_err(|error| context.error(&error))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer.commit(&list, CommitMode::Sync).map_err(|error| context.error(&error))
    }

    /// The next turn joins anew, and settles the positions again.
    fn rejoin_later(&self) {
        self.consumer.unsubscribe();
        self.joined.set(false);
        // What was given is taken back within this bound; a broker that is away says so with the next turn.
        for _ in 0..MESSAGES_MAX {
            if self.consumer.poll(Duration::from_millis(50)).is_none() {
                break;
            }
        }
        *self.consumer.context().positions() = Positions::default();
    }
}

/// The headers; bytes that are no UTF-8 are replaced.
fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    // The wrapper takes names for UTF-8 without asking; a name that is none must not end the process.
    let read = |index| catch_unwind(AssertUnwindSafe(|| headers.get(index)));
    (0..headers.count())
        .map(|index| match read(index) {
            Ok(header) => (header.key.to_owned(), text(header.value)),
            Err(_) => (char::REPLACEMENT_CHARACTER.to_string(), String::new()),
        })
        .collect()
}
