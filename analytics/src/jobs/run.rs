//! Running jobs: one query at one cut, its rows to the job's table and its gauges.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use contract::clock::Clock;
use contract::log::EventLog;
use contract::schema::time_type;
use datafusion::error::DataFusionError;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::due::{LastRun, rest_behind};
use super::gauges::Gauges;
use super::publish::{Publication, PublishError};
use super::results::ResultWriter;
use super::{Job, JobError};
use crate::cut::Cut;
use crate::lake::LakeError;
use crate::metrics::Metrics;
use crate::session::{SessionError, World, Worlds};

/// Most rows a job may answer: beyond it is a dump of events, not a metric.
const ROWS_MAX: usize = 1_000_000;

/// Longest rest of all jobs after a run, which is as long as the run was: fourteen in a row would be seconds in which little else is done,
/// and after one that searches for many seconds the others have waited enough.
const REST_MAX: Duration = Duration::from_secs(2);

/// What went wrong while running a job.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its folder.
    #[error("job is not understood")]
    Job(#[from] JobError),
    /// The lake could not be opened.
    #[error("could not open the lake")]
    Session(#[from] SessionError),
    /// Its query failed.
    #[error("query of job \"{job}\" failed")]
    Query {
        /// The job.
        job: String,
        /// The cause.
        #[source]
        source: Box<DataFusionError>,
    },
    /// It answers more rows than a metric may.
    #[error("job \"{job}\" answered {rows} rows, at most {ROWS_MAX}")]
    TooManyRows {
        /// The job.
        job: String,
        /// How many.
        rows: usize,
    },
    /// Its rows could not be kept.
    #[error("could not keep the rows of job \"{job}\"")]
    Keep {
        /// The job.
        job: String,
        /// The cause.
        #[source]
        source: LakeError,
    },
    /// Its rows are kept, and could not be published.
    #[error("could not publish the rows of job \"{job}\" to topic \"{topic}\"; they are kept, and published with its next run")]
    Publish {
        /// The job.
        job: String,
        /// The topic.
        topic: String,
        /// The cause.
        #[source]
        source: PublishError,
    },
}

/// Rows of one run, with `as_of` and `table_version` on each.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Their columns.
    pub schema: SchemaRef,
    /// The rows.
    pub rows: Vec<RecordBatch>,
    /// The city's clock of the run.
    pub as_of: DateTime<Utc>,
}

/// Runs a job's query in a world, as of `as_of`; `now` is the wall clock, for what silence means.
///
/// # Errors
/// The query fails or answers too much.
pub async fn answer(job: &Job, world: &World, as_of: DateTime<Utc>, now: DateTime<Utc>) -> Result<Answer, RunError> {
    let failed = |source| RunError::Query { job: job.name.clone(), source: Box::new(source) };
    let frame = world.frame(&job.statement(as_of, now)).await.map_err(failed)?;
    // The columns as they will come: before planning, a NULL without a type beside a text still counts as a NULL.
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(failed)?;
    let columns = plan.schema();
    let rows = datafusion::physical_plan::collect(plan, task).await.map_err(failed)?;
    let count = rows.iter().map(RecordBatch::num_rows).sum::<usize>();
    if count > ROWS_MAX {
        return Err(RunError::TooManyRows { job: job.name.clone(), rows: count });
    }
    let schema = stamped_schema(&columns);
    let rows = rows.iter().map(|batch| stamp(batch, &schema, as_of, world.cut.records)).collect();
    Ok(Answer { schema, rows, as_of })
}

fn stamped_schema(columns: &Schema) -> SchemaRef {
    let stamps = [Field::new("as_of", time_type(), false), Field::new("table_version", DataType::Int64, false)];
    Arc::new(Schema::new(stamps.into_iter().map(Arc::new).chain(columns.fields().iter().cloned()).collect::<Vec<_>>()))
}

