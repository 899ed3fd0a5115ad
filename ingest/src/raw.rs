//! What a raw record is before any mapping: a numbered row with its bytes as they came, and its fields as text.
//!
//! A broken row is a row like any other: it keeps its number and bytes and carries a [`Fault`] instead of fields. The only errors here
//! are those of the whole input (unreadable, no header). Memory is bounded by one batch whatever the input holds.

pub mod compression;
mod csv;
mod json;
mod text;
mod window;

use std::io::Read;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use contract::Reason;
use contract::log::RECORD_BYTES_MAX;

use crate::feeds::{Encoding, Format};

/// Rows of a batch: enough that planning and dispatch vanish beside the work, few enough to stay in cache.
pub const BATCH_ROWS: usize = 8192;
/// Bytes of raw rows at which a batch ends early, so that huge rows do not multiply by [`BATCH_ROWS`].
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest raw row: what the log could not take as one record is no row.
pub(crate) const ROW_BYTES_MAX: usize = RECORD_BYTES_MAX;
/// Most columns of a header or of a mapping.
const COLUMNS_MAX: usize = 4096;

/// Why one raw row is not an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The closed reason it is counted under.
    pub reason: Reason,
    /// The field concerned; empty when it is the whole row.
    pub field: String,
    /// What was found.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(reason: Reason, field: &str, detail: impl Into<String>) -> Self {
        Self { reason, field: field.to_owned(), detail: detail.into() }
    }
}

/// Why an input cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum RawError {
    /// Reading or decompressing failed; rows before it are sound.
    #[error("could not read \"{file}\" after row {row}")]
    Read {
        /// The input.
        file: String,
        /// The last row read.
        row: u64,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The header line does not hold.
    #[error("header of \"{file}\" {problem}")]
    Header {
        /// The input.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

/// A row as it stands in a batch: its number in the input, where its bytes end, and what is wrong with it, if anything.
#[derive(Debug)]
pub(crate) struct RawRow {
    pub(crate) number: u64,
    pub(crate) fault: Option<Box<Fault>>,
    end: usize,
}

/// Consecutive rows of one input.
#[derive(Debug)]
pub struct RawBatch {
    pub(crate) columns: Arc<[String]>,
    /// One array a column, with the sound rows only.
    pub(crate) values: Vec<ArrayRef>,
    pub(crate) rows: Vec<RawRow>,
    pub(crate) file_name: Arc<str>,
    bytes: Vec<u8>,
    encoding: Encoding,
    prologue: Arc<str>,
}

impl RawBatch {
    /// Number of rows, broken ones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same rows under another number, which they share: that of the message they came in.
    pub(crate) fn numbered(mut self, number: u64) -> Self {
        self.rows.iter_mut().for_each(|row| row.number = number);
        self
    }

    /// A row that was refused before it could be read, with its bytes; `columns` are those of the batch it shall go into.
    pub(crate) fn refused(columns: &Arc<[String]>, name: &str, encoding: Encoding, fault: Fault, bytes: Vec<u8>) -> Self {
        let values = columns.iter().map(|_| Arc::new(StringBuilder::new().finish()) as ArrayRef).collect();
        let rows = vec![RawRow { number: 1, fault: Some(Box::new(fault)), end: bytes.len() }];
        Self { columns: Arc::clone(columns), values, rows, file_name: name.into(), bytes, encoding, prologue: Arc::from("") }
    }

    /// Whether `other` may follow in one batch.
    fn continues(&self, other: &Self) -> bool {
        self.columns == other.columns && self.file_name == other.file_name && self.prologue == other.prologue
    }

    /// Neighbours of the same columns and name as one batch each, so that the mapping runs once for many small inputs.
    pub(crate) fn joined(batches: Vec<Self>) -> Vec<Self> {
        let mut groups: Vec<Vec<Self>> = Vec::new();
        for batch in batches {
            match groups.last_mut().filter(|group| group[0].continues(&batch)) {
                Some(group) => group.push(batch),
                None => groups.push(vec![batch]),
            }
        }
        groups.into_iter().map(Self::join).collect()
    }

    fn join(mut group: Vec<Self>) -> Self {
        if group.len() == 1 {
            return group.swap_remove(0);
        }
        let first = &group[0];
        let column = |index: usize| {
            let parts: Vec<&dyn arrow::array::Array> = group.iter().map(|batch| batch.values[index].as_ref()).collect();
            arrow::compute::concat(&parts).expect("columns of text are as alike as their names")
        };
        let values = (0..first.columns.len()).map(column).collect();
        let (columns, file_name, prologue) = (Arc::clone(&first.columns), Arc::clone(&first.file_name), Arc::clone(&first.prologue));
        let encoding = first.encoding;
        let (mut rows, mut bytes) = (Vec::new(), Vec::new());
        for batch in group {
            let before = bytes.len();
            bytes.extend_from_slice(&batch.bytes);
            rows.extend(batch.rows.into_iter().map(|row| RawRow { end: row.end + before, ..row }));
        }
        Self { columns, values, rows, file_name, bytes, encoding, prologue }
    }

    /// The bytes of row `index` as they came.
    pub(crate) fn row_bytes(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.rows[before].end);
        &self.bytes[start..self.rows[index].end]
    }

    /// Row `index` as a document of the feed's own format, so that it can be sent to the feed again: a CSV row comes with its header.
    pub(crate) fn payload(&self, index: usize) -> String {
        let row = text::lossy(self.encoding, self.row_bytes(index));
        if self.prologue.is_empty() { row } else { format!("{}\n{row}", self.prologue) }
    }

    /// Where row `index` stood, for the person who looks it up.
    pub(crate) fn origin(&self, index: usize) -> String {
        format!("{}:{}", self.file_name, self.rows[index].number)
    }
}

/// What a format's reader hands over for one row; `fields` were pushed to the builder by then.
enum Next {
    Row,
    Broken(Fault),
    End,
}

/// Reads an input row by row into batches.
pub struct RawReader {
    rows: Rows,
    encoding: Encoding,
    columns: Arc<[String]>,
    file_name: Arc<str>,
    prologue: Arc<str>,
    number: u64,
}

impl std::fmt::Debug for RawReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawReader").field("file_name", &self.file_name).field("number", &self.number).finish_non_exhaustive()
    }
}

