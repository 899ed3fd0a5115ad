//! Keeping a table small: checkpoints of its log, and files that left it.

use chrono::TimeDelta;
use contract::clock::{Clock, SystemClock};
use deltalake_core::DeltaTableError;
use deltalake_core::operations::vacuum::VacuumMode;
use deltalake_core::protocol::checkpoints;
use object_store::ObjectStoreExt as _;

use super::{Table, spec_name, store_error};
use crate::lake::LakeError;

/// Commits between checkpoints: a reader that opens the table reads at most this many small log files.
const CHECKPOINT_COMMITS: u64 = 100;

impl Table {
    /// Writes a checkpoint when enough commits have passed since the last, and removes entries of the table's log that are older than
    /// `kept` and that a checkpoint stands for; run in the background.
    ///
    /// # Errors
    /// The store fails; the table is unharmed.
    pub async fn checkpoint_if_due(&mut self, kept: TimeDelta) -> Result<bool, LakeError> {
        self.refresh(None).await?;
        let failed = |source| store_error(&spec_name(&self.spec), "checkpoint", source);
        if self.version().saturating_sub(self.last_checkpoint().await.map_err(failed)?) < CHECKPOINT_COMMITS {
            return Ok(false);
        }
        checkpoints::create_checkpoint(&self.table, None).await.map_err(failed)?;
        let oldest = (SystemClock.now() - kept).timestamp_millis();
        let store = self.table.log_store();
        checkpoints::cleanup_expired_logs_for(self.version(), store.as_ref(), oldest, None).await.map_err(failed)?;
        Ok(true)
    }

    /// Removes files that left the table longer than `kept` ago, and files as old that a crash left without a commit; answers how many.
    ///
    /// # Errors
    /// The store fails; the table is unharmed.
    pub async fn vacuum(&mut self, kept: TimeDelta) -> Result<usize, LakeError> {
        self.refresh(None).await?;
        let vacuum = self.table.clone().vacuum().with_mode(VacuumMode::Full).with_retention_period(kept);
        let (table, done) = vacuum
            .with_enforce_retention_duration(false)
            .await
            .map_err(|source| store_error(&spec_name(&self.spec), "remove old files of", source))?;
        self.table = table;
        Ok(done.files_deleted.len())
    }

    /// The version of the newest checkpoint; 0 where there is none.
    pub(super) async fn last_checkpoint(&self) -> Result<u64, DeltaTableError> {
        let store = self.table.log_store();
        let hint = match store.object_store(None).get(&store.log_path().clone().join("_last_checkpoint")).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(0),
            hint => hint?.bytes().await?,
        };
        let hint: serde_json::Value = serde_json::from_slice(&hint)?;
        Ok(hint["version"].as_u64().unwrap_or_default())
    }
}
