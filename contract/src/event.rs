//! The contract event: the Rust type, its JSON bytes and the rules it must satisfy. Its columns are in [`crate::schema`].

mod attributes;
mod json;
mod plain;
mod text;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::attributes::Attributes;
pub use self::text::Text;
use crate::Reason;
use crate::limits::{AHEAD_SECONDS_MAX, ATTRIBUTES_MAX, ID_BYTES_MAX, TEXT_BYTES_MAX};

/// What kind of signal an event is; decides its topic and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A citizen's call, app message or visit to a window.
    HotlineCall,
    /// A report by a grid worker in the field.
    GridReport,
    /// A reading of a device.
    SensorEvent,
    /// A step in the life of a case (accepted, dispatched, closed, …).
    CaseStep,
}

impl Kind {
    /// Every kind, in the order of their topics.
    pub const ALL: [Self; 4] = [Self::HotlineCall, Self::GridReport, Self::SensorEvent, Self::CaseStep];

    /// The name used in JSON, SQL, topics and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HotlineCall => "hotline_call",
            Self::GridReport => "grid_report",
            Self::SensorEvent => "sensor_event",
            Self::CaseStep => "case_step",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One signal of the city, mapped into the contract. Absent fields are left out of the JSON.
///
/// `S` is how its texts are held: of its own, or as [`Text`] where they stand in the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de> + AsRef<str>"))]
#[expect(missing_docs, reason = "each field is described once, in schema::FIELDS, from which tables and JSON Schema take it")]
pub struct Event<S = String> {
    pub event_id: S,
    pub source: S,
    pub kind: Kind,
    pub occurred_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_kind: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub urgency: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_property: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_unit: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_id: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lon: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lat: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grid_id: Option<S>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes<S>,
}

/// Why bytes or a row are not a contract event: which field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field \"{field}\": {detail}")]
pub struct InvalidEvent {
    /// The contract field concerned; empty when the bytes are not JSON at all.
    pub field: String,
    /// The closed reason it is counted under.
    pub reason: Reason,
    /// What was found, for the person who mends it.
    pub detail: String,
}

impl InvalidEvent {
    /// An error about `field`.
    pub fn new(field: &str, reason: Reason, detail: impl Into<String>) -> Self {
        Self { field: field.into(), reason, detail: detail.into() }
    }
}

impl<S> Event<S> {
    /// An event of which no more is known.
    pub const fn new(event_id: S, source: S, kind: Kind, occurred_at: DateTime<Utc>) -> Self {
        Self {
            event_id,
            source,
            kind,
            occurred_at,
            received_at: None,
            case_id: None,
            device_id: None,
            stage: None,
            channel: None,
            request_kind: None,
            category: None,
            urgency: None,
            unit_id: None,
            observed_property: None,
            value: None,
            value_unit: None,
            address: None,
            address_id: None,
            caller: None,
            lon: None,
            lat: None,
            grid_id: None,
            deadline_at: None,
            attributes: Attributes::new(),
        }
    }
}

impl Event {
    /// The contract JSON of the event: one line, absent fields left out, times in UTC.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(json::USUAL_BYTES);
        self.write_json(&mut json);
        json
    }

    /// Reads contract JSON and checks the rules of [`Event::validate`].
    ///
    /// # Errors
    /// Names the field and the [`Reason`]; the bytes are then a matter for quarantine.
    pub fn from_json(bytes: &[u8], now: DateTime<Utc>) -> Result<Self, InvalidEvent> {
        Self::read(bytes, now)
    }

    /// Checks what the types cannot: required fields, places, bounds, finite numbers, clocks that run ahead of `now`.
    ///
    /// # Errors
    /// The first rule broken, in field order.
    pub fn validate(&self, now: DateTime<Utc>) -> Result<(), InvalidEvent> {
        self.check::<true>(now)
    }
}

