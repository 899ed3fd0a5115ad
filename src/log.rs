//! Which log the options name, and how it is opened: the embedded one of a data folder, or Kafka.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use analytics::metrics::chain;
use contract::clock::Clock;
use contract::log::kafka::{GroupOptions, KafkaLog, KafkaOptions, Mechanism, Secret, Tls, User};
use contract::log::local::{LocalLog, LocalOptions};
use contract::log::{EventLog, LogError};
use ingest::Retention;
use ingest::feeds::Topic;

use crate::cli::{KafkaArgs, KafkaMechanism, Place};
use crate::failure::Failure;
use crate::pipeline;

/// Partitions of each topic: enough for two consumers each on the cores of one machine; fixed once a log is made.
const PARTITIONS: u32 = 4;
/// What `--log` begins with where it names brokers.
const KAFKA: &str = "kafka://";

/// Opens the log and its topics for a process that reads all of it. Blocks while an embedded log's file is checked.
pub(crate) async fn open(place: &Place, clock: &Arc<dyn Clock>) -> Result<Arc<dyn EventLog>, Failure> {
    let log: Arc<dyn EventLog> = if place.log == "local" {
        let path = std::path::absolute(place.log_file()).unwrap_or_else(|_| place.log_file());
        Arc::new(LocalLog::open(&path, Arc::clone(clock), LocalOptions::default()).map_err(|error| refused(&error))?)
    } else {
        Arc::new(KafkaLog::connect(kafka(place)?).await.map_err(|error| refused(&error))?)
    };
    with_topics(place, log).await
}

/// Opens a log that several processes share, as a member of `group` where one is named.
pub(crate) async fn shared(place: &Place, group: Option<GroupOptions>) -> Result<Arc<dyn EventLog>, Failure> {
    let options = KafkaOptions { group, ..kafka(place)? };
    with_topics(place, Arc::new(KafkaLog::connect(options).await.map_err(|error| refused(&error))?)).await
}

async fn with_topics(place: &Place, log: Arc<dyn EventLog>) -> Result<Arc<dyn EventLog>, Failure> {
    let retention = Retention { age: Some(Duration::from_secs(place.log_retention_hours * 3600)), bytes: Some(place.log_retention_bytes) };
    pipeline::publisher(&log).ensure_topics(PARTITIONS, retention).await.map_err(|error| refused(&error))?;
    Ok(log)
}

fn kafka(place: &Place) -> Result<KafkaOptions, Failure> {
    let Some(brokers) = place.log.strip_prefix(KAFKA).filter(|brokers| !brokers.is_empty()) else {
        let sentence = match place.log.as_str() {
            "local" => "a role of its own needs a log that the others reach; the embedded one belongs to one process".to_owned(),
            other => format!("log \"{other}\" is neither `local` nor {KAFKA}HOST:PORT"),
        };
        return Err(Failure::configuration(sentence).hint(format!("give --log {KAFKA}HOST:PORT[,HOST:PORT], or run `gridwatch up`")));
    };
    options(brokers, &place.kafka)
}

/// How a feed's topic is reached: on brokers of its own, or on the log's. `None` where there are neither.
pub(crate) fn outside(place: &Place, topic: &Topic) -> Result<Option<KafkaOptions>, Failure> {
    match (&topic.brokers, place.log.as_str()) {
        (Some(brokers), _) => options(brokers, &place.kafka).map(Some),
        (None, "local") => Ok(None),
        (None, _) => kafka(place).map(Some),
    }
}

fn options(brokers: &str, args: &KafkaArgs) -> Result<KafkaOptions, Failure> {
    let user = args.kafka_user.clone().map(|name| Ok(User { name, password: password(args)?, mechanism: mechanism(args) })).transpose()?;
    let asked = args.kafka_tls || args.kafka_ca.is_some() || args.kafka_certificate.is_some();
    let tls = asked.then(|| -> Result<Tls, Failure> {
        let key_password = args.kafka_key_password_file.as_deref().map(secret).transpose()?;
        let (ca, certificate, key) = (args.kafka_ca.clone(), args.kafka_certificate.clone(), args.kafka_key.clone());
        Ok(Tls { ca, certificate, key, key_password })
    });
    Ok(KafkaOptions { tls: tls.transpose()?, user, replication: args.kafka_replication, ..KafkaOptions::new(brokers) })
}

const fn mechanism(args: &KafkaArgs) -> Mechanism {
    match args.kafka_mechanism {
        KafkaMechanism::ScramSha512 => Mechanism::ScramSha512,
        KafkaMechanism::ScramSha256 => Mechanism::ScramSha256,
        KafkaMechanism::Plain => Mechanism::Plain,
    }
}

/// The password of the file, otherwise of the environment; on the command line every user of the machine could read it.
#[expect(clippy::disallowed_methods, reason = "a password may come from the environment")]
fn password(args: &KafkaArgs) -> Result<Secret, Failure> {
    if let Some(file) = &args.kafka_password_file {
        return secret(file);
    }
    std::env::var("GRIDWATCH_KAFKA_PASSWORD").map(Secret::new).map_err(|_| {
        Failure::configuration("--kafka-user is given without a password")
            .hint("give --kafka-password-file FILE, or set GRIDWATCH_KAFKA_PASSWORD")
    })
}

fn secret(file: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::configuration(format!("could not read the password in \"{}\": {error}", file.display())))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

pub(crate) fn refused(error: &LogError) -> Failure {
    match error {
        LogError::InUse { .. } => Failure::configuration(chain(error)).hint("stop the other process, or choose another --data-dir"),
        LogError::Unavailable { .. } => {
            Failure::away("the log is away", error).hint("see that the brokers of --log run and can be reached from here")
        }
        LogError::Refused { .. } | LogError::TopicDiffers { .. } => Failure::configuration(chain(error)),
        _ => Failure::machine("could not open the log", error),
    }
}
