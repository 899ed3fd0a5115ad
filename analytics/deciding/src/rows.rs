//! Records of the log as rows of table `records`: decoding, locating and building Arrow columns. One record in, one row out.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, MapBuilder, MapFieldNames, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use chrono::{DateTime, Datelike, Utc};
use contract::grids::GridSet;
use contract::log::Stored;
use contract::{DeliveryRules, Disposition, Event, Kind, Reason, Rejection, Text, TopicPartition, cloud_events, headers, schema, topic};
use hashbrown::{HashMap, HashSet};

use crate::fingerprint;
use crate::state::{Candidate, CellKey, PartitionState};

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
    let (names, body) = (Names::default(), Vec::new());
    let mut decider = Decider { partition, state, grids, names, body, cells: CellParts::new(), tally: Tally::default() };
    let rows = records
        .chunks(BLOCK)
        .map(|block| columns(partition, &block.iter().map(|stored| decider.row(stored)).collect::<Vec<_>>()))
        .collect();
    let Decider { mut cells, tally, .. } = decider;
    cells.retain(|_, parts| *parts != (0, 0));
    state.forget();
    Decided { rows, cells, tally }
}

/// What the records of one batch share while they are decided.
struct Decider<'a> {
    partition: &'a TopicPartition,
    state: &'a mut PartitionState,
    grids: &'a GridSet,
    names: Names,
    /// Where the body of an event is put together for its fingerprint.
    body: Vec<u8>,
    cells: CellParts,
    tally: Tally,
}

impl Decider<'_> {
    fn row<'r>(&mut self, stored: &'r Stored) -> Row<'r> {
        let rules = DeliveryRules::from_record(&stored.record);
        let appended_at = DateTime::<Utc>::from_timestamp_micros(stored.appended_at).unwrap_or_default();
        let outcome = match read(self.partition, stored, appended_at) {
            Ok(event) => self.event(truncate_times(event), &rules),
            Err(refused) => self.refused(refused),
        };
        Row { stored, outcome }
    }

    fn event<'r>(&mut self, event: Event<Text<'r>>, rules: &DeliveryRules) -> Outcome<'r> {
        let (grid, located_by) = locate(&event, self.grids);
        let grid = grid.map(|grid| self.names.intern(grid)).zip(located_by);
        let category = event.category.as_deref().map(|name| self.names.intern(name));
        let cell = CellKey { grid_id: grid.as_ref().map(|(grid, _)| Arc::clone(grid)), category, hour: hour_of(event.occurred_at) };
        let (source, body_hash) = (self.names.intern(&event.source), fingerprint::of(&event, &mut self.body));
        let occurred_at = event.occurred_at.timestamp_micros();
        let candidate = Candidate { source: &source, event_id: &event.event_id, occurred_at, body_hash, cell: cell.clone(), rules };
        let decision = self.state.decide(candidate);
        if decision.disposition == Disposition::Accepted {
            self.count(&event, &source, cell, decision.leaves);
        }
        *self.tally.dispositions.entry((source, decision.disposition)).or_default() += 1;
        Outcome::Event { event: Box::new(event), grid, body_hash, revision: decision.revision, disposition: decision.disposition }
    }

    fn count(&mut self, event: &Event<Text<'_>>, source: &Arc<str>, cell: CellKey, leaves: Option<CellKey>) {
        let voices = voices(event.kind);
        if let Some(former) = leaves {
            add(&mut self.cells, (Arc::clone(source), event.kind, former), (-1, -voices));
        }
        let placeless = event.device_id.is_some() || event.kind == Kind::CaseStep;
        if cell.grid_id.is_none() && !placeless {
            *self.tally.unlocated.entry(Arc::clone(source)).or_default() += 1;
        }
        add(&mut self.cells, (Arc::clone(source), event.kind, cell), (1, voices));
        let occurred_at = event.occurred_at.timestamp_micros();
        let newest = self.tally.newest.entry(Arc::clone(source)).or_insert(occurred_at);
        *newest = (*newest).max(occurred_at);
    }

    fn refused<'r>(&mut self, refused: Refused<'r>) -> Outcome<'r> {
        let source = self.names.intern(&refused.rejection.source);
        *self.tally.dispositions.entry((Arc::clone(&source), Disposition::Quarantined)).or_default() += 1;
        *self.tally.reasons.entry((source, refused.rejection.reason)).or_default() += 1;
        Outcome::Refused(refused)
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

fn add(cells: &mut CellParts, key: (Arc<str>, Kind, CellKey), (events, voices): (i64, i64)) {
    let entry = cells.entry(key).or_default();
    *entry = (entry.0 + events, entry.1 + voices);
}

/// Tables keep microseconds; the event as decided must be the event as read back.
fn truncate_times<S>(mut event: Event<S>) -> Event<S> {
    event.occurred_at = micros(event.occurred_at);
    event.received_at = event.received_at.map(micros);
    event.deadline_at = event.deadline_at.map(micros);
    event
}

fn micros(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}

