//! What a feed is: a folder of data that says how bytes of one supplier become events. The only place that finds and reads such folders.
//!
//! A folder holds `feed.toml` (read by `manifest`), `mapping.sql`, a sample and what the sample becomes (`golden`).
//! Without `mapping.sql` the rows are contract events already. Folders are embedded at build; a directory of one's own may add
//! feeds or replace one of the same name.

mod golden;
mod manifest;
mod topic;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{DeliveryRules, Kind};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};

pub use golden::{Difference, Report, expected_lines, test};
pub use manifest::{CoordinateSystem, Description, Encoding, Format, Transport};
pub use topic::Topic;

use manifest::Manifest;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/feeds");

/// A mapping longer than this is a program, and planning it could exhaust the stack.
const MAPPING_BYTES_MAX: usize = 64 * 1024;
/// A directory with more folders than this is not a directory of feeds.
const FEEDS_MAX: usize = 1000;

/// Where a feed's folder stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In the binary.
    Embedded,
    /// On disk.
    Folder(PathBuf),
}

/// One supplier of records, as its folder declares it.
#[derive(Debug, Clone)]
pub struct Feed {
    /// Its name, which is its folder's name and the events' `source`.
    pub name: String,
    /// What its rows are, unless the mapping yields a `kind`.
    pub kind: Kind,
    /// How its bytes are split into rows.
    pub format: Format,
    /// How its bytes are read as text.
    pub encoding: Encoding,
    /// Where its local times are local.
    pub time_zone: chrono_tz::Tz,
    /// What its lon and lat refer to.
    pub coordinate_system: CoordinateSystem,
    /// How it arrives.
    pub transport: Vec<Transport>,
    /// The topic it is read from, where it arrives by Kafka.
    pub kafka: Option<Topic>,
    /// For how many seconds of event time its ids are remembered; `None` = for ever.
    pub deduplication_seconds: Option<u32>,
    /// By how many seconds an event may be late; `None` = never late.
    pub lateness_seconds: Option<u32>,
    /// What it is, for people.
    pub description: Description,
    /// The `SELECT … FROM raw`; `None` = rows are contract events.
    pub mapping: Option<String>,
    /// Short hash of feed.toml and mapping.sql.
    pub mapping_version: String,
    /// Where the folder stands.
    pub origin: Origin,
    /// Whether the folder replaces an embedded one of the same name.
    pub replaces_embedded: bool,
}

