//! The only place that reads request bodies: what media they are, within which bounds of size and time, unpacked.

use std::io::Read;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Problem;
use super::{HttpLimits, header};
use crate::feeds::Format;
use crate::raw::compression::Compression;

/// What a body of `POST /v1/events` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// One contract event, or an array of them.
    Json,
    /// One contract event a line.
    Ndjson,
    /// A CloudEvent with its attributes beside the data.
    CloudEvent,
    /// An array of those.
    CloudEvents,
    /// A CloudEvent with its attributes in headers.
    CloudEventData,
}

impl Media {
    pub(super) fn of_events(headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = |given: &str| {
            Problem::media(format!(
                "Content-Type {given} is none of application/json, application/x-ndjson, application/cloudevents+json, application/cloudevents-batch+json"
            ))
        };
        let media = essence(headers)?.ok_or_else(|| refused("is missing; it"))?;
        match media.as_str() {
            "application/json" if headers.contains_key("ce-specversion") => Ok(Self::CloudEventData),
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Self::Ndjson),
            "application/cloudevents+json" => Ok(Self::CloudEvent),
            "application/cloudevents-batch+json" => Ok(Self::CloudEvents),
            _ => Err(refused(&format!("\"{media}\""))),
        }
    }
}

/// Checks that a body for a feed says it is of the feed's format. Its characters are in the encoding feed.toml declares.
pub(super) fn check_feed_media(format: Format, headers: &HeaderMap) -> Result<(), Problem> {
    let wanted: &[&str] = match format {
        Format::Csv => &["text/csv", "application/csv"],
        Format::Ndjson => &["application/x-ndjson", "application/ndjson", "application/jsonl"],
        Format::Json => &["application/json"],
        Format::CloudEvents => &["application/cloudevents+json", "application/cloudevents-batch+json"],
    };
    let media = raw_essence(headers).unwrap_or_default();
    if wanted.contains(&media.as_str()) {
        return Ok(());
    }
    Err(Problem::media(format!("this feed takes {}, the request says \"{media}\"", wanted[0])))
}

fn raw_essence(headers: &HeaderMap) -> Option<String> {
    let media = header(headers, "content-type")?;
    Some(media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The media type without parameters; JSON in another charset than UTF-8 is refused rather than misread.
fn essence(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let parameters = header(headers, "content-type").unwrap_or_default().to_ascii_lowercase();
    let charset = parameters
        .split(';')
        .skip(1)
        .find_map(|parameter| parameter.trim().strip_prefix("charset=").map(|value| value.trim_matches('"').to_owned()));
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii") => Ok(raw_essence(headers)),
        Some(other) => Err(Problem::media(format!("charset {other} is not taken; send UTF-8"))),
    }
}

/// A body in memory; its room is given back when it is dropped.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Reads a body whole, within the bounds of size, time and room, and unpacks it.
pub(super) async fn read(limits: &HttpLimits, room: &Arc<Semaphore>, headers: &HeaderMap, body: Body) -> Result<Held, Problem> {
    let packed = header(headers, "content-encoding").unwrap_or_default();
    let compression = Compression::of_header(packed)
        .ok_or_else(|| Problem::media(format!("Content-Encoding \"{packed}\" is not taken; send gzip, zstd or none")).closing())?;
    let declared = header(headers, "content-length").and_then(|length| length.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limits.batch_bytes_max) {
        return Err(Problem::too_large(limits.batch_bytes_max, "many events"));
    }
    let reserved = reserve(limits, room, declared, compression)?;
    let collected = tokio::time::timeout(limits.body_timeout, Limited::new(body, limits.batch_bytes_max).collect()).await;
    let bytes = match collected {
        Err(_) => {
            let problem = Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body did not arrive within {} s", limits.body_timeout.as_secs_f32()),
            );
            return Err(problem.closing());
        }
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(Problem::too_large(limits.batch_bytes_max, "many events"));
        }
        Ok(Err(_)) => return Err(Problem::new(StatusCode::BAD_REQUEST, "the body ended before its end").closing()),
        Ok(Ok(collected)) => collected.to_bytes(),
    };
    Ok(Held { bytes: unpack(compression, bytes, limits.batch_bytes_max)?, _room: reserved })
}

/// Room for the body: what it says it has, and the bound where it does not say or is packed.
fn reserve(
    limits: &HttpLimits,
    room: &Arc<Semaphore>,
    declared: Option<usize>,
    compression: Compression,
) -> Result<OwnedSemaphorePermit, Problem> {
    let unpacked = if compression == Compression::Plain { 0 } else { limits.batch_bytes_max };
    let bytes = declared.unwrap_or(limits.batch_bytes_max) + unpacked;
    let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
    let busy =
        |_| Problem::busy(StatusCode::SERVICE_UNAVAILABLE, "too many bodies are being read at present; send again later", 1).closing();
    Arc::clone(room).try_acquire_many_owned(kibibytes).map_err(busy)
}

fn unpack(compression: Compression, bytes: Bytes, bytes_max: usize) -> Result<Bytes, Problem> {
    if compression == Compression::Plain {
        return Ok(bytes);
    }
    let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "the body cannot be unpacked as its Content-Encoding says");
    let input = compression.unpack(Box::new(std::io::Cursor::new(bytes))).map_err(broken)?;
    let mut unpacked = Vec::new();
    // One byte more than allowed tells a body at the bound from one beyond it.
    input.take(bytes_max as u64 + 1).read_to_end(&mut unpacked).map_err(broken)?;
    if unpacked.len() > bytes_max {
        return Err(Problem::too_large(bytes_max, "many events, unpacked,"));
    }
    Ok(unpacked.into())
}
