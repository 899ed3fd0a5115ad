//! A partition's queue in librdkafka, and its messages as records. What is small is copied next to its neighbours; what is large stays
//! in the answer of the broker it came in; of what is larger than a log takes only the beginning is kept, and the answer let go.

use bytes::Bytes;
use fetched::{Message, Next, PartitionQueue};

use super::shared::Context;
use crate::log::{RECORD_BYTES_MAX, Record, Stored};
use crate::pieces::Pieces;

/// A value that stays where it lies: to copy it costs more than to hold it. It keeps all of the broker's answer in memory with it, up to
/// sixteen megabytes, which the next answers then cannot come into.
const LARGE_BYTES: usize = 128 * 1024;

/// Bytes kept of a value whose record is larger than the log takes: enough for a person to see what it is. All of it stands in the topic.
const BEGINNING_BYTES: usize = 4 * 1024;

/// A partition's queue.
#[derive(Debug)]
pub(super) struct Queue {
    messages: PartitionQueue<Context>,
    /// Where the bytes of the next small records go.
    pieces: Pieces,
}

impl Queue {
    pub(super) fn new(messages: PartitionQueue<Context>) -> Self {
        Self { messages, pieces: Pieces::default() }
    }

    /// Drops what has come.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
    }

    /// Drops what has come and the client knows no more of.
    pub(super) fn forget_taken(&mut self) {
        self.messages.forget_taken();
    }

    /// The next record, if one has come. Outside producers may leave key and value out: then they are empty.
    pub(super) fn poll(&mut self) -> Option<Next<Stored>> {
        Some(self.messages.next()?.map(|message| stored(message, &mut self.pieces)))
    }
}

/// A message as a record.
fn stored(message: Message<'_, Context>, pieces: &mut Pieces) -> Stored {
    let (key, value) = (message.key(), message.payload());
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|(name, value)| (text(name), text(value))).collect();
    let mut record = Record { key: Bytes::new(), value: Bytes::new(), headers };
    let too_large = record.bytes() + key.len() + value.len() > RECORD_BYTES_MAX;
    let kept = if too_large { beginning(value) } else { value };
    let (left_out, stays) = (value.len() - kept.len(), kept.len() >= LARGE_BYTES);
    (record.key, record.value) = pieces.keep(key, if stays { &[] } else { kept });
    let appended_at = message.timestamp_millis().unwrap_or(0).saturating_mul(1000);
    let offset = message.offset();
    if stays {
        record.value = Bytes::from_owner(message.keep_payload());
    }
    Stored { offset, appended_at, record, left_out }
}

/// The beginning of a value, not cut within a character.
fn beginning(value: &[u8]) -> &[u8] {
    let most = &value[..BEGINNING_BYTES.min(value.len())];
    match str::from_utf8(most) {
        // It ends before its last character does.
        Err(error) if error.error_len().is_none() => &most[..error.valid_up_to()],
        _ => most,
    }
}
