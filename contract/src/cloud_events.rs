//! The only place that knows CloudEvents 1.0: the JSON format, and the attributes of the HTTP and the Kafka binding. `data` is a contract event in
//! which the envelope may stand for what it lacks: `id` for `event_id`, `source` for `source`, `time` for `occurred_at`, and the last word of
//! `type` for `kind`.

use base64::Engine;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::log::Record;
use crate::{Event, InvalidEvent, Kind, Reason};

/// Header that says what a message's bytes are (Kafka binding, 3.1).
const CONTENT_TYPE: &str = "content-type";
/// How the names of attributes begin as headers of a message in binary mode (Kafka binding, 3.2.3.1).
const PREFIX: &str = "ce_";
/// What the media types of structured mode begin with.
const STRUCTURED: &str = "application/cloudevents";

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

/// How a message of Kafka carries a CloudEvent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Attributes and data in one JSON object: `content-type: application/cloudevents+json`.
    Structured,
    /// Attributes in `ce_` headers, data as the value.
    Binary,
}

impl Mode {
    /// The mode a message's headers say; `None` where it is no CloudEvent.
    pub fn of<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let mut binary = None;
        for (name, value) in headers {
            let structured = || value.get(..STRUCTURED.len()).is_some_and(|start| start.eq_ignore_ascii_case(STRUCTURED));
            if name == CONTENT_TYPE && structured() {
                return Some(Self::Structured);
            }
            if name.strip_prefix(PREFIX) == Some("specversion") {
                binary = Some(Self::Binary);
            }
        }
        binary
    }
}

/// The event of a record of a contract topic, where it is a CloudEvent; `None` where it is not.
pub fn of_record(record: &Record, now: DateTime<Utc>) -> Option<Result<Event, InvalidEvent>> {
    if record.headers.is_empty() {
        return None;
    }
    Some(match Mode::of(record.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())))? {
        Mode::Structured => structured(&record.value, now),
        Mode::Binary => binary(|name| record.header(&format!("{PREFIX}{name}")).map(ToOwned::to_owned), &record.value, now),
    })
}

/// Attributes and data in one JSON object.
///
/// # Errors
/// The object is no CloudEvent, or its data no contract event.
pub fn structured(body: &[u8], now: DateTime<Utc>) -> Result<Event, InvalidEvent> {
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

/// Attributes beside the data: `attribute` answers one by its name without the binding's prefix.
///
/// # Errors
/// An attribute that must be there is not, or the data is no contract event.
pub fn binary(attribute: impl Fn(&str) -> Option<String>, body: &[u8], now: DateTime<Utc>) -> Result<Event, InvalidEvent> {
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

/// A message in binary mode as the one JSON object of structured mode: every `ce_` header an attribute, the value as `data`, byte for byte.
///
/// # Errors
/// The value is not JSON.
pub fn as_structured<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>, value: &[u8]) -> Result<Vec<u8>, InvalidEvent> {
    let data: &RawValue = serde_json::from_slice(value)
        .map_err(|error| InvalidEvent::new("data", Reason::BadJson, format!("the data of the CloudEvent is not JSON: {error}")))?;
    let mut event = Map::new();
    for (name, value) in headers {
        if let Some(attribute) = name.strip_prefix(PREFIX).filter(|attribute| !["", "data", "data_base64"].contains(attribute)) {
            event.insert(attribute.to_owned(), Value::String(value.to_owned()));
        } else if name == CONTENT_TYPE {
            event.insert("datacontenttype".to_owned(), Value::String(value.to_owned()));
        }
    }
    let mut text = serde_json::to_vec(&event).map_err(|error| InvalidEvent::new("", Reason::BadJson, error.to_string()))?;
    // The object's closing brace makes room for its last member.
    text.pop();
    if !event.is_empty() {
        text.push(b',');
    }
    text.extend_from_slice(b"\"data\":");
    text.extend_from_slice(data.get().as_bytes());
    text.push(b'}');
    Ok(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"category":"noise","address":"Mill Road 7","attributes":{"note":"巷口"}}"#;
    const ATTRIBUTES: [(&str, &str); 5] = [
        ("ce_specversion", "1.0"),
        ("ce_id", "a"),
        ("ce_source", "city"),
        ("ce_type", "example.hotline_call"),
        ("ce_time", "2026-01-01T08:00:00Z"),
    ];

    fn now() -> DateTime<Utc> {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    fn record(headers: &[(&str, &str)], value: &str) -> Record {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Record::new("k", value.to_owned()).with_headers(owned)
    }

    fn envelope() -> String {
        format!(
            r#"{{"specversion":"1.0","id":"a","source":"city","type":"example.hotline_call","time":"2026-01-01T08:00:00Z","data":{DATA}}}"#
        )
    }

    #[test]
    fn binary_and_structured_messages_are_the_same_event() {
        let structured = record(&[(CONTENT_TYPE, "Application/CloudEvents+json; charset=UTF-8")], &envelope());
        let event = of_record(&structured, now()).unwrap().unwrap();
        assert_eq!((event.event_id.as_str(), event.source.as_str(), event.kind), ("a", "city", Kind::HotlineCall));
        let headers = [&ATTRIBUTES[..], &[(CONTENT_TYPE, "application/json")]].concat();
        assert_eq!(of_record(&record(&headers, DATA), now()).unwrap().unwrap(), event);
        let composed = as_structured(headers.iter().copied(), DATA.as_bytes()).unwrap();
        assert_eq!(super::structured(&composed, now()).unwrap(), event);
    }

    #[test]
    fn other_records_are_left_to_their_own_form() {
        assert_eq!(of_record(&record(&[], DATA), now()), None);
        assert_eq!(of_record(&record(&[(CONTENT_TYPE, "application/json"), ("ce_id", "x")], DATA), now()), None);
        assert_eq!(of_record(&record(&[(CONTENT_TYPE, "應用")], DATA), now()), None);
    }

    #[test]
    fn what_lacks_or_breaks_is_refused_with_its_field() {
        let refused = |headers: &[(&str, &str)], value: &str| of_record(&record(headers, value), now()).unwrap().unwrap_err();
        let without = |name: &str| ATTRIBUTES.into_iter().filter(|(header, _)| *header != name).collect::<Vec<_>>();
        assert_eq!(refused(&without("ce_id"), DATA).field, "id");
        assert_eq!(refused(&without("ce_type"), DATA).field, "type");
        assert_eq!(refused(&ATTRIBUTES, "").reason, Reason::BadJson);
        assert_eq!(refused(&ATTRIBUTES, "[1]").field, "data");
        let old: Vec<_> = ATTRIBUTES.into_iter().map(|(name, value)| (name, if value == "1.0" { "0.3" } else { value })).collect();
        assert_eq!(refused(&old, DATA).field, "specversion");
        assert_eq!(refused(&[(CONTENT_TYPE, "application/cloudevents+json")], DATA).field, "data");
        assert_eq!(refused(&[(CONTENT_TYPE, "application/cloudevents+json")], "{").reason, Reason::BadJson);
        let deep = "[".repeat(100_000);
        assert_eq!(refused(&ATTRIBUTES, &deep).reason, Reason::BadJson);
        assert_eq!(as_structured(ATTRIBUTES, b"\xff").unwrap_err().reason, Reason::BadJson);
    }

    #[test]
    fn a_header_called_data_takes_nothings_place() {
        let composed = as_structured([("ce_data", "x"), ("ce_id", "q\"")], b" {\"a\":1} ").unwrap();
        assert_eq!(String::from_utf8(composed).unwrap(), r#"{"id":"q\"","data":{"a":1}}"#);
    }
}
