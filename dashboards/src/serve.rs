//! The accept loop of the page: the only place that takes connections, with a bound on their number, their heads and their lives.
//!
//! `axum::serve` has no time limit on request heads, so one idle socket a visitor could hold it open for ever.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// Limits of one listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// A request's head, and the silence between two requests of one connection.
    pub(crate) head: Duration,
    /// After this a connection is asked to finish; a browser opens the next one unseen. It ends the life of readers that never read.
    pub(crate) life: Duration,
    /// What a finishing connection has left for the answer it is in.
    pub(crate) drain: Duration,
    /// Further visitors wait in the kernel's queue.
    pub(crate) connections_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), life: Duration::from_secs(600), drain: Duration::from_secs(5), connections_max: 512 }
    }
}

/// A head longer than this is no browser's: cookies are not used here.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Pause after a failed accept, so that a machine out of file handles is not also out of CPU.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the page stopped serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The listener itself is broken.
    #[error("could not read the address of the page's listener")]
    Listener(#[source] std::io::Error),
}

/// Serves `router` on `listener` until `shutdown` resolves, then lets the answers in flight finish (at most five seconds).
///
/// # Errors
/// The listener has no local address. Failures of single connections are logged at debug level and end only that connection.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServeError> {
    serve_within(listener, router, Limits::default(), shutdown).await
}

pub(crate) async fn serve_within(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let address = listener.local_addr().map_err(ServeError::Listener)?;
    tracing::info!(%address, "duty page listening");
    let places = Arc::new(Semaphore::new(limits.connections_max));
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Some((stream, place)) = accepted else { continue };
        let (router, closed) = (router.clone(), closed.clone());
        connections.spawn(async move {
            converse(stream, router, limits, closed).await;
            drop(place);
        });
    }
    drop(listener);
    closing.send_replace(true);
    if timeout(limits.drain + Duration::from_secs(1), async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections cut at shutdown");
    }
    tracing::info!(%address, "duty page closed");
    Ok(())
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.expect("the semaphore is never closed");
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "could not accept a connection");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// One connection from its first byte to its end.
async fn converse(stream: TcpStream, router: Router, limits: Limits, mut closed: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not switch off delays of a connection");
    }
    let service = TowerToHyperService::new(router);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = sleep(limits.life) => None,
        // An error means the server is gone, which is also a reason to close.
        _ = closed.wait_for(|closed| *closed) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(limits.drain, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;
    use tokio::task::JoinHandle;

    use super::*;

    const SHORT: Limits =
        Limits { head: Duration::from_millis(200), life: Duration::from_secs(60), drain: Duration::from_millis(500), connections_max: 2 };

    /// Generous beside the limits under test, so that a busy machine does not fail them.
    const PATIENCE: Duration = Duration::from_secs(20);

    async fn started(limits: Limits) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().route("/", get(|| async { "here" }));
        let served = tokio::spawn(async move {
            serve_within(listener, router, limits, async { stopped.await.unwrap_or_default() }).await.unwrap();
        });
        (address, stop, served)
    }

    /// Sends `bytes` and reads until the server closes.
    async fn exchange(address: SocketAddr, bytes: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("the server closes in time").unwrap();
        answer
    }

    #[tokio::test]
    async fn silent_visitor_is_shown_out() {
        let (address, _stop, _served) = started(SHORT).await;
        exchange(address, "").await;
    }

    #[tokio::test]
    async fn visitor_who_never_ends_the_head_is_shown_out() {
        let (address, _stop, _served) = started(SHORT).await;
        let answer = exchange(address, "GET / HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
        assert!(!answer.contains("200 OK"), "{answer}");
    }

    #[tokio::test]
    async fn idle_connection_ends_after_its_answer() {
        let (address, _stop, _served) = started(SHORT).await;
        let answer = exchange(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn connection_ends_after_its_life_even_when_busy() {
        let (address, _stop, _served) = started(Limits { head: PATIENCE, life: Duration::from_millis(200), ..SHORT }).await;
        let answer = exchange(address, "GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn visitor_beyond_the_bound_waits_and_is_served() {
        let (address, _stop, _served) = started(SHORT).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let _second = TcpStream::connect(address).await.unwrap();
        let answer = exchange(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
        assert!(answer.ends_with("here"), "{answer}");
    }

    #[tokio::test]
    async fn shutdown_lets_go_of_idle_visitors_at_once() {
        let (address, stop, served) = started(Limits { head: PATIENCE, ..SHORT }).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut first = [0_u8; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stop.send(()).unwrap();
        timeout(PATIENCE, served).await.expect("serve returns").unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}
