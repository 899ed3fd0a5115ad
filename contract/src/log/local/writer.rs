//! The one thread that writes the file: takes what waits, commits it as one group with one fsync, then answers everybody.
//!
//! The queue before it is bounded by a semaphore of bytes its callers hold until they are answered, so a slow disk is felt
//! by those who append and never by memory.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::codec::encoded_bytes;
use super::store::{Change, Fault, Store};
use super::topics::{Marks, Topic, Topics};
use crate::clock::Clock;
use crate::log::{LogError, LogLimits, Position, Record, TopicSpec};
use crate::topic;

type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// What waits for the writer.
#[derive(Debug)]
pub(super) struct Job {
    /// What is to be done.
    pub(super) work: Work,
    /// The room it takes in the queue, given back when it is answered.
    pub(super) room: OwnedSemaphorePermit,
}

/// Something that changes the file.
#[derive(Debug)]
pub(super) enum Work {
    /// Records for a topic.
    Append(Append, Reply<Vec<Position>>),
    /// A topic to create, or to check.
    Declare(TopicSpec, Reply<()>),
    /// Records below an offset, by partition, to remove; answers how many went.
    Trim(Arc<Topic>, Vec<(u32, u64)>, Reply<u64>),
}

/// Records for a topic.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) topic: Arc<Topic>,
    pub(super) records: Vec<Record>,
}

/// How appends are gathered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grouping {
    /// How long to wait for more callers where callers come together.
    pub(super) linger: Duration,
    /// How many bytes make a group full.
    pub(super) bytes_max: usize,
}

/// The writer and all it owns.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) store: Arc<Store>,
    pub(super) topics: Arc<Topics>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: LogLimits,
    pub(super) grouping: Grouping,
}

/// An append waiting in a group for its answer.
type Waiting = (Append, Reply<Vec<Position>>, OwnedSemaphorePermit);

impl Writer {
    /// Works until the log is dropped and everything that waited is answered, then closes the file.
    pub(super) fn run(self, jobs: &Receiver<Job>) {
        let mut crowded = false;
        let mut next = jobs.recv().ok();
        while let Some(Job { work, room }) = next.take() {
            match work {
                Work::Append(append, reply) => {
                    let (group, after) = self.gather((append, reply, room), jobs, crowded);
                    crowded = group.len() > 1;
                    self.append(group);
                    next = after;
                }
                Work::Declare(spec, reply) => answer(reply, room, self.declare(spec)),
                Work::Trim(topic, cuts, reply) => answer(reply, room, self.trim(&topic, &cuts)),
            }
            next = next.or_else(|| jobs.recv().ok());
        }
        self.store.close();
    }

    /// The appends that wait, and the job that ended the group if it is none.
    ///
    /// A caller alone is not made to linger: the next one finds the group that gathered during this one's fsync.
    fn gather(&self, first: Waiting, jobs: &Receiver<Job>, crowded: bool) -> (Vec<Waiting>, Option<Job>) {
        let mut bytes = first.2.num_permits();
        let mut group = vec![first];
        let deadline = Instant::now() + self.grouping.linger;
        while bytes < self.grouping.bytes_max {
            let linger = if crowded { deadline.saturating_duration_since(Instant::now()) } else { Duration::ZERO };
            let job = match jobs.recv_timeout(linger) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            };
            match job.work {
                Work::Append(append, reply) => {
                    bytes += job.room.num_permits();
                    group.push((append, reply, job.room));
                }
                work @ (Work::Declare(..) | Work::Trim(..)) => return (group, Some(Job { work, room: job.room })),
            }
        }
        (group, None)
    }

    /// One transaction for the group; the answers go out after it is on the disk, or not at all with success.
    fn append(&self, group: Vec<Waiting>) {
        let mut draft = Draft::default();
        let placed: Vec<_> = group.iter().map(|(append, ..)| draft.place(append, &self.limits)).collect();
        let appended_at = self.clock.now().timestamp_micros();
        let written = if draft.is_empty() { Ok(()) } else { self.store.write("append to", |change| draft.write(change, appended_at)) };
        let durable = written.is_ok();
        if durable {
            draft.publish();
        }
        for ((_, reply, room), placed) in group.into_iter().zip(placed) {
            answer(reply, room, if durable { placed } else { placed.and_then(|_| Err(self.refusal())) });
        }
    }

    /// What everybody of a failed group is told.
    fn refusal(&self) -> LogError {
        self.store.check("append to").err().unwrap_or(LogError::Closed)
    }

    fn declare(&self, spec: TopicSpec) -> Result<(), LogError> {
        let standing = self.topics.get(&spec.name).ok();
        if let Some(topic) = &standing {
            spec.check_stands(topic.partitions())?;
            if topic.spec() == spec {
                return self.store.check("declare a topic in");
            }
        }
        self.store.write("declare a topic in", |change| change.put_topic(&spec))?;
        match standing {
            Some(topic) => topic.declare(spec),
            None => self.topics.insert(Topic::new(spec.clone(), vec![Marks::default(); spec.partitions as usize])),
        }
        Ok(())
    }

    fn trim(&self, topic: &Topic, cuts: &[(u32, u64)]) -> Result<u64, LogError> {
        let mut marks = topic.marks();
        let removed = self.store.write("remove records from", |change| {
            let mut removed = 0;
            for (partition, below) in cuts {
                let own = &mut marks[*partition as usize];
                let (records, bytes) = change.trim(&topic.name, *partition, *below)?;
                *own = Marks { first: own.first.max(*below), next: own.next, bytes: own.bytes.saturating_sub(bytes) };
                change.put_marks(&topic.name, *partition, *own)?;
                removed += records;
            }
            Ok(removed)
        })?;
        for (partition, _) in cuts {
            topic.publish(*partition, marks[*partition as usize]);
        }
        Ok(removed)
    }
}

