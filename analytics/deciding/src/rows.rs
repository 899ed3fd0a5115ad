//! Records of the log as rows of table `records`: read, located and decided. One record in, one row out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use contract::log::{RECORD_BYTES_MAX, Stored};
use contract::{DeliveryRules, Disposition, Event, Kind, Reason, Rejection, Text, TopicPartition, cloud_events, topic};
use hashbrown::HashMap;

use crate::columns::Columns;
pub use crate::columns::month_of;
use crate::fingerprint;
use crate::names::{Name, Names};
use crate::state::{Candidate, Cell, CellKey, Decision, PartitionState};

/// Hours of events and contacts to add to (or take from) a cell.
pub type CellParts = HashMap<(Arc<str>, Kind, CellKey), (i64, i64)>;

/// What one partition's records came to.
#[derive(Debug, Default)]
pub struct Tally {
    /// Records by source and disposition.
    pub dispositions: HashMap<(Arc<str>, Disposition), u64>,
    /// Refused records by source and reason.
    pub reasons: HashMap<(Arc<str>, Reason), u64>,
    /// Accepted events that no grid holds, by source.
    pub unlocated: HashMap<Arc<str>, u64>,
    /// Newest accepted `occurred_at` by source, microseconds.
    pub newest: HashMap<Arc<str>, i64>,
}

/// The rows of one partition's records, decided.
#[derive(Debug)]
pub struct Decided {
    /// The rows: events, then refused records, both in offset order. They go into files of their own, and a batch of both would have to
    /// be taken apart.
    pub rows: Vec<RecordBatch>,
    /// What they change in `cells`.
    pub cells: CellParts,
    /// What is counted.
    pub tally: Tally,
}

/// Records read and laid out at a time. Each of the columns goes over all of them, so their events should stay in the processor's cache.
pub(crate) const BLOCK: usize = 256;

/// Decides the records of one partition in offset order.
pub fn decide(partition: &TopicPartition, records: &[Stored], state: &mut PartitionState, grids: &GridSet) -> Decided {
    let mut decider = Decider { state, grids, body: Vec::new(), counts: Counts::default() };
    let (mut columns, mut rows) = (Columns::new(partition, records.len()), Vec::with_capacity(BLOCK.min(records.len())));
    let mut refused = Vec::new();
    for block in records.chunks(BLOCK) {
        rows.extend(block.iter().map(|stored| Row { stored, outcome: read(partition, stored) }));
        rows.iter_mut().for_each(|row| decider.decide(row));
        refused.extend(rows.extract_if(.., |row| row.refused().is_some()));
        columns.add(&rows, decider.state.names());
        rows.clear();
    }
    let mut refused_columns = Columns::new(partition, refused.len());
    refused_columns.add_refused(&refused, decider.state.names());
    let (cells, tally) = decider.counts.named(decider.state.names());
    state.forget();
    Decided { rows: [columns.finish(), refused_columns.finish()].concat(), cells, tally }
}

/// What the records of one batch share while they are decided.
struct Decider<'a> {
    state: &'a mut PartitionState,
    grids: &'a GridSet,
    /// Where the body of an event is put together for its fingerprint.
    body: Vec<u8>,
    counts: Counts,
}

/// What is counted meanwhile, by the partition's numbers for names.
#[derive(Default)]
struct Counts {
    cells: HashMap<(Name, Kind, Cell), (i64, i64)>,
    dispositions: HashMap<(Name, Disposition), u64>,
    reasons: HashMap<(Name, Reason), u64>,
    unlocated: HashMap<Name, u64>,
    newest: HashMap<Name, i64>,
}

impl Counts {
    fn add(&mut self, source: Name, kind: Kind, cell: Cell, sign: i64) {
        let entry = self.cells.entry((source, kind, cell)).or_default();
        *entry = (entry.0 + sign, entry.1 + sign * voices(kind));
    }

