//! Back-test: what would each detector have said, look by look, of what had arrived by then?
//!
//! The jobs' own queries run as of each look in a world that holds only what had arrived ([`crate::session::past`]); which rows alarm is
//! said in each `job.toml` (`[alarm]`). Looks are shared out over the processor's cores; each answers by itself, so the result does not
//! depend on how.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use datafusion::error::DataFusionError;

use crate::jobs::run::{RunError, answer};
use crate::jobs::{AlarmDefinition, Job, Strongest};
use crate::session::past::Past;
use crate::session::{SessionError, World};

pub mod alarms;
pub mod labels;

use alarms::{Look, Sighting};

/// Most looks of one back-test: ten years, day by day.
pub const LOOKS_MAX: usize = 3_660;

/// What went wrong in a back-test.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A world of the past could not be made.
    #[error("could not look back")]
    Session(#[from] SessionError),
    /// A job failed.
    #[error("as of {at}")]
    Run {
        /// The look.
        at: DateTime<Utc>,
        /// The cause.
        #[source]
        source: RunError,
    },
    /// The job's `[alarm]` does not fit its columns.
    #[error("[alarm] of job \"{job}\" does not fit its columns")]
    Alarm {
        /// The job.
        job: String,
        /// The cause.
        #[source]
        source: DataFusionError,
    },
    /// A worker died.
    #[error("a worker of the back-test ended early")]
    Worker(#[from] tokio::task::JoinError),
}

/// When a day, named in the city's time zone, is looked at.
///
/// # Errors
/// The zone is unknown.
pub fn instant(day: NaiveDate, at: NaiveTime, time_zone: &str) -> Result<DateTime<Utc>, String> {
    let zone: chrono_tz::Tz = time_zone.parse().map_err(|_| format!("\"{time_zone}\" is not an IANA time zone"))?;
    let local = day.and_time(at);
    // An hour that summer time leaves out is looked at an hour later.
    let at =
        zone.from_local_datetime(&local).earliest().or_else(|| zone.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest());
    at.map(|at| at.with_timezone(&Utc)).ok_or_else(|| format!("{local} does not exist in {time_zone}"))
}

/// An instant by the city's clock; `None` for an unknown zone.
pub fn local(at: DateTime<Utc>, time_zone: &str) -> Option<chrono::NaiveDateTime> {
    let zone: chrono_tz::Tz = time_zone.parse().ok()?;
    Some(at.with_timezone(&zone).naive_local())
}

/// The days from `from` to `to`: every `every`th, and each of those within `near` days of one of `labelled`.
pub fn days(from: NaiveDate, to: NaiveDate, every: u64, labelled: &[(NaiveDate, NaiveDate)], near: u64) -> Vec<NaiveDate> {
    let close = |day: NaiveDate| {
        labelled.iter().any(|(begin, end)| {
            begin.checked_sub_days(Days::new(near)).is_none_or(|begin| day >= begin)
                && end.checked_add_days(Days::new(near)).is_none_or(|end| day <= end)
        })
    };
    from.iter_days()
        .take_while(|day| *day <= to)
        .enumerate()
        .filter(|(number, day)| (*number as u64).is_multiple_of(every.max(1)) || close(*day))
        .map(|(_, day)| day)
        .collect()
}

/// What each job would have said at each look, in the order of `jobs` and `looks`; `looked` hears how many looks are done.
///
/// # Errors
/// A job fails, or its `[alarm]` does not fit its columns.
pub async fn run(past: Past, jobs: &[Job], looks: &[DateTime<Utc>], looked: impl Fn(usize)) -> Result<Vec<Vec<Look>>, BacktestError> {
    let shared = Arc::new(Shared { past, jobs: jobs.to_vec(), looks: looks.to_vec(), next: AtomicUsize::new(0) });
    let (said, mut heard) = tokio::sync::mpsc::channel(64);
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(looks.len().max(1)) {
        workers.spawn(Arc::clone(&shared).work(said.clone()));
    }
    drop(said);
    let mut found: Vec<Vec<Option<Look>>> = vec![vec![None; looks.len()]; jobs.len()];
    let mut done = 0;
    while let Some((number, seen)) = heard.recv().await {
        for (job, seen) in found.iter_mut().zip(seen) {
            job[number] = Some(Look { at: looks[number], seen });
        }
        done += 1;
        looked(done);
    }
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    Ok(found.into_iter().map(|looks| looks.into_iter().flatten().collect()).collect())
}

/// What a look saw: its number, and of each job the rows that alarm.
type Seen = (usize, Vec<Vec<Sighting>>);

#[derive(Debug)]
struct Shared {
    past: Past,
    jobs: Vec<Job>,
    looks: Vec<DateTime<Utc>>,
    next: AtomicUsize,
}

impl Shared {
    /// Takes look after look until there are none; where one fails, none are left for the others.
    async fn work(self: Arc<Self>, said: tokio::sync::mpsc::Sender<Seen>) -> Result<(), BacktestError> {
        let worked = self.take_looks(said).await;
        if worked.is_err() {
            self.next.store(self.looks.len(), Ordering::Relaxed);
        }
        worked
    }

    async fn take_looks(&self, said: tokio::sync::mpsc::Sender<Seen>) -> Result<(), BacktestError> {
        let (world, standing) = self.past.world().await?;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(at) = self.looks.get(number).copied() else { return Ok(()) };
            standing.move_to(at);
            let mut seen = Vec::new();
            for job in &self.jobs {
                seen.push(look(&world, job, at).await?);
            }
            if said.send((number, seen)).await.is_err() {
                // Nobody listens any more.
                return Ok(());
            }
        }
    }
}

