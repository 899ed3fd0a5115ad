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
use contract::Reason;
use contract::clock::Clock;
use contract::log::EventLog;
use dashboards::{DoorAddress, PageSettings, Readiness};
use ingest::sources::file;
use ingest::sources::http::{self, HttpLimits, HttpState};
use ingest::{Mapper, Observer, Publisher};
use tokio::net::UnixListener;
use tokio::sync::{broadcast, mpsc, watch};

use crate::cli::{CitySource, Place, UpOptions};
use crate::control::{self, Line};
use crate::failure::Failure;
use crate::replay::{Outcome, Plan, file_options};
use crate::{city, clock, door, metrics_server, pipeline};

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
            page: bind(options.page, "the duty page", "--page")?,
            ingest: bind(options.ingest, "ingest", "--ingest")?,
            metrics: bind(options.metrics, "/metrics", "--metrics")?,
            sql: bind(options.sql, "SQL", "--sql")?,
            door: bind(internal, "the page's SQL", "--page")?,
        })
    }
}

fn bind(address: SocketAddr, what: &str, option: &str) -> Result<TcpListener, Failure> {
    if !address.ip().is_loopback() {
        let sentence = format!("{what} may not listen on {address}: this version has neither users nor TLS");
        return Err(Failure::configuration(sentence)
            .hint(format!("give {option} a loopback address, and put a proxy with TLS and users before it")));
    }
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::configuration(format!("{what} needs {address}, which is not free: {error}"))
            .hint(format!("choose another with {option} HOST:PORT; port 0 picks a free one"))
    })?;
    listener.set_nonblocking(true).map_err(|error| Failure::machine("could not listen", &error))?;
    Ok(listener)
}

/// Runs the command until a signal.
pub(crate) async fn run(options: UpOptions) -> Result<(), Failure> {
    let place = options.place.clone();
    pipeline::data_folder(&place)?;
    let addresses = Addresses::bind(&options)?;
    let clock = clock::system();
    let log = pipeline::log(&place, &clock).await?;
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), option_env!("GRIDWATCH_REVISION").unwrap_or("unknown"));
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
    let ingest = ingest(&place, addresses.ingest, &running, metrics.clone(), stopped.clone())?;
    let page = page(&place, options.city, addresses.page, &addresses.door, stopped.clone())?;
    let exposition = serve_metrics(addresses.metrics, metrics.clone())?;
    let control = control_socket(&place, Arc::clone(&running))?;
    let door = door::supervise(place.clone(), addresses.sql, addresses.door, metrics, stopped.clone());
    let mut roles = Roles::default();
    roles.start("analyze", analyze);
    roles.start("ingest", ingest);
    roles.start("page", page);
    roles.start("metrics", exposition);
    roles.start("control", control);
    roles.start("sql", async move { door.await.map_err(|error| Failure::machine("could not run the SQL process", &error)) });
    if let Some(demo) = demo {
        roles.start("city", city::stream(demo, Arc::clone(&log), clock, options.speed, stopped));
    }
    let ended = tokio::select! {
        () = signal() => Ok(()),
        ended = roles.first_to_end() => ended,
    };
    tokio::spawn(async {
        signal().await;
        // The second signal: at once. What was acknowledged is durable.
        std::process::exit(0);
    });
    stop.send_replace(true);
    roles.wait_for("ingest").await;
    roles.wait_for("city").await;
    stop_engine.send_replace(true);
    let drained = roles.wait_for("analyze").await;
    pipeline::remove(&control::socket(&place.data_dir));
    roles.end();
    ended.and(drained.unwrap_or(Ok(())))
}

type Role = tokio::task::JoinHandle<Result<(), Failure>>;

/// The tasks that make up the process; the first to end ends all.
#[derive(Default)]
struct Roles(Vec<(&'static str, Role)>);

impl Roles {
    fn start(&mut self, name: &'static str, role: impl Future<Output = Result<(), Failure>> + Send + 'static) {
        self.0.push((name, tokio::spawn(role)));
    }

    async fn first_to_end(&mut self) -> Result<(), Failure> {
        let (ended, index, _) = futures::future::select_all(self.0.iter_mut().map(|(_, role)| role)).await;
        let (name, _) = self.0.remove(index);
        let ended = ended.unwrap_or_else(|error| Err(Failure::machine(&format!("{name} stopped unexpectedly"), &error)));
        ended.and_then(|()| Err(Failure::machine(&format!("{name} stopped"), &std::io::Error::other("it should run until a signal"))))
    }

    async fn wait_for(&mut self, name: &str) -> Option<Result<(), Failure>> {
        let index = self.0.iter().position(|(role, _)| *role == name)?;
        let (_, role) = self.0.remove(index);
        Some(role.await.unwrap_or_else(|error| Err(Failure::machine("a role stopped unexpectedly", &error))))
    }

    fn end(self) {
        self.0.into_iter().for_each(|(_, role)| role.abort());
    }
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

fn listener(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    tokio::net::TcpListener::from_std(listener).map_err(|error| Failure::machine("could not listen", &error))
}

fn ingest(
    place: &Place,
    address: TcpListener,
    running: &Running,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let key = pipeline::key(place)?;
    let mappers: Vec<Arc<Mapper>> =
        pipeline::feeds(place)?.iter().map(|feed| pipeline::mapper(feed, &running.clock, &key)).collect::<Result<_, _>>()?;
    let state = HttpState::new(
        mappers,
        Publisher::new(Arc::clone(&running.log)),
        Arc::clone(&running.clock),
        Arc::new(Counted(metrics)),
        HttpLimits::default(),
    );
    let address = listener(address)?;
    Ok(async move { http::serve(address, state, until(stop)).await.map_err(|error| Failure::machine("ingest stopped", &error)) })
}

/// Ingest's happenings as metrics. Records are counted when they are committed, requests here.
#[derive(Debug)]
struct Counted(Metrics);

impl Observer for Counted {
    fn published(&self, _source: &str, _events: u64) {
        self.0.request_answered(202);
    }

    fn rejected(&self, _source: &str, _reason: Reason, _rows: u64) {}

    fn refused(&self, status: u16) {
        self.0.request_answered(status);
    }
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
    let address = listener(address)?;
    Ok(async move { dashboards::serve(address, router, until(stop)).await.map_err(|error| Failure::machine("the page stopped", &error)) })
}

fn serve_metrics(address: TcpListener, metrics: Metrics) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let address = listener(address)?;
    Ok(
        async move { axum::serve(address, metrics_server::router(metrics)).await.map_err(|error| Failure::machine("/metrics stopped", &error)) },
    )
}

fn control_socket(place: &Place, running: Arc<Running>) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let path = control::socket(&place.data_dir);
    // The log is ours, so a socket that stands here was left by a process that is gone.
    pipeline::remove(&path);
    let listener = UnixListener::bind(&path).map_err(|error| Failure::machine("could not open the control socket", &error))?;
    Ok(async move { control::serve(listener, running).await.map_err(|error| Failure::machine("the control socket stopped", &error)) })
}

/// Resolves when `stop` turns true.
pub(crate) async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone is a stop too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Ctrl-C or SIGTERM.
pub(crate) async fn signal() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
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
        "  sql        psql \"postgres://{}:{}/gridwatch\" -c \"SELECT category, count(*) FROM events GROUP BY category ORDER BY 2 DESC LIMIT 5\"",
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
