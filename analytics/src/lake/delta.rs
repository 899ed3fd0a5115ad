//! The lake on Delta Lake tables; the only file that says deltalake.
//!
//! Protocol (1, 2): no deletion vectors, no column mapping, times in microseconds UTC, so DuckDB, Polars, Spark and Trino read the
//! same files. Several processes may write; a commit that would move a position another writer has moved is refused (fencing).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use chrono::TimeDelta;
use contract::clock::{Clock, SystemClock};
use deltalake_core::TableProperty;
use deltalake_core::kernel::engine::arrow_conversion::{TryIntoArrow, TryIntoKernel};
use deltalake_core::kernel::transaction::{CommitBuilder, CommitConflictError, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Remove, StructType, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::operations::vacuum::VacuumMode;
use deltalake_core::parquet::basic::{Compression, ZstdLevel};
use deltalake_core::parquet::file::properties::{EnabledStatistics, WriterProperties};
use deltalake_core::parquet::schema::types::ColumnPath;
use deltalake_core::protocol::{DeltaOperation, SaveMode, checkpoints};
use deltalake_core::writer::{DeltaWriter, RecordBatchWriter};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStoreExt as _;
use serde::Deserialize;

use super::{DataFile, LakeError, Positions, Snapshot, TableSpec};

/// Commits between checkpoints: a reader that opens the table reads at most this many small log files.
const CHECKPOINT_COMMITS: u64 = 100;

/// Attempts of one commit. Each is lost to another writer's, which is allowed to be quicker: on a machine at its limit a member was
/// seen to lose sixteen in a row.
const COMMIT_ATTEMPTS: usize = 100;

/// A table of the lake, open for reading and writing.
#[derive(Debug)]
pub struct Table {
    spec: TableSpec,
    table: DeltaTable,
    schema: SchemaRef,
    /// Positions asked for or moved, as they stand at this handle's version; `None` = never moved.
    known: BTreeMap<String, Option<i64>>,
}

/// What one commit does to a table.
#[derive(Debug, Default)]
pub struct Change {
    /// Rows to add; each batch has the table's columns in its order.
    pub rows: Vec<RecordBatch>,
    /// Files that go.
    pub remove: Vec<DataFile>,
    /// Positions that move.
    pub positions: Positions,
    /// False where the same rows only change files (compaction).
    pub rearranges_only: bool,
}

impl Table {
    /// Opens the table, making it where there is none.
    ///
    /// # Errors
    /// The store fails, or the table stands with other columns.
    pub async fn open(spec: TableSpec) -> Result<Self, LakeError> {
        let name = spec_name(&spec);
        let failed = |action: &'static str| {
            let name = name.clone();
            move |source| store_error(&name, action, source)
        };
        std::fs::create_dir_all(&spec.root).map_err(|error| failed("create the folder of")(DeltaTableError::Io { source: error }))?;
        let url = url_of(&spec)?;
        let mut table = DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).map_err(failed("open"))?;
        if table.verify_deltatable_existence().await.map_err(failed("open"))? {
            table.load().await.map_err(failed("open"))?;
        } else {
            match create(&spec).await {
                Ok(created) => table = created,
                // Another process made it in between: writer and readers of a new lake start at the same moment.
                Err(_) if table.verify_deltatable_existence().await.map_err(failed("open"))? => {
                    table.load().await.map_err(failed("open"))?
                }
                Err(error) => return Err(failed("create")(error)),
            }
        }
        let schema = arrow_schema(&table).map_err(failed("read the columns of"))?;
        let spec = check_columns(spec, &schema)?;
        Ok(Self { spec, table, schema, known: BTreeMap::new() })
    }

    /// Opens an existing table with the columns it has; `None` where there is none yet.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open_as_stored(spec: TableSpec) -> Result<Option<Self>, LakeError> {
        let failed = |source| store_error(&spec_name(&spec), "open", source);
        let mut table = DeltaTableBuilder::from_url(url_of(&spec)?).and_then(DeltaTableBuilder::build).map_err(failed)?;
        if !table.verify_deltatable_existence().await.map_err(failed)? {
            return Ok(None);
        }
        table.load().await.map_err(failed)?;
        let schema = arrow_schema(&table).map_err(failed)?;
        Ok(Some(Self { spec, table, schema, known: BTreeMap::new() }))
    }

    /// Columns as the table has them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The version this handle stands at.
    pub fn version(&self) -> u64 {
        self.table.version().unwrap_or_default()
    }

    /// Moves this handle to the newest version, or to `version`.
    ///
    /// # Errors
    /// The store fails or has no such version.
    pub async fn refresh(&mut self, version: Option<u64>) -> Result<(), LakeError> {
        if version == self.table.version() {
            return Ok(());
        }
        self.moved(version).await.map_err(|source| store_error(&spec_name(&self.spec), "refresh", source))
    }

    async fn moved(&mut self, version: Option<u64>) -> Result<(), DeltaTableError> {
        let before = self.version();
        let done = self.follow(version).await;
        if done.is_err() || !self.learn(before + 1, self.version()).await? {
            self.known.clear();
        }
        done
    }

    async fn follow(&mut self, version: Option<u64>) -> Result<(), DeltaTableError> {
        let now = self.version();
        if version.is_some_and(|version| version < now) {
            return self.table.load_version(version.unwrap_or_default()).await;
        }
        // Following entry by entry is right only while the next one stands: what upkeep has removed is in a checkpoint.
        let store = self.table.log_store();
        let next = store.log_path().clone().join(format!("{:020}.json", now + 1));
        match store.object_store(None).head(&next).await {
            Ok(_) => self.table.update_incremental(version).await,
            Err(object_store::Error::NotFound { .. }) if version.is_none() && self.last_checkpoint().await? <= now => Ok(()),
            Err(object_store::Error::NotFound { .. }) => {
                let mut builder = DeltaTableBuilder::from_url(self.table.table_url().clone())?;
                if let Some(version) = version {
                    builder = builder.with_version(version);
                }
                self.table = builder.load().await?;
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The position of that name in the version this handle stands at.
    ///
    /// # Errors
    /// The store fails.
    pub async fn position(&mut self, name: &str) -> Result<Option<i64>, LakeError> {
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        let failed = |source| store_error(&spec_name(&self.spec), "read a position of", source);
        let state = self.table.snapshot().map_err(failed)?;
        let found = state.transaction_version(self.table.log_store().as_ref(), name).await.map_err(failed)?;
        self.known.insert(name.to_owned(), found);
        Ok(found)
    }

    /// Takes over the positions that the entries of the table's log from `first` to `last` move; false where they cannot be followed
    /// (an entry is gone, or the handle went back) and what is known is to be read anew.
    async fn learn(&mut self, first: u64, last: u64) -> Result<bool, DeltaTableError> {
        let store = self.table.log_store();
        for version in first..=last {
            let entry = store.log_path().clone().join(format!("{version:020}.json"));
            let text = match store.object_store(None).get(&entry).await {
                Err(object_store::Error::NotFound { .. }) => return Ok(false),
                found => found?.bytes().await?,
            };
            for line in text.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"{\"txn\"")) {
                let moved: Moved = serde_json::from_slice(line)?;
                self.known.insert(moved.txn.app_id, Some(moved.txn.version));
            }
        }
        Ok(last + 1 >= first)
    }

    /// The files of the version this handle stands at.
    ///
    /// # Errors
    /// The version's log cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, LakeError> {
        let failed = |source| store_error(&spec_name(&self.spec), "list the files of", source);
        let state = self.table.snapshot().map_err(failed)?;
        let columns: Arc<[String]> = self.spec.partition_columns.clone().into();
        let log = state.log_data();
        let files = log.iter().map(|file| {
            let mut values = file.partition_values_map();
            DataFile {
                path: file.path().into_owned(),
                bytes: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().and_then(|rows| u64::try_from(rows).ok()),
                partition: columns.iter().map(|column| values.remove(column).flatten()).collect(),
            }
        });
        Ok(Snapshot {
            version: self.version(),
            root: self.spec.root.clone(),
            schema: Arc::clone(&self.schema),
            files: files.collect(),
            partition_columns: columns,
        })
    }

    /// Whether a row of the version this handle stands at may hold more than `value` in the integer column `column`, by what the
    /// table's log says of its files; true where it does not say.
    ///
    /// # Errors
    /// The version's log cannot be read.
    pub fn may_exceed(&self, column: &str, value: i64) -> Result<bool, LakeError> {
        let state = self.table.snapshot().map_err(|source| store_error(&spec_name(&self.spec), "list the files of", source))?;
        Ok(state.log_data().iter().any(|file| file.stats().is_none_or(|statistics| exceeds(&statistics, column, value))))
    }

    /// Commits rows, removals and positions together; answers the new version.
    ///
    /// # Errors
    /// [`LakeError::Fenced`] or [`LakeError::Overtaken`] where another writer moved one of the positions, [`LakeError::Crowded`] where
    /// others committed all the time; otherwise the store's failure. Nothing is committed then.
    pub async fn commit(&mut self, change: Change) -> Result<u64, LakeError> {
        let name = spec_name(&self.spec);
        let mut actions = self.write(change.rows).await.map_err(|source| store_error(&name, "write rows of", source))?;
        if change.rearranges_only {
            for action in &mut actions {
                if let Action::Add(add) = action {
                    add.data_change = false;
                }
            }
        }
        actions.extend(change.remove.iter().map(|file| Action::Remove(self.removal(file, !change.rearranges_only))));
        self.fence(&change.positions).await?;
        let positions = change.positions.iter().map(|(name, version)| Transaction::new(name, *version)).collect();
        let properties = CommitProperties::default()
            .with_application_transactions(positions)
            .with_create_checkpoint(false)
            .with_max_retries(COMMIT_ATTEMPTS - 1);
        let partition_by = Some(self.spec.partition_columns.clone()).filter(|columns| !columns.is_empty());
        let operation = if change.rearranges_only {
            DeltaOperation::Optimize { predicate: None, target_size: super::compact::TARGET_BYTES.cast_signed() }
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
    async fn last_checkpoint(&self) -> Result<u64, DeltaTableError> {
        let store = self.table.log_store();
        let hint = match store.object_store(None).get(&store.log_path().clone().join("_last_checkpoint")).await {
            Err(object_store::Error::NotFound { .. }) => return Ok(0),
            hint => hint?.bytes().await?,
        };
        let hint: serde_json::Value = serde_json::from_slice(&hint)?;
        Ok(hint["version"].as_u64().unwrap_or_default())
    }

    async fn write(&self, rows: Vec<RecordBatch>) -> Result<Vec<Action>, DeltaTableError> {
        if rows.iter().all(|batch| batch.num_rows() == 0) {
            return Ok(Vec::new());
        }
        let mut writer = RecordBatchWriter::for_table(&self.table)?.with_writer_properties(writer_properties(&self.spec));
        let schema = writer.arrow_schema();
        let of_table = |batch: RecordBatch| {
            let columns = schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned()).collect::<Option<Vec<_>>>();
            let columns = columns.ok_or_else(|| DeltaTableError::generic("a batch lacks a column of the table"))?;
            Ok(RecordBatch::try_new(Arc::clone(&schema), columns)?)
        };
        let rows = rows.into_iter().map(of_table).collect::<Result<Vec<_>, DeltaTableError>>()?;
        // A task of its own: encoding takes the processor for long, and the caller has other things going.
        let written = tokio::spawn(async move {
            for batch in rows {
                writer.write(batch).await?;
            }
            writer.flush().await
        });
        let added = written.await.map_err(|error| DeltaTableError::generic(error.to_string()))??;
        Ok(added.into_iter().map(Action::Add).collect())
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

/// A line of the table's log that moves a position.
#[derive(Debug, Deserialize)]
struct Moved {
    txn: Txn,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Txn {
    app_id: String,
    version: i64,
}

/// zstd at its quickest level: a third smaller than snappy at about the same speed on the text columns here.
fn writer_properties(spec: &TableSpec) -> WriterProperties {
    let packed = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("zstd has a level 1")));
    let opaque = spec.opaque_columns.iter().fold(packed, |properties, column| {
        let column = ColumnPath::from(column.as_str());
        properties.set_column_dictionary_enabled(column.clone(), false).set_column_statistics_enabled(column, EnabledStatistics::None)
    });
    opaque.build()
}

/// Whether a file may hold more than `value` in an integer column, by its statistics; a column of NULLs has no greatest value.
fn exceeds(statistics: &str, column: &str, value: i64) -> bool {
    let Ok(said) = serde_json::from_str::<serde_json::Value>(statistics) else { return true };
    let all_null = || said["nullCount"][column].as_u64().zip(said["numRecords"].as_u64()).is_some_and(|(nulls, rows)| nulls == rows);
    said["maxValues"][column].as_i64().map_or_else(|| !all_null(), |greatest| greatest > value)
}

async fn create(spec: &TableSpec) -> Result<DeltaTable, DeltaTableError> {
    let kernel: StructType = spec.schema.as_ref().try_into_kernel()?;
    let mut builder = CreateBuilder::new()
        .with_location(url::Url::from_directory_path(&spec.root).map_err(|()| DeltaTableError::generic("the folder is not absolute"))?)
        .with_table_name(&spec.name)
        .with_comment(&spec.comment)
        .with_columns(kernel.fields().cloned())
        .with_configuration_property(TableProperty::DataSkippingStatsColumns, Some(spec.bounded_columns.join(",")));
    if !spec.partition_columns.is_empty() {
        builder = builder.with_partition_columns(&spec.partition_columns);
    }
    builder.await
}

fn arrow_schema(table: &DeltaTable) -> Result<SchemaRef, DeltaTableError> {
    let schema: Schema = (&table.snapshot()?.metadata().parse_schema()?).try_into_arrow()?;
    Ok(Arc::new(schema))
}

fn check_columns(spec: TableSpec, found: &SchemaRef) -> Result<TableSpec, LakeError> {
    let names = |schema: &Schema| schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect::<Vec<_>>();
    let (wanted, found) = (names(&spec.schema), names(found));
    let missing: Vec<_> = wanted.iter().filter(|column| !found.contains(column)).cloned().collect();
    if missing.is_empty() && wanted.len() == found.len() {
        return Ok(spec);
    }
    Err(LakeError::SchemaDiffers {
        table: spec.name,
        path: spec.root.display().to_string(),
        detail: format!("wanted {missing:?} of {} columns, found {} columns", wanted.len(), found.len()),
    })
}

fn url_of(spec: &TableSpec) -> Result<url::Url, LakeError> {
    url::Url::from_directory_path(&spec.root)
        .map_err(|()| store_error(&spec_name(spec), "open", DeltaTableError::generic("the folder is not absolute")))
}

fn spec_name(spec: &TableSpec) -> (String, String) {
    (spec.name.clone(), spec.root.display().to_string())
}

fn store_error((table, path): &(String, String), action: &'static str, source: DeltaTableError) -> LakeError {
    LakeError::Store { action, table: table.clone(), path: path.clone(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_that_do_not_say_are_taken_for_the_worst() {
        let known = r#"{"numRecords":7,"maxValues":{"revision":2},"nullCount":{"revision":0,"case_id":7}}"#;
        assert!(exceeds(known, "revision", 1) && !exceeds(known, "revision", 2));
        assert!(!exceeds(known, "case_id", 0), "a column of NULLs exceeds nothing");
        assert!(exceeds(known, "value", 0) && exceeds("", "revision", 9));
    }
}
