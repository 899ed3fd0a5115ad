//! Table `cells`: events of one grid, category, source, kind and hour, kept as mergeable partial sums.
//!
//! Derived from committed rows of `records` alone. Each commit says in its positions which version and offsets of `records` it
//! covers; after a crash between the two commits the missing part is computed from `records`, never from the log. A revision
//! takes its former body out of its former cell: sums may hold negative parts, their totals never do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use contract::{Kind, Offsets};
use datafusion::prelude::SessionContext;
use deciding::rows::{CellParts, month_of};
use deciding::state::CellKey;

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

/// Parts added up: events and contacts by source, kind and cell.
pub type Sums = hashbrown::HashMap<(Arc<str>, Kind, CellKey), (i64, i64)>;

/// The sums as rows of the table; in key order, so that equal input gives equal files.
pub fn batch(sums: &Sums) -> RecordBatch {
    let mut sorted: Vec<_> = sums.iter().collect();
    sorted.sort_by(|(one, _), (two, _)| order(one).cmp(&order(two)));
    let start = |key: &CellKey| DateTime::from_timestamp(i64::from(key.hour) * 3_600, 0).unwrap_or_default();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(sorted.iter().map(|((_, _, key), _)| key.grid_id.as_deref()))),
        Arc::new(StringArray::from_iter(sorted.iter().map(|((_, _, key), _)| key.category.as_deref()))),
        Arc::new(StringArray::from_iter_values(sorted.iter().map(|((source, _, _), _)| source))),
        Arc::new(StringArray::from_iter_values(sorted.iter().map(|((_, kind, _), _)| kind.as_str()))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(sorted.iter().map(|((_, _, key), _)| start(key).timestamp_micros()))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(sorted.iter().map(|(_, (events, _))| *events))),
        Arc::new(Int64Array::from_iter_values(sorted.iter().map(|(_, (_, voices))| *voices))),
        Arc::new(StringArray::from_iter_values(sorted.iter().map(|((_, _, key), _)| month_of(start(key))))),
    ];
    RecordBatch::try_new(schema(), columns).expect("each column is built for its field of the cells schema")
}

fn order(key: &(Arc<str>, Kind, CellKey)) -> (i32, Kind, &str, Option<&str>, Option<&str>) {
    (key.2.hour, key.1, &key.0, key.2.grid_id.as_deref(), key.2.category.as_deref())
}

/// Adds parts up.
pub(crate) fn add(all: &mut Sums, parts: CellParts) {
    all.reserve(parts.len());
    for (key, (events, voices)) in parts {
        let sums = all.entry(key).or_default();
        *sums = (sums.0 + events, sums.1 + voices);
    }
}

/// What rows come to that are not in `cells` yet.
#[derive(Debug, Default)]
pub struct Missing {
    /// Their parts, added up.
    pub parts: Sums,
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
    missing.parts.retain(|_, sums| *sums != (0, 0));
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

fn take(parts: &mut Sums, batch: &RecordBatch) {
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
        let sums = parts.entry((value(&sources, row).unwrap_or_default(), kind, key)).or_default();
        *sums = (sums.0 + events.value(row), sums.1 + events.value(row) * deciding::rows::voices(kind));
    }
}
