//! The lake: durable tables other programs can open. This file is the promise; [`delta`] is the only file that says how.
//!
//! A commit adds and removes files and moves named positions (`txn`) **together or not at all**; readers open a version and
//! keep it. Several tables cannot be committed together, so whatever is derived says in its own positions how far it has come.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use contract::log::Remedy;

pub mod compact;
pub mod delta;
pub mod scan;

/// A data file of a table version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Path below the table's folder.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows, where the table knows.
    pub rows: Option<u64>,
    /// Values of the partition columns, in the table's order.
    pub partition: Vec<Option<String>>,
}

/// One version of a table: what a reader holds on to while it reads.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The version.
    pub version: u64,
    /// The folder.
    pub root: PathBuf,
    /// All columns, partition columns last.
    pub schema: SchemaRef,
    /// Names of the partition columns.
    pub partition_columns: Arc<[String]>,
    /// The files.
    pub files: Arc<[DataFile]>,
}

/// How a table is made when it is not there yet.
#[derive(Debug, Clone)]
pub struct TableSpec {
    /// Its name, for messages.
    pub name: String,
    /// Its folder.
    pub root: PathBuf,
    /// All columns, partition columns last.
    pub schema: SchemaRef,
    /// Names of the partition columns.
    pub partition_columns: Vec<String>,
    /// Columns whose least and greatest value in each file the table's log says, for programs that skip files by them. Everything said
    /// there is read with every commit, so they are few.
    pub bounded_columns: Vec<String>,
    /// How columns are written that are not simply written with a dictionary and bounds; a part of a column by its path.
    pub written: Vec<(&'static str, Written)>,
    /// What one row is.
    pub comment: String,
}

/// How a column is written into its files. Any of them is read by every program that reads Parquet; what differs is what writing costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// As it is, and in new files not even packed: a dictionary would hold values that seldom come twice all once more, and looks each up that packing leaves little of anyway,
    /// because it is a number that hardly changes.
    Plain,
    /// Mostly each a little above the one before, or the same: as differences, of which few bits are left, so that new files are not packed.
    Rising,
    /// A few names in any order: without bounds, by which no file or page could be skipped.
    Names,
    /// Neither sought by value nor seen twice: without dictionary and bounds, in new files not packed.
    Opaque,
    /// As those, but of thousands of bytes: packed in new files as well.
    Long,
}

/// Named positions committed with the rows; they only grow.
pub type Positions = BTreeMap<String, i64>;

/// What went wrong with the lake.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The store or the table format failed.
    #[error("could not {action} table \"{table}\" at \"{path}\"")]
    Store {
        /// What was being done.
        action: &'static str,
        /// The table.
        table: String,
        /// Its folder.
        path: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else moved a position of ours: two writers believe they own it.
    #[error("another writer moved position \"{position}\" of table \"{table}\" to {found:?}, ours stood at {expected:?}")]
    Fenced {
        /// The table.
        table: String,
        /// The position.
        position: String,
        /// Where it stands.
        found: Option<i64>,
        /// Where we had left it.
        expected: Option<i64>,
    },
    /// Somebody else moved a position of ours while the commit was under way.
    #[error("another writer moved a position of table \"{table}\" during a commit of ours")]
    Overtaken {
        /// The table.
        table: String,
    },
    /// Other writers committed so often meanwhile that ours never found its turn.
    #[error("other writers of table \"{table}\" left no room for a commit of ours in {attempts} attempts")]
    Crowded {
        /// The table.
        table: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// A table has other columns than this version of gridwatch writes.
    #[error("table \"{table}\" at \"{path}\" has other columns than this version writes: {detail}")]
    SchemaDiffers {
        /// The table.
        table: String,
        /// Its folder.
        path: String,
        /// Which columns.
        detail: String,
    },
}

impl LakeError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Crowded { .. } => Remedy::Retry,
            Self::Store { .. } | Self::Fenced { .. } | Self::Overtaken { .. } | Self::SchemaDiffers { .. } => Remedy::Fix,
        }
    }

    /// Whether nothing was committed because another writer has what we believed ours.
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Fenced { .. } | Self::Overtaken { .. })
    }
}
