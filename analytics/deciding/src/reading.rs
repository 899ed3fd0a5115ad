//! A record as it is read: the event it holds, or why there is none.

use std::borrow::Cow;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use contract::log::{RECORD_BYTES_MAX, Stored};
use contract::{Disposition, Event, Reason, Rejection, Text, TopicPartition, cloud_events, topic};

use crate::names::Name;

/// A record and what became of it, before it is laid out in columns.
pub(crate) struct Row<'a> {
    pub(crate) stored: &'a Stored,
    pub(crate) outcome: Outcome<'a>,
}

/// An event or none.
pub(crate) enum Outcome<'a> {
    Event(Box<Event<Text<'a>>>, Judgement),
    Refused(Box<Refused<'a>>),
}

/// What is said of an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judgement {
    pub(crate) grid: Option<Name>,
    pub(crate) located_by: Option<&'static str>,
    pub(crate) body_hash: i64,
    pub(crate) revision: i32,
    pub(crate) disposition: Disposition,
}

impl Default for Judgement {
    fn default() -> Self {
        Self { grid: None, located_by: None, body_hash: 0, revision: 0, disposition: Disposition::Accepted }
    }
}

/// Why there is no event.
pub(crate) struct Refused<'a> {
    /// All but the payload.
    pub(crate) rejection: Rejection,
    payload: Payload<'a>,
}

/// A refused record as it came.
pub(crate) enum Payload<'a> {
    /// As text; what is no text in it is replaced.
    Small(Cow<'a, str>),
    /// Where it lies, not looked at.
    Large(&'a Bytes),
}

/// A payload from which on it costs more to copy it, or to look at it once more, than to lay it out by itself.
pub(crate) const LARGE_PAYLOAD_BYTES: usize = 64 * 1024;

impl<'a> Payload<'a> {
    fn of(bytes: &'a Bytes) -> Self {
        if bytes.len() >= LARGE_PAYLOAD_BYTES {
            return Self::Large(bytes);
        }
        // What is no text is looked for only where there is any.
        Self::Small(std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed))
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Small(text) => text.len(),
            Self::Large(bytes) => bytes.len(),
        }
    }
}

impl<'a> Row<'a> {
    /// Reads a record.
    pub(crate) fn read(partition: &TopicPartition, stored: &'a Stored, reading: &mut Reading<'a>) -> Self {
        Self { stored, outcome: read(partition, stored, reading) }
    }

    /// Lets go of it.
    pub(crate) fn spare(self, reading: &mut Reading<'a>) {
        if let Outcome::Event(event, _) = self.outcome {
            reading.spare.push(event);
        }
    }

    pub(crate) fn event(&self) -> Option<&Event<Text<'a>>> {
        match &self.outcome {
            Outcome::Event(event, _) => Some(event),
            Outcome::Refused(_) => None,
        }
    }

    pub(crate) fn judgement(&self) -> Option<&Judgement> {
        match &self.outcome {
            Outcome::Event(_, judgement) => Some(judgement),
            Outcome::Refused(_) => None,
        }
    }

    pub(crate) fn refused(&self) -> Option<&Refused<'a>> {
        match &self.outcome {
            Outcome::Event(..) => None,
            Outcome::Refused(refused) => Some(refused),
        }
    }

    pub(crate) fn rejection(&self) -> Option<&Rejection> {
        self.refused().map(|refused| &refused.rejection)
    }

    pub(crate) fn payload(&self) -> Option<&Payload<'a>> {
        self.refused().map(|refused| &refused.payload)
    }

    pub(crate) fn source(&self) -> &str {
        match &self.outcome {
            Outcome::Event(event, _) => &event.source,
            Outcome::Refused(refused) => &refused.rejection.source,
        }
    }

    pub(crate) fn disposition(&self) -> Disposition {
        self.judgement().map_or(Disposition::Quarantined, |judgement| judgement.disposition)
    }
}