#[expect(clippy::large_enum_variant, reason = "an input has one")]
enum Rows {
    Csv(csv::CsvRows),
    Json(json::JsonRows),
}

impl RawReader {
    /// Opens `input`. `wanted` are the columns the mapping names: JSON rows are read for those, CSV has its own header.
    ///
    /// # Errors
    /// When the header does not hold or cannot be read.
    pub fn open(
        format: Format,
        encoding: Encoding,
        wanted: &Arc<[String]>,
        file_name: &str,
        input: Box<dyn Read + Send>,
    ) -> Result<Self, RawError> {
        Self::over(format, encoding, wanted, file_name, window::Window::new(input, ROW_BYTES_MAX))
    }

    /// The same of an input that is in memory already, such as a message.
    ///
    /// # Errors
    /// When the header does not hold.
    pub fn whole(format: Format, encoding: Encoding, wanted: &Arc<[String]>, name: &str, input: Vec<u8>) -> Result<Self, RawError> {
        Self::over(format, encoding, wanted, name, window::Window::whole(input, ROW_BYTES_MAX))
    }

    fn over(format: Format, encoding: Encoding, wanted: &Arc<[String]>, file_name: &str, window: window::Window) -> Result<Self, RawError> {
        let mut columns = Arc::clone(wanted);
        let mut prologue = Arc::from("");
        let rows = match format {
            Format::Csv => {
                let mut rows = csv::CsvRows::new(window, encoding);
                let header = rows.header(file_name)?;
                (columns, prologue) = (header.columns, header.line);
                Rows::Csv(rows)
            }
            Format::Ndjson => Rows::Json(json::JsonRows::lines(window, encoding)),
            Format::Json | Format::CloudEvents => Rows::Json(json::JsonRows::elements(window, encoding)),
        };
        Ok(Self { rows, encoding, columns, file_name: file_name.into(), prologue, number: 0 })
    }

    /// The next rows, at most `rows_max`; `None` at the end.
    ///
    /// # Errors
    /// When reading or decompressing fails.
    pub fn next_batch(&mut self, rows_max: usize) -> Result<Option<RawBatch>, RawError> {
        let mut builders: Vec<StringBuilder> = self.columns.iter().map(|_| StringBuilder::new()).collect();
        let (mut rows, mut bytes) = (Vec::with_capacity(rows_max.min(BATCH_ROWS)), Vec::new());
        while rows.len() < rows_max && bytes.len() < BATCH_BYTES_MAX {
            let next = match &mut self.rows {
                Rows::Csv(reader) => reader.next(&mut builders, &mut bytes),
                Rows::Json(reader) => reader.next(&self.columns, &mut builders, &mut bytes),
            };
            let fault = match next {
                Ok(Next::End) => break,
                Ok(Next::Row) => None,
                Ok(Next::Broken(fault)) => Some(Box::new(fault)),
                // The rows read so far are handed over; the error comes again with the next call because the input stays broken.
                Err(_) if !rows.is_empty() => break,
                Err(source) => return Err(RawError::Read { file: self.file_name.to_string(), row: self.number, source }),
            };
            self.number += 1;
            rows.push(RawRow { number: self.number, fault, end: bytes.len() });
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let values = builders.into_iter().map(|mut builder| Arc::new(builder.finish()) as ArrayRef).collect();
        let (columns, file_name, prologue) = (Arc::clone(&self.columns), Arc::clone(&self.file_name), Arc::clone(&self.prologue));
        Ok(Some(RawBatch { columns, values, rows, file_name, bytes, encoding: self.encoding, prologue }))
    }
}

#[cfg(test)]
mod tests;
