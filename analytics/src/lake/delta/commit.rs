//! One commit: files added, files removed and positions moved, together or not at all; and what it says to who follows the table.

use std::collections::HashMap;

use arrow::array::RecordBatch;
use contract::clock::{Clock, SystemClock};
use deltalake_core::DeltaTableError;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitConflictError, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, Remove, Transaction};
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use object_store::ObjectStoreExt as _;

use super::entries::NOTE;
use super::write::{LooseFiles, Packing};
use super::{Table, spec_name, store_error};
use crate::lake::compact::TARGET_BYTES;
use crate::lake::{DataFile, LakeError, Positions};

/// Attempts of one commit. Each is lost to another writer's, which is allowed to be quicker: on a machine at its limit a member was
/// seen to lose sixteen in a row.
const COMMIT_ATTEMPTS: usize = 100;

/// What one commit does to a table.
#[derive(Debug, Default)]
pub struct Change {
    /// Rows to add; each batch has the table's columns.
    pub rows: Vec<RecordBatch>,
    /// Files to add that are written already.
    pub files: LooseFiles,
    /// Files that go.
    pub remove: Vec<DataFile>,
    /// Positions that move.
    pub positions: Positions,
    /// True where the same rows only change files (compaction).
    pub rearranges_only: bool,
    /// What it says of its rows to who follows the table ([`Table::notes`]).
    pub note: Option<serde_json::Value>,
}

impl Table {
    /// Commits rows, removals and positions together; answers the new version.
    ///
    /// # Errors
    /// [`LakeError::Fenced`] or [`LakeError::Overtaken`] where another writer moved one of the positions, [`LakeError::Crowded`] where
    /// others committed all the time; otherwise the store's failure. Nothing is committed then.
    pub async fn commit(&mut self, change: Change) -> Result<u64, LakeError> {
        let name = spec_name(&self.spec);
        let packing = if change.rearranges_only { Packing::Close } else { Packing::Quick };
        let written = self.write(change.rows, packing).await?;
        let add = |add| Action::Add(Add { data_change: !change.rearranges_only, ..add });
        let mut actions: Vec<_> = written.0.into_iter().chain(change.files.0).map(add).collect();
        actions.extend(change.remove.iter().map(|file| Action::Remove(self.removal(file, !change.rearranges_only))));
        self.fence(&change.positions).await?;
        let positions = change.positions.iter().map(|(name, version)| Transaction::new(name, *version)).collect();
        let properties = CommitProperties::default()
            .with_application_transactions(positions)
            .with_metadata(change.note.map(|note| (NOTE.to_owned(), note)))
            .with_create_checkpoint(false)
            .with_max_retries(COMMIT_ATTEMPTS - 1);
        let partition_by = Some(self.spec.partition_columns.clone()).filter(|columns| !columns.is_empty());
        let operation = if change.rearranges_only {
            DeltaOperation::Optimize { predicate: None, target_size: TARGET_BYTES.cast_signed() }
        } else {
            DeltaOperation::Write { mode: SaveMode::Append, partition_by, predicate: None }
        };
        let failed = |source| match source {
            DeltaTableError::Transaction { source: TransactionError::CommitConflict(CommitConflictError::ConcurrentTransaction) } => {
                LakeError::Overtaken { table: self.spec.name.clone() }
            }
            DeltaTableError::Transaction { source: TransactionError::MaxCommitAttempts(_) } => {
                LakeError::Crowded { table: self.spec.name.clone(), attempts: COMMIT_ATTEMPTS }
            }
            source => store_error(&name, "commit to", source),
        };
        let before = self.version();
        let state = self.table.snapshot().map_err(failed)?;
        let done = CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), self.table.log_store(), operation)
            .await
            .map_err(failed)?;
        self.table.state = Some(done.snapshot());
        // Another writer's commits may have come in between: what they moved is not what this one did.
        let learned = self.learn(before + 1, done.version()).await;
        if !learned.map_err(|source| store_error(&name, "read back the commit to", source))? {
            self.known.clear();
        }
        Ok(done.version())
    }

    /// Whether all of these files are there.
    ///
    /// # Errors
    /// The store fails.
    pub async fn has(&self, files: &LooseFiles) -> Result<bool, LakeError> {
        let store = self.table.log_store().object_store(None);
        for file in &files.0 {
            let found = match object_store::path::Path::parse(&file.path) {
                Ok(path) => store.head(&path).await,
                Err(error) => Err(error.into()),
            };
            match found {
                Ok(_) => {}
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                Err(error) => return Err(store_error(&spec_name(&self.spec), "look for files of", error.into())),
            }
        }
        Ok(true)
    }

    fn removal(&self, file: &DataFile, data_change: bool) -> Remove {
        let values: HashMap<String, Option<String>> =
            self.spec.partition_columns.iter().cloned().zip(file.partition.iter().cloned()).collect();
        Remove {
            path: file.path.clone(),
            data_change,
            deletion_timestamp: Some(SystemClock.now().timestamp_millis()),
            extended_file_metadata: Some(true),
            partition_values: Some(values),
            size: i64::try_from(file.bytes).ok(),
            tags: None,
            deletion_vector: None,
            base_row_id: None,
            default_row_commit_version: None,
        }
    }

    /// Refuses when a position we are about to move is not where we left it. Between this and the commit the table format's own
    /// check for concurrent transactions holds.
    async fn fence(&mut self, moves: &Positions) -> Result<(), LakeError> {
        let expected: Vec<_> = moves.keys().filter_map(|name| Some((name.clone(), *self.known.get(name)?))).collect();
        self.refresh(None).await?;
        for (position, expected) in expected {
            let found = self.position(&position).await?;
            if found != expected {
                return Err(LakeError::Fenced { table: self.spec.name.clone(), position, found, expected });
            }
        }
        Ok(())
    }
}