impl<'a> Event<Text<'a>> {
    /// As [`Event::from_json`], for an event that is sent on at once: its texts are not copied, and it is filled where it stands, whatever it
    /// was before. Five hundred bytes and the room of attributes for each event cost as much as reading some of its fields. After an error
    /// it means nothing.
    ///
    /// # Errors
    /// As [`Event::from_json`].
    pub fn refill(&mut self, bytes: &'a [u8], now: DateTime<Utc>) -> Result<(), InvalidEvent> {
        self.clear();
        if plain::read(bytes, self).is_some() {
            // A plain text holds no control character.
            return self.check::<false>(now);
        }
        *self = Self::read(bytes, now)?;
        Ok(())
    }

    /// Nothing is known of it, except by the room its attributes took.
    fn clear(&mut self) {
        let room = self.attributes.cleared();
        *self = Self { attributes: Attributes::of(room), ..Self::default() };
    }
}

impl Default for Event<Text<'_>> {
    /// An event that is to be filled.
    fn default() -> Self {
        Self::new(Text::from(""), Text::from(""), Kind::CaseStep, DateTime::UNIX_EPOCH)
    }
}

// Behind the doors above, which are each of one kind of text: so all of it is compiled, and optimized, here and not in the crates that call.
impl<S: AsRef<str>> Event<S> {
    fn read<'a>(bytes: &'a [u8], now: DateTime<Utc>) -> Result<Self, InvalidEvent>
    where
        S: Deserialize<'a>,
    {
        // A derived reader also takes an array of the fields in their order, which no sender means.
        if bytes.trim_ascii_start().first() == Some(&b'[') {
            return Err(InvalidEvent::new("", Reason::BadJson, "is an array, not an object"));
        }
        let event: Self = serde_json::from_slice(bytes).map_err(|error| explain(bytes, &error))?;
        event.check::<true>(now)?;
        Ok(event)
    }

    /// Checks the rules; for NUL characters only where there may be any.
    fn check<const MAY_HOLD_NUL: bool>(&self, now: DateTime<Utc>) -> Result<(), InvalidEvent> {
        for (field, id) in [("event_id", &self.event_id), ("source", &self.source)] {
            if id.as_ref().is_empty() {
                return Err(InvalidEvent::new(field, Reason::MissingField, "is empty"));
            }
        }
        let ids = [
            ("event_id", Some(&self.event_id)),
            ("source", Some(&self.source)),
            ("case_id", self.case_id.as_ref()),
            ("device_id", self.device_id.as_ref()),
        ];
        for (field, text) in ids {
            check_text::<MAY_HOLD_NUL>(field, text, ID_BYTES_MAX)?;
        }
        let texts = [
            ("address", &self.address),
            ("category", &self.category),
            ("grid_id", &self.grid_id),
            ("caller", &self.caller),
            ("unit_id", &self.unit_id),
            ("stage", &self.stage),
            ("channel", &self.channel),
            ("request_kind", &self.request_kind),
            ("urgency", &self.urgency),
            ("observed_property", &self.observed_property),
            ("value_unit", &self.value_unit),
            ("address_id", &self.address_id),
        ];
        for (field, text) in texts {
            check_text::<MAY_HOLD_NUL>(field, text.as_ref(), TEXT_BYTES_MAX)?;
        }
        // Nearly all are in the past, which is seen sooner than by how much.
        let ahead = if self.occurred_at > now { (self.occurred_at - now).num_seconds() } else { 0 };
        if ahead > AHEAD_SECONDS_MAX {
            return Err(InvalidEvent::new(
                "occurred_at",
                Reason::TimeAhead,
                format!("{} is {ahead} s ahead of the clock", self.occurred_at),
            ));
        }
        if self.attributes.len() > ATTRIBUTES_MAX {
            return Err(InvalidEvent::new(
                "attributes",
                Reason::TooLong,
                format!("{} entries, at most {ATTRIBUTES_MAX}", self.attributes.len()),
            ));
        }
        for (name, text) in self.attributes.iter() {
            check_text::<MAY_HOLD_NUL>("attributes", Some(name), ID_BYTES_MAX)?;
            check_text::<MAY_HOLD_NUL>("attributes", Some(text), TEXT_BYTES_MAX)?;
        }
        if self.value.is_some_and(|value| !value.is_finite()) {
            return Err(InvalidEvent::new("value", Reason::BadNumber, "is not finite"));
        }
        self.validate_place()
    }

    fn validate_place(&self) -> Result<(), InvalidEvent> {
        match (self.lon, self.lat) {
            (Some(lon), Some(lat)) if !((-180.0..=180.0).contains(&lon) && (-90.0..=90.0).contains(&lat)) => {
                return Err(InvalidEvent::new(
                    "lon",
                    Reason::BadCoordinates,
                    format!("({lon}, {lat}) is not a WGS 84 longitude and latitude"),
                ));
            }
            (Some(_), None) => return Err(InvalidEvent::new("lat", Reason::BadCoordinates, "lon is given without lat")),
            (None, Some(_)) => return Err(InvalidEvent::new("lon", Reason::BadCoordinates, "lat is given without lon")),
            _ => {}
        }
        let placed = self.grid_id.is_some()
            || self.lon.is_some()
            || self.address.as_ref().is_some_and(|address| !address.as_ref().trim().is_empty());
        let known_by_device = self.kind == Kind::SensorEvent && self.device_id.is_some();
        let follows_case = self.kind == Kind::CaseStep && self.case_id.is_some();
        if placed || known_by_device || follows_case {
            Ok(())
        } else {
            Err(InvalidEvent::new("address", Reason::MissingPlace, "none of grid_id, lon and lat, or address is given"))
        }
    }
}

