//! The one DataFusion world: every table, view and function of the surface, pinned at one cut.
//!
//! A [`World`] never changes: all tables in it stand at versions that cover the same offsets, so a query joining `events` and
//! `cells` cannot see half a commit (G7). [`Worlds`] follows the writer and hands out the newest world; a statement keeps the one
//! it was planned in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use datafusion::catalog::{CatalogProvider, MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::ScalarUDF;
use datafusion::prelude::{DataFrame, SQLOptions, SessionConfig, SessionContext};

use crate::cells;
use crate::cut::Cut;
use crate::detectors;
use crate::grid_store::GridStore;
use crate::jobs::results::{JobTables, ResultTable};
use crate::lake::LakeError;
use crate::lake::delta::Table;
use crate::lake::scan::PinnedTable;
use crate::records;

mod answering;
mod calendar;
mod completeness;
mod locating;
mod named_arguments;
pub mod past;
pub mod syntax;
mod system;
mod views;
mod why;

/// Name of the database and of its default schema.
pub const CATALOG: &str = "gridwatch";
const SCHEMA: &str = "public";

/// What went wrong while opening the lake for reading.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The lake.
    #[error("could not open the lake for reading")]
    Lake(#[from] LakeError),
    /// The grids or the cut.
    #[error("could not read \"{path}\"")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A table or view could not be set up.
    #[error("could not set up the tables of the session")]
    Setup(#[from] DataFusionError),
}

/// What a session is made with, besides the lake.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// The city's time zone: where days begin.
    pub time_zone: String,
    /// Most bytes a query may hold in memory before it spills or fails.
    pub memory_bytes: usize,
    /// Threads a query runs on.
    pub threads: usize,
    /// Functions from outside this crate (the mapping helpers), registered as they are.
    pub scalar_functions: Vec<Arc<ScalarUDF>>,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self { time_zone: "Asia/Shanghai".into(), memory_bytes: 1024 * 1024 * 1024, threads: 2, scalar_functions: Vec::new() }
    }
}

/// The tables, views and functions at one cut.
pub struct World {
    /// Runs SQL.
    pub session: SessionContext,
    /// What it is pinned at.
    pub cut: Cut,
    /// The grids.
    pub grids: Arc<GridSet>,
}

impl World {
    /// The rows of one statement that only reads; an answer without rows still has its columns.
    ///
    /// # Errors
    /// The statement is not understood, writes, or fails.
    pub async fn query(&self, statement: &str) -> Result<Vec<RecordBatch>, DataFusionError> {
        let frame = self.frame(statement).await?;
        let columns = Arc::clone(frame.schema().inner());
        let rows = frame.collect().await?;
        Ok(if rows.is_empty() { vec![RecordBatch::new_empty(columns)] } else { rows })
    }

    /// One statement that only reads, planned and not yet run. The SQL is that of [`syntax`].
    ///
    /// # Errors
    /// The statement is not understood or writes.
    pub async fn frame(&self, statement: &str) -> Result<DataFrame, DataFusionError> {
        let state = self.session.state();
        let dialect = state.config_options().sql_parser.dialect;
        let mut statement = state.sql_to_statement(statement, &dialect)?;
        syntax::complete(&mut statement)?;
        let plan = state.statement_to_plan(statement).await?;
        SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false).verify_plan(&plan)?;
        self.session.execute_logical_plan(plan).await
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("cut", &self.cut).finish_non_exhaustive()
    }
}

/// Follows a lake and makes worlds of its cuts.
#[derive(Debug)]
pub struct Worlds {
    lake: PathBuf,
    settings: SessionSettings,
    /// Shared by all worlds: one bound on memory, and what is known of files outlives a cut.
    runtime: Arc<RuntimeEnv>,
    records: Table,
    cells: Table,
    jobs: JobTables,
    grids: GridStore,
    newest: Option<Arc<World>>,
}

impl Worlds {
    /// Opens the lake of a data folder; its tables are made where there are none, so that a new lake can be queried.
    ///
    /// # Errors
    /// The lake cannot be opened.
    pub async fn open(lake: &Path, settings: SessionSettings) -> Result<Self, SessionError> {
        std::fs::create_dir_all(lake).map_err(|source| SessionError::File { path: lake.to_owned(), source })?;
        let records = Table::open(records::spec(lake)).await?;
        let cells = Table::open(cells::spec(lake)).await?;
        let grids = GridStore::open(lake).map_err(|source| SessionError::File { path: lake.to_owned(), source })?;
        let runtime = runtime(&settings)?;
        Ok(Self { lake: lake.to_owned(), settings, runtime, records, cells, jobs: JobTables::open(lake), grids, newest: None })
    }

