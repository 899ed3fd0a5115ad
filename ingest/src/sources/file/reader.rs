//! The mapping thread of a replay: files to batches to records of the log, in file order.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contract::Reason;
use tokio::sync::mpsc;

use super::{BATCH_ROWS, Chunk, Counts, ReplayError, ReplayOptions};
use crate::raw::{RawReader, compression};
use crate::{Mapper, Outcome};

/// Counts the bytes read of a file as they lie on disk.
struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// The rows of the file at `path`; what is read of it is added to `bytes`.
pub(super) fn open(mapper: &Mapper, path: &Path, bytes: &Arc<AtomicU64>) -> Result<RawReader, ReplayError> {
    let failed = |source| ReplayError::Open { path: path.display().to_string(), source };
    let file = File::open(path).map_err(failed)?;
    let input = compression::detect(Box::new(Counted { input: file, bytes: Arc::clone(bytes) })).map_err(failed)?;
    // The name alone, not the folder: a mapping that uses it gives the same event wherever the file lies.
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(mapper.feed().rows(mapper.columns(), &name, input)?)
}

/// Maps all files and sends them batch by batch until done, stopped or no longer heard.
pub(super) fn map_files(
    mapper: &Mapper,
    files: &[PathBuf],
    options: &ReplayOptions,
    sender: &mpsc::Sender<Chunk>,
) -> Result<(), ReplayError> {
    let bytes = Arc::new(AtomicU64::new(0));
    let mut left = options.limit.unwrap_or(u64::MAX);
    for (file, path) in files.iter().enumerate() {
        let mut rows = open(mapper, path, &bytes)?;
        while left > 0 && !options.stop.is_cancelled() {
            let Some(batch) = rows.next_batch(rows_of(left))? else {
                break;
            };
            left -= batch.len() as u64;
            let mut chunk =
                Chunk { file, envelopes: Vec::with_capacity(batch.len()), counts: Counts::default(), bytes: bytes.load(Ordering::Relaxed) };
            let (rules, now) = (mapper.feed().rules(), mapper.now());
            for outcome in mapper.normalize(&batch)? {
                add(&mut chunk, outcome, &rules, now, options.leave_refused);
            }
            if sender.blocking_send(chunk).is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The rows of the next batch when `left` may still be read.
pub(super) fn rows_of(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(BATCH_ROWS)
}

/// Adds an outcome to a chunk, as a record and in the counts.
pub(super) fn add(
    chunk: &mut Chunk,
    outcome: Outcome,
    rules: &contract::DeliveryRules,
    now: chrono::DateTime<chrono::Utc>,
    leave_refused: bool,
) {
    let (envelope, reason) = outcome.into_record(rules, now);
    count(&mut chunk.counts, reason);
    if reason.is_none() || !leave_refused {
        chunk.envelopes.push(envelope);
    }
}

pub(super) fn count(counts: &mut Counts, reason: Option<Reason>) {
    counts.read += 1;
    match reason {
        None => counts.published += 1,
        Some(reason) => *counts.rejected.entry(reason).or_default() += 1,
    }
}
