//! `gridwatch replay`: files of a feed into the log, and on until every record of them is committed to the lake.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use analytics::consume::{Consumer, Turn};
use analytics::engine;
use analytics::jobs;
use analytics::jobs::run::Scheduler;
use analytics::metrics::{Metrics, chain};
use analytics::session::Worlds;
use contract::{Disposition, Reason};
use ingest::Unobserved;
use ingest::feeds::{Encoding, Feed, Format};
use ingest::sources::file::{self, ReplaySummary, Speed};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cli::{self, Place, ReplayOptions};
use crate::control::{self, Line};
use crate::failure::Failure;
use crate::progress::Shown;
use crate::{clock, log, output, pipeline};

/// What is to be replayed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) feed: String,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) speed: String,
    pub(crate) limit: Option<u64>,
    /// The files hold payloads of quarantine: UTF-8, and what is refused again is left where it is.
    #[serde(default)]
    pub(crate) again: bool,
}

impl Plan {
    /// The feed, as its files are to be read.
    pub(crate) fn feed(&self, place: &Place) -> Result<Feed, Failure> {
        let mut feed = pipeline::feed(place, &self.feed)?;
        if self.again {
            feed.encoding = Encoding::Utf8;
            // A payload may span lines; values one after another need none.
            feed.format = if feed.format == Format::Ndjson { Format::Json } else { feed.format };
        }
        Ok(feed)
    }
}

/// What became of the rows read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) read: u64,
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) quarantined: BTreeMap<String, u64>,
    pub(crate) unlocated: u64,
    /// Refused once more and not appended: they are in quarantine already.
    #[serde(default)]
    pub(crate) refused_again: u64,
}

impl Outcome {
    /// Adds what a turn committed of `source`.
    pub(crate) fn count(&mut self, turn: &Turn, source: &str) {
        for tally in turn.tallies.iter() {
            for ((from, disposition), count) in &tally.dispositions {
                if from.as_ref() != source {
                    continue;
                }
                match disposition {
                    Disposition::Accepted => self.accepted += count,
                    Disposition::Duplicate => self.duplicate += count,
                    Disposition::Late => self.late += count,
                    Disposition::Quarantined => {}
                }
            }
            for ((from, reason), count) in &tally.reasons {
                if from.as_ref() == source {
                    *self.quarantined.entry(Reason::as_str(*reason).to_owned()).or_default() += count;
                }
            }
            self.unlocated += tally.unlocated.get(source).copied().unwrap_or_default();
        }
    }

    /// Whether every row read became something.
    pub(crate) fn committed(&self) -> u64 {
        self.accepted + self.duplicate + self.late + self.quarantined.values().sum::<u64>() + self.refused_again
    }

    /// Takes over what was read.
    pub(crate) fn read(&mut self, summary: &ReplaySummary, again: bool) {
        self.read = summary.total.read;
        self.refused_again = if again { summary.total.rejected.values().sum() } else { 0 };
    }

    fn print(&self, format: Option<cli::Format>) -> Result<(), Failure> {
        let row = |outcome: &str, reason: &str, rows: u64| vec![outcome.to_owned(), reason.to_owned(), rows.to_string()];
        let mut rows = vec![
            row("read", "", self.read),
            row("accepted", "", self.accepted),
            row("duplicate", "", self.duplicate),
            row("late", "", self.late),
        ];
        rows.extend(self.quarantined.iter().map(|(reason, count)| row("quarantined", reason, *count)));
        if self.refused_again > 0 {
            rows.push(row("refused again", "", self.refused_again));
        }
        output::print(&[output::texts(&["outcome", "reason", "rows"], &rows)?], format)
    }
}

/// Runs the command.
pub(crate) async fn run(options: ReplayOptions) -> Result<(), Failure> {
    let ReplayOptions { feed, files, rows, speed, limit, strict } = options;
    let place = rows.place;
    let files = files.iter().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).collect();
    let plan = Plan { feed, files, speed, limit, again: false };
    plan.speed.parse::<Speed>().map_err(Failure::usage)?;
    pipeline::data_folder(&place)?;
    carry_out(&place, &plan, rows.format, strict).await
}

