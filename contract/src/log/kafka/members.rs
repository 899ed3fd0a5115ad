//! Membership in a consumer group: which partitions are this process's at present. No record flows through it.
//!
//! A client of its own subscribes, so that moving partitions between members never disturbs what is read: positions come from
//! the lake, and the reader goes on with whatever is assigned. Asking for the assignment is also what tells the broker that
//! the reading loop is alive; a loop that hangs longer than the group's poll interval loses its partitions.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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
use super::options::{GroupOptions, KafkaOptions};
use super::shared::{Context, Role, Shared};
use crate::log::LogError;
use crate::{Offsets, TopicPartition};

/// Most events served in one turn: a rebalance has two, an outage some.
const EVENTS_MAX: usize = 64;

/// What the group's client calls back.
#[derive(Debug)]
struct MemberContext(Context);

impl ClientContext for MemberContext {
    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        self.0.log(level, fac, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.stats(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
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
    /// `None` once dropping.
    consumer: Option<Arc<BaseConsumer<MemberContext>>>,
    shared: Arc<Shared>,
    subscribed: Arc<Mutex<BTreeSet<String>>>,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("subscribed", &self.subscribed).finish_non_exhaustive()
    }
}

impl Drop for Member {
    /// Leaving waits for the broker, and a caller's thread must not.
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        let left = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || drop(consumer));
        if let Err(error) = left {
            warn!(%error, "could not leave the group; its members wait for the session timeout");
        }
    }
}

impl Member {
    pub(super) fn new(options: &KafkaOptions, group: &GroupOptions, shared: &Arc<Shared>) -> Result<Self, KafkaError> {
        let context = MemberContext(Context { shared: Arc::clone(shared), role: Role::Member });
        let consumer = BaseConsumer::from_config_and_context(&options.member(group), context)?;
        Ok(Self { consumer: Some(Arc::new(consumer)), shared: Arc::clone(shared), subscribed: Arc::default() })
    }

    fn consumer(&self) -> Result<Arc<BaseConsumer<MemberContext>>, LogError> {
        self.consumer.as_ref().map(Arc::clone).ok_or(LogError::Closed)
    }

    /// Shows that this process is alive, follows what the group decided, and answers what is ours.
    pub(super) async fn assigned(&self, topics: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
        let (consumer, subscribed) = (self.consumer()?, Arc::clone(&self.subscribed));
        let wanted: BTreeSet<String> = topics.iter().map(|topic| (*topic).to_owned()).collect();
        let turn = spawn_blocking(move || {
            subscribe(&consumer, &subscribed, wanted)?;
            follow(&consumer)
        });
        turn.await.map_err(|_| LogError::Closed)?.map_err(|error| self.shared.error("share the partitions of", &error))
    }

    /// Tells lag tools how far we are with what is ours.
    pub(super) async fn report(&self, offsets: &Offsets) -> Result<(), LogError> {
        let consumer = self.consumer()?;
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

fn subscribe(
    consumer: &BaseConsumer<MemberContext>,
    subscribed: &Mutex<BTreeSet<String>>,
    wanted: BTreeSet<String>,
) -> Result<(), KafkaError> {
    let mut subscribed = subscribed.lock().unwrap_or_else(PoisonError::into_inner);
    if *subscribed != wanted {
        consumer.subscribe(&wanted.iter().map(String::as_str).collect::<Vec<_>>())?;
        *subscribed = wanted;
    }
    Ok(())
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
