//! Files replayed into the log: opened, unpacked by their magic bytes, mapped on a thread of their own while the batch before is made durable.
//!
//! Files are read in the order given, rows in the order they stand (with `--speed` in the order of their time). The queue between mapping and
//! log is bounded in batches; what waits in it is appended together, so a slow fsync makes larger commits, not a longer queue.

mod paced;
mod reader;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use contract::{Envelope, Reason};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::raw::{BATCH_ROWS, RawError};
use crate::{Mapper, MappingError, Observer, PublishError, Publisher};

/// Batches between mapping and log: enough to keep both busy, few enough that a megabyte or ten is all that waits.
const QUEUE_BATCHES: usize = 4;

/// How fast rows are replayed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as the log takes them.
    Max,
    /// This many seconds of event time a second.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    /// Reads `max` or a factor such as `60x`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        let factor = text.strip_suffix('x').unwrap_or(text).parse().ok().filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
        factor.map(Self::Times).ok_or_else(|| format!("speed \"{text}\" is neither max nor a factor such as 60x"))
    }
}

/// How to replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// At most this many rows over all files.
    pub limit: Option<u64>,
    /// How fast.
    pub speed: Speed,
    /// Stops between two batches; what was appended stays, and replaying again is safe.
    pub stop: CancellationToken,
    /// Whether refused rows are only counted, because they stand in quarantine already.
    pub leave_refused: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { limit: None, speed: Speed::Max, stop: CancellationToken::new(), leave_refused: false }
    }
}

/// Hears how far a replay has come, after each durable batch.
pub trait Progress: Send + Sync {
    /// `rows` are durable and `bytes` of the files' `total_bytes` read, counted from the start.
    fn advanced(&self, rows: u64, bytes: u64, total_bytes: u64);
}

/// Hears and forgets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn advanced(&self, _: u64, _: u64, _: u64) {}
}

/// What became of one file or of all of them: `read = published + Σ rejected`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub read: u64,
    /// Events appended.
    pub published: u64,
    /// Rejections appended, by reason.
    pub rejected: BTreeMap<Reason, u64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.read += other.read;
        self.published += other.published;
        for (reason, rows) in &other.rejected {
            *self.rejected.entry(*reason).or_default() += rows;
        }
    }

    /// Rejections over all reasons.
    pub fn rejected_rows(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// What a replay did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Over all files.
    pub total: Counts,
    /// File by file, in the order read.
    pub files: Vec<(PathBuf, Counts)>,
    /// Whether it was stopped before the end.
    pub stopped: bool,
}

/// Why a replay ended early. What was appended before stays; replaying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be opened.
    #[error("could not open \"{path}\" for replay")]
    Open {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A file cannot be read on.
    #[error(transparent)]
    Raw(#[from] RawError),
    /// The mapping does not fit a file.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The log did not take the records.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Sorting a file by time would need more memory than is allowed.
    #[error("file \"{path}\" has more than {rows_max} rows, too many to sort by time; replay it with --speed max or --limit {rows_max}")]
    TooLongToPace {
        /// The file.
        path: String,
        /// The bound.
        rows_max: usize,
    },
    /// The mapping thread died: a fault of the program.
    #[error("mapping thread of the replay ended without an answer")]
    Lost,
}

impl ReplayError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> contract::log::Remedy {
        match self {
            Self::Publish(error) => error.remedy(),
            Self::Lost => contract::log::Remedy::Bug,
            _ => contract::log::Remedy::Fix,
        }
    }
}

/// Records of one file, mapped and ready for the log.
struct Chunk {
    file: usize,
    envelopes: Vec<Envelope>,
    counts: Counts,
    /// Bytes of all files read so far, as they lie on disk.
    bytes: u64,
}

/// Reads `files` of `mapper`'s feed into the log.
///
/// Cancellation safe: dropping the future stops the mapping thread at its next batch.
///
/// # Errors
/// When a file, the mapping or the log fails; what was appended before stays.
pub async fn replay(
    mapper: Arc<Mapper>,
    files: &[PathBuf],
    options: ReplayOptions,
    publisher: &Publisher,
    progress: &dyn Progress,
    observer: &dyn Observer,
) -> Result<ReplaySummary, ReplayError> {
    let total_bytes = files.iter().map(|path| length(path)).sum::<Result<u64, _>>()?;
    let source = mapper.feed().name.clone();
    let mut summary = ReplaySummary { files: files.iter().map(|path| (path.clone(), Counts::default())).collect(), ..Default::default() };
    let (sender, mut receiver) = mpsc::channel(QUEUE_BATCHES);
    let paths = files.to_vec();
    let stop = options.stop.clone();
    let mapping = tokio::task::spawn_blocking(move || match options.speed {
        Speed::Max => reader::map_files(&mapper, &paths, &options, &sender),
        Speed::Times(factor) => paced::map_files(&mapper, &paths, &options, factor, &sender),
    });
    while let Some(chunk) = receiver.recv().await {
        let chunks = together(chunk, &mut receiver);
        publish(chunks, publisher, &source, &mut summary, observer, |rows, bytes| progress.advanced(rows, bytes, total_bytes)).await?;
    }
    mapping.await.map_err(|_| ReplayError::Lost)??;
    summary.stopped = stop.is_cancelled();
    Ok(summary)
}

fn length(path: &Path) -> Result<u64, ReplayError> {
    let metadata = std::fs::metadata(path).map_err(|source| ReplayError::Open { path: path.display().to_string(), source })?;
    Ok(metadata.len())
}

/// The chunk and those that wait behind it already.
fn together(first: Chunk, receiver: &mut mpsc::Receiver<Chunk>) -> Vec<Chunk> {
    let mut chunks = vec![first];
    while chunks.len() < QUEUE_BATCHES {
        match receiver.try_recv() {
            Ok(chunk) => chunks.push(chunk),
            Err(_) => break,
        }
    }
    chunks
}

async fn publish(
    mut chunks: Vec<Chunk>,
    publisher: &Publisher,
    source: &str,
    summary: &mut ReplaySummary,
    observer: &dyn Observer,
    advanced: impl Fn(u64, u64),
) -> Result<(), ReplayError> {
    let envelopes = chunks.iter_mut().flat_map(|chunk| std::mem::take(&mut chunk.envelopes)).collect();
    publisher.publish(envelopes).await?;
    for chunk in chunks {
        summary.total.add(&chunk.counts);
        summary.files[chunk.file].1.add(&chunk.counts);
        observer.published(source, chunk.counts.published);
        for (reason, rows) in &chunk.counts.rejected {
            observer.rejected(source, *reason, *rows);
        }
        advanced(summary.total.read, chunk.bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
