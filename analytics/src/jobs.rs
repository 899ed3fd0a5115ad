//! Jobs: a folder of data each, a SQL query run on a schedule, its rows kept as a table and shown as gauges.
//!
//! The folder is all there is: `job.toml`, `query.sql`, `cases.slt`, `alerts.yml`, `alerts_test.yml`. Those in `analytics/jobs/`
//! are in the binary; a folder of one's own adds to them, and one of the same name takes its place. The city's clock is event
//! time: `:as_of` in a query is the newest watermark.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::topic;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::session::sql_instant;

mod due;
pub mod gauges;
pub mod publish;
pub mod results;
pub mod run;

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/jobs");

/// Most series a gauge may declare: `/metrics` of all jobs together stays below Prometheus' usual sample limits.
pub const SERIES_MAX: usize = 20_000;

/// What went wrong with a job's folder.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file is missing or cannot be read.
    #[error("could not read \"{path}\"")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// `job.toml` does not say what it must.
    #[error("job.toml of job \"{job}\" is not understood: {detail}")]
    Definition {
        /// The job.
        job: String,
        /// What is wrong.
        detail: String,
    },
    /// No job of that name.
    #[error("no job is called \"{job}\"; there are {known}")]
    Unknown {
        /// The name asked for.
        job: String,
        /// The names there are.
        known: String,
    },
}

/// A job as its folder defines it.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name: the folder's.
    pub name: String,
    /// What `job.toml` says.
    pub definition: Definition,
    /// What `query.sql` says.
    pub query: String,
    /// First 12 hex digits of the query's SHA-256: an alert names it, so that it can be recomputed (G9).
    pub query_sha256: String,
}

impl Job {
    /// The query of a run: `as_of` is the city's clock, `now` the wall clock.
    pub fn statement(&self, as_of: DateTime<Utc>, now: DateTime<Utc>) -> String {
        self.query.replace(":as_of", &sql_instant(as_of)).replace(":now", &sql_instant(now))
    }
}

/// `job.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The question it answers.
    pub question: Bilingual,
    /// How often it runs while events come.
    #[serde(deserialize_with = "duration")]
    pub schedule: Duration,
    /// How much event time it looks at; for people.
    pub window: String,
    /// Columns that identify a row among one run's.
    pub key: Vec<String>,
    /// One run of each such period of event time is kept in `jobs_history`.
    #[serde(default = "an_hour", deserialize_with = "duration")]
    pub history: Duration,
    /// Whether it also runs while no events come (what it says of silence changes with the clock).
    #[serde(default)]
    pub idle: bool,
    /// The topic its newest rows are published to, for consumers outside; only a log on Kafka has such topics.
    #[serde(default)]
    pub publish_topic: Option<String>,
    /// The gauges its rows are shown as.
    #[serde(default, rename = "gauge")]
    pub gauges: Vec<GaugeDefinition>,
    /// How a dashboard shows it.
    #[serde(default)]
    pub panel: Option<Panel>,
    /// Which of its rows call somebody: what a back-test counts.
    #[serde(default)]
    pub alarm: Option<AlarmDefinition>,
}

/// Which rows of a job are alarms, and how they rank.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmDefinition {
    /// A condition in SQL over the job's columns.
    #[serde(rename = "where")]
    pub filter: String,
    /// The column that names the place; a row of the same place and `category` is the same alarm while it goes on.
    pub place: String,
    /// The column alarms are ranked by.
    pub by: String,
    /// Which end of it is the strongest.
    pub strongest: Strongest,
}

/// The end of a column at which alarms are strongest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strongest {
    /// Large values, as of z.
    Largest,
    /// Small values, as of p.
    Smallest,
}

/// A text in both languages.
#[derive(Debug, Clone, Deserialize)]
pub struct Bilingual {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// A gauge of a job.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaugeDefinition {
    /// Metric name.
    pub metric: String,
    /// Help text.
    pub help: String,
    /// The column whose value it shows; rows where it is NULL have no series.
    pub value: String,
    /// Label columns, by label name.
    pub labels: std::collections::BTreeMap<String, String>,
    /// Only rows where this boolean column is true, if given.
    #[serde(default, rename = "where")]
    pub filter: Option<String>,
    /// Most series; rows beyond are shown as one series `__other__`.
    pub series_max: usize,
    /// What `__other__` shows.
    #[serde(default)]
    pub overflow: Overflow,
}

/// What the series `__other__` of a gauge shows of the rows it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// Their sum, so that sums over all series stay right.
    #[default]
    Sum,
    /// Their largest value, where a sum means nothing.
    Max,
    /// Their smallest value.
    Min,
}

