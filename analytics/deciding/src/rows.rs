//! Records of the log as rows of table `records`: read, located and decided. One record in, one row out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use contract::log::Stored;
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
    /// The rows, in offset order, a block of records each.
    pub rows: Vec<RecordBatch>,
    /// What they change in `cells`.
    pub cells: CellParts,
    /// What is counted.
    pub tally: Tally,
}

/// Records read and laid out at a time. Each of the columns goes over all of them, so their events should stay in the processor's cache.
const BLOCK: usize = 256;

/// Decides the records of one partition in offset order.
pub fn decide(partition: &TopicPartition, records: &[Stored], state: &mut PartitionState, grids: &GridSet) -> Decided {
    let mut decider = Decider { state, grids, body: Vec::new(), counts: Counts::default() };
    let (mut columns, mut rows) = (Columns::new(partition, records.len()), Vec::with_capacity(BLOCK.min(records.len())));
    for block in records.chunks(BLOCK) {
        rows.extend(block.iter().map(|stored| Row { stored, outcome: read(partition, stored) }));
        rows.iter_mut().for_each(|row| decider.decide(row));
        columns.add(&rows, decider.state.names());
        rows.clear();
    }
    let (cells, tally) = decider.counts.named(decider.state.names());
    state.forget();
    Decided { rows: columns.finish(), cells, tally }
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
            Ok(mut rejection) => Box::new(Refused { payload: std::mem::take(&mut rejection.payload).into(), rejection }),
            Err(error) => refuse(stored, appended_at, Reason::BadJson, "", &error.to_string()),
        });
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
    Box::new(Refused { rejection, payload: readable(&stored.record.value) })
}

/// Bytes as text; what is no text in them is replaced, and looked for only where there is any.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
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
    /// The record as it came, where it lies: it may be large.
    payload: Cow<'a, str>,
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

    pub(crate) fn payload(&self) -> Option<&str> {
        self.refused().map(|refused| &*refused.payload)
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