/// The event of a record, or why there is none. Only what stands in the log is looked at, so the answer is always the same.
#[expect(clippy::result_large_err, reason = "an Event is larger still")]
fn read<'r>(partition: &TopicPartition, stored: &'r Stored, appended_at: DateTime<Utc>) -> Result<Event<Text<'r>>, Refused<'r>> {
    let value = &stored.record.value;
    if partition.topic == topic::QUARANTINE {
        return Err(match serde_json::from_slice::<Rejection>(value) {
            Ok(mut rejection) => Refused { payload: std::mem::take(&mut rejection.payload).into(), rejection },
            Err(error) => refuse(stored, appended_at, Reason::BadJson, "", &error.to_string()),
        });
    }
    let event = match cloud_events::of_record(&stored.record, appended_at) {
        Some(event) => event.map(Event::from),
        None => Event::from_json_in_place(value, appended_at),
    };
    event.map_err(|invalid| refuse(stored, appended_at, invalid.reason, &invalid.field, &invalid.detail))
}

fn refuse<'r>(stored: &'r Stored, at: DateTime<Utc>, reason: Reason, field: &str, detail: &str) -> Refused<'r> {
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
    Refused { rejection, payload: readable(&stored.record.value) }
}

/// Bytes as text; what is no text in them is replaced, and looked for only where there is any.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// The finest grid known, and how it was found.
fn locate<'a>(event: &'a Event<Text<'_>>, grids: &'a GridSet) -> (Option<&'a str>, Option<&'static str>) {
    if let Some(grid) = event.grid_id.as_deref() {
        return (Some(grid), Some("source"));
    }
    let point = event.lon.zip(event.lat).and_then(|(lon, lat)| grids.grid_at(lon, lat));
    if point.is_some() {
        return (point, Some("point"));
    }
    let named = event.address.as_deref().and_then(|address| grids.address_grid(address));
    (named, named.map(|_| "address"))
}

/// Strings seen in a batch, kept once.
#[derive(Debug, Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn intern(&mut self, name: &str) -> Arc<str> {
        Arc::clone(self.0.get_or_insert_with(name, |name| name.into()))
    }
}

/// A record and what became of it, before it is laid out in columns.
struct Row<'a> {
    stored: &'a Stored,
    outcome: Outcome<'a>,
}

enum Outcome<'a> {
    Event { event: Box<Event<Text<'a>>>, grid: Option<(Arc<str>, &'static str)>, body_hash: i64, revision: i32, disposition: Disposition },
    Refused(Refused<'a>),
}

/// Why there is no event.
struct Refused<'a> {
    /// All but the payload.
    rejection: Rejection,
    /// The record as it came, where it lies: it may be large.
    payload: Cow<'a, str>,
}

impl<'a> Row<'a> {
    fn event(&self) -> Option<&Event<Text<'a>>> {
        match &self.outcome {
            Outcome::Event { event, .. } => Some(event),
            Outcome::Refused(_) => None,
        }
    }

    fn rejection(&self) -> Option<&Rejection> {
        match &self.outcome {
            Outcome::Event { .. } => None,
            Outcome::Refused(refused) => Some(&refused.rejection),
        }
    }

    fn payload(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Event { .. } => None,
            Outcome::Refused(refused) => Some(&refused.payload),
        }
    }

    fn grid(&self) -> Option<&(Arc<str>, &'static str)> {
        match &self.outcome {
            Outcome::Event { grid, .. } => grid.as_ref(),
            Outcome::Refused(_) => None,
        }
    }

    fn source(&self) -> &str {
        match &self.outcome {
            Outcome::Event { event, .. } => &event.source,
            Outcome::Refused(refused) => &refused.rejection.source,
        }
    }

    fn disposition(&self) -> Disposition {
        match &self.outcome {
            Outcome::Event { disposition, .. } => *disposition,
            Outcome::Refused(_) => Disposition::Quarantined,
        }
    }

    fn decided(&self) -> Option<(i64, i32)> {
        match &self.outcome {
            Outcome::Event { body_hash, revision, .. } => Some((*body_hash, *revision)),
            Outcome::Refused(_) => None,
        }
    }
}