/// How a dashboard shows a job.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// `table`, `timeseries`, `stat` or `map`.
    pub kind: String,
    /// Its title.
    pub title: Bilingual,
}

fn an_hour() -> Duration {
    Duration::from_secs(3_600)
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text)
        .ok_or_else(|| serde::de::Error::custom(format!("\"{text}\" is not a duration like \"10s\", \"5m\", \"1h\" or \"7d\"")))
}

/// Reads `10s`, `5m`, `1h`, `7d`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(seconds).filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// The jobs in the binary and those of `own`, by name.
///
/// # Errors
/// A folder lacks a file or says something that is not understood.
pub fn discover(own: Option<&Path>) -> Result<Vec<Job>, JobError> {
    let mut jobs = std::collections::BTreeMap::new();
    for folder in EMBEDDED.dirs() {
        let job = embedded(folder)?;
        jobs.insert(job.name.clone(), job);
    }
    for folder in own.map(folders).transpose()?.unwrap_or_default() {
        let job = load(&folder)?;
        if jobs.insert(job.name.clone(), job).is_some() {
            tracing::info!(folder = %folder.display(), "a job of one's own takes the place of the one in the binary");
        }
    }
    alone_in_their_topics(jobs.values())?;
    Ok(jobs.into_values().collect())
}

/// Two jobs in one topic would each end the other's keys.
fn alone_in_their_topics<'a>(jobs: impl Iterator<Item = &'a Job>) -> Result<(), JobError> {
    let mut owners = std::collections::BTreeMap::new();
    for job in jobs {
        let Some(topic) = &job.definition.publish_topic else { continue };
        if let Some(owner) = owners.insert(topic, &job.name) {
            let detail = format!("publish_topic \"{topic}\" is job \"{owner}\"'s already; a topic has the rows of one job");
            return Err(JobError::Definition { job: job.name.clone(), detail });
        }
    }
    Ok(())
}

/// The job of that name, or in that folder.
///
/// # Errors
/// There is none.
pub fn find(name_or_folder: &str, own: Option<&Path>) -> Result<Job, JobError> {
    let folder = Path::new(name_or_folder);
    if folder.join("job.toml").is_file() {
        return load(folder);
    }
    let jobs = discover(own)?;
    let known = jobs.iter().map(|job| job.name.as_str()).collect::<Vec<_>>().join(", ");
    jobs.into_iter().find(|job| job.name == name_or_folder).ok_or(JobError::Unknown { job: name_or_folder.to_owned(), known })
}

fn folders(own: &Path) -> Result<Vec<PathBuf>, JobError> {
    let failed = |source| JobError::File { path: own.to_owned(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(own).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.join("job.toml").is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn embedded(folder: &Dir<'_>) -> Result<Job, JobError> {
    let file = |name: &str| {
        let path = folder.path().join(name);
        let text = folder.get_file(&path).and_then(|file| file.contents_utf8());
        text.ok_or_else(|| JobError::File { path, source: std::io::ErrorKind::NotFound.into() })
    };
    define(&name_of(folder.path()), file("job.toml")?, file("query.sql")?)
}

fn load(folder: &Path) -> Result<Job, JobError> {
    let file = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|source| JobError::File { path, source })
    };
    define(&name_of(folder), &file("job.toml")?, &file("query.sql")?)
}

fn name_of(folder: &Path) -> String {
    folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn define(name: &str, definition: &str, query: &str) -> Result<Job, JobError> {
    use sha2::Digest;
    let wrong = |detail: String| JobError::Definition { job: name.to_owned(), detail };
    let definition: Definition = toml::from_str(definition).map_err(|error| wrong(error.to_string()))?;
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_') {
        return Err(wrong("its folder's name is not of a-z, 0-9 and _".into()));
    }
    if let Some(topic) = definition.publish_topic.as_deref().filter(|name| !topic::is_name(name) || topic::ALL.contains(name)) {
        return Err(wrong(format!(
            "publish_topic \"{topic}\" is not the name of a topic of its own: letters, digits, dots, dashes, underscores"
        )));
    }
    for gauge in &definition.gauges {
        if gauge.series_max == 0 || gauge.series_max > SERIES_MAX {
            return Err(wrong(format!("series_max of {} is {}, it must be 1 to {SERIES_MAX}", gauge.metric, gauge.series_max)));
        }
    }
    let query_sha256 = sha2::Sha256::digest(query.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Ok(Job { name: name.to_owned(), definition, query: query.trim().trim_end_matches(';').to_owned(), query_sha256 })
}
