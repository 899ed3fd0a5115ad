//! What Kafka's client has fetched of a partition, taken many messages at a time.
//!
//! The client's safe wrapper takes one message a call, for which it reads the clock three times and makes an event of its own; of draining a
//! topic into the lake that was an eighth. `rd_kafka_consume_batch_queue` pays it once for hundreds. This is the only crate with `unsafe`, and
//! knows nothing of gridwatch.
//!
//! What the `unsafe` here rests on:
//!
//! - A client outlives its queues and messages: whoever has one holds the [`BaseConsumer`] by an [`Arc`].
//! - A message is ours from the moment it is taken until it is destroyed, which happens once, when its owner here is dropped.
//! - librdkafka allows all of its calls from any thread; what it says of one message is asked by one thread at a time.

use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use rdkafka::bindings as native;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::types::RDKafkaRespErr;

/// Messages taken at once: what is paid for each time no longer counts, and a queue that is left behind holds few for nothing.
const BATCH: usize = 512;

type Native = NonNull<native::rd_kafka_message_t>;
type Nonempty = Box<dyn Fn() + Send + Sync>;

/// What comes next of a partition.
#[derive(Debug)]
pub enum Next<M> {
    /// A message.
    Message(M),
    /// Everything below this offset was fetched, and at the time there was no more.
    End(u64),
    /// The client could not go on.
    Failed(KafkaError),
}

impl<M> Next<M> {
    /// The same with what is made of the message.
    pub fn map<T>(self, make: impl FnOnce(M) -> T) -> Next<T> {
        match self {
            Self::Message(message) => Next::Message(make(message)),
            Self::End(offset) => Next::End(offset),
            Self::Failed(error) => Next::Failed(error),
        }
    }
}

/// The queue of a partition, apart from the client's own.
pub struct PartitionQueue<C: ConsumerContext + 'static> {
    queue: NonNull<native::rd_kafka_queue_t>,
    /// Taken and not given yet, the next one last.
    taken: Vec<Native>,
    consumer: Arc<BaseConsumer<C>>,
    /// Called by the client; it stays where it is until the client is told not to.
    _nonempty: Box<Nonempty>,
}

// SAFETY: a queue may be used and destroyed from any thread, and so may the messages that were taken from it.
unsafe impl<C: ConsumerContext + 'static> Send for PartitionQueue<C> {}
// SAFETY: who has it shared can do nothing with it but print how many were taken.
unsafe impl<C: ConsumerContext + 'static> Sync for PartitionQueue<C> {}

impl<C: ConsumerContext + 'static> fmt::Debug for PartitionQueue<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionQueue").field("taken", &self.taken.len()).finish_non_exhaustive()
    }
}

