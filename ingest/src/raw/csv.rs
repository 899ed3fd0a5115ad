//! The only place that knows CSV. Structure is read on the bytes as they came, which is safe because in UTF-8, Big5 and GB 18030 no part of
//! a character looks like a comma, a quote or a line end; text is decoded row by row, so a broken character costs one row.
//!
//! A stray quote swallows lines until the next one. Where that leaves a record of several lines that has another number of fields than the
//! header, is quoted against RFC 4180 or never ends, the first line alone is taken as the broken row and reading goes on at the second.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::StringBuilder;
use contract::Reason;
use csv_core::{ReadRecordResult, Reader};

use super::window::Window;
use super::{COLUMNS_MAX, Fault, Next, ROW_BYTES_MAX, RawError, text};
use crate::feeds::Encoding;

/// The header of a CSV input.
pub(super) struct Header {
    pub(super) columns: Arc<[String]>,
    pub(super) line: Arc<str>,
}

/// The rows of a CSV input.
pub(super) struct CsvRows {
    window: Window,
    encoding: Encoding,
    reader: Reader,
    output: Vec<u8>,
    ends: Vec<usize>,
    width: usize,
}

/// A record found at the front of the window; its fields are in `output` and `ends`.
struct Record {
    consumed: usize,
    fields: usize,
    /// The input or the window ended inside it.
    cut: bool,
}

impl CsvRows {
    pub(super) fn new(window: Window, encoding: Encoding) -> Self {
        Self { window, encoding, reader: Reader::new(), output: vec![0; 4096], ends: vec![0; 64], width: 0 }
    }

    pub(super) fn header(&mut self, file: &str) -> Result<Header, RawError> {
        let problem = |problem: String| RawError::Header { file: file.to_owned(), problem };
        let record = self.scan().map_err(|source| RawError::Read { file: file.to_owned(), row: 0, source })?;
        let Some(record) = record else {
            return Err(problem("is missing: the input is empty".into()));
        };
        if record.fields > COLUMNS_MAX || record.cut && record.consumed >= ROW_BYTES_MAX {
            return Err(problem(format!("is not a header: more than {COLUMNS_MAX} columns or {ROW_BYTES_MAX} bytes")));
        }
        let mut columns: Vec<String> = Vec::with_capacity(record.fields);
        for index in 0..record.fields {
            let name = text::strict(self.encoding, self.field(index))
                .map_err(|_| problem(format!("is not {} text; declare the right encoding in feed.toml", self.encoding.as_str())))?;
            let name = name.trim().trim_start_matches('\u{FEFF}').to_owned();
            if !name.is_empty() && columns.contains(&name) {
                return Err(problem(format!("names column \"{name}\" twice")));
            }
            // A column without a name keeps its place, so that rows still fit.
            columns.push(if name.is_empty() { format!("column_{}", index + 1) } else { name });
        }
        let line = text::lossy(self.encoding, trimmed(&self.window.bytes()[..record.consumed]));
        self.window.take(record.consumed);
        self.width = columns.len();
        Ok(Header { columns: columns.into(), line: line.trim_start_matches('\u{FEFF}').into() })
    }

    pub(super) fn next(&mut self, builders: &mut [StringBuilder], bytes: &mut Vec<u8>) -> std::io::Result<Next> {
        let Some(record) = self.scan()? else {
            return Ok(Next::End);
        };
        let raw = trimmed(&self.window.bytes()[..record.consumed]);
        let (misfit, too_long) = (record.fields != self.width, record.consumed >= ROW_BYTES_MAX);
        if raw.contains(&b'\n') && (misfit || too_long || !well_quoted(raw)) {
            return self.stray_quote(bytes).map(Next::Broken);
        }
        bytes.extend_from_slice(raw);
        let next = if too_long {
            Next::Broken(Fault::new(Reason::TooLong, "", format!("row is longer than {ROW_BYTES_MAX} bytes")))
        } else if misfit {
            let detail = format!("row has {} fields, the header {}", record.fields, self.width);
            Next::Broken(Fault::new(Reason::BadFormat, "", detail))
        } else {
            self.push(builders)
        };
        self.window.take(record.consumed);
        if too_long && record.cut {
            self.window.skip_line()?;
        }
        Ok(next)
    }

    /// Reads one record at the front of the window without taking it; `None` at the end of the input.
    fn scan(&mut self) -> std::io::Result<Option<Record>> {
        let mut ended = false;
        loop {
            let (result, consumed, fields) = self.parse(ended);
            match result {
                ReadRecordResult::Record => {
                    return Ok(Some(Record { consumed, fields, cut: ended && consumed == self.window.bytes().len() }));
                }
                ReadRecordResult::End => return Ok(None),
                _ if ended => return Ok(None),
                _ => {}
            }
            // The record has not ended within the window: hold more, or take the window's end for the record's.
            ended = self.window.full() || !self.window.fill()?;
        }
    }

