//! `gridwatch up`: everything in one process tree on the embedded log, from an empty folder or a kept one.
//!
//! Order of life: folder, addresses, log, lake, roles, word to the person; then a signal, and down in the order of the flow:
//! no more intake, what was acknowledged is committed, readers last. A second signal ends at once; nothing acknowledged is lost
//! then either, because acknowledged is durable in the log.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use analytics::consume::Turn;
use analytics::engine::{self, EngineSettings};
use analytics::metrics::{Metrics, chain};
use analytics::{check, jobs};
use contract::clock::Clock;
use contract::log::EventLog;
use dashboards::{DoorAddress, PageSettings, Readiness};
use ingest::sources::file;
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc, watch};

use crate::cli::{CitySource, Place, UpOptions};
use crate::control::{self, Line};
use crate::failure::Failure;
use crate::replay::{Outcome, Plan, file_options};
use crate::roles::{self, Roles, bind, until};
use crate::{city, clock, door, log, pipeline};

/// Longest wait for a replay's records to be committed after they were appended.
const COMMIT_WAIT_MAX: Duration = Duration::from_secs(600);
/// Turns a slow listener may fall behind before it misses one.
const TURNS_KEPT: usize = 1024;

/// What the control socket works with while `up` runs.
#[derive(Debug)]
pub(crate) struct Running {
    place: Place,
    clock: Arc<dyn Clock>,
    log: Arc<dyn EventLog>,
    turns: broadcast::Sender<Turn>,
}

/// The five listeners, bound before anything else is touched.
struct Addresses {
    page: TcpListener,
    ingest: TcpListener,
    metrics: TcpListener,
    sql: TcpListener,
    /// Between the page and the door; no option, because nobody outside uses it.
    door: TcpListener,
}

impl Addresses {
    fn bind(options: &UpOptions) -> Result<Self, Failure> {
        let internal = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self {
            page: bind(options.page, "the duty page", "--page", None)?,
            ingest: bind(options.ingest, "ingest", "--ingest", None)?,
            metrics: bind(options.metrics, "/metrics", "--metrics", None)?,
            sql: bind(options.sql, "SQL", "--sql", None)?,
            door: bind(internal, "the page's SQL", "--page", None)?,
        })
    }
}

/// Runs the command until a signal.
pub(crate) async fn run(options: UpOptions) -> Result<(), Failure> {
    let place = options.place.clone();
    pipeline::data_folder(&place)?;
    let addresses = Addresses::bind(&options)?;
    let clock = clock::system();
    let log = log::open(&place, &clock).await?;
    let metrics = roles::metrics();
    metrics.watch_log(&log);
    let running = Arc::new(Running {
        place: place.clone(),
        clock: Arc::clone(&clock),
        log: Arc::clone(&log),
        turns: broadcast::channel(TURNS_KEPT).0,
    });
    let demo = (options.city == CitySource::Demo).then(|| city::demo(&place, options.seed)).transpose()?;
    announce(&addresses, &place)?;
    let (stop, stopped) = watch::channel(false);
    let (stop_engine, engine_stopped) = watch::channel(false);
    // Everything that a person may have to mend is looked at before the first role runs.
    let analyze = analyze(&options, &running, metrics.clone(), engine_stopped)?;
    let ingest = roles::ingest(&place, addresses.ingest, &running.log, &running.clock, metrics.clone(), stopped.clone())?;
    let page = page(&place, options.city, addresses.page, &addresses.door, stopped.clone())?;
    let exposition = roles::serve_metrics(addresses.metrics, metrics.clone())?;
    let control = control_socket(&place, Arc::clone(&running))?;
    let door = door::supervise(place.clone(), addresses.sql, addresses.door, metrics, stopped.clone());
    let mut running_roles = Roles::new();
    running_roles.start("analyze", analyze);
    running_roles.start("ingest", ingest);
    running_roles.start("page", page);
    running_roles.start("metrics", exposition);
    running_roles.start("control", control);
    running_roles.start("sql", async move { door.await.map_err(|error| Failure::machine("could not run the SQL process", &error)) });
    if let Some(demo) = demo {
        running_roles.start("city", city::stream(demo, Arc::clone(&log), clock, options.speed, stopped));
    }
    let ended = running_roles.until_signal().await;
    stop.send_replace(true);
    running_roles.wait_for("ingest").await;
    running_roles.wait_for("city").await;
    stop_engine.send_replace(true);
    let drained = running_roles.wait_for("analyze").await;
    pipeline::remove(&control::socket(&place.data_dir));
    running_roles.end();
    ended.and(drained.unwrap_or(Ok(())))
}

