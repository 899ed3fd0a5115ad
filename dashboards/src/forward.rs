//! Hands a question on to the SQL door and its answer back: the only place that talks to the door.
//!
//! It reads the question whole (bounded in size and time) so that a slow sender never occupies the door, and streams the answer, whose
//! size the door bounds. The door's own status and problem documents pass unchanged; what the door cannot say itself (it is away, it
//! does not answer) is said here.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::DoorAddress;
use crate::problem::Problem;

/// Bounds of one question.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// A statement is at most 64 KB at the door; 1 MiB leaves room for JSON escapes and is small enough to hold for every connection.
    pub(crate) body_bytes_max: usize,
    /// A sender slower than this holds a connection for nothing.
    pub(crate) body_time_max: Duration,
    /// Longer than the door's own statement limit, so that the door's explanation arrives before ours.
    pub(crate) answer_time_max: Duration,
    /// Questions at the door at once; a wall asks one at a time, so this is thirty-two screens.
    pub(crate) questions_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            body_time_max: Duration::from_secs(15),
            answer_time_max: Duration::from_secs(60),
            questions_max: 32,
        }
    }
}

/// What of the request the door may see, and of its answer the caller.
const REQUEST_HEADERS: [HeaderName; 2] = [CONTENT_TYPE, IF_NONE_MATCH];
const ANSWER_HEADERS: [HeaderName; 4] = [CONTENT_TYPE, ETAG, CACHE_CONTROL, RETRY_AFTER];

/// The way to the SQL door.
#[derive(Debug, Clone)]
pub(crate) struct Forward {
    door: DoorAddress,
    client: Client<HttpConnector, Full<Bytes>>,
    bounds: Bounds,
    places: Arc<Semaphore>,
}

impl Forward {
    pub(crate) fn new(door: DoorAddress, bounds: Bounds) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        connector.set_nodelay(true);
        // A door that was killed leaves half-open connections behind: idle ones are not kept for long.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(5))
            .pool_max_idle_per_host(bounds.questions_max)
            .build(connector);
        Self { door, client, bounds, places: Arc::new(Semaphore::new(bounds.questions_max)) }
    }

    /// Sends the request to the door under `path_and_query` and gives its answer back.
    pub(crate) async fn hand_on(&self, method: Method, path_and_query: &str, headers: &HeaderMap, body: Body) -> Response {
        match self.ask(method, path_and_query, headers, body).await {
            Ok(response) => response,
            Err(problem) => problem.into_response(),
        }
    }

    async fn ask(&self, method: Method, path_and_query: &str, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
        let body = self.read(body).await?;
        let place = self.take_place()?;
        let address = self.door.current().ok_or_else(|| away("the SQL door is not running at the moment"))?;
        let request = question(method, address, path_and_query, headers, body)?;
        let asked = tokio::time::timeout(self.bounds.answer_time_max, self.client.request(request)).await;
        let answer = asked.map_err(|_| self.silent())?.map_err(|error| {
            tracing::warn!(%address, path_and_query, error = &error as &dyn std::error::Error, "SQL door did not answer");
            away("the SQL door closed the connection; it is restarted when it dies")
        })?;
        let (parts, incoming) = answer.into_parts();
        let mut response = Response::new(Body::new(hold(incoming, place)));
        *response.status_mut() = parts.status;
        copy(&parts.headers, response.headers_mut(), &ANSWER_HEADERS);
        Ok(response)
    }

    async fn read(&self, body: Body) -> Result<Bytes, Problem> {
        let limit = self.bounds.body_bytes_max;
        let collected = tokio::time::timeout(self.bounds.body_time_max, Limited::new(body, limit).collect()).await.map_err(|_| {
            let seconds = self.bounds.body_time_max.as_secs_f32();
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body too slow",
                format!("the body did not arrive within {seconds} s; send it again at once"),
            )
        })?;
        collected.map(http_body_util::Collected::to_bytes).map_err(|error| {
            if error.is::<LengthLimitError>() {
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "body too large",
                    format!("the body is beyond {limit} bytes; shorten the statement"),
                )
            } else {
                Problem::new(StatusCode::BAD_REQUEST, "body cut off", format!("the body ended early: {error}"))
            }
        })
    }

    fn take_place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            let count = self.bounds.questions_max;
            Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too many questions",
                format!("{count} questions are at the SQL door already; ask again shortly"),
            )
        })
    }

    fn silent(&self) -> Problem {
        let seconds = self.bounds.answer_time_max.as_secs_f32();
        Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "no answer in time",
            format!("the SQL door gave no answer within {seconds} s; ask for less"),
        )
    }
}

fn away(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "SQL door is away", detail)
}

/// Keeps the place at the door occupied until the answer is read to its end or dropped.
fn hold(incoming: hyper::body::Incoming, place: OwnedSemaphorePermit) -> impl HttpBody<Data = Bytes, Error = hyper::Error> {
    incoming.map_frame(move |frame| {
        let _occupied = &place;
        frame
    })
}

fn question(
    method: Method,
    address: SocketAddr,
    path_and_query: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, Problem> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{address}{path_and_query}"))
        .body(Full::new(body))
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, "address not understood", format!("{path_and_query:?}: {error}")))?;
    copy(headers, request.headers_mut(), &REQUEST_HEADERS);
    Ok(request)
}

fn copy(from: &HeaderMap, to: &mut HeaderMap, names: &[HeaderName]) {
    for name in names {
        if let Some(value) = from.get(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}
