//! The rows jobs left: one Delta table a job, one run a partition. `jobs.<job>` is the newest run, `jobs_history.<job>` all.
//!
//! A run replaces the one before it in the same commit, except where a period of history begins: of each period of event time
//! one run stays. So a job that runs every second keeps one result an hour, and readers never see a run half written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};

use crate::lake::delta::{Change, Table};
use crate::lake::{LakeError, Snapshot, TableSpec};
use crate::session::SessionError;

/// Partition column: one value a run, newest last in text order.
const RUN: &str = "run";
/// Position: number of the newest run, which may have no rows and then no file.
const NEWEST: &str = "run";
/// Most runs kept: with one an hour, more than a year.
const RUNS_MAX: usize = 10_000;

/// A job's results as tables.
#[derive(Debug)]
pub struct ResultTable {
    /// The newest run.
    pub latest: Snapshot,
    /// Every run kept.
    pub all: Snapshot,
}

fn folder(lake: &Path) -> PathBuf {
    lake.join("jobs")
}

fn spec(lake: &Path, job: &str, schema: SchemaRef) -> TableSpec {
    TableSpec {
        name: format!("jobs.{job}"),
        root: folder(lake).join(job),
        schema,
        partition_columns: vec![RUN.to_owned()],
        bounded_columns: vec!["as_of".to_owned()],
        written: Vec::new(),
        comment: format!("Results of job {job}, one partition a run / 任务 {job} 的结果"),
    }
}

/// A job's table, open for writing.
#[derive(Debug)]
pub struct ResultWriter {
    table: Table,
    lake: PathBuf,
    job: String,
    last: Option<(i64, DateTime<Utc>)>,
}

impl ResultWriter {
    /// Opens the table for rows of `schema`. Where a changed query gives other columns, the former table is set aside under a
    /// name of its own and a new one begins.
    ///
    /// # Errors
    /// The store fails.
    pub async fn open(lake: &Path, job: &str, schema: &SchemaRef) -> Result<Self, LakeError> {
        let schema = with_run(schema);
        let table = match Table::open(spec(lake, job, Arc::clone(&schema))).await {
            Err(LakeError::SchemaDiffers { .. }) => {
                set_aside(lake, job)?;
                Table::open(spec(lake, job, schema)).await?
            }
            other => other?,
        };
        let mut writer = Self { table, lake: lake.to_owned(), job: job.to_owned(), last: None };
        if let Some(run) = writer.table.position(NEWEST).await? {
            let at = newest_file(&writer.table.snapshot()?, run).and_then(|run| as_of_of(&run));
            writer.last = Some((run, at.unwrap_or_default()));
        }
        Ok(writer)
    }

    /// Whether rows of `schema` fit this table.
    pub fn fits(&self, schema: &SchemaRef) -> bool {
        let columns =
            |schema: &Schema| schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>();
        columns(&with_run(schema)) == columns(self.table.schema())
    }

    /// Commits a run: its rows come, the run before goes unless it begins a period of `history`.
    ///
    /// # Errors
    /// The store fails; the former run then stands.
    pub async fn commit(&mut self, rows: &[RecordBatch], as_of: DateTime<Utc>, history: Duration) -> Result<(), LakeError> {
        let number = self.last.map_or(1, |(number, _)| number + 1);
        let run = format!("{number:012}_{}", as_of.format("%Y%m%dT%H%M%S%6fZ"));
        let snapshot = self.table.snapshot()?;
        let remove = self.superseded(&snapshot, as_of, history);
        let rows = rows.iter().filter(|batch| batch.num_rows() > 0).map(|batch| labelled(batch, &run, self.table.schema())).collect();
        let positions = [(NEWEST.to_owned(), number)].into();
        self.table.commit(Change { rows, remove, positions, ..Change::default() }).await?;
        self.last = Some((number, as_of));
        tracing::debug!(job = self.job, lake = %self.lake.display(), number, "committed a run");
        Ok(())
    }

    fn superseded(&self, snapshot: &Snapshot, as_of: DateTime<Utc>, history: Duration) -> Vec<crate::lake::DataFile> {
        let Some((number, before)) = self.last else { return Vec::new() };
        let period = |at: DateTime<Utc>| at.timestamp().div_euclid(i64::try_from(history.as_secs().max(1)).unwrap_or(i64::MAX));
        let mut gone = Vec::new();
        if period(before) == period(as_of) {
            gone.extend(snapshot.files.iter().filter(|file| run_number(file) == Some(number)).cloned());
        }
        let mut runs: Vec<i64> = snapshot.files.iter().filter_map(run_number).collect();
        runs.sort_unstable();
        runs.dedup();
        let oldest = runs.len().saturating_sub(RUNS_MAX);
        if let Some(first_kept) = runs.get(oldest).filter(|_| oldest > 0) {
            gone.extend(snapshot.files.iter().filter(|file| run_number(file).is_some_and(|run| run < *first_kept)).cloned());
        }
        gone
    }
}

fn run_number(file: &crate::lake::DataFile) -> Option<i64> {
    file.partition.first()?.as_deref()?.split('_').next()?.parse().ok()
}

fn newest_file(snapshot: &Snapshot, run: i64) -> Option<String> {
    snapshot.files.iter().find(|file| run_number(file) == Some(run)).and_then(|file| file.partition.first().cloned().flatten())
}

fn as_of_of(run: &str) -> Option<DateTime<Utc>> {
    let stamp = run.split('_').nth(1)?;
    chrono::NaiveDateTime::parse_from_str(stamp, "%Y%m%dT%H%M%S%6fZ").ok().map(|at| at.and_utc())
}