/// What reading keeps from record to record.
#[derive(Default)]
pub(crate) struct Reading<'a> {
    /// Events that are not needed any more, for the memory they have.
    #[expect(clippy::vec_box, reason = "an event is not moved about: that costs as much as reading some of its fields")]
    spare: Vec<Box<Event<Text<'a>>>>,
    /// The last instant of appending in microseconds, and as what it was understood: hundreds are of one millisecond.
    appended_at: (i64, DateTime<Utc>),
}

impl Reading<'_> {
    fn appended_at(&mut self, micros: i64) -> DateTime<Utc> {
        if self.appended_at.0 != micros {
            self.appended_at = (micros, DateTime::from_timestamp_micros(micros).unwrap_or_default());
        }
        self.appended_at.1
    }
}

/// Tables keep microseconds; the event as decided must be the event as read back.
fn truncate_times<S>(event: &mut Event<S>) {
    event.occurred_at = micros(event.occurred_at);
    event.received_at = event.received_at.map(micros);
    event.deadline_at = event.deadline_at.map(micros);
}

fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    // Nearly all are of milliseconds; a leap second, which has more than all nanoseconds of one, is read back as the next.
    let nanos = at.timestamp_subsec_nanos();
    if nanos < 1_000_000_000 && nanos.is_multiple_of(1_000) {
        return at;
    }
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The event of a record, or why there is none. Only what stands in the log is looked at, so the answer is always the same.
fn read<'r>(partition: &TopicPartition, stored: &'r Stored, reading: &mut Reading<'r>) -> Outcome<'r> {
    let value = &stored.record.value;
    let appended_at = reading.appended_at(stored.appended_at);
    if stored.bytes() > RECORD_BYTES_MAX {
        return Outcome::Refused(refuse_unread(stored, appended_at));
    }
    if partition.topic == topic::QUARANTINE {
        return Outcome::Refused(match serde_json::from_slice::<Rejection>(value) {
            Ok(mut rejection) => Box::new(Refused { payload: Payload::Small(std::mem::take(&mut rejection.payload).into()), rejection }),
            Err(error) => refuse(stored, appended_at, Reason::BadJson, "", &error.to_string()),
        });
    }
    let event = match cloud_events::of_record(&stored.record, appended_at) {
        Some(event) => event.map(|event| Box::new(event.into())),
        None => {
            let mut event = reading.spare.pop().unwrap_or_default();
            match event.refill(value, appended_at) {
                Ok(()) => Ok(event),
                Err(invalid) => {
                    reading.spare.push(event);
                    Err(invalid)
                }
            }
        }
    };
    match event {
        Ok(mut event) => {
            truncate_times(&mut event);
            Outcome::Event(event, Judgement::default())
        }
        Err(invalid) => Outcome::Refused(refuse(stored, appended_at, invalid.reason, &invalid.field, &invalid.detail)),
    }
}

fn refuse<'r>(stored: &'r Stored, at: DateTime<Utc>, reason: Reason, field: &str, detail: &str) -> Box<Refused<'r>> {
    let key = String::from_utf8_lossy(&stored.record.key);
    let source = key.split_once('/').map_or("unknown", |(source, _)| if source.is_empty() { "unknown" } else { source });
    let rejection = Rejection {
        source: source.to_owned(),
        reason,
        field: field.to_owned(),
        detail: detail.to_owned(),
        payload: String::new(),
        origin: String::new(),
        received_at: at,
    };
    Box::new(Refused { rejection, payload: Payload::of(&stored.record.value) })
}

/// Refuses a record larger than the log itself takes, as others may write, of which only the beginning was read: it could not be taken in
/// later either, and all of it stands in the topic at the row's offset.
fn refuse_unread(stored: &Stored, at: DateTime<Utc>) -> Box<Refused<'_>> {
    let (bytes, kept) = (stored.bytes(), stored.record.value.len());
    let mut detail = format!("record is {bytes} bytes, one of the log at most {RECORD_BYTES_MAX}");
    if stored.left_out > 0 {
        detail += &format!("; payload cut from {} to {kept} bytes", kept + stored.left_out);
    }
    refuse(stored, at, Reason::TooLong, "", &detail)
}