/// Why a feed folder cannot be used. A person has to mend it: the remedy is always Fix.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// A file or directory could not be read.
    #[error("could not read \"{path}\" of the feeds")]
    Unreadable {
        /// The path.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A key or value of feed.toml does not hold.
    #[error("feed \"{feed}\": {key} in feed.toml {problem}")]
    Manifest {
        /// The folder.
        feed: String,
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// feed.toml is not TOML.
    #[error("feed \"{feed}\": feed.toml is not TOML")]
    Toml {
        /// The folder.
        feed: String,
        /// The cause, with line and column.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The folder lacks a file or holds too much.
    #[error("feed \"{feed}\": {problem}")]
    Folder {
        /// The folder.
        feed: String,
        /// What is missing.
        problem: String,
    },
    /// The sample could not be mapped at all.
    #[error("feed \"{feed}\": sample could not be mapped")]
    Sample {
        /// The folder.
        feed: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl FeedError {
    fn manifest(feed: &str, key: &str, problem: impl Into<String>) -> Self {
        Self::Manifest { feed: feed.into(), key: key.into(), problem: problem.into() }
    }

    fn folder(feed: &str, problem: impl Into<String>) -> Self {
        Self::Folder { feed: feed.into(), problem: problem.into() }
    }
}

/// All feeds: the embedded ones and those of `extra_dir`, in order of name; a folder of `extra_dir` wins over an embedded one.
///
/// # Errors
/// The first folder that does not hold together, with what to mend.
pub fn discover(extra_dir: Option<&Path>) -> Result<Vec<Feed>, FeedError> {
    let mut feeds = std::collections::BTreeMap::new();
    for folder in EMBEDDED.dirs() {
        let feed = embedded(folder)?;
        feeds.insert(feed.name.clone(), feed);
    }
    for path in extra_dir.map(folders).transpose()?.unwrap_or_default() {
        let mut feed = Feed::read(&path)?;
        feed.replaces_embedded = feeds.contains_key(&feed.name);
        if feed.replaces_embedded {
            tracing::info!(feed = %feed.name, path = %path.display(), "own feed folder replaces the embedded one");
        }
        feeds.insert(feed.name.clone(), feed);
    }
    Ok(feeds.into_values().collect())
}

fn embedded(folder: &Dir<'_>) -> Result<Feed, FeedError> {
    let name = folder.path().file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let text = |file: &str| folder.get_file(folder.path().join(file)).and_then(|file| file.contents_utf8());
    let manifest = text("feed.toml").ok_or_else(|| FeedError::folder(name, "feed.toml is missing"))?;
    Feed::parse(name, manifest, text("mapping.sql"), Origin::Embedded)
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>, FeedError> {
    let unreadable = |source| FeedError::Unreadable { path: dir.display().to_string(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            found.push(path);
        }
        if found.len() > FEEDS_MAX {
            return Err(FeedError::folder(
                &dir.display().to_string(),
                format!("holds more than {FEEDS_MAX} folders: is it a directory of feeds?"),
            ));
        }
    }
    found.sort();
    Ok(found)
}

impl Feed {
    /// Reads the feed folder at `path`.
    ///
    /// # Errors
    /// What is missing or does not hold, and what to do about it.
    pub fn read(path: &Path) -> Result<Self, FeedError> {
        // `feed test .` names the folder by where it stands, not by how it was typed.
        let full = path.canonicalize().map_err(|source| FeedError::Unreadable { path: path.display().to_string(), source })?;
        let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let manifest = read_text(&full.join("feed.toml"))?.ok_or_else(|| FeedError::folder(&name, "feed.toml is missing"))?;
        let mapping = read_text(&full.join("mapping.sql"))?;
        Self::parse(&name, &manifest, mapping.as_deref(), Origin::Folder(full))
    }

    fn parse(folder: &str, manifest_text: &str, mapping: Option<&str>, origin: Origin) -> Result<Self, FeedError> {
        let manifest = Manifest::parse(folder, manifest_text)?;
        if mapping.is_none() && manifest.format == Format::Csv {
            return Err(FeedError::folder(
                folder,
                "mapping.sql is missing; only feeds of contract events (format ndjson, json or cloudevents) go without",
            ));
        }
        if mapping.is_none() && manifest.encoding != Encoding::Utf8 {
            return Err(FeedError::manifest(
                folder,
                "encoding",
                "is not utf-8, but contract events (a feed without mapping.sql) always are",
            ));
        }
        if mapping.is_some_and(|sql| sql.len() > MAPPING_BYTES_MAX) {
            return Err(FeedError::folder(folder, format!("mapping.sql is longer than {MAPPING_BYTES_MAX} bytes")));
        }
        Ok(Self {
            mapping_version: version(manifest_text, mapping.unwrap_or_default()),
            name: manifest.name,
            kind: manifest.kind,
            format: manifest.format,
            encoding: manifest.encoding,
            time_zone: manifest.time_zone,
            coordinate_system: manifest.coordinate_system,
            transport: manifest.transport,
            kafka: manifest.kafka,
            deduplication_seconds: manifest.deduplication_seconds,
            lateness_seconds: manifest.lateness_seconds,
            description: manifest.description,
            mapping: mapping.map(str::to_owned),
            origin,
            replaces_embedded: false,
        })
    }

    /// The rules that travel with each of its records.
    pub fn rules(&self) -> DeliveryRules {
        DeliveryRules {
            mapping_version: self.mapping_version.clone(),
            lateness_seconds: self.lateness_seconds,
            deduplication_seconds: self.deduplication_seconds,
        }
    }

    /// The rows of `input` (already decompressed), under the name `file_name`, as this feed declares them.
    ///
    /// # Errors
    /// When the input cannot be read or its header does not hold.
    pub fn rows(
        &self,
        columns: &Arc<[String]>,
        file_name: &str,
        input: Box<dyn std::io::Read + Send>,
    ) -> Result<crate::raw::RawReader, crate::raw::RawError> {
        crate::raw::RawReader::open(self.format, self.encoding, columns, file_name, input)
    }

    /// The rows of a message, under the name `name`, as this feed declares them.
    ///
    /// # Errors
    /// When its header does not hold.
    pub fn rows_of_message(
        &self,
        columns: &Arc<[String]>,
        name: &str,
        message: Vec<u8>,
    ) -> Result<crate::raw::RawReader, crate::raw::RawError> {
        crate::raw::RawReader::whole(self.format, self.encoding, columns, name, message)
    }
}

fn read_text(path: &Path) -> Result<Option<String>, FeedError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FeedError::Unreadable { path: path.display().to_string(), source }),
    }
}

/// Twelve hex digits tell versions of one feed apart; the lengths between keep a byte from moving from one file to the other unseen.
fn version(manifest: &str, mapping: &str) -> String {
    let mut hash = Sha256::new();
    hash.update((manifest.len() as u64).to_le_bytes());
    hash.update(manifest);
    hash.update(mapping);
    hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../feeds/taipei-hotline/feed.toml");

    fn problem(manifest: &str) -> String {
        Feed::parse("taipei-hotline", manifest, Some("SELECT 1"), Origin::Embedded).unwrap_err().to_string()
    }

    #[test]
    fn embedded_feeds_hold_together_and_come_in_order_of_name() {
        let feeds = discover(None).unwrap();
        assert!(feeds.iter().any(|feed| feed.name == "taipei-hotline"));
        assert!(feeds.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn own_folder_replaces_the_embedded_feed_of_its_name_and_has_another_version() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("taipei-hotline");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("feed.toml"), GOOD).unwrap();
        std::fs::write(folder.join("mapping.sql"), "SELECT 1").unwrap();
        let find = |feeds: Vec<Feed>| feeds.into_iter().find(|feed| feed.name == "taipei-hotline").unwrap();
        let (own, embedded) = (find(discover(Some(dir.path())).unwrap()), find(discover(None).unwrap()));
        assert!(own.replaces_embedded && !embedded.replaces_embedded);
        assert_eq!(own.mapping.as_deref(), Some("SELECT 1"));
        assert_ne!(own.rules().mapping_version, embedded.rules().mapping_version);
    }

    #[test]
    fn unknown_key_is_an_error_that_names_the_nearest() {
        let text = problem(&format!("latenes = \"1h\"\n{GOOD}"));
        assert_eq!(text, "feed \"taipei-hotline\": latenes in feed.toml is not a key of a feed; did you mean \"lateness\"?");
    }

    #[test]
    fn missing_coordinate_system_is_an_error_because_a_guess_would_move_every_point() {
        let manifest: String = GOOD.lines().filter(|line| !line.starts_with("coordinate_system")).map(|line| format!("{line}\n")).collect();
        assert_eq!(
            problem(&manifest),
            "feed \"taipei-hotline\": coordinate_system in feed.toml is missing: one of wgs84, gcj02, bd09, none"
        );
    }

    #[test]
    fn lateness_longer_than_deduplication_is_refused_because_a_late_repeat_would_count_twice() {
        let manifest = GOOD.replace("deduplication = \"unlimited\"", "deduplication = \"7d\"");
        assert!(
            problem(&manifest).contains("lateness in feed.toml is unlimited, longer than deduplication = 7d"),
            "{}",
            problem(&manifest)
        );
        let manifest = manifest.replace("lateness = \"unlimited\"", "lateness = \"1h\"");
        let feed = Feed::parse("taipei-hotline", &manifest, Some("SELECT 1"), Origin::Embedded).unwrap();
        assert_eq!((feed.rules().lateness_seconds, feed.rules().deduplication_seconds), (Some(3600), Some(604_800)));
    }

    #[test]
    fn name_must_be_the_folders_name() {
        let text = Feed::parse("other", GOOD, Some("SELECT 1"), Origin::Embedded).unwrap_err().to_string();
        assert_eq!(text, "feed \"other\": name in feed.toml is \"taipei-hotline\", but the folder is \"other\"");
    }
}
