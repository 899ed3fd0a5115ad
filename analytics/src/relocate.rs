//! Locating again: events that no grid held when they were committed, against the newest grids.
//!
//! The only change a committed row ever sees, asked for by a person. Two tables are rewritten, one commit each; the position
//! `located` says in both how often that was done. Where a crash falls between them the counts differ, and `cells` is made anew at
//! the next start.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use contract::Offsets;
use datafusion::prelude::SessionContext;

use crate::cells::{self, missing};
use crate::consume::ConsumeError;
use crate::lake::Snapshot;
use crate::lake::delta::{Change, Table};
use crate::lake::scan::PinnedTable;
use crate::recover;

/// Position in both tables: how often events were located again.
pub const LOCATED: &str = "located";

/// An accepted row that no grid holds and that a grid holds now; `part` is the file it stands in.
const FOUND: &str = "disposition = 'accepted' AND grid_id IS NULL AND coalesce(grid_at(lon, lat), address_grid(address)) IS NOT NULL";

/// Locates again and rewrites what changed; `session` has the functions over the newest grids. Answers how many events found a grid.
///
/// # Errors
/// The lake cannot be read or written; what was not committed is as it was.
pub async fn run(session: &SessionContext, records: &mut Table, cells: &mut Table, offsets: &Offsets) -> Result<u64, ConsumeError> {
    records.refresh(None).await?;
    let snapshot = records.snapshot()?;
    let (mut remove, mut rows, mut found) = (Vec::new(), Vec::new(), 0);
    for file in snapshot.files.iter() {
        let one = Snapshot { files: Arc::new([file.clone()]), ..snapshot.clone() };
        session.register_table("part", Arc::new(PinnedTable::new(one, None)))?;
        let count = count(session).await?;
        if count > 0 {
            rows.extend(session.sql(&rewritten(&snapshot)).await?.collect().await?);
            remove.push(file.clone());
            found += count;
        }
        session.deregister_table("part")?;
    }
    if found > 0 {
        let times = records.position(LOCATED).await?.unwrap_or_default() + 1;
        records.commit(Change { rows, remove, positions: [(LOCATED.to_owned(), times)].into(), ..Change::default() }).await?;
        rebuild_cells(records, cells, offsets).await?;
    }
    Ok(found)
}

async fn count(session: &SessionContext) -> Result<u64, ConsumeError> {
    let batches = session.sql(&format!("SELECT count(*) FROM part WHERE {FOUND}")).await?.collect().await?;
    Ok(batches.first().map_or(0, |batch| batch.column(0).as_primitive::<Int64Type>().value(0).cast_unsigned()))
}

fn rewritten(snapshot: &Snapshot) -> String {
    let columns = snapshot.schema.fields().iter().map(|field| match field.name().as_str() {
        "grid_id" => format!("CASE WHEN {FOUND} THEN coalesce(grid_at(lon, lat), address_grid(address)) ELSE grid_id END AS grid_id"),
        "located_by" => format!(
            "CASE WHEN {FOUND} THEN CASE WHEN grid_at(lon, lat) IS NOT NULL THEN 'point' ELSE 'address' END ELSE located_by END AS located_by"
        ),
        other => other.to_owned(),
    });
    format!("SELECT {} FROM part", columns.collect::<Vec<_>>().join(", "))
}

/// Makes `cells` anew from `records`, if the two do not agree on how often events were located again.
///
/// # Errors
/// The lake cannot be read or written.
pub async fn rebuild_cells(records: &mut Table, cells: &mut Table, offsets: &Offsets) -> Result<(), ConsumeError> {
    let (times, covered) = (records.position(LOCATED).await?, cells.position(LOCATED).await?);
    let Some(times) = times.filter(|times| Some(*times) != covered) else { return Ok(()) };
    let parts = missing::computed(&recover::session(records)?, &Offsets::default(), offsets).await?.parts;
    let mut positions = cells::covering(records.version(), offsets);
    positions.insert(LOCATED.to_owned(), times);
    cells.refresh(None).await?;
    let remove = cells.snapshot()?.files.to_vec();
    cells.commit(Change { rows: vec![deciding::cells::batch(&[parts])], remove, positions, ..Change::default() }).await?;
    Ok(())
}
