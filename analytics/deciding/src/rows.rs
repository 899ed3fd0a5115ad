//! Records of the log as rows of table `records`: located and decided. One record in, one row out.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use contract::log::Stored;
use contract::{DeliveryRules, Disposition, Event, Kind, Reason, Text, TopicPartition};
use hashbrown::HashMap;

use crate::columns::Columns;
pub use crate::columns::month_of;
use crate::fingerprint;
use crate::names::{Name, Names};
use crate::parts::{CellParts, Part};
use crate::reading::{Judgement, Outcome, Reading, Refused, Row};
use crate::state::{Candidate, Cell, Id, PartitionState};

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
    let (body, points, placed) = (Vec::new(), Vec::new(), Vec::new());
    let mut decider = Decider { state, grids, body, points, placed, counts: Counts::of(records.len()) };
    let (mut columns, mut rows) = (Columns::new(partition, records.len()), Vec::with_capacity(BLOCK.min(records.len())));
    let (mut refused, mut reading) = (Vec::new(), Reading::default());
    for block in records.chunks(BLOCK) {
        rows.extend(block.iter().map(|stored| Row::read(partition, stored, &mut reading)));
        decider.decide(&mut rows);
        refused.extend(rows.extract_if(.., |row| row.refused().is_some()));
        columns.add(&rows, decider.state.names());
        rows.drain(..).for_each(|row| row.spare(&mut reading));
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
    /// Of a block: in which grid the point of each row lies whose source names none, and its events by the partition's numbers.
    points: Vec<Option<u32>>,
    placed: Vec<Placed>,
    counts: Counts,
}

/// What is known of an event before it is compared with what stood before.
#[derive(Clone, Copy)]
struct Placed {
    source: Name,
    id: Id,
    cell: Cell,
}

/// What is counted meanwhile, by the partition's numbers for names.
#[derive(Default)]
struct Counts {
    /// Each event that came to a cell or left it. Most cells of an hour see one event, so adding up here would only be a detour.
    cells: Vec<Part>,
    sources: HashMap<Name, OfSource>,
    reasons: HashMap<(Name, Reason), u64>,
}

#[derive(Default)]
struct OfSource {
    /// Records by disposition, in the order of [`Disposition::ALL`].
    dispositions: [u64; Disposition::ALL.len()],
    /// Accepted events that no grid holds.
    unlocated: u64,
    /// Newest accepted `occurred_at`, microseconds.
    newest: Option<i64>,
}

impl Counts {
    fn of(records: usize) -> Self {
        Self { cells: Vec::with_capacity(records), ..Self::default() }
    }

    fn named(self, names: &Names) -> (CellParts, Tally) {
        let text = |name: Name| Arc::clone(names.text(name));
        let mut tally = Tally {
            reasons: self.reasons.into_iter().map(|((source, reason), count)| ((text(source), reason), count)).collect(),
            ..Tally::default()
        };
        for (source, counted) in self.sources {
            let by_disposition = Disposition::ALL.into_iter().zip(counted.dispositions).filter(|(_, count)| *count > 0);
            tally.dispositions.extend(by_disposition.map(|(disposition, count)| ((text(source), disposition), count)));
            if counted.unlocated > 0 {
                tally.unlocated.insert(text(source), counted.unlocated);
            }
            tally.newest.extend(counted.newest.map(|newest| (text(source), newest)));
        }
        (CellParts::new(self.cells, names), tally)
    }
}

