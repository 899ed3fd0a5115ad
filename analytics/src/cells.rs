//! Table `cells`: events of one grid, category, source, kind and hour, kept as mergeable partial sums.
//!
//! Derived from committed rows of `records` alone. Each commit says in its positions which version and offsets of `records` it
//! covers; after a crash between the two commits the missing part is computed from `records`, never from the log. A revision
//! takes its former body out of its former cell: sums may hold negative parts, their totals never do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use contract::{Kind, Offsets};
use datafusion::prelude::SessionContext;
use deciding::rows::{CellParts, month_of};
use deciding::state::CellKey;
use hashbrown::HashMap;

use crate::lake::TableSpec;

/// Position under which a commit of `cells` names the version of `records` it covers.
pub const RECORDS_VERSION: &str = "records";

/// Columns of the stored parts.
pub fn schema() -> SchemaRef {
    let comment = |field: Field, text: &str| field.with_metadata([("comment".to_owned(), text.to_owned())].into());
    Arc::new(Schema::new(vec![
        comment(Field::new("grid_id", DataType::Utf8, true), "finest grid known; NULL where the event has none / 网格（未定位为空）"),
        comment(Field::new("category", DataType::Utf8, true), "category / 类别"),
        comment(Field::new("source", DataType::Utf8, false), "feed / 来源"),
        comment(Field::new("kind", DataType::Utf8, false), "kind of signal / 信号种类"),
        comment(Field::new("hour", time_type(), false), "start of the hour, UTC / 小时起点"),
        comment(Field::new("events", DataType::Int64, false), "accepted events / 采纳事件数"),
        comment(Field::new("voices", DataType::Int64, false), "contacts of persons among them / 其中的诉求人次"),
        comment(Field::new("month", DataType::Utf8, false), "month of the hour, UTC / 月份"),
    ]))
}

/// The table in the lake.
pub fn spec(lake: &Path) -> TableSpec {
    TableSpec {
        name: "cells".into(),
        root: lake.join("cells"),
        schema: schema(),
        partition_columns: vec!["month".into()],
        bounded_columns: vec!["hour".into()],
        written: Vec::new(),
        comment: "Partial sums of events by grid, category, source, kind and hour; add them up / 网格小时累计（需求和）".into(),
    }
}

/// A cell by the numbers of its texts: hour, kind, source, grid and category.
type Cell = (i32, Kind, u32, Option<u32>, Option<u32>);

/// Pieces of parts, added up, as rows of the table; in the order of cells, so that equal sums give equal files.
pub fn batch(pieces: &[CellParts]) -> RecordBatch {
    let mut texts = Texts::default();
    let mut sums: Vec<(Cell, (i64, i64))> = pieces
        .iter()
        .flatten()
        .map(|((source, kind, key), sum)| {
            let [grid, category] = [&key.grid_id, &key.category].map(|text| text.as_ref().map(|text| texts.number(text)));
            ((key.hour, *kind, texts.number(source), grid, category), *sum)
        })
        .collect();
    let (texts, places) = texts.in_order();
    let place = |number: u32| places[number as usize];
    for ((_, _, source, grid, category), _) in &mut sums {
        (*source, *grid, *category) = (place(*source), grid.map(place), category.map(place));
    }
    sums.sort_unstable_by_key(|(cell, _)| *cell);
    sums.dedup_by(|(next, (events, voices)), (cell, sum)| {
        let same = next == cell;
        if same {
            *sum = (sum.0 + *events, sum.1 + *voices);
        }
        same
    });
    sums.retain(|(_, sum)| *sum != (0, 0));

    let start = |hour: i32| DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap_or_default();
    let text = |place: u32| texts[place as usize];
    let mut months = StringBuilder::with_capacity(sums.len(), sums.len() * "2026-01".len());
    for of_hour in sums.chunk_by(|(one, _), (next, _)| one.0 == next.0) {
        months.append_value_n(month_of(start(of_hour[0].0.0)), of_hour.len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(sums.iter().map(|((.., grid, _), _)| grid.map(text)))),
        Arc::new(StringArray::from_iter(sums.iter().map(|((.., category), _)| category.map(text)))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|((_, _, source, ..), _)| text(*source)))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|((_, kind, ..), _)| kind.as_str()))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(sums.iter().map(|((hour, ..), _)| start(*hour).timestamp_micros()))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(_, (events, _))| *events))),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(_, (_, voices))| *voices))),
        Arc::new(months.finish()),
    ];
    RecordBatch::try_new(schema(), columns).expect("each column is built for its field of the cells schema")
}

