//! The only place that decompresses: files by their magic bytes, bodies by their declared encoding and up to a bound.

use std::io::{BufReader, Cursor, Read};

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// How bytes are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    Plain,
    /// gzip, one or several members.
    Gzip,
    /// zstd, one or several frames.
    Zstd,
}

impl Compression {
    /// What the first bytes say.
    pub fn of_magic(start: &[u8]) -> Self {
        if start.starts_with(GZIP) {
            Self::Gzip
        } else if start.starts_with(ZSTD) {
            Self::Zstd
        } else {
            Self::Plain
        }
    }

    /// The packing an HTTP `Content-Encoding` names.
    pub fn of_header(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Plain),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// `input` unpacked.
    ///
    /// # Errors
    /// When the decoder cannot be set up.
    pub fn unpack(self, input: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
        Ok(match self {
            Self::Plain => input,
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
            // The decoder refuses windows above 128 MiB by itself, which bounds its memory.
            Self::Zstd => Box::new(zstd::stream::read::Decoder::new(input)?),
        })
    }
}

/// `input` unpacked by what its first bytes say.
///
/// # Errors
/// When its first bytes cannot be read.
pub fn detect(mut input: Box<dyn Read + Send>) -> std::io::Result<Box<dyn Read + Send>> {
    let mut start = Vec::with_capacity(ZSTD.len());
    (&mut input).take(ZSTD.len() as u64).read_to_end(&mut start)?;
    let compression = Compression::of_magic(&start);
    compression.unpack(Box::new(BufReader::with_capacity(128 * 1024, Cursor::new(start).chain(input))))
}