impl Decider<'_> {
    /// Decides the rows of a block, step by step for all of them: where points lie, what everything is called here, what is known of the ids,
    /// and then one after the other. The first and third step look far into memory, and many such looks at once wait as long as one.
    fn decide(&mut self, rows: &mut [Row<'_>]) {
        let Self { state, grids, points, placed, .. } = self;
        points.clear();
        let unplaced = |row: &Row<'_>| row.event().filter(|event| event.grid_id.is_none()).and_then(|event| event.lon.zip(event.lat));
        points.extend(rows.iter().map(|row| unplaced(row).and_then(|(lon, lat)| grids.place_at(lon, lat))));
        placed.clear();
        for (row, point) in rows.iter_mut().zip(&*points) {
            if let Outcome::Event(event, judgement) = &mut row.outcome {
                placed.push(place(event, *point, state, grids, judgement));
                judgement.body_hash = fingerprint::of(event, &mut self.body);
            }
        }
        // Only to have it near: nothing is decided by how many there are.
        std::hint::black_box(state.known(placed.iter().map(|placed| (placed.source, placed.id))));
        let mut next = 0;
        for row in rows {
            match &mut row.outcome {
                Outcome::Event(event, judgement) => {
                    let placed = self.placed[next];
                    next += 1;
                    self.judge(event, placed, &DeliveryRules::from_record(&row.stored.record), judgement);
                }
                Outcome::Refused(refused) => self.refuse(refused),
            }
        }
    }

    fn judge(&mut self, event: &Event<Text<'_>>, placed: Placed, rules: &DeliveryRules, judgement: &mut Judgement) {
        let Placed { source, id, cell } = placed;
        let (occurred_at, body_hash) = (event.occurred_at.timestamp_micros(), judgement.body_hash);
        let decision = self.state.decide(Candidate { source, id, occurred_at, body_hash, cell, rules }, || fingerprint::formerly(event));
        let counted = self.counts.sources.entry(source).or_default();
        counted.dispositions[decision.disposition as usize] += 1;
        judgement.revision = decision.revision;
        judgement.disposition = decision.disposition;
        if decision.disposition != Disposition::Accepted {
            return;
        }
        let placeless = event.device_id.is_some() || event.kind == Kind::CaseStep;
        counted.unlocated += u64::from(cell.grid.is_none() && !placeless);
        counted.newest = counted.newest.max(Some(occurred_at));
        let part = Part { source, kind: event.kind, cell, events: 1 };
        self.counts.cells.extend(decision.leaves.map(|former| Part { cell: former, events: -1, ..part }));
        self.counts.cells.push(part);
    }

    fn refuse(&mut self, refused: &Refused<'_>) {
        let source = self.state.name(&refused.rejection.source);
        self.counts.sources.entry(source).or_default().dispositions[Disposition::Quarantined as usize] += 1;
        *self.counts.reasons.entry((source, refused.rejection.reason)).or_default() += 1;
    }
}

