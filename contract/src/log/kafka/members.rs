//! Membership in a consumer group: which partitions are this process's at present. No record flows through it.
//!
//! A client of its own subscribes, so that moving partitions between members never disturbs what is read: positions come from
//! the lake, and the reader goes on with whatever is assigned. Asking for the assignment is also what tells the broker that
//! the reading loop is alive; a loop that hangs longer than the group's poll interval loses its partitions.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaRespErr;
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tracing::{debug, info, warn};

use super::errors::{Sorted, code, sort};
use super::fences::Fences;
use super::options::{GroupOptions, KafkaOptions};
use super::shared::{Context, Role, Shared};
use crate::log::LogError;
use crate::{Offsets, TopicPartition};

/// Most events served in one turn: a rebalance has two, an outage some.
const EVENTS_MAX: usize = 64;
/// Longest wait for the group when leaving it: a rebalance that is under way ends first.
const LEAVE_MAX: Duration = Duration::from_secs(3);
/// How long a client that has nothing any more is served on, so that it says so before it closes.
const FAREWELL: Duration = Duration::from_millis(200);

/// What the group's client calls back.
#[derive(Debug, Clone)]
struct MemberContext {
    of_any: Context,
    /// Connections that were lost so far: by this client and those before it.
    lost: Arc<AtomicU64>,
}

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        if fac == "FAIL" {
            self.lost.fetch_add(1, Ordering::AcqRel);
        }
        self.of_any.log(level, fac, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.of_any.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if matches!(code(&error), Code::BrokerTransportFailure | Code::OperationTimedOut | Code::AllBrokersDown) {
            self.lost.fetch_add(1, Ordering::AcqRel);
        }
        self.of_any.error(error, reason);
    }
}

impl ConsumerContext for MemberContext {
    /// Takes partitions without reading them: from the end, paused. Cooperative members keep what does not move.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let assigned = event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let answer = if assigned {
            partitions
                .set_all_offsets(Offset::End)
                .and_then(|()| consumer.incremental_assign(partitions))
                .and_then(|()| consumer.pause(partitions))
        } else {
            consumer.incremental_unassign(partitions)
        };
        let names: Vec<_> = partitions.elements().iter().map(|element| format!("{}/{}", element.topic(), element.partition())).collect();
        match answer {
            Ok(()) if assigned => info!(partitions = names.join(" "), "partitions were assigned"),
            Ok(()) => info!(partitions = names.join(" "), "partitions were revoked"),
            Err(error) => warn!(partitions = names.join(" "), %error, "could not follow a rebalance; the next one begins anew"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            debug!(%error, "could not tell lag tools how far we are");
        }
    }
}

/// A member of a group.
pub(super) struct Member {
    shared: Arc<Shared>,
    seat: Arc<Mutex<Seat>>,
}

/// The client that is the member at present, and what it takes to make another.
struct Seat {
    config: ClientConfig,
    context: MemberContext,
    /// `None` once dropping.
    consumer: Option<Arc<BaseConsumer<MemberContext>>>,
    subscribed: BTreeSet<String>,
    fences: Fences,
}

/// What a turn came to, where nothing is ours to report.
enum Lost {
    /// An answer of the client.
    Error(KafkaError),
    /// The client is spent: why, and in which words.
    Spent(Code, String),
}

impl From<KafkaError> for Lost {
    fn from(error: KafkaError) -> Self {
        Self::Error(error)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("subscribed", &locked(&self.seat).subscribed).finish_non_exhaustive()
    }
}

/// No holder leaves the seat half changed.
fn locked(seat: &Mutex<Seat>) -> MutexGuard<'_, Seat> {
    seat.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Member {
    fn drop(&mut self) {
        let_go(locked(&self.seat).consumer.take());
    }
}

/// Leaving waits for the broker, and a caller's thread must not.
fn let_go(consumer: Option<Arc<BaseConsumer<MemberContext>>>) {
    let leave = move || {
        let Some(consumer) = consumer else { return };
        // A spent client is not served while it closes: what it still has to say, a revocation above all, is heard before.
        for _ in 0..EVENTS_MAX {
            drop(consumer.poll(Duration::from_millis(5)));
        }
        drop(consumer);
    };
    let left = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(leave);
    if let Err(error) = left {
        warn!(%error, "could not leave the group; its members wait for the session timeout");
    }
}

impl Member {
    pub(super) fn new(options: &KafkaOptions, group: &GroupOptions, shared: &Arc<Shared>) -> Result<Self, KafkaError> {
        let of_any = Context { shared: Arc::clone(shared), role: Role::Member };
        let context = MemberContext { of_any, lost: Arc::default() };
        let (config, fences) = (options.member(group), Fences::new(group.session_timeout));
        let mut seat = Seat { config, context, consumer: None, subscribed: BTreeSet::new(), fences };
        seat.take()?;
        Ok(Self { shared: Arc::clone(shared), seat: Arc::new(Mutex::new(seat)) })
    }

    /// Shows that this process is alive, follows what the group decided, and answers what is ours.
    ///
    /// A member whose name another client took joins again with a client of its own making, and has nothing until the group
    /// gives it something; see [`Fences`] for when it does not.
    pub(super) async fn assigned(&self, topics: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
        let seat = Arc::clone(&self.seat);
        let wanted: BTreeSet<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let turn = spawn_blocking(move || locked(&seat).turn(wanted));
        turn.await.map_err(|_| LogError::Closed)?.map_err(|lost| match lost {
            Lost::Error(error) => self.shared.error("share the partitions of", &error),
            Lost::Spent(code, words) => self.shared.coded("share the partitions of", code, &words),
        })
    }

