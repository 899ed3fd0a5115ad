//! The only place that buffers an input: a window of bounded size that slides over it, so that a row can be looked at whole.

use std::io::{ErrorKind, Read};

/// Bytes asked of the input at once.
const CHUNK: usize = 256 * 1024;

/// A part of the input held in memory, from the first byte not yet taken.
pub(super) struct Window {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    finished: bool,
    /// A failure of the input is remembered: after it nothing more is read, and every call says so.
    failure: Option<(ErrorKind, String)>,
    bytes_max: usize,
}

impl Window {
    pub(super) fn new(input: Box<dyn Read + Send>, bytes_max: usize) -> Self {
        Self { input, buffer: Vec::new(), start: 0, end: 0, finished: false, failure: None, bytes_max }
    }

    /// A window over all of an input that is in memory already.
    pub(super) fn whole(input: Vec<u8>, bytes_max: usize) -> Self {
        let end = input.len();
        Self { input: Box::new(std::io::empty()), buffer: input, start: 0, end, finished: true, failure: None, bytes_max }
    }

    /// What is held.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Whether as much is held as ever will be: a row that has not ended here is too long.
    pub(super) fn full(&self) -> bool {
        self.bytes().len() >= self.bytes_max
    }

    /// Gives up the first `count` bytes held.
    pub(super) fn take(&mut self, count: usize) {
        self.start += count;
        debug_assert!(self.start <= self.end, "only held bytes are taken");
    }

    /// Reads more behind what is held; `false` at the end of the input. Nothing is read into a full window.
    pub(super) fn fill(&mut self) -> std::io::Result<bool> {
        if let Some((kind, text)) = &self.failure {
            return Err(std::io::Error::new(*kind, text.clone()));
        }
        if self.finished || self.full() {
            return Ok(!self.finished);
        }
        self.make_room();
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failure = Some((error.kind(), error.to_string()));
                    return Err(error);
                }
            }
            return Ok(!self.finished);
        }
    }

    fn make_room(&mut self) {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.buffer.len() < self.end + CHUNK {
            self.buffer.resize(self.end + CHUNK, 0);
        }
    }

    /// The next line without its end; `None` at the end of the input. A line longer than the window is given in part (`whole` = false)
    /// and the rest of it skipped.
    pub(super) fn line(&mut self) -> std::io::Result<Option<Line>> {
        let mut searched = 0;
        loop {
            if let Some(found) = memchr(b'\n', &self.bytes()[searched..]) {
                let line = self.bytes()[..searched + found].to_vec();
                self.take(searched + found + 1);
                return Ok(Some(Line { bytes: without_return(line), whole: true }));
            }
            searched = self.bytes().len();
            if self.full() {
                let line = self.bytes().to_vec();
                self.take(line.len());
                self.skip_line()?;
                return Ok(Some(Line { bytes: line, whole: false }));
            }
            if !self.fill()? {
                let line = self.bytes().to_vec();
                self.take(line.len());
                return Ok((!line.is_empty()).then(|| Line { bytes: without_return(line), whole: true }));
            }
        }
    }

    /// Gives up everything up to and with the next line end.
    pub(super) fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            if let Some(found) = memchr(b'\n', self.bytes()) {
                self.take(found + 1);
                return Ok(());
            }
            self.take(self.bytes().len());
            if !self.fill()? {
                return Ok(());
            }
        }
    }
}

/// A line of the input.
pub(super) struct Line {
    pub(super) bytes: Vec<u8>,
    pub(super) whole: bool,
}

fn without_return(mut line: Vec<u8>) -> Vec<u8> {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    line
}

fn memchr(byte: u8, bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|candidate| *candidate == byte)
}
