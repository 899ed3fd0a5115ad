//! The cut: versions of `records` and `cells` that cover the same offsets, which every reader pins together (G3, G7).
//!
//! The writer publishes it in a small file after both commits; a reader in another process follows the file. It is derived: the
//! tables' own positions say the same, and the file is written anew at each start.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Versions that belong together, and how far they reach.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cut {
    /// Version of `records`.
    pub records: u64,
    /// Version of `cells`.
    pub cells: u64,
    /// Next offset by `topic/partition`.
    pub offsets: BTreeMap<String, u64>,
    /// Offsets below those at which no record stands, over all partitions.
    #[serde(default)]
    pub skipped: u64,
    /// Watermark by source.
    pub watermarks: BTreeMap<String, DateTime<Utc>>,
    /// When it was published, by the writer's clock.
    pub committed_at: DateTime<Utc>,
}

impl Cut {
    /// The city's clock: the newest watermark of a source.
    pub fn as_of(&self) -> Option<DateTime<Utc>> {
        self.watermarks.values().max().copied()
    }

    /// Reads the published cut; `None` where nothing was published yet.
    ///
    /// # Errors
    /// The file is there but cannot be read.
    pub fn read(lake: &Path) -> std::io::Result<Option<Self>> {
        match std::fs::read(file(lake)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(std::io::Error::other),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Publishes the cut: readers see the former one or this one, never half of it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn publish(&self, lake: &Path) -> std::io::Result<()> {
        // A name of its own: two processes that both believe they publish would otherwise write into one file, of which one may
        // be renamed while the other is still writing.
        let staged = lake.join(format!("{STAGED}{}-{}-{}", self.records, std::process::id(), self.committed_at.timestamp_micros()));
        let mut out = std::fs::File::create(&staged)?;
        out.write_all(&serde_json::to_vec(self).map_err(std::io::Error::other)?)?;
        std::fs::rename(staged, file(lake))
    }

    /// Removes what publishers that died left half done. One that lives and loses its file is told so, and publishes again.
    ///
    /// # Errors
    /// The folder cannot be read, or a file of it not be removed.
    pub fn tidy(lake: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(lake)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(STAGED) {
                match std::fs::remove_file(entry.path()) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// What the names of cuts begin with that are not published yet.
const STAGED: &str = "cut.json.staged";

fn file(lake: &Path) -> PathBuf {
    lake.join("cut.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publisher_that_died_leaves_nothing_behind_and_spoils_nothing() {
        let lake = tempfile::tempdir().unwrap();
        let one = Cut { records: 1, ..Cut::default() };
        let two = Cut { records: 2, ..Cut::default() };
        // Died, or was stopped, between creating and renaming.
        let mut half = std::fs::File::create(lake.path().join(format!("{STAGED}1-0-0"))).unwrap();
        two.publish(lake.path()).unwrap();
        half.write_all(b"{").unwrap();
        assert_eq!(Cut::read(lake.path()).unwrap(), Some(two));
        one.publish(lake.path()).unwrap();
        Cut::tidy(lake.path()).unwrap();
        let left: Vec<_> = std::fs::read_dir(lake.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["cut.json"]);
    }
}
