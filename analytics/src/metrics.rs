//! Every metric of the pipeline itself, each with the verb that moves it: log and metric of one happening in one place.
//!
//! Labels come from closed lists; names of sources come from outside and are bounded here, the rest is one `__other__`.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::log::EventLog;
use contract::{Disposition, Offsets, TopicPartition};
use prometheus::{
    Encoder, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::consume::Turn;
use crate::jobs::Job;
use crate::jobs::gauges::{Gauges, OTHER};

mod log_figures;

use log_figures::LogFigures;

/// Most sources with series of their own: a city has tens of feeds; a sender inventing names must not fill Prometheus.
const SOURCES_MAX: usize = 200;

/// The pipeline's metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    sources: Arc<Mutex<HashSet<String>>>,
    events: IntCounterVec,
    rejected: IntCounterVec,
    late: IntCounterVec,
    duplicate: IntCounterVec,
    unlocated: IntCounterVec,
    last_event: GaugeVec,
    watermark: GaugeVec,
    lag: IntGaugeVec,
    committed: GaugeVec,
    commit_seconds: HistogramVec,
    job_seconds: HistogramVec,
    job_failures: IntCounterVec,
    balance: IntGauge,
    fenced: IntCounter,
    http: IntCounterVec,
    door_restarts: IntCounterVec,
}

/// Buckets from a millisecond to a minute: commits take tens of milliseconds, jobs up to seconds.
const SECONDS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

macro_rules! declare {
    ($registry:expr, $kind:ident, $opts:expr, $labels:expr) => {{
        let metric = $kind::new($opts, $labels).expect("names and labels here are literals that Prometheus takes");
        $registry.register(Box::new(metric.clone())).expect("each metric is declared once");
        metric
    }};
}