    /// The newest world. The same one as before while nothing was committed.
    ///
    /// # Errors
    /// The lake cannot be read.
    pub async fn newest(&mut self) -> Result<Arc<World>, SessionError> {
        let file = |source| SessionError::File { path: self.lake.join("cut.json"), source };
        let cut = Cut::read(&self.lake).map_err(file)?.unwrap_or_default();
        let grids = self.grids.refresh().map_err(file)?;
        let jobs_changed = self.jobs.refresh().await?;
        if let Some(world) = &self.newest
            && world.cut == cut
            && !jobs_changed
            && world.grids.version() == grids.version()
        {
            return Ok(Arc::clone(world));
        }
        self.records.refresh(Some(cut.records)).await?;
        self.cells.refresh(Some(cut.cells)).await?;
        let world = Arc::new(self.build(cut, grids).await?);
        self.newest = Some(Arc::clone(&world));
        Ok(world)
    }

    async fn build(&self, cut: Cut, grids: Arc<GridSet>) -> Result<World, SessionError> {
        let session = with_functions(&self.settings, Arc::clone(&self.runtime))?;
        locating::register(&session, &grids);
        session.register_table("records", Arc::new(PinnedTable::new(self.records.snapshot()?, Some("occurred_at"))))?;
        session.register_table("cell_parts", Arc::new(PinnedTable::new(self.cells.snapshot()?, Some("hour"))))?;
        session.register_batch("grids", locating::with_finest(&grids)?)?;
        let revised = self.records.may_exceed("revision", 0)?;
        views::create(&session, revised).await?;
        let catalog = session.catalog(CATALOG).expect("the default catalog is made with the session");
        register_jobs(catalog.as_ref(), &self.jobs)?;
        catalog.register_schema("system", system::schema(&cut, &self.jobs, &self.lake)?)?;
        views::create_system(&session).await?;
        Ok(World { session, cut, grids })
    }
}

/// A session with the catalog, the limits, the settings of the detectors and every function that needs no lake: what the cases of a
/// job's folder run in.
///
/// # Errors
/// The settings name an unknown time zone.
pub fn without_tables(settings: &SessionSettings) -> Result<SessionContext, DataFusionError> {
    with_functions(settings, runtime(settings)?)
}

fn with_functions(settings: &SessionSettings, runtime: Arc<RuntimeEnv>) -> Result<SessionContext, DataFusionError> {
    let mut session = empty(settings, runtime);
    functions::register(&mut session)?;
    for function in &settings.scalar_functions {
        session.register_udf(ScalarUDF::clone(function));
    }
    session.register_udf(calendar::local_day(&settings.time_zone)?);
    session.register_batch("detector_settings", detectors::table()?)?;
    completeness::register(&session);
    why::register(&session);
    Ok(session)
}

/// A session with the catalog and limits, and nothing in it.
fn empty(settings: &SessionSettings, runtime: Arc<RuntimeEnv>) -> SessionContext {
    let mut config = SessionConfig::new()
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(true)
        .with_information_schema(true)
        .with_target_partitions(settings.threads);
    let options = config.options_mut();
    options.execution.time_zone = Some(settings.time_zone.clone());
    options.execution.parquet.pushdown_filters = true;
    options.execution.enable_recursive_ctes = false;
    // Counting rows of 1,000 small files needs their footers once, not once a query.
    options.execution.parquet.metadata_size_hint = Some(64 * 1024);
    SessionContext::new_with_config_rt(config, runtime)
}

fn runtime(settings: &SessionSettings) -> Result<Arc<RuntimeEnv>, DataFusionError> {
    RuntimeEnvBuilder::new().with_memory_limit(settings.memory_bytes, 1.0).build_arc()
}

fn register_jobs(catalog: &dyn CatalogProvider, jobs: &JobTables) -> Result<(), SessionError> {
    let (newest, history) = (MemorySchemaProvider::new(), MemorySchemaProvider::new());
    for (name, results) in jobs.results() {
        let ResultTable { latest, all } = results?;
        newest.register_table(name.clone(), Arc::new(PinnedTable::new(latest, None)))?;
        history.register_table(name, Arc::new(PinnedTable::new(all, None)))?;
    }
    catalog.register_schema("jobs", Arc::new(newest))?;
    catalog.register_schema("jobs_history", Arc::new(history))?;
    Ok(())
}

/// An instant as a SQL literal.
pub fn sql_instant(at: DateTime<Utc>) -> String {
    format!("arrow_cast('{}', 'Timestamp(Microsecond, Some(\"UTC\"))')", at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true))
}

fn memory_table(batch: RecordBatch) -> Result<Arc<MemTable>, DataFusionError> {
    MemTable::try_new(batch.schema(), vec![vec![batch]]).map(Arc::new)
}