async fn look(world: &World, job: &Job, at: DateTime<Utc>) -> Result<Vec<Sighting>, BacktestError> {
    let Some(alarm) = &job.definition.alarm else { return Ok(Vec::new()) };
    let answer = answer(job, world, at, at).await.map_err(|source| BacktestError::Run { at, source })?;
    sightings(world, alarm, answer.rows).await.map_err(|source| BacktestError::Alarm { job: job.name.clone(), source })
}

async fn sightings(world: &World, alarm: &AlarmDefinition, rows: Vec<RecordBatch>) -> Result<Vec<Sighting>, DataFusionError> {
    let rows: Vec<RecordBatch> = rows.into_iter().filter(|batch| batch.num_rows() > 0).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let sign = if alarm.strongest == Strongest::Largest { "" } else { "-" };
    world.session.deregister_table("answered")?;
    let table = datafusion::datasource::MemTable::try_new(rows[0].schema(), vec![rows])?;
    world.session.register_table("answered", Arc::new(table))?;
    let statement = format!(
        "SELECT CAST(category AS VARCHAR) AS category, CAST({} AS VARCHAR) AS place, {sign}CAST({} AS DOUBLE) AS strength FROM answered WHERE {}",
        alarm.place, alarm.by, alarm.filter
    );
    let seen = world.query(&statement).await?;
    Ok(seen.iter().map(read).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn read(batch: &RecordBatch) -> Result<Vec<Sighting>, DataFusionError> {
    let text = |column: usize| arrow::compute::cast(batch.column(column), &DataType::Utf8);
    let (categories, places) = (text(0)?, text(1)?);
    let (categories, places) = (categories.as_string::<i32>(), places.as_string::<i32>());
    let strengths = batch.column(2).as_primitive::<Float64Type>();
    let of = |texts: &arrow::array::StringArray, row| if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() };
    let known = (0..batch.num_rows()).filter(|row| strengths.is_valid(*row));
    Ok(known.map(|row| Sighting { category: of(categories, row), place: of(places, row), strength: strengths.value(row) }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2024, 3, day).unwrap()
    }

    #[test]
    fn days_are_looked_at_in_steps_and_one_by_one_near_a_label() {
        assert_eq!(days(date(1), date(3), 1, &[], 0), [date(1), date(2), date(3)]);
        assert_eq!(days(date(1), date(15), 7, &[(date(4), date(5))], 1), [1, 3, 4, 5, 6, 8, 15].map(date));
        assert!(days(date(2), date(1), 1, &[], 0).is_empty());
    }

    #[test]
    fn a_look_is_at_the_citys_time() {
        let eight = NaiveTime::from_hms_opt(8, 0, 0).unwrap();
        assert_eq!(instant(date(1), eight, "Asia/Taipei").unwrap().to_rfc3339(), "2024-03-01T00:00:00+00:00");
        // Half past two did not exist in Berlin that night.
        let night = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
        assert_eq!(instant(date(31), night, "Europe/Berlin").unwrap().to_rfc3339(), "2024-03-31T01:30:00+00:00");
        assert!(instant(date(1), eight, "Taipei").unwrap_err().contains("IANA"));
    }
}
