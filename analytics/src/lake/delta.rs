//! The lake on Delta Lake tables; with its folder the only place that says deltalake.
//!
//! Protocol (1, 2): no deletion vectors, no column mapping, times in microseconds UTC, so DuckDB, Polars, Spark and Trino read the
//! same files. Several processes may write; a commit that would move a position another writer has moved is refused (fencing).

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use object_store::ObjectStoreExt as _;

use super::{DataFile, LakeError, Snapshot, TableSpec};

mod commit;
mod create;
mod entries;
mod upkeep;
mod write;

pub use commit::Change;
use create::{check_columns, create};
pub use write::{LooseFiles, NewFiles, Writer};

/// A table of the lake, open for reading and writing.
#[derive(Debug)]
pub struct Table {
    spec: TableSpec,
    table: DeltaTable,
    schema: SchemaRef,
    /// Positions asked for or moved, as they stand at this handle's version; `None` = never moved.
    known: BTreeMap<String, Option<i64>>,
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
}

/// Whether a file may hold more than `value` in an integer column, by its statistics; a column of NULLs has no greatest value.
fn exceeds(statistics: &str, column: &str, value: i64) -> bool {
    let Ok(said) = serde_json::from_str::<serde_json::Value>(statistics) else { return true };
    let all_null = || said["nullCount"][column].as_u64().zip(said["numRecords"].as_u64()).is_some_and(|(nulls, rows)| nulls == rows);
    said["maxValues"][column].as_i64().map_or_else(|| !all_null(), |greatest| greatest > value)
}

fn arrow_schema(table: &DeltaTable) -> Result<SchemaRef, DeltaTableError> {
    let schema: Schema = (&table.snapshot()?.metadata().parse_schema()?).try_into_arrow()?;
    Ok(Arc::new(schema))
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
