//! A record's bytes in the file: the only place that knows their order.
//!
//! `crc32 u32 | appended_at i64 | key length | header count | (name length, name, value length, value)* | key | value`,
//! integers little-endian, lengths as LEB128. The checksum covers the offset too, so a record can neither change nor stand
//! in another's place unnoticed: the file's own checksums are looked at only after a crash.

use bytes::Bytes;

use crate::log::{Record, Stored};

/// Checksum and time.
const FIXED_BYTES: usize = 4 + 8;

/// Longest LEB128 of a u64.
const VARINT_BYTES_MAX: usize = 10;

/// Room made for headers before they are read; a damaged count asks for no more.
const HEADERS_EXPECTED: usize = 8;

/// Bytes in the file that are not the record they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record at offset {offset} is damaged: restore the file from a copy, or truncate the partition past this offset")]
pub(super) struct DamagedRecord {
    /// The offset it stands at.
    pub(super) offset: u64,
}

/// Bytes [`encode`] makes of a record.
pub(super) fn encoded_bytes(record: &Record) -> usize {
    let headers = record.headers.iter().flat_map(|(name, value)| [name.len(), value.len()]);
    FIXED_BYTES
        + varint_bytes(record.key.len())
        + varint_bytes(record.headers.len())
        + headers.map(varint_bytes).sum::<usize>()
        + record.bytes()
}

/// Replaces what is in `out` by the record's bytes.
pub(super) fn encode(offset: u64, appended_at: i64, record: &Record, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&appended_at.to_le_bytes());
    put_varint(out, record.key.len());
    put_varint(out, record.headers.len());
    for text in record.headers.iter().flat_map(|(name, value)| [name, value]) {
        put_varint(out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
    out.extend_from_slice(&record.key);
    out.extend_from_slice(&record.value);
    let checksum = checksum(offset, &out[4..]);
    out[..4].copy_from_slice(&checksum.to_le_bytes());
    debug_assert_eq!(out.len(), encoded_bytes(record));
}

/// The record of these bytes; key and value share them.
pub(super) fn decode(offset: u64, bytes: &Bytes) -> Result<Stored, DamagedRecord> {
    parse(offset, bytes).ok_or(DamagedRecord { offset })
}

/// Only when the record was appended.
pub(super) fn appended_at(offset: u64, bytes: &[u8]) -> Result<i64, DamagedRecord> {
    let time = bytes.get(4..FIXED_BYTES).and_then(|time| time.try_into().ok()).ok_or(DamagedRecord { offset })?;
    Ok(i64::from_le_bytes(time))
}

fn parse(offset: u64, bytes: &Bytes) -> Option<Stored> {
    let (stated, body) = bytes.split_first_chunk::<4>()?;
    if u32::from_le_bytes(*stated) != checksum(offset, body) {
        return None;
    }
    let mut rest = Rest { bytes, at: FIXED_BYTES };
    let appended_at = i64::from_le_bytes(bytes.get(4..FIXED_BYTES)?.try_into().ok()?);
    let key_length = rest.length()?;
    let count = rest.length()?;
    let mut headers = Vec::with_capacity(count.min(HEADERS_EXPECTED));
    for _ in 0..count {
        headers.push((rest.text()?, rest.text()?));
    }
    let key = rest.take(key_length)?;
    let value = rest.take(bytes.len() - rest.at)?;
    Some(Stored::whole(offset, appended_at, Record { key, value, headers }))
}

fn checksum(offset: u64, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&offset.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// What of a record is not read yet.
struct Rest<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Rest<'_> {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len())?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Some(taken)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.length()?;
        let end = self.at.checked_add(length)?;
        let text = std::str::from_utf8(self.bytes.get(self.at..end)?).ok()?.to_owned();
        self.at = end;
        Some(text)
    }

    fn length(&mut self) -> Option<usize> {
        let mut value = 0_u64;
        for index in 0..VARINT_BYTES_MAX {
            let byte = *self.bytes.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(7 * u32::try_from(index).ok()?)?;
            if byte & 0x80 == 0 {
                return usize::try_from(value).ok();
            }
        }
        None
    }
}

fn put_varint(out: &mut Vec<u8>, value: usize) {
    let mut value = value;
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits fit a byte") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("below 0x80"));
}

const fn varint_bytes(value: usize) -> usize {
    // Seven bits a byte; zero takes one.
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let headers = proptest::collection::vec((".{0,9}", ".{0,200}"), 0..4);
        (any::<Vec<u8>>(), proptest::collection::vec(any::<u8>(), 0..400), headers)
            .prop_map(|(key, value, headers)| Record::new(key, value).with_headers(headers))
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(offset: u64, at: i64, record in record()) {
            let mut bytes = Vec::new();
            encode(offset, at, &record, &mut bytes);
            prop_assert_eq!(bytes.len(), encoded_bytes(&record));
            prop_assert_eq!(appended_at(offset, &bytes).unwrap(), at);
            prop_assert_eq!(decode(offset, &Bytes::from(bytes)).unwrap(), Stored::whole(offset, at, record));
        }

        #[test]
        fn a_changed_bit_a_cut_or_another_offset_is_noticed(record in record(), bit: usize, cut: usize) {
            let mut bytes = Vec::new();
            encode(7, 1, &record, &mut bytes);
            let mut flipped = bytes.clone();
            flipped[bit / 8 % bytes.len()] ^= 1 << (bit % 8);
            prop_assert!(decode(7, &Bytes::from(flipped)).is_err());
            prop_assert!(decode(7, &Bytes::copy_from_slice(&bytes[..cut % bytes.len()])).is_err());
            prop_assert!(decode(8, &Bytes::from(bytes)).is_err());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut sealed = checksum(0, &bytes).to_le_bytes().to_vec();
            sealed.extend_from_slice(&bytes);
            decode(0, &Bytes::from(sealed)).ok();
            decode(0, &Bytes::from(bytes)).ok();
        }
    }
}