/// Puts the names of an event into the partition's numbers and says the finest grid known: that of its source, else of its point, else of its
/// address.
///
/// What is said of an event is filled in field by field, here and after: moving what was just written would wait until all before it is in
/// memory.
fn place(event: &Event<Text<'_>>, point: Option<u32>, state: &mut PartitionState, grids: &GridSet, judgement: &mut Judgement) -> Placed {
    let address = || event.address.as_deref().and_then(|address| grids.address_place(address));
    let located = match (event.grid_id.as_deref(), point) {
        (Some(grid), _) => Some((state.name(grid), "source")),
        (None, Some(place)) => Some((state.grid(grids, place), "point")),
        (None, None) => address().map(|place| (state.grid(grids, place), "address")),
    };
    let grid = located.map(|(grid, _)| grid);
    judgement.grid = grid;
    judgement.located_by = located.map(|(_, how)| how);
    let category = event.category.as_deref().map(|category| state.name(category));
    let cell = Cell { grid, category, hour: hour_of(event.occurred_at) };
    Placed { source: state.name(&event.source), id: state.id(&event.event_id), cell }
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

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use contract::log::{RECORD_BYTES_MAX, Record};

    use super::*;
    use crate::reading::LARGE_PAYLOAD_BYTES;

    /// Decides records of a partition, the first at offset 0.
    fn decided(values: Vec<Vec<u8>>) -> (Vec<Stored>, Vec<RecordBatch>) {
        let appended_at = "2026-01-06T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let stored = |(offset, value)| Stored::whole(offset, appended_at, Record::new("city/1", value));
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

    #[test]
    fn a_leap_second_counts_in_the_hour_it_is_read_back_in() {
        let value = br#"{"event_id":"1","source":"city","kind":"hotline_call","occurred_at":"2016-12-31T23:59:60Z","address":"Mill Road"}"#;
        let appended_at = "2017-01-01T00:00:05Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros();
        let records = [Stored::whole(0, appended_at, Record::new("city/1", value.to_vec()))];
        let partition = TopicPartition::new("gridwatch.hotline_call", 0);
        let decided = decide(&partition, &records, &mut PartitionState::default(), &GridSet::default());
        let of_row = decided.rows[0].column_by_name("occurred_at").unwrap().as_primitive::<arrow::datatypes::TimestampMicrosecondType>();
        let read_back = hour_of(DateTime::from_timestamp_micros(of_row.value(0)).unwrap());
        assert_eq!(decided.cells.parts().iter().map(|part| part.cell.hour).collect::<Vec<_>>(), [read_back]);
    }

    fn call(id: &str) -> Vec<u8> {
        format!(r#"{{"event_id":"{id}","source":"city","kind":"hotline_call","occurred_at":"2026-01-05T08:00:00Z","address":"Mill Road"}}"#)
            .into_bytes()
    }

    #[test]
    fn each_row_says_its_own_month() {
        let at =
            ["2025-01-31T23:59:59.999999Z", "2025-02-01T00:00:00Z", "2025-02-28T23:59:59Z", "2024-02-29T12:00:00Z", "2024-03-01T00:00:00Z"];
        let at = [&at[..], &["1969-12-31T23:59:59.5Z", "2016-12-31T23:59:60Z", "2025-01-31T23:59:59Z"]].concat();
        let call = |(id, at)| {
            format!(r#"{{"event_id":"{id}","source":"city","kind":"hotline_call","occurred_at":"{at}","address":"Mill Road"}}"#)
                .into_bytes()
        };
        let (_, rows) = decided(at.iter().enumerate().map(call).chain([b"{".to_vec()]).collect());
        let months: Vec<_> =
            rows.iter().flat_map(|batch| batch.column_by_name("month").unwrap().as_string::<i32>().iter().flatten()).collect();
        assert_eq!(months, ["2025-01", "2025-02", "2025-02", "2024-02", "2024-03", "1969-12", "2017-01", "2025-01", "none"]);
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
        let of_bytes = |bytes: usize, kept: usize| {
            let (mut record, key) = (Record::new("city/1", call("a")), "city/1".len());
            let left_out = bytes - key - kept;
            record.value = [&*record.value, &vec![b' '; kept - record.value.len()]].concat().into();
            let appended_at = "2026-01-06T00:00:00Z".parse::<DateTime<Utc>>().unwrap().timestamp_micros();
            let stored = [Stored { left_out, ..Stored::whole(0, appended_at, record) }];
            let partition = TopicPartition::new("gridwatch.hotline_call", 0);
            let rows = decide(&partition, &stored, &mut PartitionState::default(), &GridSet::default()).rows;
            let detail = rows[0].column_by_name("detail").unwrap().as_string::<i32>().iter().next().unwrap().map(ToOwned::to_owned);
            (told(&rows[0])[0].1.map(ToOwned::to_owned), told(&rows[0])[0].2.map(str::len), detail)
        };
        let key = "city/1".len();
        assert_eq!(of_bytes(RECORD_BYTES_MAX, RECORD_BYTES_MAX - key), (None, None, None));
        let refused = |kept: usize, detail: &str| (Some("too_long".to_owned()), Some(kept), Some(detail.to_owned()));
        let cut = "record is 1048577 bytes, one of the log at most 1048576; payload cut from 1048571 to 4096 bytes";
        assert_eq!(of_bytes(RECORD_BYTES_MAX + 1, 4096), refused(4096, cut));
        // Nothing is left out of the value where key and headers are what is large.
        let whole = "record is 1048577 bytes, one of the log at most 1048576";
        assert_eq!(of_bytes(RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX + 1 - key), refused(RECORD_BYTES_MAX + 1 - key, whole));
    }
}