impl<C: ConsumerContext + 'static> PartitionQueue<C> {
    /// Splits a partition's queue from the client's; `nonempty` is called when it stops being empty, from a thread of the client. `None`
    /// where there is no such partition.
    pub fn split(
        consumer: &Arc<BaseConsumer<C>>,
        topic: &str,
        partition: i32,
        nonempty: impl Fn() + Send + Sync + 'static,
    ) -> Option<Self> {
        let (topic, client) = (CString::new(topic).ok()?, consumer.client().native_ptr());
        // SAFETY: the client is alive and the name ends with a NUL; librdkafka answers NULL where it knows no such partition.
        let queue = NonNull::new(unsafe { native::rd_kafka_queue_get_partition(client, topic.as_ptr(), partition) })?;
        let nonempty: Box<Nonempty> = Box::new(Box::new(nonempty));
        let told = ptr::from_ref::<Nonempty>(&nonempty).cast_mut().cast::<c_void>();
        // SAFETY: the queue is alive; without a destination it keeps what comes to it.
        unsafe { native::rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        // SAFETY: what `told` points at is boxed and stays until `drop` has taken the callback back.
        unsafe { native::rd_kafka_queue_cb_event_enable(queue.as_ptr(), Some(tell_nonempty), told) };
        Some(Self { queue, taken: Vec::new(), consumer: Arc::clone(consumer), _nonempty: nonempty })
    }

    /// What comes next, if anything has come.
    #[expect(clippy::should_implement_trait, reason = "what is given borrows from the queue")]
    pub fn next(&mut self) -> Option<Next<Message<'_, C>>> {
        if self.taken.is_empty() {
            self.take();
        }
        let message = Message { native: self.taken.pop()?, consumer: &self.consumer, asked_by_one_thread: PhantomData };
        // SAFETY: the message is ours; nobody writes to its fields.
        let fields = unsafe { message.native.as_ref() };
        Some(match fields.err {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Next::Message(message),
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => Next::End(fields.offset.max(0).cast_unsigned()),
            error if RDKafkaErrorCode::from(error) == RDKafkaErrorCode::Fatal => {
                Next::Failed(KafkaError::MessageConsumptionFatal(error.into()))
            }
            error => Next::Failed(KafkaError::MessageConsumption(error.into())),
        })
    }

    /// Drops what has come.
    pub fn clear(&mut self) {
        while self.next().is_some() {}
    }

    /// Drops what was taken and not given yet: the client does not know of it any more, and leaves it where a partition is read from
    /// elsewhere on.
    pub fn forget_taken(&mut self) {
        for message in self.taken.drain(..) {
            // SAFETY: it was taken, and given to nobody.
            unsafe { native::rd_kafka_message_destroy(message.as_ptr()) };
        }
    }

    fn take(&mut self) {
        let mut batch: [*mut native::rd_kafka_message_t; BATCH] = [ptr::null_mut(); BATCH];
        // SAFETY: the queue is alive, and there is room for as many as are asked for.
        let count = unsafe { native::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, batch.as_mut_ptr(), BATCH) };
        // Less than nothing where it failed, which it does for a queue that is not there.
        let count = usize::try_from(count).unwrap_or(0);
        self.taken.extend(batch[..count].iter().rev().copied().filter_map(NonNull::new));
    }
}

impl<C: ConsumerContext + 'static> Drop for PartitionQueue<C> {
    fn drop(&mut self) {
        // SAFETY: the queue is alive; after this call the client holds nothing of ours.
        unsafe { native::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut()) };
        self.forget_taken();
        // SAFETY: it is ours, and not used again.
        unsafe { native::rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

/// Tells that a queue is no longer empty.
///
/// # Safety
/// `told` points at the [`Nonempty`] of a queue that is not dropped yet.
unsafe extern "C" fn tell_nonempty(_: *mut native::rd_kafka_t, told: *mut c_void) {
    // SAFETY: as the caller promises.
    let nonempty = unsafe { &*told.cast::<Nonempty>() };
    nonempty();
}

/// A message.
pub struct Message<'q, C: ConsumerContext + 'static> {
    native: Native,
    consumer: &'q Arc<BaseConsumer<C>>,
    /// Headers are read into the message when they are asked for.
    asked_by_one_thread: PhantomData<*const ()>,
}

impl<C: ConsumerContext + 'static> fmt::Debug for Message<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("offset", &self.offset()).finish_non_exhaustive()
    }
}

impl<C: ConsumerContext + 'static> Message<'_, C> {
    const fn fields(&self) -> &native::rd_kafka_message_t {
        // SAFETY: the message is ours until it is dropped, and nobody writes to its fields.
        unsafe { self.native.as_ref() }
    }

    /// Where it stands in its partition.
    pub fn offset(&self) -> u64 {
        self.fields().offset.max(0).cast_unsigned()
    }

    /// Its key; empty where it has none.
    pub fn key(&self) -> &[u8] {
        let fields = self.fields();
        // SAFETY: the key lies in the message's memory, which stays as long as the message.
        unsafe { bytes(fields.key, fields.key_len) }
    }