fn analyze(
    options: &UpOptions,
    running: &Running,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let settings = EngineSettings {
        lake: running.place.lake(),
        commit_interval: Duration::from_millis(options.commit_interval_ms),
        session: pipeline::session(&running.place)?,
    };
    let jobs = jobs::discover(running.place.jobs_dir.as_deref()).map_err(|error| Failure::configuration(chain(&error)))?;
    let (log, clock, turns) = (Arc::clone(&running.log), Arc::clone(&running.clock), running.turns.clone());
    Ok(async move {
        let heard = move |turn: &Turn| {
            // Nobody may be listening.
            drop(turns.send(turn.clone()));
        };
        engine::run(log, settings, jobs, clock, metrics, stop, heard).await.map_err(|error| Failure::machine("analyze stopped", &error))
    })
}

fn page(
    place: &Place,
    city: CitySource,
    address: TcpListener,
    door: &TcpListener,
    stop: watch::Receiver<bool>,
) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let door = door.local_addr().map_err(|error| Failure::machine("could not listen", &error))?;
    let lake = place.lake();
    let ready = Readiness::new(move || if lake.join("cut.json").is_file() { Ok(()) } else { Err("the lake is being opened".into()) });
    let (city_zh, city_en) = if city == CitySource::Demo { ("示范城", "Demo City") } else { ("", "") };
    let settings = PageSettings { time_zone: place.time_zone.clone(), city_zh: city_zh.into(), city_en: city_en.into() };
    let router = dashboards::router(DoorAddress::fixed(door), ready, settings);
    let address = roles::listener(address)?;
    Ok(async move { dashboards::serve(address, router, until(stop)).await.map_err(|error| Failure::machine("the page stopped", &error)) })
}

fn control_socket(place: &Place, running: Arc<Running>) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let path = control::socket(&place.data_dir);
    // The log is ours, so a socket that stands here was left by a process that is gone.
    pipeline::remove(&path);
    let listener = UnixListener::bind(&path).map_err(|error| Failure::machine("could not open the control socket", &error))?;
    Ok(async move { control::serve(listener, running).await.map_err(|error| Failure::machine("the control socket stopped", &error)) })
}

#[expect(clippy::print_stdout, reason = "the addresses are the command's result")]
fn announce(addresses: &Addresses, place: &Place) -> Result<(), Failure> {
    let at = |listener: &TcpListener| listener.local_addr().map_err(|error| Failure::machine("could not listen", &error));
    let sql = at(&addresses.sql)?;
    println!("gridwatch {} on {}", env!("CARGO_PKG_VERSION"), place.data_dir.display());
    println!("  duty page  http://{}/", at(&addresses.page)?);
    println!("  ingest     http://{}/v1/events", at(&addresses.ingest)?);
    println!("  metrics    http://{}/metrics", at(&addresses.metrics)?);
    println!(
        "  sql        psql \"postgres://{}:{}/gridwatch\" -c \"SELECT category, count(*) FROM events WHERE category <> '' GROUP BY category ORDER BY 2 DESC LIMIT 5\"",
        sql.ip(),
        sql.port()
    );
    Ok(())
}

impl Running {
    /// Replays files into the log this process holds, and waits until their records are committed.
    pub(crate) async fn replay(&self, plan: &Plan, lines: &mpsc::Sender<Line>) -> Result<Outcome, String> {
        let said = |failure: Failure| format!("{failure:?}");
        let feed = plan.feed(&self.place).map_err(said)?;
        let mapper = pipeline::mapper(&feed, &self.clock, &pipeline::key(&self.place).map_err(said)?).map_err(said)?;
        let mut turns = self.turns.subscribe();
        let publisher = pipeline::publisher(&self.log);
        let progress = Told(lines.clone());
        let reading = file::replay(mapper, &plan.files, file_options(plan, Default::default()), &publisher, &progress, &ingest::Unobserved);
        tokio::pin!(reading);
        let mut outcome = Outcome::default();
        let summary = loop {
            tokio::select! {
                summary = &mut reading => break summary.map_err(|error| chain(&error))?,
                turn = turns.recv() => if let Ok(turn) = turn { outcome.count(&turn, &feed.name) },
            }
        };
        outcome.read(&summary, plan.again);
        let committed = async {
            while outcome.committed() < outcome.read {
                match turns.recv().await {
                    Ok(turn) => outcome.count(&turn, &feed.name),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => break,
                }
            }
        };
        tokio::time::timeout(COMMIT_WAIT_MAX, committed)
            .await
            .map_err(|_| "the records are in the log but were not committed in time".to_owned())?;
        Ok(outcome)
    }

    /// Checks lake and log as they stand.
    pub(crate) async fn check(&self) -> Result<Vec<check::Finding>, String> {
        check::run(&self.place.lake(), Some(self.log.as_ref())).await.map_err(|error| chain(&error))
    }
}

/// Progress as lines of the control socket; a line that finds no room is left out, the next one says more.
struct Told(mpsc::Sender<Line>);

impl file::Progress for Told {
    fn advanced(&self, rows: u64, bytes: u64, total_bytes: u64) {
        drop(self.0.try_send(Line::Progress { rows, bytes, total_bytes }));
    }
}
