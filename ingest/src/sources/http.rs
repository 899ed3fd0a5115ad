//! The ingest port: `POST /v1/events` takes contract events and CloudEvents, `POST /v1/feeds/{feed}` a feed's own rows. An answer of 202 means
//! durable (G1); what was refused is in quarantine before the answer is given.
//!
//! `body` reads under bounds, `contract_events` cuts a body into events, `answer` words the answers, `accept` owns the connections. Contract events are read by serde alone; only feeds run their mapping.

mod accept;
mod answer;
mod body;
mod contract_events;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use contract::clock::Clock;
use contract::{DeliveryRules, Envelope, Reason};
use tokio::sync::Semaphore;

pub use accept::serve;
use answer::{Problem, Refused};
use body::Media;

use crate::feeds::Format;
use crate::nearest::hint;
use crate::raw::{BATCH_ROWS, Fault};
use crate::{Mapper, MappingError, Observer, Outcome, Publisher};

/// Most records of one request: bounds what one body of tiny records can cost.
const RECORDS_MAX: usize = 50_000;
/// Bodies above this are parsed off the reactor: half a millisecond of JSON is what other connections may wait.
const INLINE_BYTES_MAX: usize = 64 * 1024;
/// How long the log may push back before the client is asked to come again.
const PUSH_BACK: Duration = Duration::from_secs(2);

/// Bounds of the ingest port (RELIABILITY 2.4).
#[derive(Debug, Clone)]
pub struct HttpLimits {
    /// Bytes of a body with one event, unpacked.
    pub event_bytes_max: usize,
    /// Bytes of a body with many, packed or unpacked.
    pub batch_bytes_max: usize,
    /// Bytes of all bodies being read or published at once.
    pub bodies_bytes_max: usize,
    /// Open connections; further ones are answered 503.
    pub connections_max: usize,
    /// From connecting to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte (or the last answer: it bounds idle connections too) to the end of the header.
    pub header_timeout: Duration,
    /// For the whole body.
    pub body_timeout: Duration,
    /// How long a connection may live; then it is asked to close, whatever it does.
    pub connection_age_max: Duration,
    /// How long open requests may take to end at shutdown.
    pub drain_timeout: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            event_bytes_max: 1024 * 1024,
            batch_bytes_max: 8 * 1024 * 1024,
            bodies_bytes_max: 128 * 1024 * 1024,
            connections_max: 1024,
            first_byte_timeout: Duration::from_secs(5),
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(15),
            connection_age_max: Duration::from_secs(600),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// What the ingest port works with. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpState(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    mappers: BTreeMap<String, Arc<Mapper>>,
    publisher: Publisher,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    limits: HttpLimits,
    /// Room for bodies, in KiB.
    room: Arc<Semaphore>,
}

impl HttpState {
    /// A port that takes contract events and the rows of these feeds.
    pub fn new(
        mappers: Vec<Arc<Mapper>>,
        publisher: Publisher,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        limits: HttpLimits,
    ) -> Self {
        let mappers = mappers.into_iter().map(|mapper| (mapper.feed().name.clone(), mapper)).collect();
        let room = Arc::new(Semaphore::new((limits.bodies_bytes_max / 1024).min(Semaphore::MAX_PERMITS)));
        let publisher = publisher.with_deadline(PUSH_BACK);
        Self(Arc::new(Parts { mappers, publisher, clock, observer, limits, room }))
    }

    /// The delivery rules of events that name this source: its feed's, or the contract's own for a source without a feed.
    fn rules(&self, source: &str) -> DeliveryRules {
        let feed = self.0.mappers.get(source).map(|mapper| mapper.feed().rules());
        // The mapping had no part in an event that came as one.
        feed.map(|rules| DeliveryRules { mapping_version: String::new(), ..rules }).unwrap_or_default()
    }
}

/// The routes, for [`serve`] and for tests without a socket.
pub fn router(state: HttpState) -> Router {
    Router::new()
        .route("/v1/events", post(events))
        .route("/v1/feeds/{feed}", post(feed))
        .fallback(|| async {
            Problem::new(StatusCode::NOT_FOUND, "this port answers POST /v1/events and POST /v1/feeds/{feed}").response()
        })
        .method_not_allowed_fallback(|| async { Problem::new(StatusCode::METHOD_NOT_ALLOWED, "events are sent by POST").response() })
        .layer(axum::middleware::from_fn_with_state(state.clone(), observe))
        .with_state(state)
}

async fn observe(State(state): State<HttpState>, request: Request, next: axum::middleware::Next) -> Response {
    let response = next.run(request).await;
    if !response.status().is_success() {
        state.0.observer.refused(response.status().as_u16());
    }
    response
}

async fn events(State(state): State<HttpState>, request: Request) -> Response {
    take_events(state, request).await.unwrap_or_else(Problem::response)
}

