//! The commit of a turn: its rows, and the parts of their cells prepared beside them.

use chrono::DateTime;
use contract::Offsets;
use deciding::rows::Tally;

use super::reader::Pending;
use super::{ConsumeError, positions};
use crate::cells::{self, Newest, Prepared};
use crate::lake::delta::{Change, Table, Writer};
use crate::records::skipped_name;

/// Commits a turn, to `cells` too where that is given; answers how many records it was and what became of them.
pub(super) async fn commit(
    records: &mut Table,
    cells: Option<&mut Table>,
    cells_writer: &Writer,
    batch: Pending,
    offsets: &mut Offsets,
    skipped: &mut Offsets,
) -> Result<(u64, Vec<Tally>), ConsumeError> {
    let Pending { decided, files, records: count, offsets: reached, skipped: skips, .. } = batch;
    let (parts, tallies): (Vec<_>, Vec<_>) = decided.into_iter().unzip();
    let skips_moved = skips.iter().map(|(partition, count)| (skipped_name(partition), count.cast_signed()));
    let moved = positions(&reached).into_iter().chain(skips_moved).collect();
    let (rows, parts) = tokio::join!(files.finish(), cells::prepare(cells_writer, parts));
    let (rows, prepared) = (rows?, Prepared { files: parts?, newest: newest(&tallies) });
    let change = Change { files: rows, positions: moved, note: Some(prepared.note()), ..Change::default() };
    let version = records.commit(change).await?;
    if let Some(cells) = cells {
        let positions = cells::covering(version, &reached);
        cells.commit(Change { files: prepared.files, positions, ..Change::default() }).await?;
    }
    for (moved, by) in [(&mut *offsets, &reached), (skipped, &skips)] {
        by.iter().for_each(|(partition, next)| moved.advance(partition.clone(), next));
    }
    Ok((count, tallies))
}

/// Newest accepted `occurred_at` by source.
fn newest(tallies: &[Tally]) -> Newest {
    let mut newest = Newest::new();
    for (source, micros) in tallies.iter().flat_map(|tally| &tally.newest) {
        let at = DateTime::from_timestamp_micros(*micros).unwrap_or_default();
        cells::later(&mut newest, source.to_string(), at);
    }
    newest
}
