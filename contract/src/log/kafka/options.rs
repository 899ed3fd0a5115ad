//! What a Kafka log is told: where the brokers are, who we are to them, bounds and timeouts; and how librdkafka is told it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use crate::log::{LogLimits, RECORD_BYTES_MAX};

/// Largest batch a topic takes and a client sends: a record of the log's bound, its framing, and room for a batch before it.
pub(super) const BATCH_BYTES_MAX: usize = 2 * RECORD_BYTES_MAX;

/// How batches are packed: unpacked in a third of zstd's time, by everybody who reads; takes twice its room.
pub(super) const PACKING: &str = "lz4";

/// Bytes of a partition in one answer of the broker. They come packed, and what comes in one answer is unpacked before any of it is given:
/// with 4 MiB, megabytes that pack to nothing held all of a topic in memory at once.
const ANSWER_BYTES_MAX: usize = BATCH_BYTES_MAX / 4;

/// The same for a topic of somebody else, who may not pack: a broker cuts off the last batch where an answer is full, and what it sent of
/// that was sent for nothing, of large batches half of a small answer.
const OUTSIDE_ANSWER_BYTES_MAX: usize = 2 * BATCH_BYTES_MAX;

/// A text that is never printed: passwords come from a file or the environment, and stay there.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"***\"")
    }
}

/// How a user proves the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mechanism {
    /// SCRAM with SHA-512: the password never travels.
    #[default]
    ScramSha512,
    /// SCRAM with SHA-256.
    ScramSha256,
    /// The password itself: over TLS only.
    Plain,
}

impl Mechanism {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::Plain => "PLAIN",
        }
    }
}

/// A user of the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: Secret,
    /// How it is proved.
    pub mechanism: Mechanism,
}

/// What is needed for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file of the authorities that sign brokers' certificates; `None` = those of the system.
    pub ca: Option<PathBuf>,
    /// PEM file of our own certificate, where the broker asks for one.
    pub certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub key: Option<PathBuf>,
    /// The key's password.
    pub key_password: Option<Secret>,
}

/// Membership in a consumer group, whose members share the partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOptions {
    /// The group.
    pub id: String,
    /// A name of our own that survives a restart: coming back within the session timeout then moves no partition.
    pub instance_id: Option<String>,
    /// How long the broker waits for a sign of life before it gives our partitions to others.
    pub session_timeout: Duration,
    /// How long the reading loop may go without asking for its partitions before it counts as hanging.
    pub poll_interval_max: Duration,
}

impl GroupOptions {
    /// 10 s is three times the pause of a broker that takes over another's partitions; 5 min is Kafka's own bound of a turn.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), instance_id: None, session_timeout: Duration::from_secs(10), poll_interval_max: Duration::from_secs(300) }
    }
}

/// The settings of a log on Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaOptions {
    /// Addresses to begin with, `host:port,host:port`; the brokers name the others.
    pub brokers: String,
    /// Encryption; `None` = none.
    pub tls: Option<Tls>,
    /// Who we are; `None` = nobody, or who the client certificate says.
    pub user: Option<User>,
    /// How we are called in the brokers' logs and quotas.
    pub client_id: String,
    /// Copies of each partition of a topic we create; `None` = the broker's default.
    pub replication: Option<u16>,
    /// The consumer group; `None` = every partition is ours.
    pub group: Option<GroupOptions>,
    /// What a record and an append may have; topics have the broker's own bounds.
    pub limits: LogLimits,
    /// Bytes of appends that may be on their way; beyond it callers wait to be let in.
    pub in_flight_bytes_max: usize,
    /// Bytes read ahead for each partition; beyond it the broker is not asked for more.
    pub prefetch_bytes_max: usize,
    /// How long a producer waits for more records to send together.
    pub linger: Duration,
    /// Longest the first answer of a broker may take.
    pub connect_timeout: Duration,
    /// Longest an append may take, with all attempts.
    pub append_timeout: Duration,
    /// Longest any other answer may take, with all attempts.
    pub answer_timeout: Duration,
    /// How often librdkafka's figures are taken.
    pub statistics_interval: Duration,
}

