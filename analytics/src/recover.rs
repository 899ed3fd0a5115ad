//! What a consumer takes from the lake when it starts: the ids and watermarks of each partition, and the part of `cells` a
//! crash left out. Everything is read from committed rows, so it decides after a crash as it decided before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimestampMicrosecondType};
use contract::{Offsets, TopicPartition};
use datafusion::prelude::{SessionConfig, SessionContext};
use deciding::rows::hour_of;
use deciding::state::{PartitionState, Seen};
use futures::StreamExt;

use crate::cells::missing;
use crate::consume::ConsumeError;
use crate::lake::delta::Table;
use crate::lake::scan::PinnedTable;

/// A session over `records`.
pub(crate) fn session(records: &Table) -> Result<SessionContext, ConsumeError> {
    let session = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    session.register_table("records", Arc::new(PinnedTable::new(records.snapshot()?, Some("occurred_at"))))?;
    Ok(session)
}

/// Ids and watermarks of some partitions, from the accepted rows.
///
/// # Errors
/// The lake cannot be read.
pub async fn states(records: &Table, of: &BTreeSet<TopicPartition>) -> Result<BTreeMap<TopicPartition, PartitionState>, ConsumeError> {
    let names: Vec<_> = of.iter().map(|partition| format!("'{}'", partition.to_string().replace('\'', "''"))).collect();
    let rows = format!(
        "SELECT log_topic, log_partition, source, event_id, occurred_at, body_hash, revision, grid_id, category FROM records \
         WHERE disposition = 'accepted' AND concat(log_topic, '/', log_partition) IN ({})",
        names.join(", ")
    );
    let mut states = BTreeMap::new();
    let mut stream = session(records)?.sql(&rows).await?.execute_stream().await?;
    while let Some(batch) = stream.next().await {
        remember(&mut states, &batch?)?;
    }
    Ok(states)
}

fn remember(states: &mut BTreeMap<TopicPartition, PartitionState>, batch: &RecordBatch) -> Result<(), ConsumeError> {
    let text = |index: usize| arrow::compute::cast(batch.column(index), &DataType::Utf8).map_err(datafusion::error::DataFusionError::from);
    let (topics, sources, ids, grids, categories) = (text(0)?, text(2)?, text(3)?, text(7)?, text(8)?);
    let (topics, sources, ids) = (topics.as_string::<i32>(), sources.as_string::<i32>(), ids.as_string::<i32>());
    let (grids, categories) = (grids.as_string::<i32>(), categories.as_string::<i32>());
    let partitions = batch.column(1).as_primitive::<Int32Type>();
    let times = batch.column(4).as_primitive::<TimestampMicrosecondType>();
    let hashes = batch.column(5).as_primitive::<Int64Type>();
    let revisions = batch.column(6).as_primitive::<Int32Type>();
    for row in 0..batch.num_rows() {
        let partition = TopicPartition::new(topics.value(row), partitions.value(row).cast_unsigned());
        let state = states.entry(partition).or_default();
        let occurred_at = times.value(row);
        let hour = chrono::DateTime::from_timestamp_micros(occurred_at).map_or(0, hour_of);
        let cell = state.cell(text_at(grids, row), text_at(categories, row), hour);
        let seen = Seen { body_hash: hashes.value(row), occurred_at, revision: revisions.value(row), cell };
        let source = state.name(sources.value(row));
        state.remember(source, ids.value(row), seen);
    }
    Ok(())
}

fn text_at(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

/// Brings `cells` to the offsets `records` has reached, if a crash fell between their commits.
///
/// # Errors
/// The lake cannot be read or written.
pub async fn cells(records: &Table, cells: &mut Table, covered: &Offsets, reached: &Offsets) -> Result<(), ConsumeError> {
    if missing::catch_up(records, cells, covered, reached).await?.is_some() && !covered.covers(reached) {
        tracing::warn!("cells lagged behind records after a stop; caught up from the lake");
    }
    Ok(())
}
