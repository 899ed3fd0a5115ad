//! The log on one machine (D2): one file, durable, embedded. `local/store.rs` is the file, `local/writer.rs` the one thread
//! that writes it, `local/topics.rs` what is known without asking it, `local/owner.rs` the lock against a second writer.
//!
//! - An append is answered after the fsync of the group it was committed in.
//! - A failing disk ends writing: every later append answers [`LogError::Storage`] until the log is opened again.
//! - The file does not shrink by itself: what retention frees is used for new records, so its size is that of the fullest hour.

mod codec;
mod owner;
mod store;
mod topics;
mod writer;

#[cfg(test)]
mod power_cuts;
#[cfg(test)]
mod simulated_disk;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::spawn_blocking;

use self::owner::Owner;
use self::store::{Fault, Store, View};
use self::topics::{Topic, Topics};
use self::writer::{Append, Grouping, Job, Work, Writer};
use super::retention::{Allowance, Candidate, cuts};
use super::{Batch, EventLog, LogError, LogLimits, Position, Record, TopicSpec};
use crate::clock::Clock;
use crate::{Offsets, TopicPartition};

/// Most bytes of one fetch, whatever is asked: a reader holds them all at once.
const FETCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most records removed in one transaction: 10,000 take some 20 ms, which is what an append waits behind them.
const TRIM_RECORDS_MAX: usize = 10_000;

/// Room in the queue of a job beside its bytes: what its parts take in memory, and so the bound of their number.
const JOB_BYTES: usize = 1024;

/// The settings of a local log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalOptions {
    /// What the log takes at most.
    pub limits: LogLimits,
    /// How long a group waits for more callers once callers come together; a caller alone never waits.
    pub linger: Duration,
    /// Bytes after which a group is committed without waiting for more.
    pub group_bytes_max: usize,
    /// Bytes of appends that may wait for the disk; beyond it callers wait to be let in.
    pub queue_bytes_max: usize,
    /// Memory for the file's pages.
    pub cache_bytes: usize,
}

impl Default for LocalOptions {
    /// 2 ms is half the fsync it saves; 8 MiB of records is what a disk of 2 GB/s writes in one fsync's time; the cache
    /// holds the upper pages of every table and the newest records, which is what readers at the end ask for.
    fn default() -> Self {
        Self {
            limits: LogLimits::default(),
            linger: Duration::from_millis(2),
            group_bytes_max: 8 * 1024 * 1024,
            queue_bytes_max: 64 * 1024 * 1024,
            cache_bytes: 64 * 1024 * 1024,
        }
    }
}

/// A log in a file of this machine. Dropping it answers what waits, then closes the file; that takes as long as a commit.
#[derive(Debug)]
pub struct LocalLog {
    store: Arc<Store>,
    topics: Arc<Topics>,
    limits: LogLimits,
    queue: Arc<Semaphore>,
    queue_bytes_max: usize,
    /// `None` once dropping; the queue's bound is the semaphore.
    jobs: Option<Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Released last: the file is closed by then.
    _owner: Option<Owner>,
}

impl LocalLog {
    /// Opens the log in the file at `path`, making it where there is none. Blocks, and after a crash reads the whole file
    /// to check it (some 1 s a GiB), so it belongs at the start of a process.
    ///
    /// # Errors
    /// [`LogError::InUse`] names the process that has it; [`LogError::Storage`] says what the disk or the file answered.
    pub fn open(path: &Path, clock: Arc<dyn Clock>, options: LocalOptions) -> Result<Self, LogError> {
        let owner = Owner::take(path)?;
        let name = path.display().to_string();
        let failed = |source: Fault| LogError::Storage { action: "open", path: name.clone(), source };
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(|error| failed(error.into()))?;
        sync_folder(path).map_err(|error| failed(error.into()))?;
        let backend = redb::backends::FileBackend::new(file).map_err(|error| failed(error.into()))?;
        Self::start(Store::open(backend, &name, options.cache_bytes)?, Some(owner), clock, options)
    }

