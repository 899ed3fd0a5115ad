//! One role a process, for a city on Kafka: `ingest`, `analyze` (as often as there is work for), `serve`, `dashboard`.
//!
//! They meet in the log and in the lake and nowhere else. Each stops as `up` does: a signal, what is under way is committed, out.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use analytics::engine::EngineSettings;
use analytics::metrics::chain;
use analytics::{jobs, member};
use contract::log::kafka::GroupOptions;
use dashboards::{DoorAddress, PageSettings, Readiness};
use tokio::sync::watch;

use crate::cli::{AnalyzeOptions, DashboardOptions, IngestOptions, Network, ServeOptions};
use crate::failure::Failure;
use crate::roles::{self, Roles, until};
use crate::{clock, door, log, pipeline};

/// Pause between looks for where the door's name leads: a container that is started anew has another address.
const RESOLVE_PAUSE: Duration = Duration::from_secs(5);

/// Takes events over HTTP into the log.
pub(crate) async fn ingest(options: IngestOptions) -> Result<(), Failure> {
    let IngestOptions { place, network, ingest, metrics } = options;
    pipeline::data_folder(&place)?;
    let (ingest, exposition) = (bind(ingest, "ingest", "--ingest", network)?, bind(metrics, "/metrics", "--metrics", network)?);
    say(&[("ingest", &ingest), ("metrics", &exposition)])?;
    let (log, clock, metrics) = (log::shared(&place, None).await?, clock::system(), roles::metrics());
    metrics.watch_log(&log);
    let (stop, stopped) = watch::channel(false);
    let mut running = Roles::new();
    running.start("ingest", roles::ingest(&place, ingest, &log, &clock, metrics.clone(), stopped)?);
    running.start("metrics", roles::serve_metrics(exposition, metrics)?);
    until_signal(running, stop, "ingest").await
}

/// Commits what the log holds to the lake, as a member of a group; the leading member runs the jobs.
pub(crate) async fn analyze(options: AnalyzeOptions) -> Result<(), Failure> {
    let AnalyzeOptions { place, network, group, member, metrics, commit_interval_ms } = options;
    pipeline::data_folder(&place)?;
    let exposition = bind(metrics, "/metrics", "--metrics", network)?;
    say(&[("metrics", &exposition)])?;
    let settings = EngineSettings {
        lake: place.lake(),
        commit_interval: Duration::from_millis(commit_interval_ms),
        session: pipeline::session(&place)?,
    };
    let jobs = jobs::discover(place.jobs_dir.as_deref()).map_err(|error| Failure::configuration(chain(&error)))?;
    let group = GroupOptions { instance_id: member, ..GroupOptions::new(group) };
    let (log, metrics) = (log::shared(&place, Some(group)).await?, roles::metrics());
    metrics.watch_log(&log);
    let (stop, stopped) = watch::channel(false);
    let mut running = Roles::new();
    let consuming = member::run(log, settings, jobs, clock::system(), metrics.clone(), stopped);
    running.start("analyze", async move { consuming.await.map_err(|error| Failure::machine("analyze stopped", &error)) });
    running.start("metrics", roles::serve_metrics(exposition, metrics)?);
    until_signal(running, stop, "analyze").await
}

/// Serves SQL over the lake, in a child process that is started again when it dies.
pub(crate) async fn serve(options: ServeOptions) -> Result<(), Failure> {
    let ServeOptions { place, network, sql, sql_http, metrics } = options;
    pipeline::data_folder(&place)?;
    let sql = bind(sql, "SQL", "--sql", network)?;
    let http = bind(sql_http, "SQL over HTTP", "--sql-http", network)?;
    let exposition = bind(metrics, "/metrics", "--metrics", network)?;
    say(&[("sql", &sql), ("sql-http", &http), ("metrics", &exposition)])?;
    let metrics = roles::metrics();
    let (stop, stopped) = watch::channel(false);
    let mut running = Roles::new();
    let door = door::supervise(place, sql, http, metrics.clone(), stopped);
    running.start("sql", async move { door.await.map_err(|error| Failure::machine("could not run the SQL process", &error)) });
    running.start("metrics", roles::serve_metrics(exposition, metrics)?);
    until_signal(running, stop, "sql").await
}

/// Serves the duty page, which asks the door.
pub(crate) async fn dashboard(options: DashboardOptions) -> Result<(), Failure> {
    let DashboardOptions { network, door, page, time_zone, config: _ } = options;
    let page = bind(page, "the duty page", "--page", network)?;
    say(&[("page", &page)])?;
    let (told, address) = watch::channel(None);
    let known = address.clone();
    let unknown = format!("\"{door}\" (--door) is not known");
    let ready = Readiness::new(move || if known.borrow().is_some() { Ok(()) } else { Err(unknown.clone()) });
    let settings = PageSettings { time_zone, city_zh: String::new(), city_en: String::new() };
    let router = dashboards::router(DoorAddress::watched(address), ready, settings);
    let (stop, stopped) = watch::channel(false);
    let mut running = Roles::new();
    let page = roles::listener(page)?;
    running.start("page", async move {
        dashboards::serve(page, router, until(stopped)).await.map_err(|error| Failure::machine("the page stopped", &error))
    });
    running.start("door", async move {
        loop {
            let found: Option<SocketAddr> = tokio::net::lookup_host(&door).await.ok().and_then(|mut addresses| addresses.next());
            told.send_if_modified(|known| std::mem::replace(known, found) != found);
            tokio::time::sleep(RESOLVE_PAUSE).await;
        }
    });
    until_signal(running, stop, "page").await
}

fn bind(address: SocketAddr, what: &str, option: &str, network: Network) -> Result<TcpListener, Failure> {
    roles::bind(address, what, option, Some(network))
}

/// Runs until a signal; then waits for the role that may not be cut off.
async fn until_signal(mut running: Roles, stop: watch::Sender<bool>, last: &'static str) -> Result<(), Failure> {
    let ended = running.until_signal().await;
    stop.send_replace(true);
    let drained = running.wait_for(last).await;
    running.end();
    ended.and(drained.unwrap_or(Ok(())))
}

#[expect(clippy::print_stdout, reason = "the addresses are the command's result")]
fn say(addresses: &[(&str, &TcpListener)]) -> Result<(), Failure> {
    for (what, listener) in addresses {
        let at = listener.local_addr().map_err(|error| Failure::machine("could not listen", &error))?;
        println!("{what} {at}");
    }
    Ok(())
}