    /// Leaves the group for good. Afterwards nothing can be asked of the member.
    pub(super) async fn leave(&self) {
        let seat = Arc::clone(&self.seat);
        let left = spawn_blocking(move || {
            if let Some(consumer) = locked(&seat).consumer.take() {
                say_farewell(&consumer);
                drop(consumer);
            }
        });
        // Closing waits for a broker that is away, too; the group then notices by the session.
        if tokio::time::timeout(LEAVE_MAX * 2, left).await.is_err() {
            warn!("the broker does not answer; the group goes on without this member when its session ends");
        }
    }

    /// Tells lag tools how far we are with what is ours.
    pub(super) async fn report(&self, offsets: &Offsets) -> Result<(), LogError> {
        let consumer = locked(&self.seat).consumer.clone().ok_or(LogError::Closed)?;
        let failed = |error: KafkaError| self.shared.error("report positions to", &error);
        let ours = partitions(&consumer.assignment().map_err(failed)?);
        let mut list = TopicPartitionList::new();
        for (partition, next) in offsets.iter().filter(|(partition, _)| ours.contains(partition)) {
            let offset = Offset::Offset(next.cast_signed());
            list.add_partition_offset(&partition.topic, partition.partition.cast_signed(), offset).map_err(failed)?;
        }
        if list.count() == 0 {
            return Ok(());
        }
        consumer.commit(&list, CommitMode::Async).map_err(failed)
    }
}

impl Seat {
    /// Puts a new client in the place of the one there is.
    fn take(&mut self) -> Result<(), KafkaError> {
        let consumer = BaseConsumer::from_config_and_context(&self.config, self.context.clone())?;
        if let Some(spent) = self.consumer.replace(Arc::new(consumer)) {
            let_go(Some(spent));
        }
        self.subscribed.clear();
        Ok(())
    }

    fn turn(&mut self, wanted: BTreeSet<String>) -> Result<BTreeSet<TopicPartition>, Lost> {
        self.fences.seen(Instant::now(), self.context.lost.load(Ordering::Acquire));
        self.subscribe(&wanted)?;
        let consumer = self.consumer.as_ref().ok_or(Lost::Error(KafkaError::Canceled))?;
        let followed = follow(consumer);
        let Some((cause, words)) = consumer.client().fatal_error() else { return Ok(followed?) };
        if !self.fences.forgives(Instant::now()) {
            return Err(Lost::Spent(cause, words));
        }
        warn!(%words, "this member's name was taken while it or a broker was away, or by another process; joining again");
        self.take()?;
        self.subscribe(&wanted)?;
        Ok(BTreeSet::new())
    }

    fn subscribe(&mut self, wanted: &BTreeSet<String>) -> Result<(), KafkaError> {
        if let Some(consumer) = self.consumer.as_ref().filter(|_| self.subscribed != *wanted) {
            consumer.subscribe(&wanted.iter().map(String::as_str).collect::<Vec<_>>())?;
            self.subscribed.clone_from(wanted);
        }
        Ok(())
    }
}

/// Tells the group that this member is gone. A client with a name does not when it closes (KIP-345, so that a restart moves nothing): its
/// partitions would stand until the session ends, and every rebalance meanwhile would wait for it. Who unsubscribes first does tell.
fn say_farewell(consumer: &BaseConsumer<MemberContext>) {
    if consumer.client().fatal_error().is_some() {
        return;
    }
    consumer.unsubscribe();
    let began = Instant::now();
    let mut none_since = None;
    while began.elapsed() < LEAVE_MAX && none_since.is_none_or(|since: Instant| since.elapsed() < FAREWELL) {
        // Serves the revocation.
        drop(consumer.poll(Duration::from_millis(20)));
        let holds_none = consumer.assignment().is_ok_and(|ours| ours.count() == 0);
        none_since = holds_none.then(|| none_since.unwrap_or_else(Instant::now));
    }
}

fn follow(consumer: &BaseConsumer<MemberContext>) -> Result<BTreeSet<TopicPartition>, KafkaError> {
    // `None` also follows a rebalance that was served: only the second one in a row says that nothing is left.
    let mut silent = false;
    for _ in 0..EVENTS_MAX {
        let event = consumer.poll(Duration::ZERO);
        if event.is_none() && silent {
            break;
        }
        silent = event.is_none();
        match event {
            None => {}
            // What was fetched before a partition was paused; the reader reads it, too.
            Some(Ok(_)) => {}
            // We were taken for hanging: the next poll joins again.
            Some(Err(error)) if code(&error) == Code::PollExceeded => warn!("the reading loop took longer than the group's poll interval"),
            // The client is spent: what for, it is asked itself.
            Some(Err(KafkaError::MessageConsumptionFatal(_))) => break,
            Some(Err(error)) => match sort(code(&error)) {
                Sorted::Refused(_) => return Err(error),
                Sorted::Away | Sorted::NotThere => debug!(%error, "trouble with the group"),
            },
        }
    }
    Ok(partitions(&consumer.assignment()?))
}

fn partitions(list: &TopicPartitionList) -> BTreeSet<TopicPartition> {
    let ours = list
        .elements()
        .into_iter()
        .filter_map(|element| Some(TopicPartition::new(element.topic(), u32::try_from(element.partition()).ok()?)));
    ours.collect()
}
