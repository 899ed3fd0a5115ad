//! Replay at the pace of event time. Real files are not in time order (a month may stand newest first), so each file is mapped whole, sorted by
//! time and then sent as its clock advances; a file too long for that is refused with what to do.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use contract::{Envelope, Reason};
use tokio::sync::mpsc;

use super::reader::{count, open, rows_of};
use super::{BATCH_ROWS, Chunk, Counts, ReplayError, ReplayOptions};
use crate::{Mapper, Outcome};

/// Rows of a file held for sorting: about a gigabyte at a kilobyte a row, six times the longest year of the hotline.
const ROWS_MAX: usize = 1_000_000;
/// A tick of the pace: finer than anyone watches, coarse enough for batches.
const TICK: Duration = Duration::from_millis(100);

/// A record and the instant it is due; refused rows have none and go first.
type Timed = (Option<DateTime<Utc>>, Envelope, Option<Reason>);

/// Maps all files and sends the rows of each in time order, `factor` seconds of event time a second.
pub(super) fn map_files(
    mapper: &Mapper,
    files: &[PathBuf],
    options: &ReplayOptions,
    factor: f64,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), ReplayError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut left = options.limit.unwrap_or(u64::MAX);
    let mut pace = None;
    for (file, path) in files.iter().enumerate() {
        let mut rows = read_whole(mapper, path, &bytes, &mut left)?;
        // Stable: rows of one instant keep the file's order.
        rows.sort_by_key(|(at, ..)| *at);
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut chunk = Chunk { file, envelopes: Vec::new(), counts: Counts::default(), bytes: bytes.load(Ordering::Relaxed) };
            while let Some((_, envelope, reason)) =
                rows.next_if(|(at, ..)| chunk.envelopes.len() < BATCH_ROWS && due(*at, &mut pace, factor))
            {
                count(&mut chunk.counts, reason);
                chunk.envelopes.push(envelope);
            }
            if chunk.envelopes.is_empty() {
                std::thread::sleep(TICK);
            } else if sender.blocking_send(chunk).is_err() {
                return Ok(());
            }
            if options.stop.is_cancelled() || sender.is_closed() {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn read_whole(mapper: &Mapper, path: &std::path::Path, bytes: &Arc<AtomicU64>, left: &mut u64) -> Result<Vec<Timed>, ReplayError> {
    let mut reader = open(mapper, path, bytes)?;
    let mut rows: Vec<Timed> = Vec::new();
    let (rules, now) = (mapper.feed().rules(), mapper.now());
    while *left > 0
        && let Some(batch) = reader.next_batch(rows_of(*left))?
    {
        *left -= batch.len() as u64;
        for outcome in mapper.normalize(&batch)? {
            let at = match &outcome {
                Outcome::Event(event) => Some(event.occurred_at),
                Outcome::Rejection(_) => None,
            };
            let (envelope, reason) = outcome.into_record(&rules, now);
            rows.push((at, envelope, reason));
        }
        if rows.len() > ROWS_MAX {
            return Err(ReplayError::TooLongToPace { path: path.display().to_string(), rows_max: ROWS_MAX });
        }
    }
    Ok(rows)
}

/// Whether the replay's clock has come to `at`. The clock starts with the first row that has a time.
fn due(at: Option<DateTime<Utc>>, pace: &mut Option<(DateTime<Utc>, Instant)>, factor: f64) -> bool {
    let Some(at) = at else {
        return true;
    };
    let (first, started) = pace.get_or_insert_with(|| (at, Instant::now()));
    let passed = started.elapsed().as_secs_f64() * factor;
    (at - *first).as_seconds_f64() <= passed
}