fn check_text<const MAY_HOLD_NUL: bool>(field: &str, text: Option<&impl AsRef<str>>, bytes_max: usize) -> Result<(), InvalidEvent> {
    match text.map(AsRef::as_ref) {
        Some(text) if text.len() > bytes_max => {
            Err(InvalidEvent::new(field, Reason::TooLong, format!("{} bytes, at most {bytes_max}", text.len())))
        }
        Some(text) if MAY_HOLD_NUL && holds_nul(text) => Err(InvalidEvent::new(field, Reason::BadText, "holds a NUL character")),
        _ => Ok(()),
    }
}

/// Over the whole text without leaving early: sixteen bytes at a time, where a search for the first would take one.
fn holds_nul(text: &str) -> bool {
    text.bytes().fold(false, |found, byte| found | (byte == 0))
}

/// Turns serde's sentence into field and reason by looking at the JSON once more; only refused records pay for it.
fn explain(bytes: &[u8], error: &serde_json::Error) -> InvalidEvent {
    let detail = error.to_string();
    // What is no JSON is not read once more to learn that.
    let json = if error.is_data() { serde_json::from_slice::<serde_json::Value>(bytes).ok() } else { None };
    let Some(serde_json::Value::Object(fields)) = json else {
        return InvalidEvent::new("", Reason::BadJson, detail);
    };
    if detail.starts_with("unknown field") {
        let field = detail.split('`').nth(1).unwrap_or_default();
        return InvalidEvent::new(field, Reason::UnknownField, "is not a field of the contract; put it under attributes");
    }
    for field in ["event_id", "source", "kind", "occurred_at"] {
        match fields.get(field) {
            None | Some(serde_json::Value::Null) => return InvalidEvent::new(field, Reason::MissingField, "is missing"),
            Some(value) if field == "kind" && value.as_str().and_then(Kind::from_name).is_none() => {
                return InvalidEvent::new(
                    field,
                    Reason::BadKind,
                    format!("{value} is none of hotline_call, grid_report, sensor_event, case_step"),
                );
            }
            Some(_) => {}
        }
    }
    for field in ["occurred_at", "received_at", "deadline_at"] {
        let parsed = fields.get(field).and_then(|value| value.as_str()).map(DateTime::parse_from_rfc3339);
        if matches!(parsed, Some(Err(_))) || (parsed.is_none() && fields.get(field).is_some_and(|value| !value.is_null())) {
            return InvalidEvent::new(field, Reason::BadTime, format!("{} is not an RFC 3339 time with offset", fields[field]));
        }
    }
    for field in ["value", "lon", "lat"] {
        if fields.get(field).is_some_and(|value| !value.is_number() && !value.is_null()) {
            return InvalidEvent::new(field, Reason::BadNumber, format!("{} is not a number", fields[field]));
        }
    }
    InvalidEvent::new("", Reason::BadType, detail)
}
