//! What is put in the log beside the bytes: the envelope's headers, and the disposition a record ends with.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::log::Record;
use crate::pieces::Pieces;
use crate::{Event, Rejection, Text, topic};

/// What the JSON of the usual event takes, so that its memory is asked for once.
const VALUE_BYTES: usize = 512;

/// Where the bytes of records are put together. Those of one request share it: memory of its own for each record has its price.
#[derive(Debug, Default)]
pub struct Room {
    key: Vec<u8>,
    value: Vec<u8>,
    pieces: Pieces,
}

/// What became of a record of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// It counts.
    Accepted,
    /// The same id and body stood at an earlier offset.
    Duplicate,
    /// It came after its source's watermark had passed it by more than the feed's lateness.
    Late,
    /// It is no event; payload and reason are kept.
    Quarantined,
}

impl Disposition {
    /// Every disposition.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Duplicate, Self::Late, Self::Quarantined];

    /// The name in SQL, file paths and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Quarantined => "quarantined",
        }
    }
}

/// Names of the headers a record carries. A producer outside gridwatch may leave all of them out.
pub mod headers {
    /// Version of the mapping that made the event (hash of feed.toml and mapping.sql).
    pub const MAPPING_VERSION: &str = "mapping_version";
    /// How late an event of this feed may come, in seconds; absent or `unlimited` = never late.
    pub const LATENESS_SECONDS: &str = "lateness_seconds";
    /// For how long ids of this feed are remembered, in seconds of event time; absent or `unlimited` = for ever.
    pub const DEDUPLICATION_SECONDS: &str = "deduplication_seconds";
}

/// A feed's rules about delivery, which travel with each record because analytics does not see feeds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliveryRules {
    /// Version of the mapping; empty for contract events sent as such.
    pub mapping_version: String,
    /// Lateness in seconds; `None` = never late.
    pub lateness_seconds: Option<u32>,
    /// Deduplication horizon in seconds of event time; `None` = for ever. Never shorter than the lateness.
    pub deduplication_seconds: Option<u32>,
}

impl DeliveryRules {
    /// Reads the rules from a record's headers; what cannot be read counts as absent.
    pub fn from_record(record: &Record) -> Self {
        if record.headers.is_empty() {
            return Self::default();
        }
        let seconds = |name| record.header(name).and_then(|value| value.parse().ok());
        Self {
            mapping_version: record.header(headers::MAPPING_VERSION).unwrap_or_default().to_owned(),
            lateness_seconds: seconds(headers::LATENESS_SECONDS),
            deduplication_seconds: seconds(headers::DEDUPLICATION_SECONDS),
        }
    }

    fn to_headers(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        if !self.mapping_version.is_empty() {
            all.push((headers::MAPPING_VERSION.to_owned(), self.mapping_version.clone()));
        }
        if let Some(seconds) = self.lateness_seconds {
            all.push((headers::LATENESS_SECONDS.to_owned(), seconds.to_string()));
        }
        if let Some(seconds) = self.deduplication_seconds {
            all.push((headers::DEDUPLICATION_SECONDS.to_owned(), seconds.to_string()));
        }
        all
    }
}

/// A record with the topic it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The topic.
    pub topic: &'static str,
    /// The record.
    pub record: Record,
}

impl Envelope {
    /// An event, under its kind's topic and its case's or device's key (D4).
    pub fn event(event: &Event, rules: &DeliveryRules) -> Self {
        let mut value = Vec::with_capacity(VALUE_BYTES);
        event.write_json(&mut value);
        Self::of(event, topic::key(event).into(), value.into(), rules)
    }

    /// As [`Envelope::event`], of an event whose texts stand elsewhere, with others in one room.
    pub fn event_in_place(event: &Event<Text<'_>>, rules: &DeliveryRules, room: &mut Room) -> Self {
        let Room { key, value, pieces } = room;
        key.clear();
        value.clear();
        let [source, id] = topic::key_parts(event);
        key.extend_from_slice(source.as_bytes());
        key.push(b'/');
        key.extend_from_slice(id.as_bytes());
        event.write_json(value);
        let (key, value) = pieces.keep(key, value);
        Self::of(event, key, value, rules)
    }

    fn of<S>(event: &Event<S>, key: Bytes, value: Bytes, rules: &DeliveryRules) -> Self {
        Self { topic: topic::of_kind(event.kind), record: Record { key, value, headers: rules.to_headers() } }
    }

    /// A rejection, under the quarantine topic, keyed by its source.
    pub fn rejection(rejection: &Rejection, rules: &DeliveryRules) -> Self {
        Self {
            topic: topic::QUARANTINE,
            record: Record::new(rejection.source.clone(), rejection.to_json()).with_headers(rules.to_headers()),
        }
    }
}
