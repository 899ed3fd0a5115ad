//! Topics on the broker: created as declared or compared with what stands, and cut.
//!
//! Each call makes its own administration client and lets it go: they are rare, and librdkafka would keep the logs of an idle
//! one for ever, since its wrapper reads none of them.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::options::{BATCH_BYTES_MAX, KafkaOptions, PACKING};
use super::reader_client::ReaderClient;
use super::shared::{Context, Role, Shared};
use crate::log::{LogError, TopicSpec};

/// Between two looks at whether a new topic has its leaders.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The clean-up that keeps the newest value of each key and nothing else.
const COMPACT: &str = "compact";

/// The administration of one call.
pub(super) struct Admin<'a> {
    pub(super) options: &'a KafkaOptions,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) reader: &'a ReaderClient,
}

impl Admin<'_> {
    async fn client(&self) -> Result<AdminClient<Context>, LogError> {
        let (config, context) = (self.options.admin(), Context { shared: Arc::clone(self.shared), role: Role::Other });
        let made = spawn_blocking(move || AdminClient::from_config_and_context(&config, context));
        made.await.map_err(|_| LogError::Closed)?.map_err(|error| self.shared.error("administer", &error))
    }

    fn patience(&self) -> AdminOptions {
        AdminOptions::new().request_timeout(Some(self.options.answer_timeout)).operation_timeout(Some(self.options.answer_timeout))
    }

    /// Creates the topic, or checks the one that stands; answers its partitions.
    pub(super) async fn ensure(&self, spec: &TopicSpec) -> Result<u32, LogError> {
        match self.reader.partitions(&spec.name).await {
            Ok(found) => {
                spec.check_stands(found)?;
                self.compare(spec, differences).await?;
                Ok(found)
            }
            Err(LogError::UnknownTopic { .. }) => self.create(spec, &settings(spec)).await,
            Err(error) => Err(error),
        }
    }

    /// Creates a topic that keeps the newest value of each key, or checks that the one that stands does; answers its partitions.
    pub(super) async fn ensure_compacted(&self, spec: &TopicSpec) -> Result<u32, LogError> {
        match self.reader.partitions(&spec.name).await {
            Ok(found) => {
                self.compare(spec, compacts).await?;
                Ok(found)
            }
            Err(LogError::UnknownTopic { .. }) => self.create(spec, &compacted()).await,
            Err(error) => Err(error),
        }
    }

    async fn create(&self, spec: &TopicSpec, settings: &[(&str, String)]) -> Result<u32, LogError> {
        let client = self.client().await?;
        let replication = self.options.replication.map_or(-1, i32::from);
        let partitions = i32::try_from(spec.partitions).expect("the bound of partitions was checked");
        let mut topic = NewTopic::new(&spec.name, partitions, TopicReplication::Fixed(replication));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let answer = self.created(&client, &topic).await;
        let_go(client);
        match answer? {
            Ok(()) => info!(topic = spec.name, partitions = spec.partitions, "created topic"),
            // Another process was quicker: what it made is looked at as any other.
            Err(Code::TopicAlreadyExists) => {}
            Err(code) => return Err(self.shared.coded("declare a topic in", code, &code.to_string())),
        }
        let found = self.standing(spec).await?;
        spec.check_stands(found)?;
        Ok(found)
    }

    /// Asks for the topic. Brokers that have just started do not count as copies yet: they are asked again for a while.
    async fn created(&self, client: &AdminClient<Context>, topic: &NewTopic<'_>) -> Result<Result<(), Code>, LogError> {
        let end = Instant::now() + self.options.answer_timeout;
        loop {
            let answers = client.create_topics([topic], &self.patience()).await;
            let answers = answers.map_err(|error| self.shared.error("declare a topic in", &error))?;
            match answers.into_iter().next() {
                Some(Err((_, Code::InvalidReplicationFactor))) if Instant::now() < end => sleep(LOOK_AGAIN).await,
                Some(Err((_, code))) => return Ok(Err(code)),
                _ => return Ok(Ok(())),
            }
        }
    }

    /// A topic exists before each broker knows it.
    async fn standing(&self, spec: &TopicSpec) -> Result<u32, LogError> {
        let end = Instant::now() + self.options.answer_timeout;
        loop {
            match self.reader.partitions(&spec.name).await {
                Err(LogError::UnknownTopic { .. } | LogError::Unavailable { .. }) if Instant::now() < end => {
                    sleep(LOOK_AGAIN).await;
                }
                answer => return answer,
            }
        }
    }

    /// Names what stands otherwise than declared: an error where records would be wrong, a warning where they go sooner or later.
    async fn compare(
        &self,
        spec: &TopicSpec,
        differences: fn(&TopicSpec, &ConfigResource) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let client = self.client().await?;
        let described = client.describe_configs([&ResourceSpecifier::Topic(&spec.name)], &self.patience()).await;
        let_go(client);
        let described = described.map_err(|error| self.shared.error("look at a topic of", &error))?;
        match described.into_iter().next() {
            Some(Ok(standing)) => differences(spec, &standing),
            // Not everybody may read settings; the partitions were right.
            Some(Err(code)) => {
                warn!(topic = spec.name, %code, "could not compare the topic's settings with what is declared");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Removes records below an offset.
    pub(super) async fn truncate(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        let failed = |error: KafkaError| self.shared.error("truncate", &error);
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition.cast_signed(), Offset::Offset(offset.cast_signed())).map_err(failed)?;
        let client = self.client().await?;
        let cut = client.delete_records(&list, &self.patience()).await;
        let_go(client);
        cut.map_err(failed)?.elements().iter().try_for_each(|element| element.error().map_err(failed))
    }
}

/// Letting a client go waits for its threads; nobody has to wait with it.
fn let_go(client: AdminClient<Context>) {
    drop(spawn_blocking(move || drop(client)));
}

/// A topic's settings as declared; times and bytes without limit are -1.
fn settings(spec: &TopicSpec) -> [(&'static str, String); 6] {
    let age = spec.retention_age.map_or("-1".to_owned(), |age| age.as_millis().to_string());
    let bytes = spec.retention_bytes.map_or("-1".to_owned(), |bytes| (bytes / u64::from(spec.partitions)).max(1).to_string());
    [
        ("cleanup.policy", "delete".to_owned()),
        ("message.timestamp.type", "LogAppendTime".to_owned()),
        ("max.message.bytes", BATCH_BYTES_MAX.to_string()),
        // What others send unpacked, as most clients do by themselves, the broker packs.
        ("compression.type", PACKING.to_owned()),
        ("retention.ms", age),
        ("retention.bytes", bytes),
    ]
}

/// The settings of a topic that keeps the newest value of each key.
fn compacted() -> [(&'static str, String); 2] {
    [("cleanup.policy", COMPACT.to_owned()), ("max.message.bytes", BATCH_BYTES_MAX.to_string())]
}

/// A topic that loses values by age as well would say that keys ended which did not.
fn compacts(spec: &TopicSpec, standing: &ConfigResource) -> Result<(), LogError> {
    match standing.get("cleanup.policy").and_then(|entry| entry.value.as_deref()) {
        Some(found) if found != COMPACT => {
            let detail = format!(
                "it stands with cleanup.policy={found}, and {COMPACT} is needed: set it with kafka-configs.sh --alter, or name another topic"
            );
            Err(LogError::InvalidTopic { topic: spec.name.clone(), detail })
        }
        _ => Ok(()),
    }
}

fn differences(spec: &TopicSpec, standing: &ConfigResource) -> Result<(), LogError> {
    for (name, declared) in settings(spec) {
        let Some(found) = standing.get(name).and_then(|entry| entry.value.as_deref()) else { continue };
        if found == declared {
            continue;
        }
        let enough = match name {
            "max.message.bytes" => found.parse().is_ok_and(|found: usize| found >= BATCH_BYTES_MAX),
            // Packed is packed: how is for whoever pays for the disks to say.
            "compression.type" => !["producer", "uncompressed"].contains(&found),
            _ => false,
        };
        if ["cleanup.policy", "message.timestamp.type"].contains(&name) {
            let detail = format!("it stands with {name}={found}, and {declared} is needed: set it with kafka-configs.sh --alter");
            return Err(LogError::InvalidTopic { topic: spec.name.clone(), detail });
        }
        if !enough {
            warn!(topic = spec.name, setting = name, found, declared, "topic stands with another setting than declared");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::admin::{ConfigEntry, ConfigSource, OwnedResourceSpecifier};

    use super::*;

    fn spec() -> TopicSpec {
        TopicSpec { name: "calls".to_owned(), partitions: 4, retention_age: Some(Duration::from_secs(60)), retention_bytes: Some(4000) }
    }

    fn standing(name: &str, value: &str) -> ConfigResource {
        let entry = ConfigEntry {
            name: name.to_owned(),
            value: Some(value.to_owned()),
            source: ConfigSource::DynamicTopic,
            is_read_only: false,
            is_default: false,
            is_sensitive: false,
        };
        ConfigResource { specifier: OwnedResourceSpecifier::Topic("calls".to_owned()), entries: vec![entry] }
    }

    #[test]
    fn retention_is_declared_for_each_partition_and_none_is_for_ever() {
        let value = |spec: &TopicSpec, name| settings(spec).into_iter().find(|(setting, _)| *setting == name).unwrap().1;
        assert_eq!((value(&spec(), "retention.ms"), value(&spec(), "retention.bytes")), ("60000".to_owned(), "1000".to_owned()));
        let for_ever = TopicSpec { retention_age: None, retention_bytes: None, ..spec() };
        assert_eq!((value(&for_ever, "retention.ms"), value(&for_ever, "retention.bytes")), ("-1".to_owned(), "-1".to_owned()));
    }

    #[test]
    fn a_topic_of_newest_values_that_loses_them_by_age_is_refused() {
        compacts(&spec(), &standing("cleanup.policy", "compact")).unwrap();
        for policy in ["delete", "compact,delete"] {
            let refusal = compacts(&spec(), &standing("cleanup.policy", policy)).unwrap_err().to_string();
            assert!(refusal.contains(policy), "{refusal}");
        }
    }

    #[test]
    fn producers_times_and_compaction_are_refused_and_other_retention_is_not() {
        for (name, value) in [("message.timestamp.type", "CreateTime"), ("cleanup.policy", "compact")] {
            let refusal = differences(&spec(), &standing(name, value)).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{name}={value}")), "{refusal}");
        }
        let others = [("retention.ms", "1"), ("retention.bytes", "-1"), ("max.message.bytes", "9999999"), ("compression.type", "producer")];
        for (name, value) in others {
            differences(&spec(), &standing(name, value)).unwrap();
        }
    }
}
