//! Reading: of one client without a group, each partition a queue of its own that reads ahead up to a bound.
//!
//! A partition's reader stands somewhere; a fetch from there takes what has come, a fetch from elsewhere moves it first. It
//! answers "nothing" only where it knows that there is nothing:
//!
//! - Moving asks the broker for the first and next offset: below the one and beyond the other are errors, never a jump.
//!   What stood then must come, or the end of the partition, before the first "nothing".
//! - What this process appended since must come as well.
//! - The broker tells the end of a partition after the last record, aborted transactions and markers included, so `next`
//!   moves over gaps that no record follows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fetched::{Next, PartitionQueue};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::{Mutex, Notify};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use super::errors::code;
use super::queue::Queue;
use super::reader_client::ReaderClient;
use super::shared::Context;
use crate::log::{Batch, LogError, Stored};

/// Most bytes of one fetch, whatever is asked: a reader holds them all at once.
const FETCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a record costs beside its bytes, so that a fetch of empty records has a bound as well.
const RECORD_OVERHEAD_BYTES: usize = 16;

/// Records taken before others on this thread get a turn: 512 take less than a millisecond.
const TURN_RECORDS: usize = 512;

/// How long what must come may stay away before the broker is asked again what stands.
const DOUBT: Duration = Duration::from_secs(1);

/// A partition as this process knows it.
#[derive(Debug, Default)]
pub(super) struct Slot {
    /// The next offset after what this process appended.
    appended: AtomicU64,
    reader: Mutex<Reader>,
}

impl Slot {
    /// This process has appended a record there.
    pub(super) fn appended(&self, offset: u64) {
        self.appended.fetch_max(offset + 1, Ordering::AcqRel);
    }

    /// What was read ahead may be gone: the next fetch asks the broker again.
    pub(super) async fn doubt(&self) {
        self.reader.lock().await.stands = false;
    }

    /// Reads from `from` on; see [`crate::log::EventLog::fetch`]. Cancellation safe: what was taken from the queue stays here.
    pub(super) async fn fetch(
        &self,
        client: &ReaderClient,
        (topic, partition): (&str, u32),
        from: u64,
        bytes_max: usize,
        wait: Duration,
    ) -> Result<Batch, LogError> {
        let mut reader = self.reader.lock().await;
        let at = At { client, topic, partition, appended: &self.appended };
        if !reader.stands_at(from) || reader.strays != client.shared.strays() {
            reader.move_to(at, from).await?;
        }
        let start = Instant::now();
        let (due, patience) = (start + wait, start + client.answer_timeout);
        let mut doubt = start + DOUBT;
        loop {
            if let Err(error) = reader.take(at, bytes_max.min(FETCH_BYTES_MAX)).await {
                // Whatever it was, the queue may have stopped: the next fetch begins by asking the broker.
                reader.stands = false;
                return Err(reader.explain(at, &error).await);
            }
            if !reader.taken.is_empty() {
                client.shared.answered();
                return Ok(reader.give());
            }
            let appended = self.appended.load(Ordering::Acquire);
            let owed = reader.owed(appended);
            // Nothing is there and nobody waits: no timer, which would sleep a millisecond for each partition of a turn.
            if !owed && wait.is_zero() {
                return Ok(Batch { records: Vec::new(), next: reader.next });
            }
            let until = if owed { doubt } else { due };
            if timeout_at(until, reader.signal.notified()).await.is_ok() {
                continue;
            }
            if !owed {
                return Ok(Batch { records: Vec::new(), next: reader.next });
            }
            reader.ask_again(at, appended).await?;
            if reader.owed(appended) && Instant::now() >= patience {
                reader.stands = false;
                return Err(client.shared.coded("read from", Code::OperationTimedOut, "what the log holds did not come in time"));
            }
            doubt = Instant::now() + DOUBT;
        }
    }
}

/// What a reader needs to know of where it is.
#[derive(Clone, Copy)]
struct At<'a> {
    client: &'a ReaderClient,
    topic: &'a str,
    partition: u32,
    appended: &'a AtomicU64,
}

/// Where a partition is read.
#[derive(Default)]
struct Reader {
    queue: Option<Queue>,
    /// Told when the queue stops being empty.
    signal: Arc<Notify>,
    /// Whether the queue goes on at `next`.
    stands: bool,
    /// Records taken from the queue and not given yet, their bytes, and how many were given the last time: room for as many is made at once.
    taken: Vec<Stored>,
    taken_bytes: usize,
    given: usize,
    /// After the last record given: a fetch from here or above, up to the next record, goes on.
    floor: u64,
    /// Where the queue goes on.
    next: u64,
    /// What stood when the reader came here.
    stood: u64,
    /// Whether a record or the end has come since.
    settled: bool,
    /// What this process had appended when the broker last said that nothing is left: a transaction of others may hold it back.
    excused: u64,
    strays: u64,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("stands", &self.stands).field("next", &self.next).finish_non_exhaustive()
    }
}

impl Reader {
    fn stands_at(&self, from: u64) -> bool {
        let upto = self.taken.first().map_or(self.next, |first| first.offset);
        self.stands && (self.floor..=upto).contains(&from)
    }

    /// Whether something must come before "nothing" may be said.
    fn owed(&self, appended: u64) -> bool {
        !self.settled || self.next < self.stood || (appended > self.excused && self.next < appended)
    }

    fn give(&mut self) -> Batch {
        let records = std::mem::take(&mut self.taken);
        (self.taken_bytes, self.given) = (0, records.len());
        self.floor = records.last().map_or(self.floor, |last| last.offset + 1);
        Batch { records, next: self.next }
    }

