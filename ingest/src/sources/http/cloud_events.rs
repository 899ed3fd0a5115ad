//! The only place that knows CloudEvents 1.0 (JSON format and HTTP binding). `data` is a contract event in which the envelope may stand for
//! what it lacks: `id` for `event_id`, `source` for `source`, `time` for `occurred_at`, and the last word of `type` for `kind`.

use axum::http::HeaderMap;
use base64::Engine;
use chrono::{DateTime, Utc};
use contract::{Event, InvalidEvent, Kind, Reason};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::header;

/// The attributes used; extensions are allowed and ignored.
#[derive(Debug, Default, Deserialize)]
struct Attributes {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    r#type: Option<String>,
    time: Option<String>,
}

#[derive(Debug, Deserialize)]
struct CloudEvent {
    #[serde(flatten)]
    attributes: Attributes,
    data: Option<Value>,
    data_base64: Option<String>,
}

/// Attributes and data in one JSON object.
pub(super) fn structured(body: &[u8], now: DateTime<Utc>) -> Result<Event, InvalidEvent> {
    let event: CloudEvent =
        serde_json::from_slice(body).map_err(|error| InvalidEvent::new("", Reason::BadJson, format!("not a CloudEvent: {error}")))?;
    let data = match (event.data, event.data_base64) {
        (Some(data), None) => data,
        (None, Some(text)) => decode(&text)?,
        (None, None) => return Err(InvalidEvent::new("data", Reason::MissingField, "is missing")),
        (Some(_), Some(_)) => return Err(InvalidEvent::new("data", Reason::BadFormat, "stands beside data_base64; only one of them may")),
    };
    contract_event(event.attributes, data, now)
}

/// Attributes in `ce-` headers, data as the body.
pub(super) fn binary(headers: &HeaderMap, body: &[u8], now: DateTime<Utc>) -> Result<Event, InvalidEvent> {
    let attribute = |name: &str| header(headers, &format!("ce-{name}")).map(percent_decoded);
    let attributes = Attributes {
        specversion: attribute("specversion"),
        id: attribute("id"),
        source: attribute("source"),
        r#type: attribute("type"),
        time: attribute("time"),
    };
    let data = serde_json::from_slice(body).map_err(|error| InvalidEvent::new("", Reason::BadJson, error.to_string()))?;
    contract_event(attributes, data, now)
}

fn decode(text: &str) -> Result<Value, InvalidEvent> {
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| InvalidEvent::new("data_base64", Reason::BadFormat, format!("is not base64: {error}")))?;
    serde_json::from_slice(&bytes).map_err(|error| InvalidEvent::new("data_base64", Reason::BadJson, error.to_string()))
}

fn contract_event(attributes: Attributes, data: Value, now: DateTime<Utc>) -> Result<Event, InvalidEvent> {
    match attributes.specversion.as_deref() {
        Some("1.0") => {}
        Some(other) => return Err(InvalidEvent::new("specversion", Reason::BadFormat, format!("is \"{other}\", taken is 1.0"))),
        None => return Err(InvalidEvent::new("specversion", Reason::MissingField, "is missing")),
    }
    for (name, value) in [("id", &attributes.id), ("source", &attributes.source), ("type", &attributes.r#type)] {
        if value.as_ref().is_none_or(String::is_empty) {
            return Err(InvalidEvent::new(name, Reason::MissingField, "is missing; CloudEvents requires it"));
        }
    }
    let Value::Object(mut fields) = data else {
        return Err(InvalidEvent::new("data", Reason::BadType, "is not an object"));
    };
    let kind = attributes.r#type.map(|name| name.rsplit('.').next().unwrap_or_default().to_owned());
    fill(&mut fields, "event_id", attributes.id);
    fill(&mut fields, "source", attributes.source);
    fill(&mut fields, "occurred_at", attributes.time);
    fill(&mut fields, "kind", kind.filter(|name| Kind::from_name(name).is_some()));
    let bytes = serde_json::to_vec(&fields).map_err(|error| InvalidEvent::new("data", Reason::BadJson, error.to_string()))?;
    Event::from_json(&bytes, now)
}

fn fill(fields: &mut Map<String, Value>, name: &str, value: Option<String>) {
    if let Some(value) = value
        && fields.get(name).is_none_or(Value::is_null)
    {
        fields.insert(name.to_owned(), Value::String(value));
    }
}

/// Header values carry characters beyond ASCII as `%XX` (HTTP binding, 3.1.3.2).
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