    fn named(self, names: &Names) -> (CellParts, Tally) {
        let text = |name: Name| Arc::clone(names.text(name));
        let cell = |cell: Cell| CellKey { grid_id: cell.grid.map(text), category: cell.category.map(text), hour: cell.hour };
        let moved = self.cells.into_iter().filter(|(_, parts)| *parts != (0, 0));
        let tally = Tally {
            dispositions: self
                .dispositions
                .into_iter()
                .map(|((source, disposition), count)| ((text(source), disposition), count))
                .collect(),
            reasons: self.reasons.into_iter().map(|((source, reason), count)| ((text(source), reason), count)).collect(),
            unlocated: self.unlocated.into_iter().map(|(source, count)| (text(source), count)).collect(),
            newest: self.newest.into_iter().map(|(source, at)| (text(source), at)).collect(),
        };
        (moved.map(|((source, kind, key), parts)| ((text(source), kind, cell(key)), parts)).collect(), tally)
    }
}

impl Decider<'_> {
    fn decide(&mut self, row: &mut Row<'_>) {
        match &mut row.outcome {
            Outcome::Event(event, judgement) => self.judge(event, &DeliveryRules::from_record(&row.stored.record), judgement),
            Outcome::Refused(refused) => self.refuse(refused),
        }
    }

    /// Fills what is said of an event, field by field: moving what was just written would wait until all before it is in memory, a miss of
    /// the cache for each event.
    fn judge(&mut self, event: &Event<Text<'_>>, rules: &DeliveryRules, judgement: &mut Judgement) {
        let located = locate(event, self.grids);
        let cell = self.state.cell(located.map(|(grid, _)| grid), event.category.as_deref(), hour_of(event.occurred_at));
        let (source, body_hash) = (self.state.name(&event.source), fingerprint::of(event, &mut self.body));
        let occurred_at = event.occurred_at.timestamp_micros();
        let candidate = Candidate { source, event_id: &event.event_id, occurred_at, body_hash, cell, rules };
        let decision = self.state.decide(candidate, || fingerprint::formerly(event));
        if decision.disposition == Disposition::Accepted {
            self.count(event, source, cell, &decision);
        }
        *self.counts.dispositions.entry((source, decision.disposition)).or_default() += 1;
        judgement.grid = cell.grid;
        judgement.located_by = located.map(|(_, how)| how);
        judgement.body_hash = body_hash;
        judgement.revision = decision.revision;
        judgement.disposition = decision.disposition;
    }

    fn count(&mut self, event: &Event<Text<'_>>, source: Name, cell: Cell, decision: &Decision) {
        if let Some(former) = &decision.leaves {
            self.counts.add(source, event.kind, *former, -1);
        }
        let placeless = event.device_id.is_some() || event.kind == Kind::CaseStep;
        if cell.grid.is_none() && !placeless {
            *self.counts.unlocated.entry(source).or_default() += 1;
        }
        self.counts.add(source, event.kind, cell, 1);
        let occurred_at = event.occurred_at.timestamp_micros();
        let newest = self.counts.newest.entry(source).or_insert(occurred_at);
        *newest = (*newest).max(occurred_at);
    }

    fn refuse(&mut self, refused: &Refused<'_>) {
        let source = self.state.name(&refused.rejection.source);
        *self.counts.dispositions.entry((source, Disposition::Quarantined)).or_default() += 1;
        *self.counts.reasons.entry((source, refused.rejection.reason)).or_default() += 1;
    }
}

/// Contacts an event of that kind counts for: a person's voice or none.
pub const fn voices(kind: Kind) -> i64 {
    match kind {
        Kind::HotlineCall | Kind::GridReport => 1,
        Kind::SensorEvent | Kind::CaseStep => 0,
    }
}

/// Hours since 1970, UTC.
pub fn hour_of(at: DateTime<Utc>) -> i32 {
    // Year 9999 is hour 70 million; chrono's own range stays within i32 hours.
    i32::try_from(at.timestamp().div_euclid(3_600)).unwrap_or(i32::MAX)
}

