//! The topics of feeds that arrive by Kafka, each read by a task of its own: one that cannot go on says so, and the others do.

use std::sync::Arc;

use analytics::metrics::chain;
use contract::log::EventLog;
use contract::log::kafka::KafkaTopic;
use contract::log::outside::Start;
use ingest::feeds::Topic;
use ingest::sources::kafka::TopicSource;
use ingest::{Mapper, Unobserved};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Place;
use crate::failure::Failure;
use crate::{log, pipeline};

/// The topics of the feeds that have one. Records are counted when they are committed, so nobody observes them here.
pub(crate) fn sources(place: &Place, mappers: &[Arc<Mapper>], log: &Arc<dyn EventLog>) -> Result<Vec<TopicSource>, Failure> {
    let mut sources = Vec::new();
    for mapper in mappers {
        let Some(topic) = &mapper.feed().kafka else { continue };
        let Some(options) = log::outside(place, topic)? else {
            tracing::warn!(
                feed = mapper.feed().name,
                topic = topic.outside.topic,
                "not read: the log is local, and feed.toml names no kafka.brokers"
            );
            continue;
        };
        let outside = KafkaTopic::new(&options, topic.outside.clone()).map_err(|error| log::refused(&error))?;
        let (publisher, observer) = (pipeline::publisher(log), Arc::new(Unobserved));
        sources.push(TopicSource::new(Arc::clone(mapper), Arc::new(outside), topic.outside.clone(), publisher, observer));
    }
    Ok(sources)
}

/// Reads them until `stop` turns true. A feed that cannot be read on is said once, and leaves its group.
pub(crate) async fn run(sources: Vec<TopicSource>, mut stop: watch::Receiver<bool>) {
    let token = CancellationToken::new();
    let mut reading: JoinSet<_> = sources.into_iter().map(|source| source.run(token.clone())).collect();
    let watched = async {
        // A sender that is gone is a stop too.
        drop(stop.wait_for(|stop| *stop).await);
        token.cancel();
    };
    let ended = async {
        while let Some(ended) = reading.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!("{}", chain(&error)),
                Err(error) => tracing::error!(%error, "reading a feed's topic stopped unexpectedly"),
            }
        }
    };
    tokio::join!(watched, ended);
}

/// A feed's topic in a word.
pub(crate) fn described(topic: &Topic) -> String {
    let outside = &topic.outside;
    let start = match outside.start {
        Start::Earliest => "earliest".to_owned(),
        Start::Latest => "latest".to_owned(),
        Start::At(at) => at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
    };
    let brokers = topic.brokers.as_ref().map(|brokers| format!(" at {brokers}")).unwrap_or_default();
    format!("{}{brokers}, group {}, from {start}", outside.topic, outside.group)
}
