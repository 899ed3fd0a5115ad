//! Memory that the keys and values of many records share: a piece for each would be most of what taking one in costs.

use bytes::{Bytes, BytesMut};

/// Memory asked for at once.
const PIECE_BYTES: usize = 64 * 1024;

/// A record that has memory of its own: it would leave much of a common piece unused, or keep it for long.
const LARGE_BYTES: usize = PIECE_BYTES / 8;

/// Where the bytes of the next records go. A piece is free when the last of its records is.
#[derive(Debug, Default)]
pub(crate) struct Pieces(BytesMut);

impl Pieces {
    /// Copies a key and a value.
    pub(crate) fn keep(&mut self, key: &[u8], value: &[u8]) -> (Bytes, Bytes) {
        let bytes = key.len() + value.len();
        let mut own = BytesMut::new();
        let (room, size) = if bytes < LARGE_BYTES { (&mut self.0, PIECE_BYTES) } else { (&mut own, bytes) };
        if room.capacity() < bytes {
            *room = BytesMut::with_capacity(size);
        }
        room.extend_from_slice(key);
        room.extend_from_slice(value);
        let mut kept = room.split().freeze();
        let key = kept.split_to(key.len());
        (key, kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_stays_as_it_was_whatever_comes_after_it() {
        let mut pieces = Pieces::default();
        let record =
            |nth: usize| (vec![b'k'; nth % 7], vec![u8::try_from(nth % 251).unwrap(); if nth.is_multiple_of(50) { 20_000 } else { nth }]);
        let kept: Vec<_> = (0..1_000).map(record).map(|(key, value)| pieces.keep(&key, &value)).collect();
        for (nth, (key, value)) in kept.iter().enumerate() {
            assert_eq!((key.to_vec(), value.to_vec()), record(nth), "record {nth}");
        }
    }
}