    fn start(store: Store, owner: Option<Owner>, clock: Arc<dyn Clock>, options: LocalOptions) -> Result<Self, LogError> {
        let store = Arc::new(store);
        let topics = Arc::new(Topics::default());
        for topic in store.read("open", standing_topics)? {
            topics.insert(topic);
        }
        let writer = Writer {
            store: Arc::clone(&store),
            topics: Arc::clone(&topics),
            clock,
            limits: options.limits,
            grouping: Grouping { linger: options.linger, bytes_max: options.group_bytes_max },
        };
        let (jobs, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run(&waiting));
        let thread = thread.map_err(|error| LogError::Storage {
            action: "start the writer of",
            path: store.path().to_owned(),
            source: error.into(),
        })?;
        // A semaphore counts in u32: a queue of 4 GiB is beyond any use.
        let queue_bytes_max = options.queue_bytes_max.clamp(JOB_BYTES, u32::MAX as usize);
        let queue = Arc::new(Semaphore::new(queue_bytes_max));
        Ok(Self { store, topics, limits: options.limits, queue, queue_bytes_max, jobs: Some(jobs), writer: Some(thread), _owner: owner })
    }

    /// Puts work before the writer, waiting for room, and waits for the answer.
    async fn submit<T>(&self, bytes: usize, work: impl FnOnce(oneshot::Sender<Result<T, LogError>>) -> Work) -> Result<T, LogError> {
        let room = u32::try_from((bytes + JOB_BYTES).min(self.queue_bytes_max)).expect("the queue's bound fits u32");
        let room = Arc::clone(&self.queue).acquire_many_owned(room).await.map_err(|_| LogError::Closed)?;
        let (reply, answer) = oneshot::channel();
        let jobs = self.jobs.as_ref().ok_or(LogError::Closed)?;
        jobs.send(Job { work: work(reply), room }).map_err(|_| LogError::Closed)?;
        answer.await.map_err(|_| LogError::Closed)?
    }

    /// Runs a read of the file beside the reactor.
    async fn read<T: Send + 'static>(&self, work: impl FnOnce(&View) -> Result<T, Fault> + Send + 'static) -> Result<T, LogError> {
        let store = Arc::clone(&self.store);
        spawn_blocking(move || store.read("read", work)).await.map_err(|_| LogError::Closed)?
    }

    async fn retain_topic(&self, topic: &Arc<Topic>, now_micros: i64, keep_from: &[u64]) -> Result<u64, LogError> {
        let mut removed = 0;
        loop {
            let bytes = topic.marks().iter().map(|marks| marks.bytes).sum();
            let allowance = Allowance::of(&topic.spec(), now_micros, bytes);
            if allowance == (Allowance { oldest: None, excess: 0 }) {
                return Ok(removed);
            }
            let (name, keep_from) = (topic.name.clone(), keep_from.to_vec());
            let cuts = self.read(move |view| plan_cuts(view, &name, &keep_from, allowance)).await?;
            if cuts.is_empty() {
                return Ok(removed);
            }
            // Each round removes at least one record, so the loop ends with the topic's records.
            removed += self.submit(0, |reply| Work::Trim(Arc::clone(topic), cuts, reply)).await?;
        }
    }
}

impl Drop for LocalLog {
    fn drop(&mut self) {
        self.jobs = None;
        if self.writer.take().is_some_and(|writer| writer.join().is_err()) {
            tracing::error!(path = %self.store.path(), "the log's writer ended by a panic; what it had acknowledged is on the disk");
            self.store.close();
        }
    }
}

