//! The parts a command is wired from: data folder, feeds, publisher. Used by `up`, `replay` and `check`.

use std::path::Path;
use std::sync::Arc;

use analytics::metrics::chain;
use contract::clock::Clock;
use contract::log::EventLog;
use ingest::feeds::{self, Feed};
use ingest::{Mapper, PseudonymKey, Publisher};

use crate::cli::Place;
use crate::failure::Failure;

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