/// Texts as numbers, so that cells are sorted without looking at a text: there are a hundred times as many cells as texts.
#[derive(Default)]
struct Texts<'a> {
    /// Numbers by where a text lies. The parts of a piece share their texts, and an address is found sooner than a text.
    at: HashMap<usize, u32>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Texts<'a> {
    fn number(&mut self, text: &'a Arc<str>) -> u32 {
        *self.at.entry(Arc::as_ptr(text).addr()).or_insert_with(|| {
            let next = u32::try_from(self.numbers.len()).expect("fewer texts than four billion");
            *self.numbers.entry(text).or_insert(next)
        })
    }

    /// The texts in their order, and by number the place of each in it.
    fn in_order(self) -> (Vec<&'a str>, Vec<u32>) {
        let mut texts: Vec<_> = self.numbers.into_iter().collect();
        texts.sort_unstable();
        let mut places = vec![0; texts.len()];
        for (place, (_, number)) in (0..).zip(&texts) {
            places[*number as usize] = place;
        }
        (texts.into_iter().map(|(text, _)| text).collect(), places)
    }
}

/// What rows come to that are not in `cells` yet.
#[derive(Debug, Default)]
pub struct Missing {
    /// Their parts.
    pub parts: CellParts,
    /// The newest `occurred_at` among them, by source.
    pub newest: BTreeMap<String, DateTime<Utc>>,
}

/// Computes what rows at or beyond `covered` come to: what a crash left out, or what several writers have added. `session` holds
/// `records`, and as `added` the files of it that can hold such rows.
///
/// # Errors
/// The lake cannot be read.
pub async fn missing(session: &SessionContext, covered: &Offsets, reached: &Offsets) -> datafusion::error::Result<Missing> {
    let mut missing = Missing::default();
    let Some(beyond) = beyond(covered, reached) else { return Ok(missing) };
    let rows = format!("disposition = 'accepted' AND {beyond}");
    // One statement where nothing was revised, for planning one takes longer than reading the rows of half a second.
    let sums = |sign: i32, rows: &str| {
        format!(
            "SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, {sign} * count(*) AS events, \
             max(occurred_at) AS newest, max(revision) AS revision FROM {rows} GROUP BY grid_id, category, source, kind, hour"
        )
    };
    let mut revised = false;
    for batch in session.sql(&sums(1, &format!("added WHERE {rows}"))).await?.collect().await? {
        revised |= arrow::compute::max(batch.column(7).as_primitive::<Int32Type>()).is_some_and(|revision| revision > 0);
        take_newest(&mut missing.newest, &batch);
        take(&mut missing.parts, &batch);
    }
    if revised {
        let newer = format!("SELECT source, event_id, revision FROM added WHERE {rows} AND revision > 0");
        let former = format!(
            "(SELECT former.* FROM records AS former JOIN ({newer}) AS newer \
             ON former.source = newer.source AND former.event_id = newer.event_id AND former.revision = newer.revision - 1 \
             WHERE former.disposition = 'accepted')"
        );
        for batch in session.sql(&sums(-1, &former)).await?.collect().await? {
            take(&mut missing.parts, &batch);
        }
    }
    Ok(missing)
}

/// The condition on rows at or beyond `covered`; `None` where there are none.
fn beyond(covered: &Offsets, reached: &Offsets) -> Option<String> {
    let of_partitions: Vec<_> = reached
        .iter()
        .filter(|(partition, next)| covered.next(partition) < *next)
        .map(|(partition, _)| {
            let (topic, from) = (partition.topic.replace('\'', "''"), covered.next(partition));
            format!("log_topic = '{topic}' AND log_partition = {} AND log_offset >= {from}", partition.partition)
        })
        .collect();
    (!of_partitions.is_empty()).then(|| format!("({})", of_partitions.join(" OR ")))
}

