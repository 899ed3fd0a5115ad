//! Small files into large ones: one-second commits leave thousands, readers should open dozens.
//!
//! Runs beside the writer with a handle of its own. A compaction changes no row of a table: it reads the small files of one
//! partition at a pinned version and commits the merged file and the removals together. If the writer's appends come between,
//! the commit is tried again on top; if anything else does, it is given up and tried at the next round.

use std::collections::BTreeMap;

use datafusion::prelude::{SessionConfig, SessionContext};

use super::delta::{Change, Table};
use super::scan::PinnedTable;
use super::{DataFile, LakeError, Snapshot};

/// Files of this size and more are left alone.
pub const TARGET_BYTES: u64 = 128 * 1024 * 1024;
/// A partition is compacted when it has this many small files: with one commit a second, twice a minute.
const SMALL_FILES: usize = 32;

/// How the rows of several files become the rows of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// As they are, in the order given.
    Keep {
        /// `ORDER BY` of the merged file.
        order: &'static str,
    },
    /// Added up by all columns but the sums.
    Sum {
        /// The columns that are keys.
        keys: &'static str,
        /// The columns that are added up.
        sums: &'static str,
    },
}

impl Merge {
    fn sql(self, columns: &str) -> String {
        match self {
            Self::Keep { order } => format!("SELECT {columns} FROM small ORDER BY {order}"),
            Self::Sum { keys, sums } => {
                let (keep, add) = (keys, sums.split(", ").map(|sum| format!("sum({sum}) AS {sum}")).collect::<Vec<_>>().join(", "));
                let any = sums.split(", ").map(|sum| format!("sum({sum}) <> 0")).collect::<Vec<_>>().join(" OR ");
                format!("SELECT {keep}, {add} FROM small GROUP BY {keep} HAVING {any} ORDER BY {keep}")
            }
        }
    }
}

/// Compacts every partition that is due; answers how many files went.
///
/// # Errors
/// The store fails; the table is unharmed.
pub async fn run(table: &mut Table, merge: Merge) -> Result<usize, LakeError> {
    table.refresh(None).await?;
    let snapshot = table.snapshot()?;
    let mut removed = 0;
    for files in due(&snapshot) {
        removed += files.len();
        compact(table, &snapshot, files, merge).await?;
    }
    Ok(removed)
}

/// Groups of small files worth merging, by partition.
fn due(snapshot: &Snapshot) -> Vec<Vec<DataFile>> {
    let mut small: BTreeMap<&[Option<String>], Vec<DataFile>> = BTreeMap::new();
    for file in snapshot.files.iter().filter(|file| file.bytes < TARGET_BYTES) {
        small.entry(&file.partition).or_default().push(file.clone());
    }
    small.into_values().filter(|files| files.len() >= SMALL_FILES).map(smallest_to_target).collect()
}

/// The smallest files whose sum stays at one target, so that a large file is not rewritten for each few new ones.
fn smallest_to_target(mut files: Vec<DataFile>) -> Vec<DataFile> {
    files.sort_by_key(|file| file.bytes);
    let mut sum = 0;
    files
        .into_iter()
        .enumerate()
        .take_while(|(taken, file)| {
            // A file four times as large as all smaller ones together costs more to rewrite than it saves.
            let worth = *taken < SMALL_FILES / 2 || file.bytes <= 4 * sum;
            sum += file.bytes;
            worth && sum <= TARGET_BYTES
        })
        .map(|(_, file)| file)
        .collect()
}

async fn compact(table: &mut Table, snapshot: &Snapshot, files: Vec<DataFile>, merge: Merge) -> Result<(), LakeError> {
    let failed = |source: datafusion::error::DataFusionError| LakeError::Store {
        action: "compact",
        table: snapshot.root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        path: snapshot.root.display().to_string(),
        source: Box::new(source),
    };
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let small = Snapshot { files: files.clone().into(), ..snapshot.clone() };
    session.register_table("small", std::sync::Arc::new(PinnedTable::new(small, None))).map_err(failed)?;
    let columns = table.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ");
    let rows = session.sql(&merge.sql(&columns)).await.map_err(failed)?.collect().await.map_err(failed)?;
    table.commit(Change { rows, remove: files, rearranges_only: true, ..Change::default() }).await?;
    Ok(())
}