    /// Its value; empty where it has none.
    pub fn payload(&self) -> &[u8] {
        let fields = self.fields();
        // SAFETY: the value lies in the message's memory, which stays as long as the message.
        unsafe { bytes(fields.payload, fields.len) }
    }

    /// When it was appended, or made, by what its topic keeps; milliseconds since 1970.
    pub fn timestamp_millis(&self) -> Option<i64> {
        let mut kind = native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is ours, and there is room for the answer.
        let millis = unsafe { native::rd_kafka_message_timestamp(self.native.as_ptr(), &raw mut kind) };
        (kind != native::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && millis >= 0).then_some(millis)
    }

    /// Its headers: name and value, which is empty where there is none.
    pub fn headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is ours and asked by this thread alone, and there is room for the answer.
        let answer = unsafe { native::rd_kafka_message_headers(self.native.as_ptr(), &raw mut headers) };
        let headers = NonNull::new(headers).filter(|_| answer == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR);
        headers.into_iter().flat_map(|headers| {
            (0..).map_while(move |index| {
                let (mut name, mut value, mut size) = (ptr::null::<c_char>(), ptr::null::<c_void>(), 0);
                let (name_at, value_at, size_at) = (&raw mut name, &raw mut value, &raw mut size);
                // SAFETY: the headers are the message's, and there is room for the answers.
                let answer = unsafe { native::rd_kafka_header_get_all(headers.as_ptr(), index, name_at, value_at, size_at) };
                if answer != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
                    return None;
                }
                // SAFETY: a name ends with a NUL, and stays as long as the message.
                let name = unsafe { CStr::from_ptr(name) };
                // SAFETY: a value has so many bytes, and stays as long as the message.
                let value = unsafe { bytes(value, size) };
                Some((name.to_bytes(), value))
            })
        })
    }

    /// Its value where it lies; all that the broker answered with it stays in memory for as long.
    pub fn keep_payload(self) -> Payload<C> {
        let payload = Payload { native: self.native, _consumer: Arc::clone(self.consumer) };
        std::mem::forget(self);
        payload
    }
}

impl<C: ConsumerContext + 'static> Drop for Message<'_, C> {
    fn drop(&mut self) {
        // SAFETY: it is ours, and not used again.
        unsafe { native::rd_kafka_message_destroy(self.native.as_ptr()) };
    }
}

/// The value of a message that stays where the client put it.
pub struct Payload<C: ConsumerContext + 'static> {
    native: Native,
    _consumer: Arc<BaseConsumer<C>>,
}

// SAFETY: it is only read, and a message may be destroyed from any thread.
unsafe impl<C: ConsumerContext + 'static> Send for Payload<C> {}
// SAFETY: as above; nothing of it changes.
unsafe impl<C: ConsumerContext + 'static> Sync for Payload<C> {}

impl<C: ConsumerContext + 'static> fmt::Debug for Payload<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload").field("bytes", &self.as_ref().len()).finish_non_exhaustive()
    }
}

impl<C: ConsumerContext + 'static> AsRef<[u8]> for Payload<C> {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the message is ours until it is dropped, and nobody writes to its fields.
        let fields = unsafe { self.native.as_ref() };
        // SAFETY: the value lies in the message's memory, which stays as long as the message.
        unsafe { bytes(fields.payload, fields.len) }
    }
}

impl<C: ConsumerContext + 'static> Drop for Payload<C> {
    fn drop(&mut self) {
        // SAFETY: it is ours, and not used again; the client goes after it.
        unsafe { native::rd_kafka_message_destroy(self.native.as_ptr()) };
    }
}

/// So many bytes; none where there are none.
///
/// # Safety
/// `at` is NULL, or so many bytes lie there for `'a` and nobody writes to them.
const unsafe fn bytes<'a>(at: *const c_void, count: usize) -> &'a [u8] {
    if at.is_null() {
        return &[];
    }
    // SAFETY: as the caller promises.
    unsafe { slice::from_raw_parts(at.cast(), count) }
}