    fn parse(&mut self, ended: bool) -> (ReadRecordResult, usize, usize) {
        self.reader.reset();
        let (mut consumed, mut written, mut fields) = (0, 0, 0);
        let bytes = self.window.bytes();
        loop {
            let rest = &bytes[consumed..];
            // Less than a byte order mark and one byte more could be the mark alone, which the reader takes for an empty input.
            if (rest.is_empty() || bytes.len() < 4) && !ended {
                return (ReadRecordResult::InputEmpty, consumed, fields);
            }
            let (result, read, wrote, found) = self.reader.read_record(rest, &mut self.output[written..], &mut self.ends[fields..]);
            (consumed, written, fields) = (consumed + read, written + wrote, fields + found);
            match result {
                ReadRecordResult::InputEmpty if ended => {}
                ReadRecordResult::OutputFull => self.output.resize(self.output.len() * 2, 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                other => return (other, consumed, fields),
            }
        }
    }

    fn field(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.output[start..self.ends[index]]
    }

    fn push(&self, builders: &mut [StringBuilder]) -> Next {
        let end = self.width.checked_sub(1).map_or(0, |last| self.ends[last]);
        // UTF-8 is checked once for the whole row; its fields are then valid unless one ends inside a character.
        let whole = (self.encoding == Encoding::Utf8).then(|| text::strict(Encoding::Utf8, &self.output[..end]).ok()).flatten();
        let whole = whole.filter(|text| self.ends[..self.width].iter().all(|end| text.is_char_boundary(*end)));
        if whole.is_none()
            && let Some(fault) = self.unreadable_field()
        {
            return Next::Broken(fault);
        }
        for (index, builder) in builders.iter_mut().enumerate() {
            let decoded = match &whole {
                Some(text) => Some(Cow::Borrowed(&text[index.checked_sub(1).map_or(0, |before| self.ends[before])..self.ends[index]])),
                None => text::strict(self.encoding, self.field(index)).ok(),
            };
            // CSV cannot tell an absent value from an empty one: both are NULL.
            builder.append_option(decoded.filter(|text| !text.is_empty()));
        }
        Next::Row
    }

    fn unreadable_field(&self) -> Option<Fault> {
        (0..self.width).find_map(|index| {
            let detail = text::strict(self.encoding, self.field(index)).err()?;
            Some(Fault::new(Reason::BadText, "", format!("field {} {detail}", index + 1)))
        })
    }

    /// Takes the first line alone as a broken row.
    fn stray_quote(&mut self, bytes: &mut Vec<u8>) -> std::io::Result<Fault> {
        let held = self.window.bytes();
        let blank = held.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let end = held[blank..].iter().position(|byte| *byte == b'\n').map_or(held.len(), |length| blank + length);
        bytes.extend_from_slice(trimmed(&held[blank..end]));
        self.window.take(end);
        self.window.skip_line()?;
        Ok(Fault::new(Reason::BadFormat, "", "a quote opens in this line and does not close within the row"))
    }
}

/// Whether every quoted field ends at a comma, a line end or the row's end, and none is left open (RFC 4180). The reader itself is lenient.
fn well_quoted(raw: &[u8]) -> bool {
    let mut rest = raw;
    loop {
        rest = match rest.strip_prefix(b"\"") {
            None => &rest[rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len())..],
            Some(quoted) => match after_quoted(quoted) {
                Some(behind) => behind,
                None => return false,
            },
        };
        match rest {
            [b',', behind @ ..] => rest = behind,
            [] | [b'\r' | b'\n', ..] => return true,
            _ => return false,
        }
    }
}

/// What follows the closing quote of a quoted field, given what follows its opening quote; `None` where it never closes.
fn after_quoted(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let quote = rest.iter().position(|byte| *byte == b'"')?;
        rest = &rest[quote + 1..];
        match rest.strip_prefix(b"\"") {
            Some(doubled) => rest = doubled,
            None => return Some(rest),
        }
    }
}

/// Without the line ends around it.
fn trimmed(raw: &[u8]) -> &[u8] {
    let line_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let start = raw.iter().take_while(|byte| line_end(byte)).count();
    let tail = raw[start..].iter().rev().take_while(|byte| line_end(byte)).count();
    &raw[start..raw.len() - tail]
}