async fn take_events(state: HttpState, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let media = Media::of_events(&parts.headers)?;
    let body = body::read(&state.0.limits, &state.0.room, &parts.headers, body).await?;
    let limits = state.0.limits.clone();
    let (now, headers) = (state.0.clock.now(), parts.headers);
    let records = off_reactor(body.bytes.len(), {
        let (bytes, state) = (body.bytes.clone(), state.clone());
        move || contract_events::read(media, &headers, &bytes, &limits, |source| state.rules(source), now)
    })
    .await??;
    publish(&state, records).await
}

async fn feed(State(state): State<HttpState>, Path(feed): Path<String>, request: Request) -> Response {
    take_feed(state, &feed, request).await.unwrap_or_else(Problem::response)
}

async fn take_feed(state: HttpState, feed: &str, request: Request) -> Result<Response, Problem> {
    let Some(mapper) = state.0.mappers.get(feed).cloned() else {
        let known = hint(feed, state.0.mappers.keys().map(String::as_str));
        return Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no feed \"{feed}\"; {known}")));
    };
    let (parts, body) = request.into_parts();
    body::check_feed_media(mapper.feed().format, &parts.headers)?;
    let body = body::read(&state.0.limits, &state.0.room, &parts.headers, body).await?;
    let event_bytes_max = state.0.limits.event_bytes_max;
    let bytes = body.bytes.clone();
    let records = off_reactor(usize::MAX, move || map_rows(&mapper, bytes, event_bytes_max)).await??;
    publish(&state, records).await
}

/// Runs `work` here if it is small, else on a thread for blocking work.
async fn off_reactor<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    if bytes <= INLINE_BYTES_MAX {
        return Ok(work());
    }
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be worked on; nothing of it was kept");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn map_rows(mapper: &Mapper, bytes: bytes::Bytes, event_bytes_max: usize) -> Result<Vec<Accepted>, Problem> {
    let bad = |error: &dyn std::error::Error| Problem::new(StatusCode::BAD_REQUEST, error.to_string());
    let length = bytes.len();
    let mut rows = mapper.feed().rows(mapper.columns(), "http", Box::new(std::io::Cursor::new(bytes))).map_err(|error| bad(&error))?;
    let (source, rules, now) = (Arc::<str>::from(mapper.feed().name.as_str()), mapper.feed().rules(), mapper.now());
    let mut records = Vec::new();
    while let Some(batch) = rows.next_batch(BATCH_ROWS).map_err(|error| bad(&error))? {
        let outcomes = match mapper.normalize(&batch) {
            Ok(outcomes) => outcomes,
            // Columns that do not fit are the sender's: the rows are kept, and can be replayed when mended.
            Err(error @ MappingError::MissingColumn { .. }) => mapper.refuse(&batch, &Fault::new(Reason::BadFormat, "", error.to_string())),
            Err(error) => return Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())),
        };
        if records.len() + outcomes.len() > RECORDS_MAX {
            return Err(Problem::too_many_records(RECORDS_MAX));
        }
        records.extend(outcomes.into_iter().map(|outcome| Accepted::new(Arc::clone(&source), outcome, &rules, now)));
    }
    if records.len() == 1 && length > event_bytes_max && mapper.feed().format == Format::Json {
        return Err(Problem::too_large(event_bytes_max, "one event"));
    }
    Ok(records)
}

/// A record on its way to the log, with what the answer says about it if it was refused.
struct Accepted {
    source: Arc<str>,
    envelope: Envelope,
    refused: Option<(Reason, String, String)>,
}

impl Accepted {
    fn new(source: Arc<str>, outcome: Outcome, rules: &DeliveryRules, now: chrono::DateTime<chrono::Utc>) -> Self {
        let told = match &outcome {
            Outcome::Rejection(rejection) => (rejection.field.clone(), rejection.detail.clone()),
            Outcome::Event(_) => Default::default(),
        };
        let (envelope, reason) = outcome.into_record(rules, now);
        Self { source, envelope, refused: reason.map(|reason| (reason, told.0, told.1)) }
    }
}

/// Makes all records durable, then answers.
async fn publish(state: &HttpState, records: Vec<Accepted>) -> Result<Response, Problem> {
    let mut counts: BTreeMap<(Arc<str>, Option<Reason>), u64> = BTreeMap::new();
    let (mut envelopes, mut refused) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, record) in records.into_iter().enumerate() {
        *counts.entry((record.source, record.refused.as_ref().map(|refusal| refusal.0))).or_default() += 1;
        envelopes.push(record.envelope);
        if let Some((reason, field, detail)) = record.refused {
            refused.push(Refused { index, field, reason, detail });
        }
    }
    let accepted = envelopes.len() - refused.len();
    state.0.publisher.publish(envelopes).await.map_err(|error| Problem::of_log(&error))?;
    for ((source, reason), rows) in counts {
        match reason {
            None => state.0.observer.published(&source, rows),
            Some(reason) => state.0.observer.rejected(&source, reason, rows),
        }
    }
    Ok(answer::published(accepted, refused))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests;
