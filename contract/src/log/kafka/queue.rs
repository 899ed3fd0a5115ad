//! A partition's queue in librdkafka, and its messages as records. What is small is copied next to its neighbours; what is large stays
//! in the answer of the broker it came in; of what is larger than a log takes only the beginning is kept, and the answer let go.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use self_cell::self_cell;

use super::shared::Context;
use crate::log::{RECORD_BYTES_MAX, Record, Stored};
use crate::pieces::Pieces;

/// A value that stays where it lies: to copy it costs more than to hold it. It keeps all of the broker's answer, a few megabytes, in memory
/// with it.
const LARGE_BYTES: usize = 32 * 1024;

/// Bytes kept of a value whose record is larger than the log takes: enough for a person to see what it is. All of it stands in the topic.
const BEGINNING_BYTES: usize = 4 * 1024;

type Source = Arc<PartitionQueue<Context>>;
type Held<'q> = Option<BorrowedMessage<'q>>;

self_cell!(
    /// A queue, and room for a message of it, which must not outlive it.
    struct Holder {
        owner: Source,
        #[covariant]
        dependent: Held,
    }
);

impl Holder {
    fn of(queue: Source) -> Self {
        Self::new(queue, |_| None)
    }
}

/// The value of the message that is held.
impl AsRef<[u8]> for Holder {
    fn as_ref(&self) -> &[u8] {
        self.borrow_dependent().as_ref().and_then(Message::payload).unwrap_or_default()
    }
}

/// A partition's queue.
pub(super) struct Queue {
    holder: Holder,
    /// Where the bytes of the next small records go.
    pieces: Pieces,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

impl Queue {
    pub(super) fn new(queue: PartitionQueue<Context>) -> Self {
        Self { holder: Holder::of(Arc::new(queue)), pieces: Pieces::default() }
    }

    /// Drops what has come.
    pub(super) fn clear(&mut self) {
        while self.holder.borrow_owner().poll(Duration::ZERO).is_some() {}
    }

    /// The next record, if one has come. Outside producers may leave key and value out: then they are empty.
    pub(super) fn poll(&mut self) -> Option<Result<Stored, KafkaError>> {
        let pieces = &mut self.pieces;
        let polled = self.holder.with_dependent_mut(|queue, held| {
            let message = match queue.poll(Duration::ZERO)? {
                Ok(message) => message,
                Err(error) => return Some(Err(error)),
            };
            let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
            let mut record = Record { key: Bytes::new(), value: Bytes::new(), headers: headers(&message) };
            let too_large = record.bytes() + key.len() + value.len() > RECORD_BYTES_MAX;
            let kept = if too_large { beginning(value) } else { value };
            let (left_out, stays) = (value.len() - kept.len(), kept.len() >= LARGE_BYTES);
            (record.key, record.value) = pieces.keep(key, if stays { &[] } else { kept });
            let appended_at = message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000);
            let stored = Stored { offset: message.offset().max(0).cast_unsigned(), appended_at, record, left_out };
            *held = stays.then_some(message);
            Some(Ok(stored))
        });
        let mut stored = match polled? {
            Ok(stored) => stored,
            Err(error) => return Some(Err(error)),
        };
        if self.holder.borrow_dependent().is_some() {
            let next = Holder::of(Arc::clone(self.holder.borrow_owner()));
            stored.record.value = Bytes::from_owner(mem::replace(&mut self.holder, next));
        }
        Some(Ok(stored))
    }
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

/// The headers; bytes that are no UTF-8 are replaced.
pub(super) fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let Some(headers) = message.headers() else { return Vec::new() };
    let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    // The wrapper takes names for UTF-8 without asking; a name that is none must not end the process.
    let read = |index| catch_unwind(AssertUnwindSafe(|| headers.get(index)));
    (0..headers.count())
        .map(|index| match read(index) {
            Ok(header) => (header.key.to_owned(), text(header.value)),
            Err(_) => (char::REPLACEMENT_CHARACTER.to_string(), String::new()),
        })
        .collect()
}
