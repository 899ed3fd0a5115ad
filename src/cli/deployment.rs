//! Options of a city on Kafka: how the brokers are spoken to, and what each role of its own is told.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Place;

/// How the brokers of `--log kafka://…` are spoken to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Kafka")]
pub(crate) struct KafkaArgs {
    /// The user; the password comes from --kafka-password-file or GRIDWATCH_KAFKA_PASSWORD.
    #[arg(long, env = "GRIDWATCH_KAFKA_USER")]
    pub(crate) kafka_user: Option<String>,
    /// File that holds the user's password.
    #[arg(long, env = "GRIDWATCH_KAFKA_PASSWORD_FILE")]
    pub(crate) kafka_password_file: Option<PathBuf>,
    /// How the password is proved.
    #[arg(long, env = "GRIDWATCH_KAFKA_MECHANISM", default_value = "scram-sha-512")]
    pub(crate) kafka_mechanism: KafkaMechanism,
    /// Encrypts with TLS; --kafka-ca and --kafka-certificate do so too.
    #[arg(long, env = "GRIDWATCH_KAFKA_TLS")]
    pub(crate) kafka_tls: bool,
    /// PEM file of the authorities that sign the brokers' certificates; those of the system otherwise.
    #[arg(long, env = "GRIDWATCH_KAFKA_CA")]
    pub(crate) kafka_ca: Option<PathBuf>,
    /// PEM file of our own certificate, where the brokers ask for one.
    #[arg(long, env = "GRIDWATCH_KAFKA_CERTIFICATE", requires = "kafka_key")]
    pub(crate) kafka_certificate: Option<PathBuf>,
    /// PEM file of its key.
    #[arg(long, env = "GRIDWATCH_KAFKA_KEY")]
    pub(crate) kafka_key: Option<PathBuf>,
    /// File that holds the key's password.
    #[arg(long, env = "GRIDWATCH_KAFKA_KEY_PASSWORD_FILE")]
    pub(crate) kafka_key_password_file: Option<PathBuf>,
    /// Copies of each partition of a topic that is created; the brokers' default otherwise.
    #[arg(long, env = "GRIDWATCH_KAFKA_REPLICATION")]
    pub(crate) kafka_replication: Option<u16>,
}

/// How a password is proved to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KafkaMechanism {
    /// The password never travels.
    #[value(name = "scram-sha-512")]
    ScramSha512,
    /// The same with SHA-256.
    #[value(name = "scram-sha-256")]
    ScramSha256,
    /// The password itself: with TLS only.
    Plain,
}

/// Who may reach the addresses of a role.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Network {
    /// Lets addresses be beyond loopback although there are neither users nor TLS: whoever reaches them is trusted.
    #[arg(long, env = "GRIDWATCH_TRUSTED_NETWORK")]
    pub(crate) trusted_network: bool,
}

#[derive(Debug, Args)]
pub(crate) struct IngestOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Address of POST /v1/events and POST /v1/feeds/{feed}.
    #[arg(long, env = "GRIDWATCH_INGEST", default_value = "127.0.0.1:8421")]
    pub(crate) ingest: SocketAddr,
    /// Address of /metrics.
    #[arg(long, env = "GRIDWATCH_METRICS", default_value = "127.0.0.1:8422")]
    pub(crate) metrics: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct AnalyzeOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) network: Network,
    /// The consumer group; its members share the partitions.
    #[arg(long, env = "GRIDWATCH_GROUP", default_value = "gridwatch")]
    pub(crate) group: String,
    /// A name of this member that survives a restart, so that coming back soon after a crash moves no partition. Who ends in peace gives its
    /// partitions to the others at once.
    #[arg(long, env = "GRIDWATCH_MEMBER")]
    pub(crate) member: Option<String>,
    /// Address of /metrics.
    #[arg(long, env = "GRIDWATCH_METRICS", default_value = "127.0.0.1:8422")]
    pub(crate) metrics: SocketAddr,
    /// Pause between commits to the lake while events come, in milliseconds: half a second lets /metrics show within one what was sent.
    #[arg(long, env = "GRIDWATCH_COMMIT_INTERVAL_MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub(crate) commit_interval_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) network: Network,
    /// Address of the PostgreSQL protocol.
    #[arg(long, env = "GRIDWATCH_SQL", default_value = "127.0.0.1:8432")]
    pub(crate) sql: SocketAddr,
    /// Address of SQL over HTTP, which the duty page asks.
    #[arg(long, env = "GRIDWATCH_SQL_HTTP", default_value = "127.0.0.1:8431")]
    pub(crate) sql_http: SocketAddr,
    /// Address of /metrics.
    #[arg(long, env = "GRIDWATCH_METRICS", default_value = "127.0.0.1:8422")]
    pub(crate) metrics: SocketAddr,
}

#[derive(Debug, Args)]
pub(crate) struct DashboardOptions {
    #[command(flatten)]
    pub(crate) network: Network,
    /// HOST:PORT of `gridwatch serve --sql-http`.
    #[arg(long, env = "GRIDWATCH_DOOR", default_value = "127.0.0.1:8431")]
    pub(crate) door: String,
    /// Address of the duty page, /livez, /readyz and POST /v1/sql; port 0 picks a free one.
    #[arg(long, env = "GRIDWATCH_PAGE", default_value = "127.0.0.1:8420")]
    pub(crate) page: SocketAddr,
    /// The city's time zone: where its days begin.
    #[arg(long, env = "GRIDWATCH_TIME_ZONE", default_value = "Asia/Shanghai")]
    pub(crate) time_zone: String,
    /// File of options (TOML, keys as the options, with `_` for `-`).
    #[arg(long, env = "GRIDWATCH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}