/// Tables keep microseconds; the event as decided must be the event as read back.
fn truncate_times<S>(event: &mut Event<S>) {
    event.occurred_at = micros(event.occurred_at);
    event.received_at = event.received_at.map(micros);
    event.deadline_at = event.deadline_at.map(micros);
}

fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The event of a record, or why there is none. Only what stands in the log is looked at, so the answer is always the same.
fn read<'r>(partition: &TopicPartition, stored: &'r Stored) -> Outcome<'r> {
    let value = &stored.record.value;
    let appended_at = DateTime::<Utc>::from_timestamp_micros(stored.appended_at).unwrap_or_default();
    if partition.topic == topic::QUARANTINE {
        return Outcome::Refused(match serde_json::from_slice::<Rejection>(value) {
            Ok(mut rejection) => Box::new(Refused { payload: Payload::Small(std::mem::take(&mut rejection.payload).into()), rejection }),
            Err(error) => refuse(stored, appended_at, Reason::BadJson, "", &error.to_string()),
        });
    }
    if stored.record.bytes() > RECORD_BYTES_MAX {
        return Outcome::Refused(refuse_unread(stored, appended_at));
    }
    let event = match cloud_events::of_record(&stored.record, appended_at) {
        Some(event) => event.map(|event| Box::new(event.into())),
        None => Event::from_json_in_place(value, appended_at),
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

/// Refuses a record larger than the log itself takes, as others may write: to read it, or to keep more of it than of any rejection, would
/// cost more than the thousands of records around it.
fn refuse_unread(stored: &Stored, at: DateTime<Utc>) -> Box<Refused<'_>> {
    let value = &stored.record.value;
    let within_character = |end: &usize| value.get(*end).is_some_and(|byte| (0x80..0xc0).contains(byte));
    let most = Rejection::CUT_PAYLOAD_BYTES.min(value.len());
    let end = (most.saturating_sub(3)..=most).rev().find(|end| !within_character(end)).unwrap_or(most);
    let (bytes, whole) = (stored.record.bytes(), value.len());
    let detail = format!("record is {bytes} bytes, one of the log at most {RECORD_BYTES_MAX}; payload cut from {whole} to {end} bytes");
    let mut refused = refuse(stored, at, Reason::TooLong, "", &detail);
    refused.payload = Payload::Small(String::from_utf8_lossy(&value[..end]));
    refused
}

/// The finest grid known, and how it was found.
fn locate<'e>(event: &'e Event<Text<'_>>, grids: &'e GridSet) -> Option<(&'e str, &'static str)> {
    if let Some(grid) = event.grid_id.as_deref() {
        return Some((grid, "source"));
    }
    let point = event.lon.zip(event.lat).and_then(|(lon, lat)| grids.grid_at(lon, lat));
    let named = || event.address.as_deref().and_then(|address| grids.address_grid(address));
    point.map(|grid| (grid, "point")).or_else(|| named().map(|grid| (grid, "address")))
}

/// A record and what became of it, before it is laid out in columns.
pub(crate) struct Row<'a> {
    pub(crate) stored: &'a Stored,
    outcome: Outcome<'a>,
}

enum Outcome<'a> {
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
    disposition: Disposition,
}

impl Default for Judgement {
    fn default() -> Self {
        Self { grid: None, located_by: None, body_hash: 0, revision: 0, disposition: Disposition::Accepted }
    }
}

