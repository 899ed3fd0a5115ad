//! The role `analyze`: consuming, jobs and upkeep, side by side in one process, each stopping the whole when it cannot go on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use contract::clock::Clock;
use contract::log::{EventLog, every_partition};
use contract::{Offsets, topic};
use tokio::sync::watch;

use crate::cells;
use crate::consume::{ConsumeError, Consumer, Turn};
use crate::cut::Cut;
use crate::jobs::run::Scheduler;
use crate::jobs::{Job, results};
use crate::lake::LakeError;
use crate::lake::compact::{self, Merge};
use crate::lake::delta::Table;
use crate::metrics::{Metrics, chain};
use crate::records;
use crate::session::{SessionError, SessionSettings, Worlds};

/// How rows of `records` lie in a compacted file: by time, so that a query for a day opens few row groups.
const RECORDS_MERGE: Merge = Merge::Keep { order: "occurred_at, log_topic, log_partition, log_offset" };
/// How parts of `cells` become one.
const CELLS_MERGE: Merge = Merge::Sum { keys: "hour, source, kind, grid_id, category, month", sums: "events, voices" };
/// Pause between rounds of upkeep: with a commit a second, two rounds per due compaction.
const UPKEEP_PAUSE: Duration = Duration::from_secs(15);
/// Pause before the first round: who came back has caught up by then, and a leader of a few seconds leaves the lake in order, too. Where
/// members come and go, no leader might live for a longer pause, and the files would become ever more.
const UPKEEP_FIRST: Duration = Duration::from_secs(5);
/// Pause between looks for files no version needs any more.
const VACUUM_PAUSE: Duration = Duration::from_secs(60 * 60);
/// How long what left a table stays on disk: the longest a reader, ours or another program, may hold on to a version.
pub const OLD_VERSIONS_KEPT: TimeDelta = TimeDelta::hours(2);
/// Pause between applications of the log's retention, which counts in hours.
const RETENTION_PAUSE: Duration = Duration::from_secs(60);
/// Pause between measurements of lag and balance: a scrape interval's third.
const MEASURE_PAUSE: Duration = Duration::from_secs(5);

/// What the role needs.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Where the lake stands.
    pub lake: PathBuf,
    /// Pause between commits while events come.
    pub commit_interval: Duration,
    /// How jobs read.
    pub session: SessionSettings,
}

