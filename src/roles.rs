//! The parts a process of gridwatch runs side by side: addresses, tasks that end together, signals. `up` runs all of them in one
//! process, a deployment one in each (`src/deploy.rs`).

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use analytics::metrics::Metrics;
use contract::Reason;
use contract::clock::Clock;
use contract::log::EventLog;
use futures::FutureExt;
use futures::future::BoxFuture;
use ingest::sources::http::{self, HttpLimits, HttpState};
use ingest::{Mapper, Observer, Publisher};
use tokio::signal::unix::{self, SignalKind};
use tokio::sync::watch;

use crate::cli::{Network, Place};
use crate::failure::Failure;
use crate::{metrics_server, pipeline, topics};

/// Binds an address, so that a taken one is told of before anything runs. Without a `network` to trust, loopback alone will do.
pub(crate) fn bind(address: SocketAddr, what: &str, option: &str, network: Option<Network>) -> Result<TcpListener, Failure> {
    if !address.ip().is_loopback() && !network.is_some_and(|network| network.trusted_network) {
        let sentence = format!("{what} may not listen on {address}: this version has neither users nor TLS");
        let trust = if network.is_some() { "; where only trusted machines reach it, say --trusted-network" } else { "" };
        return Err(Failure::configuration(sentence)
            .hint(format!("give {option} a loopback address, and put a proxy with TLS and users before it{trust}")));
    }
    let listener = TcpListener::bind(address).map_err(|error| {
        Failure::configuration(format!("{what} needs {address}, which is not free: {error}"))
            .hint(format!("choose another with {option} HOST:PORT; port 0 picks a free one"))
    })?;
    listener.set_nonblocking(true).map_err(|error| Failure::machine("could not listen", &error))?;
    Ok(listener)
}

type Role = tokio::task::JoinHandle<Result<(), Failure>>;

/// The tasks that make up the process; the first to end ends all.
pub(crate) struct Roles {
    running: Vec<(&'static str, Role)>,
    signalled: BoxFuture<'static, ()>,
}

impl Roles {
    /// From here on a signal is heard, so that one which comes while the first role already answers ends the process in peace.
    pub(crate) fn new() -> Self {
        Self { running: Vec::new(), signalled: signal().boxed() }
    }

    pub(crate) fn start(&mut self, name: &'static str, role: impl Future<Output = Result<(), Failure>> + Send + 'static) {
        self.running.push((name, tokio::spawn(role)));
    }

    /// Until a signal, or until the first of them ends; from then on a second signal ends the process at once.
    pub(crate) async fn until_signal(&mut self) -> Result<(), Failure> {
        let first = first_to_end(&mut self.running);
        let ended = tokio::select! {
            () = &mut self.signalled => Ok(()),
            ended = first => ended,
        };
        tokio::spawn(async {
            signal().await;
            // What was acknowledged is durable.
            std::process::exit(0);
        });
        ended
    }

    pub(crate) async fn wait_for(&mut self, name: &str) -> Option<Result<(), Failure>> {
        let index = self.running.iter().position(|(role, _)| *role == name)?;
        let (_, role) = self.running.remove(index);
        Some(role.await.unwrap_or_else(|error| Err(Failure::machine("a role stopped unexpectedly", &error))))
    }

    pub(crate) fn end(self) {
        self.running.into_iter().for_each(|(_, role)| role.abort());
    }
}

async fn first_to_end(running: &mut Vec<(&'static str, Role)>) -> Result<(), Failure> {
    let (ended, index, _) = futures::future::select_all(running.iter_mut().map(|(_, role)| role)).await;
    let (name, _) = running.remove(index);
    let ended = ended.unwrap_or_else(|error| Err(Failure::machine(&format!("{name} stopped unexpectedly"), &error)));
    ended.and_then(|()| Err(Failure::machine(&format!("{name} stopped"), &std::io::Error::other("it should run until a signal"))))
}

/// The metrics of this program, at zero.
pub(crate) fn metrics() -> Metrics {
    Metrics::new(env!("CARGO_PKG_VERSION"), option_env!("GRIDWATCH_REVISION").unwrap_or("unknown"))
}

/// A bound address, for tokio.
pub(crate) fn listener(listener: TcpListener) -> Result<tokio::net::TcpListener, Failure> {
    tokio::net::TcpListener::from_std(listener).map_err(|error| Failure::machine("could not listen", &error))
}

/// Takes events over HTTP, and from the topics of the feeds that arrive by Kafka.
pub(crate) fn ingest(
    place: &Place,
    address: TcpListener,
    log: &Arc<dyn EventLog>,
    clock: &Arc<dyn Clock>,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let key = pipeline::key(place)?;
    let mappers: Vec<Arc<Mapper>> =
        pipeline::feeds(place)?.iter().map(|feed| pipeline::mapper(feed, clock, &key)).collect::<Result<_, _>>()?;
    let topics = topics::sources(place, &mappers, log)?;
    let state =
        HttpState::new(mappers, Publisher::new(Arc::clone(log)), Arc::clone(clock), Arc::new(Counted(metrics)), HttpLimits::default());
    let address = listener(address)?;
    Ok(async move {
        let (served, ()) = tokio::join!(http::serve(address, state, until(stop.clone())), topics::run(topics, stop));
        served.map_err(|error| Failure::machine("ingest stopped", &error))
    })
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

/// Serves `/metrics`.
pub(crate) fn serve_metrics(address: TcpListener, metrics: Metrics) -> Result<impl Future<Output = Result<(), Failure>> + use<>, Failure> {
    let address = listener(address)?;
    Ok(
        async move { axum::serve(address, metrics_server::router(metrics)).await.map_err(|error| Failure::machine("/metrics stopped", &error)) },
    )
}

/// Resolves when `stop` turns true.
pub(crate) async fn until(mut stop: watch::Receiver<bool>) {
    // A sender that is gone is a stop too.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Ctrl-C or SIGTERM, from this call on.
pub(crate) fn signal() -> impl Future<Output = ()> + Send + 'static {
    let [interrupts, terminations] = [SignalKind::interrupt(), SignalKind::terminate()].map(unix::signal);
    let come = |signals: std::io::Result<unix::Signal>| async {
        match signals {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    async move {
        tokio::select! {
            () = come(interrupts) => {}
            () = come(terminations) => {}
        }
    }
}