/// Replays, in this process or in the `up` that runs on the folder, and says what came of it.
pub(crate) async fn carry_out(place: &Place, plan: &Plan, format: Option<cli::Format>, strict: bool) -> Result<(), Failure> {
    let shown = Shown::new();
    let outcome = if control::is_running(&place.data_dir).await {
        let heard = |line: &Line| {
            if let Line::Progress { rows, bytes, total_bytes } = line {
                file::Progress::advanced(&shown, *rows, *bytes, *total_bytes);
            }
        };
        control::outcome(control::ask(&place.data_dir, "/replay", &json!(plan), heard).await?)?
    } else {
        here(place, plan, &shown).await?
    };
    shown.done();
    outcome.print(format)?;
    if outcome.unlocated > 0 {
        tracing::warn!(unlocated = outcome.unlocated, "events no grid holds: see table unlocated; `gridwatch grids load` loads grids");
    }
    if outcome.committed() != outcome.read {
        return Err(Failure::refused(format!("{} rows were read but {} were committed", outcome.read, outcome.committed()))
            .hint("run `gridwatch check`"));
    }
    if strict && !outcome.quarantined.is_empty() {
        return Err(Failure::refused("rows were refused and --strict was given").hint("see `gridwatch quarantine`"));
    }
    Ok(())
}

/// The whole pipeline in this process: reads, appends, commits, runs the jobs once, and ends.
async fn here(place: &Place, plan: &Plan, shown: &Shown) -> Result<Outcome, Failure> {
    let clock = clock::system();
    let feed = plan.feed(place)?;
    let mapper = pipeline::mapper(&feed, &clock, &pipeline::key(place)?)?;
    let log = log::open(place, &clock).await?;
    let failed = |error: &dyn std::error::Error| Failure::machine("could not commit to the lake", error);
    let mut consumer = Consumer::open(Arc::clone(&log), &place.lake(), Arc::clone(&clock)).await.map_err(|error| failed(&error))?;
    // What an earlier run left in the log is committed first, so that it is not counted as of this replay.
    consumer.drain(|_| ()).await.map_err(|error| failed(&error))?;
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let (done, mut ended) = tokio::sync::watch::channel(false);
    let consume = {
        let (outcome, source) = (Arc::clone(&outcome), feed.name.clone());
        async move {
            let stop = async move { drop(ended.wait_for(|ended| *ended).await) };
            // No pause longer than a turn takes: a replay wants throughput, and every turn takes all there is.
            consumer
                .run(Duration::from_millis(200), stop, |turn| outcome.lock().unwrap_or_else(PoisonError::into_inner).count(turn, &source))
                .await
        }
    };
    let publisher = pipeline::publisher(&log);
    let options = file_options(plan, shutdown());
    let read = async {
        let summary = file::replay(mapper, &plan.files, options, &publisher, shown, &Unobserved).await;
        done.send_replace(true);
        summary
    };
    let (consumed, summary) = tokio::join!(consume, read);
    let summary: ReplaySummary = summary.map_err(|error| Failure::machine("could not replay", &error))?;
    consumed.map_err(|error| failed(&error))?;
    settle(place, clock).await?;
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner).clone();
    outcome.read(&summary, plan.again);
    Ok(outcome)
}

/// Leaves the lake as a reader wants it: small files merged, every job run once.
async fn settle(place: &Place, clock: Arc<dyn contract::clock::Clock>) -> Result<(), Failure> {
    let lake = place.lake();
    engine::upkeep_once(&lake, engine::OLD_VERSIONS_KEPT)
        .await
        .map_err(|error| Failure::machine("could not merge files of the lake", &error))?;
    let worlds =
        Worlds::open(&lake, pipeline::session(place)?).await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let jobs = jobs::discover(place.jobs_dir.as_deref()).map_err(|error| Failure::configuration(chain(&error)))?;
    let mut scheduler = Scheduler::new(worlds, &lake, clock, Metrics::new(env!("CARGO_PKG_VERSION"), ""), jobs);
    scheduler.run_all().await.map_err(|error| Failure::machine("could not run the jobs", &error))
}

/// What the file source is told.
pub(crate) fn file_options(plan: &Plan, stop: tokio_util::sync::CancellationToken) -> file::ReplayOptions {
    file::ReplayOptions { limit: plan.limit, speed: plan.speed.parse().unwrap_or(Speed::Max), stop, leave_refused: plan.again }
}

/// A token that is cancelled at Ctrl-C or SIGTERM: what was read by then is committed, and the command ends with its table.
fn shutdown() -> tokio_util::sync::CancellationToken {
    let token = tokio_util::sync::CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        crate::roles::signal().await;
        cancelled.cancel();
    });
    token
}