fn stamp(batch: &RecordBatch, schema: &SchemaRef, as_of: DateTime<Utc>, version: u64) -> RecordBatch {
    let rows = batch.num_rows();
    let as_of = TimestampMicrosecondArray::from_iter_values(std::iter::repeat_n(as_of.timestamp_micros(), rows)).with_timezone("UTC");
    let version = Int64Array::from_iter_values(std::iter::repeat_n(version.cast_signed(), rows));
    let stamps: [ArrayRef; 2] = [Arc::new(as_of), Arc::new(version)];
    RecordBatch::try_new(Arc::clone(schema), stamps.into_iter().chain(batch.columns().iter().cloned()).collect())
        .expect("a query's batches have its own columns")
}

#[derive(Debug)]
struct Scheduled {
    job: Job,
    gauges: Gauges,
    writer: Option<ResultWriter>,
    publication: Option<Publication>,
    last: LastRun,
}

/// Runs every job on its schedule.
#[derive(Debug)]
pub struct Scheduler {
    worlds: Worlds,
    lake: PathBuf,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    jobs: Vec<Scheduled>,
    log: Option<Arc<dyn EventLog>>,
    /// Whether the stream is behind, where somebody says so.
    behind: Option<watch::Receiver<bool>>,
}

impl Scheduler {
    /// Over these jobs; their gauges are registered in `metrics`.
    pub fn new(worlds: Worlds, lake: &Path, clock: Arc<dyn Clock>, metrics: Metrics, jobs: Vec<Job>) -> Self {
        let scheduled =
            |job: Job| Scheduled { gauges: metrics.register_job(&job), job, writer: None, publication: None, last: LastRun::default() };
        let jobs = jobs.into_iter().map(scheduled).collect();
        Self { worlds, lake: lake.to_owned(), clock, metrics, jobs, log: None, behind: None }
    }

    /// The same, which also publishes the rows of jobs with a topic into `log`, where that keeps newest values.
    #[must_use]
    pub fn publishing(mut self, log: Arc<dyn EventLog>) -> Self {
        for scheduled in &mut self.jobs {
            let Some(publication) = Publication::of(&scheduled.job) else { continue };
            if log.keeps_latest() {
                scheduled.publication = Some(publication);
            } else {
                let (job, topic) = (&scheduled.job.name, publication.topic());
                tracing::warn!(job, topic, "the job's rows are not published: publish_topic needs a log on Kafka");
            }
        }
        self.log = Some(log);
        self
    }

    /// The same, which leaves the machine to the stream while that is behind: then jobs run in less than a tenth of the time, and ten
    /// seconds lie between them at least.
    #[must_use]
    pub fn yielding(mut self, behind: watch::Receiver<bool>) -> Self {
        self.behind = Some(behind);
        self
    }

