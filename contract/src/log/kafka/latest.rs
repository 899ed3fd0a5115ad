//! Publishing the newest value of each key into a compacted topic, for consumers that are not ours.
//!
//! A producer of its own, made with the first publication: a value that ends is a null, which the log's records do not have, and
//! what is published of results must not wait behind the events.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tokio::sync::OnceCell;
use tokio::task::spawn_blocking;
use tracing::warn;

use super::options::KafkaOptions;
use super::shared::{Context, Role, Shared};
use crate::log::{Latest, LogError, Position, RECORD_BYTES_MAX};
use crate::topic;

/// Values on their way at once: their bytes are bounded by those of a value.
const PORTION: usize = 256;

type Producer = FutureProducer<Context>;

/// What publishes newest values.
#[derive(Default)]
pub(super) struct LatestValues(OnceCell<Producer>);

impl fmt::Debug for LatestValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LatestValues").field("used", &self.0.initialized()).finish()
    }
}

impl Drop for LatestValues {
    /// Letting a producer go waits for its thread, and a caller's thread must not.
    fn drop(&mut self) {
        let Some(producer) = self.0.take() else { return };
        let gone = std::thread::Builder::new().name("kafka-leave".to_owned()).spawn(move || drop(producer));
        if let Err(error) = gone {
            warn!(%error, "could not let a producer go");
        }
    }
}

impl LatestValues {
    async fn producer(&self, options: &KafkaOptions, shared: &Arc<Shared>) -> Result<&Producer, LogError> {
        let make = || async {
            let (config, context) = (options.producer(), Context { shared: Arc::clone(shared), role: Role::Other });
            let made = spawn_blocking(move || Producer::from_config_and_context(&config, context)).await;
            made.map_err(|_| LogError::Closed)?.map_err(|error| shared.error("publish to", &error))
        };
        self.0.get_or_try_init(make).await
    }

    /// Publishes all values in their order, and answers after each is acknowledged.
    pub(super) async fn append(
        &self,
        (options, shared): (&KafkaOptions, &Arc<Shared>),
        name: &str,
        partitions: u32,
        values: &[Latest],
    ) -> Result<Vec<Position>, LogError> {
        let failed = |error: &KafkaError| shared.error("publish to", error);
        let sizes = values.iter().map(|latest| latest.key.len() + latest.value.as_ref().map_or(0, Bytes::len));
        if let Some(bytes) = sizes.max().filter(|bytes| *bytes > RECORD_BYTES_MAX) {
            return Err(LogError::RecordTooLarge { bytes, bytes_max: RECORD_BYTES_MAX });
        }
        let producer = self.producer(options, shared).await?;
        let mut positions = Vec::with_capacity(values.len());
        for portion in values.chunks(PORTION) {
            let mut deliveries = Vec::with_capacity(portion.len());
            for Latest { key, value } in portion {
                let partition = topic::partition(key, partitions).cast_signed();
                let mut record = FutureRecord::<[u8], [u8]>::to(name).partition(partition).key(key);
                if let Some(value) = value {
                    record = record.payload(value);
                }
                deliveries.push(producer.send_result(record).map_err(|(error, _)| failed(&error))?);
            }
            for delivery in deliveries {
                let delivered = delivery.await.map_err(|_| LogError::Closed)?.map_err(|(error, _)| failed(&error))?;
                let (partition, offset) = (delivered.partition.cast_unsigned(), delivered.offset.max(0).cast_unsigned());
                positions.push(Position { partition, offset });
            }
        }
        shared.answered();
        Ok(positions)
    }
}