/// Lays rows out in the columns of [`schema::record_schema`].
fn columns(partition: &TopicPartition, rows: &[Row<'_>]) -> RecordBatch {
    let schema = schema::record_schema();
    let columns = schema.fields().iter().map(|field| column(field.name(), partition, rows)).collect();
    RecordBatch::try_new(schema, columns).expect("each column is built for its field of the record schema")
}

fn column<'r>(name: &str, partition: &TopicPartition, rows: &[Row<'r>]) -> ArrayRef {
    let text = |of: &dyn for<'e> Fn(&'e Event<Text<'r>>) -> Option<&'e str>| -> ArrayRef {
        let texts = || rows.iter().map(|row| row.event().and_then(of));
        // A source leaves many fields out always.
        let absent = texts().all(|text| text.is_none());
        Arc::new(if absent { StringArray::new_null(rows.len()) } else { texts().collect() })
    };
    let time = |of: &dyn Fn(&Event<Text<'r>>) -> Option<DateTime<Utc>>| times(rows.iter().map(|row| row.event().and_then(of)));
    let number = |of: &dyn Fn(&Event<Text<'r>>) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.event().and_then(of))))
    };
    let refused =
        |of: &dyn Fn(&Rejection) -> &str| -> ArrayRef { Arc::new(StringArray::from_iter(rows.iter().map(|row| row.rejection().map(of)))) };
    match name {
        "event_id" => text(&|event| Some(&event.event_id)),
        "source" => Arc::new(StringArray::from_iter_values(rows.iter().map(Row::source))),
        "kind" => text(&|event| Some(event.kind.as_str())),
        "occurred_at" => time(&|event| Some(event.occurred_at)),
        "received_at" => times(
            rows.iter()
                .map(|row| row.event().map_or_else(|| row.rejection().map(|rejection| rejection.received_at), |event| event.received_at)),
        ),
        "case_id" => text(&|event| event.case_id.as_deref()),
        "device_id" => text(&|event| event.device_id.as_deref()),
        "stage" => text(&|event| event.stage.as_deref()),
        "channel" => text(&|event| event.channel.as_deref()),
        "request_kind" => text(&|event| event.request_kind.as_deref()),
        "category" => text(&|event| event.category.as_deref()),
        "urgency" => text(&|event| event.urgency.as_deref()),
        "unit_id" => text(&|event| event.unit_id.as_deref()),
        "observed_property" => text(&|event| event.observed_property.as_deref()),
        "value" => number(&|event| event.value),
        "value_unit" => text(&|event| event.value_unit.as_deref()),
        "address" => text(&|event| event.address.as_deref()),
        "address_id" => text(&|event| event.address_id.as_deref()),
        "caller" => text(&|event| event.caller.as_deref()),
        "lon" => number(&|event| event.lon),
        "lat" => number(&|event| event.lat),
        "grid_id" => Arc::new(StringArray::from_iter(rows.iter().map(|row| row.grid().map(|(grid, _)| grid.as_ref())))),
        "deadline_at" => time(&|event| event.deadline_at),
        "attributes" => attributes(rows),
        "ingested_at" => times(rows.iter().map(|row| DateTime::from_timestamp_micros(row.stored.appended_at))),
        "log_topic" => Arc::new(StringArray::from_iter_values(rows.iter().map(|_| partition.topic.as_str()))),
        "log_partition" => Arc::new(Int32Array::from_iter_values(rows.iter().map(|_| partition.partition.cast_signed()))),
        "log_offset" => Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.stored.offset.cast_signed()))),
        "mapping_version" => Arc::new(StringArray::from_iter(
            rows.iter().map(|row| row.stored.record.header(headers::MAPPING_VERSION).filter(|version| !version.is_empty())),
        )),
        "revision" => Arc::new(Int32Array::from_iter(rows.iter().map(|row| row.decided().map(|(_, revision)| revision)))),
        "body_hash" => Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.decided().map(|(hash, _)| hash)))),
        "located_by" => Arc::new(StringArray::from_iter(rows.iter().map(|row| row.grid().map(|(_, how)| *how)))),
        "reason" => refused(&|rejection| rejection.reason.as_str()),
        "reason_field" => refused(&|rejection| &rejection.field),
        "detail" => refused(&|rejection| &rejection.detail),
        "payload" => payloads(rows),
        "disposition" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.disposition().as_str()))),
        "month" => months(rows),
        other => unreachable!("column {other} is not of the record schema"),
    }
}

fn payloads(rows: &[Row<'_>]) -> ArrayRef {
    // Room for all of them at once: growing would move what is there, and they may be large.
    let bytes = rows.iter().filter_map(Row::payload).map(str::len).sum();
    let mut builder = StringBuilder::with_capacity(rows.len(), bytes);
    builder.extend(rows.iter().map(Row::payload));
    Arc::new(builder.finish())
}

fn months(rows: &[Row<'_>]) -> ArrayRef {
    // Most rows are of the month of the one before, and writing one is slow.
    let mut last = (None, "none".to_owned());
    let mut builder = StringBuilder::new();
    for at in rows.iter().map(|row| row.event().map(|event| event.occurred_at)) {
        let month = at.map(|at| (at.year(), at.month()));
        if month != last.0 {
            last = (month, at.map_or_else(|| "none".to_owned(), month_of));
        }
        builder.append_value(&last.1);
    }
    Arc::new(builder.finish())
}

/// Month of an instant, UTC: the partition value.
pub fn month_of(at: DateTime<Utc>) -> String {
    at.format("%Y-%m").to_string()
}

fn times(instants: impl Iterator<Item = Option<DateTime<Utc>>>) -> ArrayRef {
    Arc::new(instants.map(|at| at.map(|at| at.timestamp_micros())).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
}

fn attributes(rows: &[Row<'_>]) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (name, value) in row.event().into_iter().flat_map(|event| &event.attributes) {
            builder.keys().append_value(name);
            builder.values().append_value(value);
        }
        builder.append(true).expect("keys and values are appended in pairs");
    }
    Arc::new(builder.finish())
}