#[async_trait]
impl EventLog for LocalLog {
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        spec.check()?;
        self.submit(0, |reply| Work::Declare(spec.clone(), reply)).await
    }

    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        Ok(self.topics.get(topic)?.partitions())
    }

    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        let topic = self.topics.get(topic)?;
        let bytes = self.limits.check(&records)?;
        self.store.check("append to")?;
        self.submit(bytes, |reply| Work::Append(Append { topic, records }, reply)).await
    }

    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError> {
        let topic = self.topics.get(topic)?;
        let mut marks = topic.watch(partition)?;
        let mut expiry = pin!(tokio::time::sleep(wait));
        let mut from = from;
        loop {
            let reach = *marks.borrow_and_update();
            reach.check(&topic.name, partition, from)?;
            if from < reach.next {
                let name = topic.name.clone();
                let batch = self.read(move |view| read_batch(view, &name, partition, from, bytes_max)).await??;
                if !batch.records.is_empty() {
                    return Ok(batch);
                }
                from = batch.next;
            }
            self.store.check("read")?;
            tokio::select! {
                biased;
                changed = marks.changed() => changed.map_err(|_| LogError::Closed)?,
                () = &mut expiry => return Ok(Batch { records: Vec::new(), next: from }),
            }
        }
    }

    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let marks = *self.topics.get(topic)?.watch(partition)?.borrow();
        Ok((marks.first, marks.next))
    }

    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        let topic = self.topics.get(topic)?;
        let marks = *topic.watch(partition)?.borrow();
        marks.check_end(&topic.name, partition, offset)?;
        let mut below = marks.first;
        while below < offset {
            below = offset.min(below + TRIM_RECORDS_MAX as u64);
            self.submit(0, |reply| Work::Trim(Arc::clone(&topic), vec![(partition, below)], reply)).await?;
        }
        Ok(())
    }

    async fn retain(&self, now_micros: i64, keep_from: &Offsets) -> Result<u64, LogError> {
        let mut removed = 0;
        for topic in self.topics.all() {
            let keep_from: Vec<u64> =
                (0..topic.partitions()).map(|partition| keep_from.next(&TopicPartition::new(&topic.name, partition))).collect();
            removed += self.retain_topic(&topic, now_micros, &keep_from).await?;
        }
        Ok(removed)
    }
}

/// The topics the file holds, each checked against its records.
fn standing_topics(view: &View) -> Result<Vec<Topic>, Fault> {
    let topic = |spec: TopicSpec| {
        let marks = (0..spec.partitions).map(|partition| view.checked_marks(&spec.name, partition)).collect::<Result<_, _>>()?;
        Ok(Topic::new(spec, marks))
    };
    view.topics()?.into_iter().map(topic).collect()
}

fn plan_cuts(view: &View, topic: &str, keep_from: &[u64], allowance: Allowance) -> Result<Vec<(u32, u64)>, Fault> {
    let mut candidates = Vec::with_capacity(keep_from.len());
    for (partition, keep_from) in (0..).zip(keep_from) {
        candidates.push(Candidate { partition, heads: view.heads(topic, partition)?, keep_from: *keep_from });
    }
    cuts(candidates, allowance, TRIM_RECORDS_MAX)
}

/// Records from `from` on. The range is checked against the same committed state the records come from: retention may have
/// passed the reader since it looked.
fn read_batch(view: &View, topic: &str, partition: u32, from: u64, bytes_max: usize) -> Result<Result<Batch, LogError>, Fault> {
    let marks = view.marks(topic, partition)?;
    if let Err(gone) = marks.check(topic, partition, from) {
        return Ok(Err(gone));
    }
    let bytes_max = bytes_max.min(FETCH_BYTES_MAX);
    let mut bytes: Vec<u8> = Vec::new();
    let mut places: Vec<(u64, Range<usize>)> = Vec::new();
    let whole = view.scan(topic, partition, from, |offset, record| {
        if !places.is_empty() && bytes.len() + record.len() > bytes_max {
            return false;
        }
        places.push((offset, bytes.len()..bytes.len() + record.len()));
        bytes.extend_from_slice(record);
        true
    })?;
    // One allocation a batch: its records share it.
    let bytes = Bytes::from(bytes);
    let records = places.into_iter().map(|(offset, place)| codec::decode(offset, &bytes.slice(place))).collect::<Result<Vec<_>, _>>()?;
    let next = if whole { marks.next } else { records.last().map_or(from, |last| last.offset + 1) };
    Ok(Ok(Batch { records, next }))
}

/// Makes a new file's name as durable as its content.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
