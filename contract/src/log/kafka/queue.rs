//! A partition's queue in librdkafka, and its messages as records. What is small is copied next to its neighbours; what is large stays
//! in the answer of the broker it came in.

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
use crate::log::{Record, Stored};
use crate::pieces::Pieces;

/// A value that stays where it lies: to copy it costs more than to hold it. It keeps all of the broker's answer, a few megabytes, in memory
/// with it.
const LARGE_BYTES: usize = 32 * 1024;

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
            let stays = value.len() >= LARGE_BYTES;
            let (key, value) = pieces.keep(key, if stays { &[] } else { value });
            let stored = Stored {
                offset: message.offset().max(0).cast_unsigned(),
                appended_at: message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000),
                record: Record { key, value, headers: headers(&message) },
            };
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