fn with_run(schema: &SchemaRef) -> SchemaRef {
    // Nullability of a query's columns may differ from run to run; the table takes all of them as nullable.
    let nullable = schema.fields().iter().map(|field| Arc::new(Field::new(field.name(), stored(field.data_type()), true)));
    Arc::new(Schema::new(nullable.chain([Arc::new(Field::new(RUN, DataType::Utf8, false))]).collect::<Vec<_>>()))
}

/// The type a column is stored as: Delta knows no views, dictionaries, unsigned or nanosecond types.
fn stored(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(_, _) | DataType::Null => DataType::Utf8,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Timestamp(_, _) => contract::schema::time_type(),
        other => other.clone(),
    }
}

fn labelled(batch: &RecordBatch, run: &str, schema: &SchemaRef) -> RecordBatch {
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        Some(column) => arrow::compute::cast(column, field.data_type()).expect("stored types are chosen so that every query column casts"),
        None => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(run, batch.num_rows()))) as ArrayRef,
    });
    RecordBatch::try_new(Arc::clone(schema), columns.collect()).expect("columns were cast to the table's types")
}

fn set_aside(lake: &Path, job: &str) -> Result<(), LakeError> {
    let from = folder(lake).join(job);
    let aside =
        (1..).map(|number| folder(lake).join(format!("{job}.former-{number}"))).find(|path| !path.exists()).expect("some number is free");
    tracing::warn!(job, to = %aside.display(), "the job's columns changed; its former results are set aside");
    std::fs::rename(&from, &aside).map_err(|source| LakeError::Store {
        action: "set aside",
        table: job.to_owned(),
        path: from.display().to_string(),
        source: Box::new(source),
    })
}

/// Every job's results, open for reading.
#[derive(Debug)]
pub struct JobTables {
    lake: PathBuf,
    tables: BTreeMap<String, (Table, Option<i64>)>,
}

impl JobTables {
    /// The results in a lake, found at [`JobTables::refresh`].
    pub fn open(lake: &Path) -> Self {
        Self { lake: lake.to_owned(), tables: BTreeMap::new() }
    }

    /// Takes up new runs and new jobs; answers whether there were any.
    ///
    /// # Errors
    /// The store fails.
    pub async fn refresh(&mut self) -> Result<bool, LakeError> {
        let mut changed = false;
        for job in job_folders(&self.lake) {
            let before = self.tables.get(&job).map(|(table, _)| table.version());
            if before.is_none() {
                let Some(table) = open_as_stored(&self.lake, &job).await? else { continue };
                self.tables.insert(job.clone(), (table, None));
            }
            let (table, newest) = self.tables.get_mut(&job).expect("inserted above where absent");
            table.refresh(None).await?;
            if before != Some(table.version()) {
                *newest = table.position(NEWEST).await?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Name and rows of each job that ever ran.
    pub fn results(&self) -> impl Iterator<Item = (String, Result<ResultTable, SessionError>)> {
        self.tables.iter().map(|(job, (table, newest))| {
            let tables = table.snapshot().map_err(SessionError::from).map(|all| {
                let latest = all.files.iter().filter(|file| newest.is_some() && run_number(file) == *newest).cloned().collect();
                ResultTable { latest: Snapshot { files: latest, ..all.clone() }, all }
            });
            (job.clone(), tables)
        })
    }

    /// `system.jobs`: the last run of each job.
    ///
    /// # Errors
    /// A table's files cannot be listed.
    pub fn describe(&self) -> datafusion::error::Result<RecordBatch> {
        let mut rows: Vec<(String, i64, Option<DateTime<Utc>>, i64)> = Vec::new();
        for (job, (table, newest)) in &self.tables {
            let snapshot = table.snapshot().map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
            let run = newest.unwrap_or_default();
            let count: u64 = snapshot.files.iter().filter(|file| run_number(file) == Some(run)).filter_map(|file| file.rows).sum();
            rows.push((job.clone(), run, newest_file(&snapshot, run).and_then(|run| as_of_of(&run)), count.cast_signed()));
        }
        let as_of =
            TimestampMicrosecondArray::from_iter(rows.iter().map(|(_, _, at, _)| at.map(|at| at.timestamp_micros()))).with_timezone("UTC");
        Ok(RecordBatch::try_from_iter([
            ("job", Arc::new(StringArray::from_iter_values(rows.iter().map(|(job, _, _, _)| job))) as ArrayRef),
            ("runs", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, run, _, _)| *run)))),
            ("as_of", Arc::new(as_of)),
            ("rows", Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, _, _, count)| *count)))),
        ])?)
    }
}

/// The tables of all jobs, for upkeep.
///
/// # Errors
/// The store fails.
pub async fn tables(lake: &Path) -> Result<Vec<Table>, LakeError> {
    let mut tables = Vec::new();
    for job in job_folders(lake) {
        tables.extend(open_as_stored(lake, &job).await?);
    }
    Ok(tables)
}

async fn open_as_stored(lake: &Path, job: &str) -> Result<Option<Table>, LakeError> {
    let spec = spec(lake, job, Arc::new(Schema::empty()));
    Table::open_as_stored(spec).await
}

fn job_folders(lake: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder(lake)).into_iter().flatten().flatten();
    let mut jobs: Vec<String> =
        entries.filter(|entry| entry.path().join("_delta_log").is_dir()).filter_map(|entry| entry.file_name().into_string().ok()).collect();
    jobs.retain(|job| !job.contains(".former-"));
    jobs.sort();
    jobs
}
