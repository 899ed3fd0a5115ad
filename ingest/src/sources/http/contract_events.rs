//! The only place that cuts a body of `POST /v1/events` into contract events and makes records of them. Nothing but serde runs here.

use std::sync::Arc;

use axum::http::HeaderMap;
use chrono::{DateTime, Utc};
use contract::log::RECORD_BYTES_MAX;
use contract::{DeliveryRules, Envelope, Event, InvalidEvent, Reason, Room, cloud_events};
use serde::Deserialize;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Problem;
use super::body::Media;
use super::{Accepted, HttpLimits, RECORDS_MAX, header};
use crate::Outcome;
use crate::mapping::rejection;
use crate::raw::Fault;

/// The source a refused record is kept under when it names none itself.
const NAMELESS: &str = "http";

/// The records of a body, in order; `rules` answers the delivery rules of a source's events.
pub(super) fn read(
    media: Media,
    headers: &HeaderMap,
    body: &[u8],
    limits: &HttpLimits,
    rules: impl Fn(&str) -> DeliveryRules,
    now: DateTime<Utc>,
) -> Result<Vec<Accepted>, Problem> {
    let mut sources = Sources { rules, last: None };
    if body.trim_ascii().is_empty() && media != Media::Ndjson {
        return Err(Problem::new(axum::http::StatusCode::BAD_REQUEST, "the body is empty; send an event"));
    }
    let many = match media {
        Media::Ndjson | Media::CloudEvents => true,
        Media::Json => body.trim_ascii_start().starts_with(b"["),
        Media::CloudEvent | Media::CloudEventData => false,
    };
    if !many && body.len() > limits.event_bytes_max {
        return Err(Problem::too_large(limits.event_bytes_max, "one event"));
    }
    let pieces = match media {
        Media::Ndjson => lines(body)?,
        Media::Json | Media::CloudEvents if many => match elements(body)? {
            Ok(pieces) => pieces,
            Err(invalid) => return Ok(vec![refused(invalid, body, 0, &mut sources, now)]),
        },
        _ => vec![body],
    };
    let (mut records, mut room, mut place) = (Vec::with_capacity(pieces.len()), Room::default(), Event::default());
    for (index, piece) in pieces.into_iter().enumerate() {
        let event = match media {
            Media::Json | Media::Ndjson => {
                // Most of what comes: it is written into its record from where it stands.
                match place.refill(piece, now) {
                    Ok(()) => {
                        let (source, rules) = sources.of(&place.source);
                        let envelope = Envelope::event_in_place(&place, rules, &mut room);
                        if envelope.record.bytes() <= RECORD_BYTES_MAX {
                            records.push(Accepted { source, envelope, refused: None });
                            continue;
                        }
                        Event::from_json(piece, now)
                    }
                    Err(invalid) => Err(invalid),
                }
            }
            Media::CloudEvent | Media::CloudEvents => cloud_events::structured(piece, now),
            Media::CloudEventData => cloud_events::binary(|name| header(headers, &format!("ce-{name}")).map(percent_decoded), piece, now),
        };
        records.push(match event {
            Ok(event) => {
                let (source, rules) = sources.of(&event.source);
                Accepted::new(source, Outcome::Event(event), rules, now)
            }
            Err(invalid) => refused(invalid, piece, index, &mut sources, now),
        });
    }
    Ok(records)
}

/// The sources of a body and their rules. Mostly one after the other is the same.
struct Sources<F> {
    rules: F,
    last: Option<(Arc<str>, DeliveryRules)>,
}

impl<F: Fn(&str) -> DeliveryRules> Sources<F> {
    fn of(&mut self, source: &str) -> (Arc<str>, &DeliveryRules) {
        let known = self.last.take().filter(|(last, _)| **last == *source);
        let (name, rules) = self.last.insert(known.unwrap_or_else(|| (source.into(), (self.rules)(source))));
        (Arc::clone(name), rules)
    }
}

fn lines(body: &[u8]) -> Result<Vec<&[u8]>, Problem> {
    let (mut lines, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest[..end].trim_ascii();
        rest = rest.get(end + 1..).unwrap_or_default();
        if line.is_empty() {
            continue;
        }
        if lines.len() == RECORDS_MAX {
            return Err(Problem::too_many_records(RECORDS_MAX));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// Elements of an array as they stand, at most [`RECORDS_MAX`].
struct Elements<'a>(Vec<&'a RawValue>);

/// Says "too many" in an error of serde, which has no room for a type.
const TOO_MANY: &str = "too many records";

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bounded;
        impl<'de> Visitor<'de> for Bounded {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = sequence.next_element()? {
                    if elements.len() == RECORDS_MAX {
                        return Err(A::Error::custom(TOO_MANY));
                    }
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_seq(Bounded).map(Elements)
    }
}

fn elements(body: &[u8]) -> Result<Result<Vec<&[u8]>, InvalidEvent>, Problem> {
    match serde_json::from_slice::<Elements<'_>>(body) {
        Ok(elements) => Ok(Ok(elements.0.into_iter().map(|element| element.get().as_bytes()).collect())),
        Err(error) if error.to_string().contains(TOO_MANY) => Err(Problem::too_many_records(RECORDS_MAX)),
        Err(error) => Ok(Err(InvalidEvent::new("", Reason::BadJson, error.to_string()))),
    }
}

fn refused<F: Fn(&str) -> DeliveryRules>(
    invalid: InvalidEvent,
    piece: &[u8],
    index: usize,
    sources: &mut Sources<F>,
    now: DateTime<Utc>,
) -> Accepted {
    let fault = Fault { reason: invalid.reason, field: invalid.field, detail: invalid.detail };
    let payload = String::from_utf8_lossy(piece).into_owned();
    let (source, rules) = sources.of(&source_named(piece));
    Accepted::new(
        Arc::clone(&source),
        Outcome::Rejection(Box::new(rejection(&source, fault, payload, format!("http:{index}"), now))),
        rules,
        now,
    )
}

/// The source a refused record names, so that its feed's people find it; bounded like any id.
fn source_named(piece: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Named {
        source: String,
    }
    let named = serde_json::from_slice::<Named>(piece).map(|named| named.source).unwrap_or_default();
    let sound = !named.is_empty() && named.len() <= contract::limits::ID_BYTES_MAX && !named.contains('\0');
    if sound { named } else { NAMELESS.to_owned() }
}

/// Header values carry characters beyond ASCII as `%XX` (CloudEvents' HTTP binding, 3.1.3.2).
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).expect("two hex digits are a byte"));
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