    /// Runs what is due until `stop` resolves. A job that fails is logged, counted and tried again at its next time, or later
    /// where it took long; the others go on.
    pub async fn run(&mut self, stop: impl Future<Output = ()>) {
        // A quarter of the shortest schedule a job can have, so a job starts at most that much late.
        let mut ticks = tokio::time::interval(Duration::from_millis(250));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(stop);
        let mut took = Duration::ZERO;
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = ticks.tick() => {}
            }
            loop {
                tokio::select! {
                    () = &mut stop => return,
                    () = self.give_way(took) => {}
                }
                let began = Instant::now();
                took = match self.most_overdue() {
                    Ok(None) => break,
                    Ok(Some(index)) => {
                        self.attempt(index).await;
                        began.elapsed()
                    }
                    Err(error) => {
                        tracing::warn!(%error, "could not read the cut; jobs wait");
                        REST_MAX
                    }
                };
                tokio::select! {
                    () = &mut stop => return,
                    () = sleep(took.min(REST_MAX)) => {}
                }
            }
        }
    }

    /// Rests while the stream is behind, by what the last run took.
    async fn give_way(&mut self, took: Duration) {
        if let Some(behind) = &mut self.behind {
            caught_up(behind, rest_behind(took)).await;
        }
    }

    /// Ends every series: another process runs the jobs from here on.
    pub fn fall_silent(&mut self) {
        for scheduled in &mut self.jobs {
            scheduled.gauges.clear();
            scheduled.last = LastRun::default();
        }
    }

    async fn attempt(&mut self, index: usize) {
        let now = self.clock.now();
        if let Err(error) = self.run_one(index, now).await {
            let took = (self.clock.now() - now).to_std().unwrap_or_default();
            let scheduled = &mut self.jobs[index];
            scheduled.last.failed(now, took);
            self.metrics.job_failed(&scheduled.job.name, &error);
        }
    }

    /// Runs every job once, whatever its schedule.
    ///
    /// # Errors
    /// The first job that fails.
    pub async fn run_all(&mut self) -> Result<(), RunError> {
        for index in 0..self.jobs.len() {
            self.run_one(index, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Of the jobs that are due the one that has waited longest by its own schedule, so that those of every second go before those of
    /// every hour and none waits for ever. By the clock and the published cut alone: a world is made only for a job that runs.
    fn most_overdue(&self) -> std::io::Result<Option<usize>> {
        let (now, cut) = (self.clock.now(), Cut::read(&self.lake)?.unwrap_or_default());
        let Some(as_of) = cut.as_of() else { return Ok(None) };
        let overdue = |(index, scheduled): (usize, &Scheduled)| {
            Some((scheduled.last.overdue(&scheduled.job.definition, now, (as_of, cut.records))?, index))
        };
        let most = self.jobs.iter().enumerate().filter_map(overdue).max_by(|one, other| one.0.total_cmp(&other.0));
        Ok(most.map(|(_, index)| index))
    }

    async fn run_one(&mut self, index: usize, now: DateTime<Utc>) -> Result<(), RunError> {
        let world = self.worlds.newest().await?;
        let scheduled = &self.jobs[index];
        let Some(as_of) = world.cut.as_of() else { return Ok(()) };
        let answer = answer(&scheduled.job, &world, as_of, now).await?;
        self.keep(index, &answer).await?;
        // After they are kept: a process that no longer leads was refused there.
        let published = self.publish(index, &answer).await;
        let scheduled = &mut self.jobs[index];
        scheduled.gauges.show(&answer, now);
        published?;
        let took = (self.clock.now() - now).to_std().unwrap_or_default();
        scheduled.last.done(now, took, (as_of, world.cut.records));
        self.metrics.job_ran(&scheduled.job.name, as_of, took);
        Ok(())
    }

    async fn publish(&mut self, index: usize, answer: &Answer) -> Result<(), RunError> {
        let Scheduled { job, publication: Some(publication), .. } = &mut self.jobs[index] else { return Ok(()) };
        let Some(log) = &self.log else { return Ok(()) };
        let published = publication.publish(log.as_ref(), job, answer).await;
        let failed = |source| RunError::Publish { job: job.name.clone(), topic: publication.topic().to_owned(), source };
        published.map(drop).map_err(failed)
    }

    async fn keep(&mut self, index: usize, answer: &Answer) -> Result<(), RunError> {
        let scheduled = &mut self.jobs[index];
        let failed = |source| RunError::Keep { job: scheduled.job.name.clone(), source };
        if !scheduled.writer.as_ref().is_some_and(|writer| writer.fits(&answer.schema)) {
            scheduled.writer = Some(ResultWriter::open(&self.lake, &scheduled.job.name, &answer.schema).await.map_err(failed)?);
        }
        let writer = scheduled.writer.as_mut().expect("opened above where absent");
        writer.commit(&answer.rows, answer.as_of, scheduled.job.definition.history).await.map_err(failed)
    }
}

/// Waits until the stream has caught up, at most so long.
async fn caught_up(behind: &mut watch::Receiver<bool>, most: Duration) {
    drop(timeout(most, behind.wait_for(|behind| !behind)).await);
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_job_waits_for_a_stream_that_is_behind_but_not_for_ever() {
        let (says, mut behind) = watch::channel(true);
        let long = Duration::from_secs(600);
        assert_eq!(caught_up(&mut behind, long).now_or_never(), None);
        caught_up(&mut behind, Duration::from_millis(1)).await;
        says.send(false).unwrap();
        assert_eq!(caught_up(&mut behind, long).now_or_never(), Some(()));
        // Nobody says any more how far the stream is.
        says.send(true).unwrap();
        drop(says);
        assert_eq!(caught_up(&mut behind, long).now_or_never(), Some(()));
    }
}