impl KafkaOptions {
    /// Settings for these brokers, without encryption and user.
    ///
    /// 64 MiB in flight is a second of what one core compresses; 4 MiB a partition is 10,000 events, a turn of the reading
    /// loop, and 68 MiB over the 17 partitions of a city; 60 s outlast a broker that starts again after a crash (14 s seen).
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            tls: None,
            user: None,
            client_id: "gridwatch".to_owned(),
            replication: None,
            group: None,
            limits: LogLimits::default(),
            in_flight_bytes_max: 64 * 1024 * 1024,
            prefetch_bytes_max: 4 * 1024 * 1024,
            linger: Duration::from_millis(5),
            connect_timeout: Duration::from_secs(10),
            append_timeout: Duration::from_secs(60),
            answer_timeout: Duration::from_secs(10),
            statistics_interval: Duration::from_secs(5),
        }
    }

    /// What every client is told.
    fn common(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        // Why a connection ended is told on this level only.
        config.set_log_level(RDKafkaLogLevel::Info);
        let protocol = match (&self.tls, &self.user) {
            (None, None) => "plaintext",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), None) => "ssl",
            (Some(_), Some(_)) => "sasl_ssl",
        };
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", &self.client_id)
            .set("security.protocol", protocol)
            .set("ssl.endpoint.identification.algorithm", "https")
            .set("socket.keepalive.enable", "true")
            .set("socket.nagle.disable", "true")
            // A stopped broker keeps its connections: what it owes is asked elsewhere after this long.
            .set("socket.timeout.ms", millis(self.answer_timeout))
            .set("socket.connection.setup.timeout.ms", millis(self.answer_timeout))
            // The usual 10 s would be most of the time until a broker that came back is used again.
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000")
            .set("message.max.bytes", BATCH_BYTES_MAX.to_string());
        if let Some(tls) = &self.tls {
            let files = [("ssl.ca.location", &tls.ca), ("ssl.certificate.location", &tls.certificate), ("ssl.key.location", &tls.key)];
            for (name, file) in files {
                if let Some(file) = file {
                    config.set(name, file.display().to_string());
                }
            }
            if let Some(password) = &tls.key_password {
                config.set("ssl.key.password", password.expose());
            }
        }
        if let Some(user) = &self.user {
            config
                .set("sasl.mechanism", user.mechanism.name())
                .set("sasl.username", &user.name)
                .set("sasl.password", user.password.expose());
        }
        config
    }

    /// The producer (D3): acknowledged by all replicas in sync, nothing twice, nothing out of order.
    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.common();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", PACKING)
            // Partitions are given with each record; this is the same rule, for whoever reads the settings.
            .set("partitioner", "murmur2_random")
            .set("linger.ms", millis(self.linger))
            .set("message.timeout.ms", millis(self.append_timeout))
            // The bound is ours, in bytes: librdkafka's own would refuse what we let in.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", "2097151")
            .set("statistics.interval.ms", millis(self.statistics_interval));
        config
    }

    /// The reader: partitions and positions are ours to say, and a position that is gone is an error.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.common();
        config
            // librdkafka assigns nothing without a group's name; the reader joins none and commits nothing.
            .set("group.id", self.group.as_ref().map_or("gridwatch", |group| &group.id))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            // The bytes bound what is read ahead, whatever the number of records.
            .set("queued.min.messages", "10000000")
            .set("queued.max.messages.kbytes", (self.prefetch_bytes_max / 1024).max(1).to_string())
            .set("max.partition.fetch.bytes", ANSWER_BYTES_MAX.to_string())
            // Of all partitions together; librdkafka would otherwise ask for no more than one partition's queue holds.
            .set("fetch.max.bytes", (4 * ANSWER_BYTES_MAX).to_string())
            // A full queue is looked at again after this long; the usual 1 s would be the speed of reading.
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            // A broker holds one question at a time: a partition that is moved or added waits until it lets go of the last one.
            .set("fetch.wait.max.ms", "50")
            // Within that it waits for so much: an answer for each few records of a live stream would be a fifth of the broker's work.
            .set("fetch.min.bytes", "65536")
            .set("statistics.interval.ms", millis(self.statistics_interval));
        config
    }

    /// The member of a group, through which no record flows.
    pub(super) fn member(&self, group: &GroupOptions) -> ClientConfig {
        let mut config = self.common();
        // A member learns that the others moved when it next says it is alive.
        let heartbeat = (group.session_timeout / 10).min(Duration::from_secs(1));
        config
            .set("group.id", &group.id)
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", millis(group.session_timeout))
            .set("heartbeat.interval.ms", millis(heartbeat))
            .set("max.poll.interval.ms", millis(group.poll_interval_max.max(group.session_timeout)))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("allow.auto.create.topics", "false")
            .set("queued.max.messages.kbytes", "1")
            .set("statistics.interval.ms", millis(self.statistics_interval));
        if let Some(instance) = &group.instance_id {
            config.set("group.instance.id", instance);
        }
        config
    }

    /// A reader of somebody else's topic, whose position the group keeps: a member through which records flow.
    pub(super) fn outside(&self, group: &GroupOptions) -> ClientConfig {
        let mut config = self.member(group);
        config
            // A position that is gone stops the reader; where none is known yet it is said by us, before anything is read.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("queued.min.messages", "10000000")
            // Of all partitions together: what several turns take.
            .set("queued.max.messages.kbytes", (4 * self.prefetch_bytes_max / 1024).max(1).to_string())
            .set("max.partition.fetch.bytes", OUTSIDE_ANSWER_BYTES_MAX.to_string())
            .set("fetch.queue.backoff.ms", "5")
            .set("fetch.error.backoff.ms", "100")
            .set("fetch.wait.max.ms", "50");
        config
    }

    /// The client of topics and truncations.
    pub(super) fn admin(&self) -> ClientConfig {
        self.common()
    }

    /// The files that have to be readable, with the option each was given by.
    pub(super) fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let tls = self.tls.as_ref();
        let given = [
            ("--kafka-ca", tls.and_then(|tls| tls.ca.as_deref())),
            ("--kafka-certificate", tls.and_then(|tls| tls.certificate.as_deref())),
            ("--kafka-key", tls.and_then(|tls| tls.key.as_deref())),
        ];
        given.into_iter().filter_map(|(option, file)| file.map(|file| (option, file)))
    }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> KafkaOptions {
        let user = User { name: "city".to_owned(), password: Secret::new("hunter2"), mechanism: Mechanism::default() };
        let tls = Tls { key_password: Some(Secret::new("hunter3")), ..Tls::default() };
        KafkaOptions { user: Some(user), tls: Some(tls), group: Some(GroupOptions::new("g")), ..KafkaOptions::new("here:9092") }
    }

    #[test]
    fn passwords_are_never_printed() {
        let printed = format!("{:?}", options());
        assert!(printed.contains("city") && !printed.contains("hunter"), "{printed}");
    }

    #[test]
    fn librdkafka_knows_every_setting() {
        let options = options();
        let group = options.group.clone().unwrap();
        for config in [options.producer(), options.reader(), options.member(&group), options.outside(&group), options.admin()] {
            config.create_native_config().unwrap();
        }
    }
}