fn answer<T>(reply: Reply<T>, room: OwnedSemaphorePermit, outcome: Result<T, LogError>) {
    // Room is given back before the writer waits for work: who waits for the whole queue would wait for ever otherwise.
    drop(room);
    // Who has gone needs no answer; what was committed stands.
    drop(reply.send(outcome));
}

/// A group's records at their places, before they are written.
#[derive(Debug, Default)]
struct Draft<'a>(Vec<TopicDraft<'a>>);

#[derive(Debug)]
struct TopicDraft<'a> {
    topic: &'a Arc<Topic>,
    marks: Vec<Marks>,
    records: Vec<Vec<(u64, &'a Record)>>,
}

impl<'a> Draft<'a> {
    fn is_empty(&self) -> bool {
        self.0.iter().all(|topic| topic.records.iter().all(Vec::is_empty))
    }

    /// Gives every record of an append its place, or none of them.
    fn place(&mut self, append: &'a Append, limits: &LogLimits) -> Result<Vec<Position>, LogError> {
        let draft = self.topic(&append.topic);
        let held = draft.marks.iter().map(|marks| marks.bytes).sum();
        let sizes: Vec<u64> = append.records.iter().map(|record| encoded_bytes(record) as u64).collect();
        limits.check_room(&append.topic.name, held, sizes.iter().sum())?;
        Ok(append.records.iter().zip(sizes).map(|(record, bytes)| draft.place(record, bytes)).collect())
    }

    fn topic(&mut self, topic: &'a Arc<Topic>) -> &mut TopicDraft<'a> {
        let index = self.0.iter().position(|draft| Arc::ptr_eq(draft.topic, topic)).unwrap_or_else(|| {
            let marks = topic.marks();
            self.0.push(TopicDraft { topic, records: vec![Vec::new(); marks.len()], marks });
            self.0.len() - 1
        });
        &mut self.0[index]
    }

    fn write(&self, change: &Change, appended_at: i64) -> Result<(), Fault> {
        for (draft, partition) in self.touched() {
            let name = &draft.topic.name;
            change.append(name, partition, appended_at, &draft.records[partition as usize])?;
            change.put_marks(name, partition, draft.marks[partition as usize])?;
        }
        Ok(())
    }

    fn publish(&self) {
        for (draft, partition) in self.touched() {
            draft.topic.publish(partition, draft.marks[partition as usize]);
        }
    }

    fn touched(&self) -> impl Iterator<Item = (&TopicDraft<'a>, u32)> {
        let partitions = self.0.iter().flat_map(|draft| (0..draft.topic.partitions()).map(move |partition| (draft, partition)));
        partitions.filter(|(draft, partition)| !draft.records[*partition as usize].is_empty())
    }
}

impl<'a> TopicDraft<'a> {
    fn place(&mut self, record: &'a Record, bytes: u64) -> Position {
        let partition = topic::partition(&record.key, self.topic.partitions());
        let marks = &mut self.marks[partition as usize];
        let offset = marks.next;
        marks.next += 1;
        marks.bytes += bytes;
        self.records[partition as usize].push((offset, record));
        Position { partition, offset }
    }
}
