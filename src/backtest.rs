//! `gridwatch backtest`: labelled days against what each detector would have said, year by year.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use analytics::backtest::alarms::{Alarm, Look, alarms, judge};
use analytics::backtest::labels::{self, Episode, Labels};
use analytics::backtest::{self, LOOKS_MAX, days, instant};
use analytics::jobs::{self, Job};
use analytics::metrics::chain;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};

use crate::cli::BacktestOptions;
use crate::failure::Failure;
use crate::output;

const HEADINGS: [&str; 14] = [
    "episode",
    "category",
    "from",
    "to",
    "detector",
    "looks",
    "first_alarm",
    "alarms_of_episode",
    "strongest_alarm",
    "strongest_place",
    "rank",
    "alarms",
    "alarms_of_category",
    "alarms_a_year",
];

/// Runs the command.
pub(crate) async fn run(options: BacktestOptions) -> Result<(), Failure> {
    let text = std::fs::read_to_string(&options.labels)
        .map_err(|error| Failure::usage(format!("could not read \"{}\": {error}", options.labels.display())))?;
    let labels = labels::read(&text).map_err(|error| Failure::usage(format!("{}: {error}", options.labels.display())))?;
    let jobs = detectors(&options)?;
    let mut rows = Vec::new();
    for span in spans(&options, &labels) {
        rows.extend(one_span(&options, &labels, &jobs, &span).await?);
    }
    output::print(&[output::texts(&HEADINGS, &rows)?], options.rows.format)
}

fn detectors(options: &BacktestOptions) -> Result<Vec<Job>, Failure> {
    let own = options.rows.place.jobs_dir.as_deref();
    let found = if options.jobs.is_empty() {
        let all = jobs::discover(own).map_err(|error| Failure::configuration(chain(&error)))?;
        all.into_iter().filter(|job| job.definition.alarm.is_some()).collect()
    } else {
        options
            .jobs
            .iter()
            .map(|name| jobs::find(name, own))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| Failure::usage(chain(&error)))?
    };
    match found.iter().find(|job| job.definition.alarm.is_none()) {
        Some(job) => {
            Err(Failure::usage(format!("job \"{}\" does not say which of its rows alarm", job.name)).hint("give its job.toml an [alarm]"))
        }
        None => Ok(found),
    }
}

/// Days that are judged together, and the episodes in them.
struct Span {
    from: NaiveDate,
    to: NaiveDate,
    episodes: Vec<Episode>,
}

fn spans(options: &BacktestOptions, labels: &Labels) -> Vec<Span> {
    let within = |from: NaiveDate, to: NaiveDate| {
        let inside = |episode: &&Episode| episode.from >= from && episode.from <= to;
        Span { from, to, episodes: labels.episodes.iter().filter(inside).cloned().collect() }
    };
    if let Some((from, to)) = options.from.zip(options.to) {
        return vec![within(from, to)];
    }
    let mut years: Vec<i32> = labels.episodes.iter().map(|episode| episode.from.year()).collect();
    years.sort_unstable();
    years.dedup();
    years
        .into_iter()
        .filter_map(|year| Some(within(NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year, 12, 31)?)))
        .collect()
}

async fn one_span(options: &BacktestOptions, labels: &Labels, jobs: &[Job], span: &Span) -> Result<Vec<Vec<String>>, Failure> {
    let zone = &options.rows.place.time_zone;
    let at = |day: NaiveDate, time: NaiveTime| instant(day, time, zone).map_err(Failure::configuration);
    let labelled: Vec<(NaiveDate, NaiveDate)> = span.episodes.iter().map(|episode| (episode.from, episode.to)).collect();
    let days = days(span.from, span.to, options.every, &labelled, options.near);
    if days.len() > LOOKS_MAX {
        return Err(Failure::usage(format!("{} looks are more than {LOOKS_MAX}", days.len())).hint("give a shorter span, or --every"));
    }
    let looks = days.iter().map(|day| at(*day, options.at)).collect::<Result<Vec<_>, _>>()?;
    let mut worlds = crate::jobs::worlds(&options.rows.place).await?;
    let past = worlds.past().await.map_err(|error| Failure::machine("could not look back", &error))?;
    let shown = Shown { said: Mutex::new(Instant::now()), all: looks.len() };
    let found = backtest::run(past, jobs, &looks, |done| shown.looked(done)).await;
    let found = found.map_err(|error| Failure::refused(chain(&error)))?;
    let raised: Vec<Vec<Alarm>> = found.iter().map(|looks| alarms(looks)).collect();
    let mut rows = Vec::new();
    for episode in &span.episodes {
        let after = episode.to.checked_add_days(Days::new(u64::from(labels.grace_days) + 1)).unwrap_or(episode.to);
        let (begin, end) = (at(episode.from, NaiveTime::MIN)?, at(after, NaiveTime::MIN)?);
        let each = jobs.iter().zip(&found).zip(&raised);
        rows.extend(each.map(|((job, looks), alarms)| row(episode, job, looks, alarms, (begin, end), zone)));
    }
    Ok(rows)
}

fn row(
    episode: &Episode,
    job: &Job,
    looks: &[Look],
    alarms: &[Alarm],
    (begin, end): (DateTime<Utc>, DateTime<Utc>),
    zone: &str,
) -> Vec<String> {
    let verdict = judge(alarms, &episode.category, &episode.grids, begin, end);
    let when = |alarm: Option<&Alarm>| alarm.map_or_else(|| "never".to_owned(), |alarm| local(alarm.first, zone));
    let year = if looks.is_empty() { 0.0 } else { verdict.alarms as f64 * 365.25 / looks.len() as f64 };
    vec![
        episode.name.clone(),
        episode.category.clone(),
        episode.from.to_string(),
        episode.to.to_string(),
        job.name.clone(),
        looks.len().to_string(),
        when(verdict.first),
        verdict.of_episode.to_string(),
        when(verdict.strongest),
        verdict.strongest.map_or_else(String::new, |alarm| alarm.place.clone()),
        verdict.rank.map_or_else(String::new, |rank| rank.to_string()),
        verdict.alarms.to_string(),
        verdict.of_category.to_string(),
        format!("{year:.0}"),
    ]
}

/// The city's time, to the minute.
fn local(at: DateTime<Utc>, zone: &str) -> String {
    backtest::local(at, zone).map_or_else(|| at.to_rfc3339(), |at| at.format("%Y-%m-%d %H:%M").to_string())
}

/// A line every ten seconds.
struct Shown {
    said: Mutex<Instant>,
    all: usize,
}

impl Shown {
    fn looked(&self, done: usize) {
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() >= Duration::from_secs(10) {
            *said = Instant::now();
            tracing::info!(done, all = self.all, "looking back");
        }
    }
}