/// Takes over the newest instant of each source, of the columns of [`missing`].
fn take_newest(newest: &mut BTreeMap<String, DateTime<Utc>>, batch: &RecordBatch) {
    let sources = arrow::compute::cast(batch.column(2), &DataType::Utf8).expect("text columns cast to text");
    let times = batch.column(6).as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        let at = DateTime::from_timestamp_micros(times.value(row)).unwrap_or_default();
        later(newest, sources.as_string::<i32>().value(row).to_owned(), at);
    }
}

/// Takes over an instant of a source that is later than what is known of it.
pub(crate) fn later(newest: &mut BTreeMap<String, DateTime<Utc>>, source: String, at: DateTime<Utc>) {
    let known = newest.entry(source).or_insert(at);
    *known = at.max(*known);
}

fn take(parts: &mut CellParts, batch: &RecordBatch) {
    let text = |index: usize| arrow::compute::cast(batch.column(index), &DataType::Utf8).expect("text columns cast to text");
    let (grids, categories, sources, kinds) = (text(0), text(1), text(2), text(3));
    let hours = arrow::compute::cast(batch.column(4), &time_type()).expect("an instant casts to an instant");
    let hours = hours.as_primitive::<TimestampMicrosecondType>();
    let events = batch.column(5).as_primitive::<Int64Type>();
    let value = |array: &ArrayRef, row: usize| {
        array.as_string::<i32>().is_valid(row).then(|| Arc::<str>::from(array.as_string::<i32>().value(row)))
    };
    for row in 0..batch.num_rows() {
        let Some(kind) = value(&kinds, row).and_then(|name| Kind::from_name(&name)) else { continue };
        let hour = DateTime::<Utc>::from_timestamp_micros(hours.value(row)).map_or(0, deciding::rows::hour_of);
        let key = CellKey { grid_id: value(&grids, row), category: value(&categories, row), hour };
        let events = events.value(row);
        parts.push(((value(&sources, row).unwrap_or_default(), kind, key), (events, events * deciding::rows::voices(kind))));
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;

    /// A part of a source's calls, with texts of its own.
    fn part(source: &str, grid: Option<&str>, category: Option<&str>, hour: i32, events: i64) -> CellParts {
        let key = CellKey { grid_id: grid.map(Arc::from), category: category.map(Arc::from), hour };
        vec![((source.into(), Kind::HotlineCall, key), (events, events))]
    }

    #[test]
    fn parts_of_a_cell_are_one_row_whatever_piece_they_came_in() {
        let pieces = [
            part("b", Some("g10"), Some("noise"), 490_896, 1),
            part("a", Some("g2"), None, 490_896, 4),
            part("b", None, Some("noise"), 490_896, 3),
            part("b", Some("g10"), Some("noise"), 490_896, 2),
            part("b", Some("g10"), Some("noise"), 490_895, 5),
            // One that came and left again is no row.
            part("c", Some("g2"), Some("smoke"), 490_896, 1),
            part("c", Some("g2"), Some("smoke"), 490_896, -1),
        ];
        let rows = batch(&pieces);
        let expected = "\
+---------+----------+--------+--------------+----------------------+--------+--------+---------+
| grid_id | category | source | kind         | hour                 | events | voices | month   |
+---------+----------+--------+--------------+----------------------+--------+--------+---------+
| g10     | noise    | b      | hotline_call | 2025-12-31T23:00:00Z | 5      | 5      | 2025-12 |
| g2      |          | a      | hotline_call | 2026-01-01T00:00:00Z | 4      | 4      | 2026-01 |
|         | noise    | b      | hotline_call | 2026-01-01T00:00:00Z | 3      | 3      | 2026-01 |
| g10     | noise    | b      | hotline_call | 2026-01-01T00:00:00Z | 3      | 3      | 2026-01 |
+---------+----------+--------+--------------+----------------------+--------+--------+---------+";
        assert_eq!(pretty_format_batches(std::slice::from_ref(&rows)).unwrap().to_string(), expected);
        let (mut turned, whole) = (pieces.clone(), [pieces.concat()]);
        turned.reverse();
        assert_eq!((&batch(&turned), &batch(&whole)), (&rows, &rows));
        assert_eq!(batch(&[]).num_rows(), 0);
    }
}
