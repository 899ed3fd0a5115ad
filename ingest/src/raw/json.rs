//! The only place that knows how JSON rows are cut from an input and how an object becomes columns of text.
//!
//! A string is its text, a number or boolean as written, null and absent are NULL, lists and objects are their JSON.
//! A column `a.b` reads member `b` of object `a` where no member is called `a.b`.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::StringBuilder;
use contract::Reason;
use serde_json::value::RawValue;

use super::window::Window;
use super::{Fault, Next, ROW_BYTES_MAX, text};
use crate::feeds::Encoding;

/// The rows of an NDJSON or JSON input.
pub(super) struct JsonRows {
    window: Window,
    encoding: Encoding,
    lines: bool,
    started: bool,
}

/// A row's bytes and whether all of it is there.
struct Piece {
    bytes: Vec<u8>,
    whole: bool,
}

impl JsonRows {
    /// One object a line.
    pub(super) fn lines(window: Window, encoding: Encoding) -> Self {
        Self { window, encoding, lines: true, started: false }
    }

    /// The elements of an array, or values one after another.
    pub(super) fn elements(window: Window, encoding: Encoding) -> Self {
        Self { window, encoding, lines: false, started: false }
    }

    pub(super) fn next(&mut self, columns: &[String], builders: &mut [StringBuilder], bytes: &mut Vec<u8>) -> std::io::Result<Next> {
        let piece = if self.lines { self.line()? } else { self.element()? };
        let Some(piece) = piece else {
            return Ok(Next::End);
        };
        bytes.extend_from_slice(&piece.bytes);
        // Where the input came in large chunks, a row may be held whole and still be longer than the log takes.
        if !piece.whole || piece.bytes.len() >= ROW_BYTES_MAX {
            return Ok(Next::Broken(Fault::new(Reason::TooLong, "", format!("row is longer than {ROW_BYTES_MAX} bytes"))));
        }
        Ok(match text::strict(self.encoding, &piece.bytes) {
            Ok(text) => push(&text, columns, builders),
            Err(detail) => Next::Broken(Fault::new(Reason::BadText, "", format!("row {detail}"))),
        })
    }

    fn line(&mut self) -> std::io::Result<Option<Piece>> {
        loop {
            let Some(line) = self.window.line()? else {
                return Ok(None);
            };
            let bytes = if self.started { line.bytes } else { without_mark(line.bytes) };
            self.started = true;
            if !bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Some(Piece { bytes, whole: line.whole }));
            }
        }
    }

    /// Cuts at the comma or bracket that ends an element; JSON's marks are ASCII, and in Big5 and GB 18030 a trailing byte can look like
    /// one only inside a string, where bytes below 0x80 after a lead byte are skipped with it.
    fn element(&mut self) -> std::io::Result<Option<Piece>> {
        if !self.skip_between()? {
            return Ok(None);
        }
        let mut scanner = Scanner::new(self.encoding);
        let mut searched = 0;
        loop {
            if let Some(length) = scanner.end(&self.window.bytes()[searched..]).map(|at| searched + at) {
                return Ok(Some(self.cut(length, true)));
            }
            searched = self.window.bytes().len();
            if self.window.full() {
                let piece = self.cut(searched, false);
                self.skip_rest(&mut scanner)?;
                return Ok(Some(piece));
            }
            if !self.window.fill()? {
                return Ok((searched > 0).then(|| self.cut(searched, true)));
            }
        }
    }

    fn cut(&mut self, length: usize, whole: bool) -> Piece {
        let bytes = self.window.bytes()[..length].trim_ascii_end().to_vec();
        self.window.take(length);
        Piece { bytes, whole }
    }

    fn skip_rest(&mut self, scanner: &mut Scanner) -> std::io::Result<()> {
        loop {
            if let Some(length) = scanner.end(self.window.bytes()) {
                self.window.take(length);
                return Ok(());
            }
            self.window.take(self.window.bytes().len());
            if !self.window.fill()? {
                return Ok(());
            }
        }
    }

    /// Skips blanks, commas and the brackets of the outer array; `false` at the end of the input.
    fn skip_between(&mut self) -> std::io::Result<bool> {
        loop {
            if !self.started && (self.window.bytes().len() >= 3 || !self.window.fill()?) {
                let mark = self.window.bytes().starts_with(b"\xEF\xBB\xBF");
                self.window.take(if mark { 3 } else { 0 });
                self.started = true;
            }
            if !self.started {
                continue;
            }
            let between = |byte: &&u8| byte.is_ascii_whitespace() || matches!(byte, b',' | b'[' | b']');
            let count = self.window.bytes().iter().take_while(between).count();
            self.window.take(count);
            if !self.window.bytes().is_empty() {
                return Ok(true);
            }
            if !self.window.fill()? {
                return Ok(!self.window.bytes().is_empty());
            }
        }
    }
}

fn without_mark(bytes: Vec<u8>) -> Vec<u8> {
    bytes.strip_prefix(b"\xEF\xBB\xBF").map(<[u8]>::to_vec).unwrap_or(bytes)
}

/// Finds where a JSON value ends, over several pieces of input.
struct Scanner {
    depth: usize,
    in_text: bool,
    escaped: bool,
    multibyte: bool,
    lead: bool,
}

impl Scanner {
    fn new(encoding: Encoding) -> Self {
        Self { depth: 0, in_text: false, escaped: false, multibyte: encoding != Encoding::Utf8, lead: false }
    }

    /// The length up to the end of the value, if it ends within `bytes`.
    fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, byte) in bytes.iter().enumerate() {
            if self.multibyte && (self.lead || *byte >= 0x80) {
                // The byte after a lead byte belongs to the character whatever it looks like.
                self.lead = !self.lead;
                continue;
            }
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_text => self.escaped = true,
                b'"' => self.in_text = !self.in_text,
                _ if self.in_text => {}
                b'{' | b'[' => self.depth += 1,
                b',' | b']' | b'\n' if self.depth == 0 => return Some(index),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(index + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

type Members<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

fn push(row: &str, columns: &[String], builders: &mut [StringBuilder]) -> Next {
    let members: Members<'_> = match serde_json::from_str(row) {
        Ok(members) => members,
        Err(error) => return Next::Broken(Fault::new(Reason::BadJson, "", format!("row is not a JSON object: {error}"))),
    };
    let mut values = Vec::with_capacity(columns.len());
    for column in columns {
        match member(&members, column) {
            Ok(value) => values.push(value),
            Err(detail) => return Next::Broken(Fault::new(Reason::BadText, column, detail)),
        }
    }
    for (builder, value) in builders.iter_mut().zip(values) {
        builder.append_option(value);
    }
    Next::Row
}

fn member(members: &Members<'_>, column: &str) -> Result<Option<String>, String> {
    if let Some(value) = members.get(column) {
        return as_text(value);
    }
    let nested = column.split_once('.').and_then(|(outer, inner)| Some((members.get(outer)?, inner)));
    let Some((object, inner)) = nested else {
        return Ok(None);
    };
    // A member that is no object has no members: the column is absent.
    serde_json::from_str(object.get()).map_or(Ok(None), |nested: Members<'_>| member(&nested, inner))
}

fn as_text(value: &RawValue) -> Result<Option<String>, String> {
    let text = match value.get() {
        "null" => return Ok(None),
        text if text.starts_with('"') => serde_json::from_str(text).map_err(|error| format!("is not text: {error}"))?,
        text => text.to_owned(),
    };
    if text.contains('\0') { Err("holds a NUL character".to_owned()) } else { Ok(Some(text)) }
}
