//! The only place that owns the ingest port's connections. `axum::serve` bounds neither the time to the first byte, nor headers, idle or old
//! connections, nor their number; here each of them has a bound, and shutdown waits for the requests in flight.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::answer::Problem;
use super::{HttpLimits, HttpState, router};

/// Connections beyond the bound that are still told so (503); beyond these they are dropped unanswered.
const TURNED_AWAY_MAX: usize = 64;
/// Pause after `accept` failed: out of file handles passes only when others close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Headers of a request: eight kilobytes serve every client we know, and leave room for cookies nobody needs.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Serves the ingest port until `shutdown` is done, then lets the requests in flight end.
///
/// # Errors
/// None today; the type leaves room for a listener that fails for good.
pub async fn serve(listener: TcpListener, state: HttpState, shutdown: impl Future<Output = ()>) -> std::io::Result<()> {
    let port = Port::new(state);
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => port.take(stream),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    port.drain().await;
    Ok(())
}

struct Port {
    state: HttpState,
    router: Router,
    connections: Arc<Semaphore>,
    turned_away: Arc<Semaphore>,
    tasks: TaskTracker,
    closing: CancellationToken,
}

impl Port {
    fn new(state: HttpState) -> Self {
        let connections = Arc::new(Semaphore::new(state.0.limits.connections_max.min(Semaphore::MAX_PERMITS)));
        let turned_away = Arc::new(Semaphore::new(TURNED_AWAY_MAX));
        Self {
            router: router(state.clone()),
            state,
            connections,
            turned_away,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
        }
    }

    fn take(&self, stream: TcpStream) {
        let (limits, closing) = (self.state.0.limits.clone(), self.closing.clone());
        if let Ok(permit) = Arc::clone(&self.connections).try_acquire_owned() {
            let service = TowerToHyperService::new(self.router.clone());
            self.tasks.spawn(async move {
                converse(stream, service, &limits, &closing).await;
                drop(permit);
            });
            return;
        }
        self.state.0.observer.refused(StatusCode::SERVICE_UNAVAILABLE.as_u16());
        if let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned() {
            self.tasks.spawn(async move {
                converse(stream, service_fn(turn_away), &limits, &closing).await;
                drop(permit);
            });
        }
    }

    async fn drain(self) {
        self.tasks.close();
        self.closing.cancel();
        if tokio::time::timeout(self.state.0.limits.drain_timeout, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "connections were still open at the end of the drain");
        }
    }
}

async fn turn_away(_: Request<Incoming>) -> Result<axum::http::Response<Body>, Infallible> {
    Ok(Problem::busy(StatusCode::SERVICE_UNAVAILABLE, "too many connections at present; send again later", 1).closing().response())
}

/// One connection, from its first byte to its end.
async fn converse<S>(stream: TcpStream, service: S, limits: &HttpLimits, closing: &CancellationToken)
where
    S: hyper::service::Service<Request<Incoming>, Response = axum::http::Response<Body>, Error = Infallible>,
{
    // A client that connects and is silent holds a socket only, and not for long.
    let mut byte = [0];
    let first = tokio::time::timeout(limits.first_byte_timeout, stream.peek(&mut byte));
    tokio::select! {
        () = closing.cancelled() => return,
        peeked = first => if !matches!(peeked, Ok(Ok(1..))) { return },
    }
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout).max_buf_size(HEADER_BYTES_MAX.max(8192));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = closing.cancelled() => {}
        () = tokio::time::sleep(limits.connection_age_max) => {}
    }
    // Asked to close: the request in flight ends, the next one goes to another connection.
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = tokio::time::timeout(limits.drain_timeout + limits.body_timeout, connection).await {
        note(ended);
    }
}

fn note(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}