/// What went wrong in the role.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Consuming.
    #[error("consuming stopped")]
    Consume(#[from] ConsumeError),
    /// Reading for jobs.
    #[error("jobs could not start")]
    Session(#[from] SessionError),
    /// Upkeep.
    #[error("upkeep could not start")]
    Lake(#[from] LakeError),
}

/// Runs the role until `stop` turns true: what the log holds then is committed before it answers.
///
/// # Errors
/// Consuming cannot go on. Failures of jobs and upkeep are logged and counted, and tried again.
pub async fn run(
    log: Arc<dyn EventLog>,
    settings: EngineSettings,
    jobs: Vec<Job>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
    mut heard: impl FnMut(&Turn),
) -> Result<(), EngineError> {
    let mut consumer = Consumer::open(Arc::clone(&log), &settings.lake, Arc::clone(&clock)).await?;
    let worlds = Worlds::open(&settings.lake, settings.session.clone()).await?;
    let mut scheduler = Scheduler::new(worlds, &settings.lake, Arc::clone(&clock), metrics.clone(), jobs).publishing(Arc::clone(&log));
    let committed = Arc::new(Mutex::new(consumer.offsets().clone()));
    let upkeep = tokio::spawn(upkeep(settings.lake.clone(), stopped(stop.clone())));
    let measure =
        tokio::spawn(measure(Arc::clone(&log), settings.lake.clone(), Arc::clone(&committed), metrics.clone(), stopped(stop.clone())));
    let retention = tokio::spawn(retention(Arc::clone(&log), Arc::clone(&clock), Arc::clone(&committed), stopped(stop.clone())));
    let schedule = tokio::spawn({
        let stop = stop.clone();
        async move { scheduler.run(stopped(stop)).await }
    });
    let on_turn = |turn: &Turn| {
        metrics.turn_committed(turn);
        *committed.lock().unwrap_or_else(PoisonError::into_inner) = offsets_of(&turn.cut);
        heard(turn);
    };
    let consumed = consumer.run(settings.commit_interval, stopped(stop), on_turn).await;
    for task in [upkeep, measure, retention, schedule] {
        task.abort();
        // Aborted or done: either way it no longer holds the lake.
        drop(task.await);
    }
    Ok(consumed?)
}

pub(crate) fn offsets_of(cut: &Cut) -> Offsets {
    cut.offsets.iter().filter_map(|(name, next)| name.parse().ok().map(|partition| (partition, *next))).collect()
}

pub(crate) async fn stopped(mut stop: watch::Receiver<bool>) {
    // A dropped sender is a stop too.
    drop(stop.wait_for(|stop| *stop).await);
}

pub(crate) async fn upkeep(lake: PathBuf, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    let (mut vacuumed, mut rest) = (Instant::now(), UPKEEP_FIRST);
    loop {
        tokio::select! {
            () = &mut stop => return,
            () = pause(rest) => rest = UPKEEP_PAUSE,
        }
        let mut done = upkeep_once(&lake, OLD_VERSIONS_KEPT).await;
        if done.is_ok() && vacuumed.elapsed() >= VACUUM_PAUSE {
            vacuumed = Instant::now();
            done = vacuum_once(&lake, OLD_VERSIONS_KEPT).await;
        }
        if let Err(error) = done {
            tracing::warn!(error = %chain(&error), "upkeep of the lake did not finish; trying again later");
        }
    }
}

/// Applies the log's retention, to records the lake holds.
async fn retention(log: Arc<dyn EventLog>, clock: Arc<dyn Clock>, committed: Arc<Mutex<Offsets>>, stop: impl Future<Output = ()>) {
    tokio::pin!(stop);
    loop {
        let in_lake = committed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match log.retain(clock.now().timestamp_micros(), &in_lake).await {
            Ok(0) => {}
            Ok(records) => tracing::info!(records, "removed records from the log that are past its retention; the lake keeps them"),
            Err(error) => tracing::warn!(error = %chain(&error), "could not apply the log's retention; trying again later"),
        }
        tokio::select! {
            () = &mut stop => return,
            () = pause(RETENTION_PAUSE) => {}
        }
    }
}

async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Compacts the tables and writes the checkpoints that are due; entries of their logs older than `kept` go.
///
/// # Errors
/// The store fails, or another writer came between; the tables are unharmed.
pub async fn upkeep_once(lake: &Path, kept: TimeDelta) -> Result<(), LakeError> {
    for (spec, merge) in [(records::spec(lake), RECORDS_MERGE), (cells::spec(lake), CELLS_MERGE)] {
        let name = spec.name.clone();
        let mut table = Table::open(spec).await?;
        let removed = compact::run(&mut table, merge).await?;
        table.checkpoint_if_due(kept).await?;
        if removed > 0 {
            tracing::info!(table = name, files = removed, version = table.version(), "merged small files");
        }
    }
    for mut table in results::tables(lake).await? {
        table.checkpoint_if_due(kept).await?;
    }
    Ok(())
}

/// Removes files that left the tables longer than `kept` ago.
///
/// # Errors
/// The store fails; the tables are unharmed.
pub async fn vacuum_once(lake: &Path, kept: TimeDelta) -> Result<(), LakeError> {
    let mut tables = vec![Table::open(records::spec(lake)).await?, Table::open(cells::spec(lake)).await?];
    tables.extend(results::tables(lake).await?);
    let mut removed = 0;
    for table in &mut tables {
        removed += table.vacuum(kept).await?;
    }
    if removed > 0 {
        tracing::info!(files = removed, "removed files no version kept needs");
    }
    Ok(())
}

pub(crate) async fn measure(
    log: Arc<dyn EventLog>,
    lake: PathBuf,
    committed: Arc<Mutex<Offsets>>,
    metrics: Metrics,
    stop: impl Future<Output = ()>,
) {
    tokio::pin!(stop);
    loop {
        let standing = committed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Ok(ends) = ends(log.as_ref()).await {
            metrics.lag_measured(&ends, &standing);
        }
        match balance(&lake).await {
            Ok(difference) => metrics.balance_taken(difference),
            Err(error) => tracing::warn!(error = %chain(error.as_ref()), "could not take the balance of log and lake"),
        }
        tokio::select! {
            () = &mut stop => return,
            () = pause(MEASURE_PAUSE) => {}
        }
    }
}

async fn ends(log: &dyn EventLog) -> Result<Offsets, contract::log::LogError> {
    let mut ends = Offsets::default();
    for partition in every_partition(log, &topic::ALL).await? {
        let (_, end) = log.watermarks(&partition.topic, partition.partition).await?;
        ends.advance(partition, end);
    }
    Ok(ends)
}

/// Records up to the offsets of the published cut minus rows of `records` at that cut.
async fn balance(lake: &Path) -> Result<i64, Box<dyn std::error::Error + Send + Sync>> {
    let Some(cut) = Cut::read(lake)? else { return Ok(0) };
    let mut records = Table::open(records::spec(lake)).await?;
    records.refresh(Some(cut.records)).await?;
    let rows: u64 = records.snapshot()?.files.iter().filter_map(|file| file.rows).sum();
    Ok((cut.offsets.values().sum::<u64>() - cut.skipped).cast_signed() - rows.cast_signed())
}