    /// Makes the queue go on at `from`, if the broker has that.
    async fn move_to(&mut self, at: At<'_>, from: u64) -> Result<(), LogError> {
        self.stands = false;
        (self.taken, self.taken_bytes) = (Vec::new(), 0);
        let (topic, partition) = (at.topic.to_owned(), at.partition);
        let excused = at.appended.load(Ordering::Acquire);
        let (first, end) = at.client.watermarks(at.topic, at.partition).await?;
        if from < first {
            return Err(LogError::OutOfRange { topic, partition, asked: from, first });
        }
        if from > end {
            return Err(LogError::BeyondEnd { topic, partition, asked: from, end });
        }
        let strays = at.client.shared.strays();
        let (consumer, signal, patience) = (Arc::clone(&at.client.consumer), Arc::clone(&self.signal), at.client.answer_timeout);
        let present = self.queue.take();
        let moved = spawn_blocking(move || seek(&consumer, present, signal, (&topic, partition, from), patience));
        let queue = moved.await.map_err(|_| LogError::Closed)?.map_err(|error| at.client.shared.error("read from", &error))?;
        self.queue = Some(queue);
        (self.floor, self.next, self.stood, self.settled) = (from, from, end, false);
        (self.excused, self.strays, self.stands) = (excused, strays, true);
        Ok(())
    }

    /// What must come did not: asks whether it can be read at all.
    async fn ask_again(&mut self, at: At<'_>, appended: u64) -> Result<(), LogError> {
        let (first, end) = at.client.watermarks(at.topic, at.partition).await?;
        if self.next < first {
            self.stands = false;
            return Err(LogError::OutOfRange { topic: at.topic.to_owned(), partition: at.partition, asked: self.next, first });
        }
        if self.settled && end <= self.next {
            self.excused = appended;
        }
        Ok(())
    }

    /// Takes what has come, up to about `bytes_max`.
    async fn take(&mut self, at: At<'_>, bytes_max: usize) -> Result<(), KafkaError> {
        let Some(queue) = &mut self.queue else { return Ok(()) };
        let mut turn = 0;
        while self.taken.is_empty() || self.taken_bytes < bytes_max {
            match queue.poll() {
                None => break,
                Some(Next::Message(stored)) => {
                    if self.taken.is_empty() {
                        self.taken.reserve(self.given);
                    }
                    // An offset below is of a position left before; librdkafka drops those itself, and it costs nothing to be sure.
                    if stored.offset < self.next {
                        continue;
                    }
                    self.next = stored.offset + 1;
                    self.settled = true;
                    self.taken_bytes += stored.record.bytes() + RECORD_OVERHEAD_BYTES;
                    self.taken.push(stored);
                }
                Some(Next::End(end)) => {
                    // The end came after everything that stood when the reader moved here, be it records or gaps.
                    self.settled = true;
                    self.next = self.next.max(self.stood).max(end);
                }
                Some(Next::Failed(error)) if self.taken.is_empty() => return Err(error),
                Some(Next::Failed(error)) => {
                    // What came before the error is good; the position is asked again after it.
                    warn!(topic = at.topic, partition = at.partition, %error, "reading was interrupted");
                    self.stands = false;
                    break;
                }
            }
            turn += 1;
            if turn % TURN_RECORDS == 0 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// An error of the queue as the log's. A position the broker does not have any more is looked up, and named.
    async fn explain(&self, at: At<'_>, error: &KafkaError) -> LogError {
        let code = code(error);
        if matches!(code, Code::AutoOffsetReset | Code::OffsetOutOfRange) {
            let (topic, partition, asked) = (at.topic.to_owned(), at.partition, self.next);
            return match at.client.watermarks(at.topic, at.partition).await {
                Ok((first, _)) if asked < first => LogError::OutOfRange { topic, partition, asked, first },
                Ok((_, end)) if asked > end => LogError::BeyondEnd { topic, partition, asked, end },
                Ok(_) => at.client.shared.coded("read from", Code::OffsetNotAvailable, &error.to_string()),
                Err(error) => error,
            };
        }
        at.client.failed(at.topic, at.partition, code, error)
    }
}

/// Makes a partition's queue go on at an offset. Blocks.
fn seek(
    consumer: &Arc<BaseConsumer<Context>>,
    present: Option<Queue>,
    signal: Arc<Notify>,
    (topic, partition, from): (&str, u32, u64),
    patience: Duration,
) -> Result<Queue, KafkaError> {
    let (number, offset) = (partition.cast_signed(), Offset::Offset(from.cast_signed()));
    let mut queue = match present {
        Some(queue) => queue,
        None => {
            // Split before it is assigned: from the first record on nothing goes elsewhere.
            let messages = PartitionQueue::split(consumer, topic, number, move || signal.notify_one());
            Queue::new(messages.ok_or(KafkaError::Global(Code::UnknownPartition))?)
        }
    };
    queue.forget_taken();
    // A seek makes librdkafka drop at once what it had read ahead, so it is tried first, also where a caller that went away
    // left the partition assigned.
    match consumer.seek(topic, number, offset, patience) {
        Ok(()) => return Ok(queue),
        // Not assigned yet, or stopped by an error: nothing is read ahead.
        Err(KafkaError::Seek(words)) if [Code::State, Code::UnknownPartition].iter().any(|code| code.to_string().contains(&words)) => {}
        Err(error) => return Err(error),
    }
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, number, offset)?;
    if consumer.assignment()?.find_partition(topic, number).is_some() {
        consumer.incremental_unassign(&list)?;
    }
    queue.clear();
    consumer.incremental_assign(&list)?;
    Ok(queue)
}