/// Why there is no event.
struct Refused<'a> {
    /// All but the payload.
    rejection: Rejection,
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
const LARGE_PAYLOAD_BYTES: usize = 64 * 1024;

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

    fn refused(&self) -> Option<&Refused<'a>> {
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

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use contract::log::Record;

    use super::*;

    /// Decides records of a partition, the first at offset 0.
    fn decided(values: Vec<Vec<u8>>) -> (Vec<Stored>, Vec<RecordBatch>) {
        let appended_at = "2026-01-06T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let stored = |(offset, value)| Stored { offset, appended_at, record: Record::new("city/1", value) };
        let records: Vec<_> = (0..).zip(values).map(stored).collect();
        let partition = TopicPartition::new("gridwatch.hotline_call", 0);
        let rows = decide(&partition, &records, &mut PartitionState::default(), &GridSet::default()).rows;
        (records, rows)
    }

    /// Offset, reason and payload of each row.
    fn told(batch: &RecordBatch) -> Vec<(i64, Option<&str>, Option<&str>)> {
        let of = |name: &str| batch.column_by_name(name).unwrap();
        let offsets = of("log_offset").as_primitive::<arrow::datatypes::Int64Type>().values();
        let (reasons, payloads) = (of("reason").as_string::<i32>(), of("payload").as_string::<i32>());
        offsets.iter().zip(reasons).zip(payloads).map(|((offset, reason), payload)| (*offset, reason, payload)).collect()
    }

    fn call(id: &str) -> Vec<u8> {
        format!(r#"{{"event_id":"{id}","source":"city","kind":"hotline_call","occurred_at":"2026-01-05T08:00:00Z","address":"Mill Road"}}"#)
            .into_bytes()
    }

    #[test]
    fn refused_records_come_after_the_events_and_large_ones_are_not_copied() {
        let (large, no_text) = (vec![b'x'; RECORD_BYTES_MAX / 2], vec![0xff; LARGE_PAYLOAD_BYTES]);
        let (records, rows) = decided(vec![b"{".to_vec(), call("a"), large, no_text, b"}".to_vec(), call("b"), b"[".to_vec()]);
        assert_eq!(
            rows.iter().map(told).map(|rows| rows.iter().map(|row| row.0).collect()).collect::<Vec<Vec<_>>>(),
            [vec![1, 5], vec![0], vec![2], vec![3], vec![4, 6]]
        );
        assert_eq!(told(&rows[1]), [(0, Some("bad_json"), Some("{"))]);
        let [(2, Some("bad_json"), Some(payload))] = told(&rows[2])[..] else { panic!("{:?}", rows[2]) };
        assert_eq!((payload.len(), payload.as_ptr()), (RECORD_BYTES_MAX / 2, records[2].record.value.as_ptr()));
        let replaced = char::REPLACEMENT_CHARACTER.to_string().repeat(LARGE_PAYLOAD_BYTES);
        assert!(told(&rows[3]) == [(3, Some("bad_json"), Some(&*replaced))], "what is no text is replaced");
        assert_eq!(told(&rows[4]), [(4, Some("bad_json"), Some("}")), (6, Some("bad_json"), Some("["))]);
    }

    #[test]
    fn a_record_larger_than_the_log_takes_is_refused_whatever_it_says_and_its_beginning_kept() {
        let mut event = call("a");
        event.extend(vec![b' '; RECORD_BYTES_MAX - event.len() - "city/1".len()]);
        let (_, fits) = decided(vec![event.clone()]);
        assert_eq!(told(&fits[0]), [(0, None, None)]);
        event.push(b' ');
        let (_, larger) = decided(vec![event.clone()]);
        let kept = std::str::from_utf8(&event[..Rejection::CUT_PAYLOAD_BYTES]).unwrap();
        assert!(told(&larger[0]) == [(0, Some("too_long"), Some(kept))], "not the beginning of the record");
        let detail = larger[0].column_by_name("detail").unwrap().as_string::<i32>().value(0);
        assert_eq!(detail, "record is 1048577 bytes, one of the log at most 1048576; payload cut from 1048571 to 87381 bytes");

        // Not within a character: two bytes each, of which the cut would take the first.
        let (_, cut) = decided(vec!["\u{e9}".repeat(RECORD_BYTES_MAX).into_bytes()]);
        assert!(told(&cut[0])[0].2 == Some(&*"\u{e9}".repeat(Rejection::CUT_PAYLOAD_BYTES / 2)), "cut within a character");
    }
}
