//! A partition's queue in librdkafka, and its messages as records. What is small is copied next to its neighbours; what is large stays
//! in the answer of the broker it came in.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message as _};
use self_cell::self_cell;

use super::shared::Context;
use crate::log::{Record, Stored};
use crate::pieces::Pieces;

/// A value that stays where it lies. It keeps all of the broker's answer, a few megabytes, in memory with it.
const LARGE_BYTES: usize = 64 * 1024;

type Source = Arc<PartitionQueue<Context>>;
type Polled<'q> = Option<KafkaResult<BorrowedMessage<'q>>>;

self_cell!(
    /// What a queue gave last, beside the queue, which must outlive it.
    struct Message {
        owner: Source,
        #[covariant]
        dependent: Polled,
    }
);

impl Message {
    fn none(queue: Source) -> Self {
        Self::new(queue, |_| None)
    }
}

/// The value of a message.
struct Value(Message);

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        let Some(Ok(message)) = self.0.borrow_dependent() else { return &[] };
        message.payload().unwrap_or_default()
    }
}

/// A partition's queue.
pub(super) struct Queue {
    last: Message,
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
        Self { last: Message::none(Arc::new(queue)), pieces: Pieces::default() }
    }

    /// Drops what has come.
    pub(super) fn clear(&mut self) {
        while self.last.borrow_owner().poll(Duration::ZERO).is_some() {}
    }

    /// The next record, if one has come.
    pub(super) fn poll(&mut self) -> Option<Result<Stored, KafkaError>> {
        self.last.with_dependent_mut(|queue, last| *last = queue.poll(Duration::ZERO));
        let message = match self.last.borrow_dependent().as_ref()? {
            Ok(message) => message,
            Err(error) => return Some(Err(error.clone())),
        };
        let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
        let stays = value.len() >= LARGE_BYTES;
        let (key, value) = self.pieces.keep(key, if stays { &[] } else { value });
        let mut stored = Stored {
            offset: message.offset().max(0).cast_unsigned(),
            appended_at: message.timestamp().to_millis().unwrap_or(0).saturating_mul(1000),
            record: Record { key, value, headers: headers(message) },
        };
        if stays {
            let next = Message::none(Arc::clone(self.last.borrow_owner()));
            stored.record.value = Bytes::from_owner(Value(mem::replace(&mut self.last, next)));
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
