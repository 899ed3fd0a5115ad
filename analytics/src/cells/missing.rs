//! What `cells` lacks of `records`: prepared by whoever committed the rows, or else computed from them.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use contract::{Kind, Offsets};
use datafusion::prelude::SessionContext;
use deciding::parts::{CellParts, Part};
use deciding::rows::hour_of;
use deciding::state::{Cell, Names};

use super::{Newest, Prepared, RECORDS_VERSION, covering, later};
use crate::consume::ConsumeError;
use crate::lake::delta::{Change, Table};
use crate::recover;

/// What rows come to that are not in `cells` yet.
#[derive(Debug, Default)]
pub struct Missing {
    /// Their parts.
    pub parts: CellParts,
    /// The newest `occurred_at` among them, by source.
    pub newest: Newest,
}

/// Brings `cells` to where `records` stands, `reached`: adds what was prepared with the rows it does not cover yet, or reads those where
/// one of their commits prepared nothing (a former build's) or its files are gone. Answers how new those rows are, `None` where it covers all.
///
/// # Errors
/// The lake cannot be read or written; another process derives too.
pub async fn catch_up(records: &Table, cells: &mut Table, covered: &Offsets, reached: &Offsets) -> Result<Option<Newest>, ConsumeError> {
    // A partition nobody has written yet stands in both tables too, or in none.
    if covered.covers(reached) && covered.iter().count() == reached.iter().count() {
        return Ok(None);
    }
    let positions = covering(records.version(), reached);
    if let Some(Prepared { files, newest }) = prepared(records, cells).await? {
        cells.commit(Change { files, positions, ..Change::default() }).await?;
        return Ok(Some(newest));
    }
    tracing::debug!(version = records.version(), "cells are computed from rows");
    let Missing { parts, newest } = computed(&recover::session(records)?, covered, reached).await?;
    cells.commit(Change { rows: vec![super::batch(&[parts])], positions, ..Change::default() }).await?;
    Ok(Some(newest))
}

/// What was prepared with all rows that `cells` does not cover; `None` where something is missing.
async fn prepared(records: &Table, cells: &mut Table) -> Result<Option<Prepared>, ConsumeError> {
    let covered = cells.position(RECORDS_VERSION).await?.map_or(0, i64::cast_unsigned);
    let Some(notes) = records.notes::<Prepared>(covered).await? else { return Ok(None) };
    let mut all = Prepared::default();
    for Prepared { files, newest } in notes {
        all.files.append(files);
        newest.into_iter().for_each(|(source, at)| later(&mut all.newest, source, at));
    }
    Ok(cells.has(&all.files).await?.then_some(all))
}

/// Computes what rows at or beyond `covered` come to; `session` holds `records`.
///
/// # Errors
/// The lake cannot be read.
pub async fn computed(session: &SessionContext, covered: &Offsets, reached: &Offsets) -> datafusion::error::Result<Missing> {
    let (mut parts, mut names, mut newest) = (Vec::new(), Names::default(), Newest::new());
    let Some(beyond) = beyond(covered, reached) else { return Ok(Missing::default()) };
    let rows = format!("disposition = 'accepted' AND {beyond}");
    let sums = |sign: i32, rows: &str| {
        format!(
            "SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, {sign} * count(*) AS events, \
             max(occurred_at) AS newest, max(revision) AS revision FROM {rows} GROUP BY grid_id, category, source, kind, hour"
        )
    };
    let mut revised = false;
    for batch in session.sql(&sums(1, &format!("records WHERE {rows}"))).await?.collect().await? {
        revised |= arrow::compute::max(batch.column(7).as_primitive::<Int32Type>()).is_some_and(|revision| revision > 0);
        take_newest(&mut newest, &batch);
        take(&mut parts, &mut names, &batch);
    }
    if revised {
        let newer = format!("SELECT source, event_id, revision FROM records WHERE {rows} AND revision > 0");
        let former = format!(
            "(SELECT former.* FROM records AS former JOIN ({newer}) AS newer \
             ON former.source = newer.source AND former.event_id = newer.event_id AND former.revision = newer.revision - 1 \
             WHERE former.disposition = 'accepted')"
        );
        for batch in session.sql(&sums(-1, &former)).await?.collect().await? {
            take(&mut parts, &mut names, &batch);
        }
    }
    Ok(Missing { parts: CellParts::new(parts, &names), newest })
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

/// Takes over the newest instant of each source, of the columns of [`computed`].
fn take_newest(newest: &mut Newest, batch: &RecordBatch) {
    let sources = arrow::compute::cast(batch.column(2), &DataType::Utf8).expect("text columns cast to text");
    let times = batch.column(6).as_primitive::<TimestampMicrosecondType>();
    for row in 0..batch.num_rows() {
        let at = DateTime::from_timestamp_micros(times.value(row)).unwrap_or_default();
        later(newest, sources.as_string::<i32>().value(row).to_owned(), at);
    }
}

/// Takes over the parts of each row, of the columns of [`computed`].
fn take(parts: &mut Vec<Part>, names: &mut Names, batch: &RecordBatch) {
    let text = |index: usize| arrow::compute::cast(batch.column(index), &DataType::Utf8).expect("text columns cast to text");
    let (grids, categories, sources, kinds) = (text(0), text(1), text(2), text(3));
    let hours = arrow::compute::cast(batch.column(4), &time_type()).expect("an instant casts to an instant");
    let hours = hours.as_primitive::<TimestampMicrosecondType>();
    let events = batch.column(5).as_primitive::<Int64Type>();
    let mut name = |array: &ArrayRef, row: usize| {
        let texts = array.as_string::<i32>();
        texts.is_valid(row).then(|| names.name(texts.value(row)))
    };
    for row in 0..batch.num_rows() {
        let Some(kind) = Kind::from_name(kinds.as_string::<i32>().value(row)) else { continue };
        let hour = DateTime::<Utc>::from_timestamp_micros(hours.value(row)).map_or(0, hour_of);
        let cell = Cell { grid: name(&grids, row), category: name(&categories, row), hour };
        let Some(source) = name(&sources, row) else { continue };
        parts.push(Part { source, kind, cell, events: events.value(row) });
    }
}