impl Metrics {
    /// All metrics, at zero.
    pub fn new(version: &str, revision: &str) -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| declare!(registry, IntCounterVec, Opts::new(name, help), labels);
        let gauge = |name: &str, help: &str, labels: &[&str]| declare!(registry, GaugeVec, Opts::new(name, help), labels);
        let histogram = |name: &str, help: &str, labels: &[&str]| {
            declare!(registry, HistogramVec, HistogramOpts::new(name, help).buckets(SECONDS.to_vec()), labels)
        };
        let balance = IntGauge::new(
            "gridwatch_balance_difference_records",
            "Records of the log up to the committed offsets minus rows of table records; must be 0.",
        )
        .expect("a literal name");
        registry.register(Box::new(balance.clone())).expect("each metric is declared once");
        let fenced = IntCounter::new("gridwatch_commits_fenced_total", "Commits refused because another process has the partitions.")
            .expect("a literal name");
        registry.register(Box::new(fenced.clone())).expect("each metric is declared once");
        let build = gauge("gridwatch_build_info", "Version and revision of the program; always 1.", &["version", "revision"]);
        build.with_label_values(&[version, revision]).set(1.0);
        Self {
            sources: Arc::default(),
            events: counter("gridwatch_source_events_total", "Accepted events by source.", &["source"]),
            rejected: counter("gridwatch_source_rejected_total", "Quarantined records by source and reason.", &["source", "reason"]),
            late: counter("gridwatch_source_late_total", "Events that came after their source's watermark had passed them.", &["source"]),
            duplicate: counter("gridwatch_source_duplicate_total", "Repeated events by source.", &["source"]),
            unlocated: counter("gridwatch_source_unlocated_total", "Accepted events that no grid holds.", &["source"]),
            last_event: gauge("gridwatch_source_last_event_timestamp_seconds", "Newest accepted occurred_at by source.", &["source"]),
            watermark: gauge("gridwatch_watermark_timestamp_seconds", "The city's clock a job last ran at.", &["job"]),
            lag: declare!(
                registry,
                IntGaugeVec,
                Opts::new("gridwatch_consumer_lag_records", "Records of the log not yet committed to the lake."),
                &["topic", "partition"]
            ),
            committed: gauge("gridwatch_checkpoint_last_success_timestamp_seconds", "When the lake last took a commit.", &["table"]),
            commit_seconds: histogram("gridwatch_commit_duration_seconds", "Time from the start of a turn to its commit.", &["table"]),
            job_seconds: histogram("gridwatch_job_duration_seconds", "Time a run of a job took.", &["job"]),
            job_failures: counter("gridwatch_job_failures_total", "Runs of a job that failed.", &["job"]),
            http: counter("gridwatch_http_requests_total", "Requests to the ingest address by status.", &["status"]),
            door_restarts: counter(
                "gridwatch_sql_restarts_total",
                "Starts of the SQL process after its first, by what ended it.",
                &["cause"],
            ),
            balance,
            fenced,
            registry,
        }
    }

    /// Registers the gauges a job declares.
    pub fn register_job(&self, job: &Job) -> Gauges {
        let gauges = Gauges::new(&job.name, &job.definition.gauges);
        self.registry.register(Box::new(gauges.clone())).expect("jobs have different names");
        gauges
    }

    /// Shows what the clients of the log say of themselves; of a log without clients nothing is shown.
    pub fn watch_log(&self, log: &Arc<dyn EventLog>) {
        if let Some(figures) = LogFigures::of(log) {
            self.registry.register(Box::new(figures)).expect("a process has one log");
        }
    }

    /// A turn was committed.
    pub fn turn_committed(&self, turn: &Turn) {
        for tally in turn.tallies.iter() {
            for ((source, disposition), count) in &tally.dispositions {
                let source = self.bounded(source);
                match disposition {
                    Disposition::Accepted => self.events.with_label_values(&[&source]).inc_by(*count),
                    Disposition::Duplicate => self.duplicate.with_label_values(&[&source]).inc_by(*count),
                    Disposition::Late => self.late.with_label_values(&[&source]).inc_by(*count),
                    Disposition::Quarantined => {}
                }
            }
            for (source, count) in &tally.unlocated {
                self.unlocated.with_label_values(&[&self.bounded(source)]).inc_by(*count);
            }
            for ((source, reason), count) in &tally.reasons {
                self.rejected.with_label_values(&[self.bounded(source).as_str(), reason.as_str()]).inc_by(*count);
            }
        }
        for (source, at) in &turn.cut.watermarks {
            self.last_event.with_label_values(&[&self.bounded(source)]).set(seconds(*at));
        }
        self.committed.with_label_values(&["records"]).set(seconds(turn.cut.committed_at));
        self.commit_seconds.with_label_values(&["records"]).observe(turn.took.as_secs_f64());
        tracing::debug!(records = turn.records, version = turn.cut.records, took_ms = turn.took.as_millis(), "committed a turn");
    }

    /// How far the lake is behind the log.
    pub fn lag_measured(&self, ends: &Offsets, committed: &Offsets) {
        for (partition, end) in ends.iter() {
            let TopicPartition { topic, partition: number } = partition;
            let behind = end.saturating_sub(committed.next(partition));
            self.lag.with_label_values(&[topic.as_str(), &number.to_string()]).set(behind.cast_signed());
        }
    }

    /// Another process measures from now on: what was measured here last would stand for ever.
    pub fn lag_left_to_others(&self) {
        self.lag.reset();
    }

    /// A commit was refused because another process has the partitions.
    pub fn fenced(&self) {
        self.fenced.inc();
    }

    /// The balance of log and lake was taken.
    pub fn balance_taken(&self, difference: i64) {
        self.balance.set(difference);
        if difference != 0 {
            tracing::error!(difference, "the lake does not hold one row for each record of the log");
        }
    }

    /// A job ran.
    pub fn job_ran(&self, job: &str, as_of: DateTime<Utc>, took: Duration) {
        self.watermark.with_label_values(&[job]).set(seconds(as_of));
        self.job_seconds.with_label_values(&[job]).observe(took.as_secs_f64());
    }

    /// A job failed.
    pub fn job_failed(&self, job: &str, error: &dyn std::error::Error) {
        self.job_failures.with_label_values(&[job]).inc();
        tracing::error!(job, error = %chain(error), "a job failed; it is tried again at its next time");
    }

    /// A request to the ingest address was answered.
    pub fn request_answered(&self, status: u16) {
        self.http.with_label_values(&[&status.to_string()]).inc();
    }

    /// The SQL process ended and is started again.
    pub fn door_restarted(&self, cause: &'static str) {
        self.door_restarts.with_label_values(&[cause]).inc();
        tracing::warn!(cause, "the SQL process ended; starting it again");
    }

    /// The text of `/metrics`.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            tracing::error!(%error, "could not write the metrics");
        }
        String::from_utf8(out).unwrap_or_default()
    }

    fn bounded(&self, source: &str) -> String {
        let mut known = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(source) || known.len() < SOURCES_MAX {
            known.insert(source.to_owned());
            return source.to_owned();
        }
        OTHER.to_owned()
    }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    at.timestamp_micros() as f64 / 1e6
}

/// An error and its causes in one line; a cause whose words the line already ends with is not said again.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}
