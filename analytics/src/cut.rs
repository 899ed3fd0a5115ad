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
        let staged = lake.join("cut.json.staged");
        let mut out = std::fs::File::create(&staged)?;
        out.write_all(&serde_json::to_vec(self).map_err(std::io::Error::other)?)?;
        std::fs::rename(staged, file(lake))
    }
}

fn file(lake: &Path) -> PathBuf {
    lake.join("cut.json")
}
