//! The parts a command is wired from: data folder, log, feeds, publisher. Used by `up`, `replay` and `check`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use analytics::metrics::chain;
use contract::clock::Clock;
use contract::log::local::{LocalLog, LocalOptions};
use contract::log::{EventLog, LogError};
use ingest::feeds::{self, Feed};
use ingest::{Mapper, PseudonymKey, Publisher, Retention};

use crate::cli::Place;
use crate::failure::Failure;

/// Partitions of each topic: enough for two consumers each on the cores of one machine; fixed once a log is made.
const PARTITIONS: u32 = 4;

/// Makes the data folder, if needed, and sees that it can be written.
pub(crate) fn data_folder(place: &Place) -> Result<(), Failure> {
    let refused = |doing: &str, error: &std::io::Error| {
        Failure::machine(&format!("could not {doing} data folder \"{}\"", place.data_dir.display()), error)
            .hint("choose another with --data-dir")
    };
    std::fs::create_dir_all(&place.data_dir).map_err(|error| refused("make", &error))?;
    let probe = place.data_dir.join(".writable");
    std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)).map_err(|error| refused("write to", &error))
}

/// Opens the embedded log and its topics. Blocks while the file is checked.
pub(crate) async fn log(place: &Place, clock: &Arc<dyn Clock>) -> Result<Arc<dyn EventLog>, Failure> {
    if place.log != "local" {
        return Err(Failure::configuration(format!("log \"{}\" is not available in this version", place.log)).hint("use --log local"));
    }
    let path = std::path::absolute(place.log_file()).unwrap_or_else(|_| place.log_file());
    let log = LocalLog::open(&path, Arc::clone(clock), LocalOptions::default()).map_err(|error| refused(&error))?;
    let log: Arc<dyn EventLog> = Arc::new(log);
    publisher(&log).ensure_topics(PARTITIONS, retention(place)).await.map_err(|error| refused(&error))?;
    Ok(log)
}

/// How long and how much the log keeps of what the lake holds.
fn retention(place: &Place) -> Retention {
    Retention { age: Some(Duration::from_secs(place.log_retention_hours * 3600)), bytes: Some(place.log_retention_bytes) }
}

fn refused(error: &LogError) -> Failure {
    match error {
        LogError::InUse { .. } => Failure::configuration(chain(error)).hint("stop the other process, or choose another --data-dir"),
        _ => Failure::machine("could not open the log", error),
    }
}

/// The feeds in the binary and those of one's own.
pub(crate) fn feeds(place: &Place) -> Result<Vec<Feed>, Failure> {
    feeds::discover(place.feeds_dir.as_deref()).map_err(|error| Failure::configuration(chain(&error)))
}

/// The feed of that name.
pub(crate) fn feed(place: &Place, name: &str) -> Result<Feed, Failure> {
    let feeds = feeds(place)?;
    let known = feeds.iter().map(|feed| feed.name.as_str()).collect::<Vec<_>>().join(", ");
    feeds.into_iter().find(|feed| feed.name == name).ok_or_else(|| {
        Failure::usage(format!("no feed is called \"{name}\"")).hint(format!("there are {known}; --feeds-dir adds your own"))
    })
}

/// The key callers' pseudonyms are made with: in the data folder, readable by its owner only.
pub(crate) fn key(place: &Place) -> Result<PseudonymKey, Failure> {
    PseudonymKey::load_or_create(&place.data_dir.join("pseudonym.key")).map_err(|error| Failure::configuration(chain(&error)))
}

/// A feed's mapping, planned.
pub(crate) fn mapper(feed: &Feed, clock: &Arc<dyn Clock>, key: &PseudonymKey) -> Result<Arc<Mapper>, Failure> {
    Mapper::new(feed, Arc::clone(clock), key.clone())
        .map(Arc::new)
        .map_err(|error| Failure::configuration(format!("feed \"{}\": {}", feed.name, chain(&error))))
}

/// What appends to the log.
pub(crate) fn publisher(log: &Arc<dyn EventLog>) -> Publisher {
    Publisher::new(Arc::clone(log))
}

/// How a session over this place is made.
pub(crate) fn session(place: &Place) -> Result<analytics::session::SessionSettings, Failure> {
    let key = if place.data_dir.is_dir() {
        key(place)?
    } else {
        PseudonymKey::new("none", &[0; 32]).map_err(|error| Failure::configuration(chain(&error)))?
    };
    let functions = ingest::mapping_functions(&key).into_iter().map(Arc::new).collect();
    Ok(analytics::session::SessionSettings { time_zone: place.time_zone.clone(), scalar_functions: functions, ..Default::default() })
}

/// Refuses a folder that holds no data, where a command only reads.
pub(crate) fn existing(place: &Place) -> Result<(), Failure> {
    if place.lake().is_dir() {
        return Ok(());
    }
    Err(Failure::usage(format!("there is no lake at \"{}\"", place.lake().display()))
        .hint("run `gridwatch up` or `gridwatch replay` first, or name another --data-dir"))
}

/// Removes a file; one that is not there is as good as removed.
pub(crate) fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "could not remove a file");
    }
}
