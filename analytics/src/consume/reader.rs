//! The reading half of the consumer: fetches what each partition has and decides it, partition by partition, in parallel.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use contract::log::{Batch, EventLog, LogError, Stored};
use contract::{Offsets, TopicPartition};
use deciding::parts::CellParts;
use deciding::rows::{self, Decided, Tally};
use deciding::state::PartitionState;
use futures::future::{join, try_join_all};
use futures::stream::FuturesUnordered;
use futures::{StreamExt, poll};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::ConsumeError;
use crate::grid_store::GridStore;
use crate::lake::delta::{NewFiles, Writer};

/// Most bytes taken from one partition at once: with 17 partitions at their bound that is below 70 MiB of log, fetched while as much is
/// decided and what came before is encoded.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes one partition gives at once that say it may hold more: half of what a reader on Kafka reads ahead of a partition. As many of all
/// together are worth deciding before those come who answer late.
const BACKLOG_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a backlog worth a commit, which costs tens of milliseconds however little it holds.
const TURN_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a turn after a backlog that say it goes on, however little each partition gave at once: more than comes in a quarter of a second
/// to a city of 80,000 events a second.
const BEHIND_BYTES: usize = 8 * 1024 * 1024;

/// Longest time a backlog is gathered for one commit, the pause before it is looked for more where little came, and the moment it waits for
/// who answers late.
const GATHERING: Duration = Duration::from_millis(250);
const GATHERING_PAUSE: Duration = Duration::from_millis(5);

/// What is held of a partition that is ours.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// Ids and watermarks.
    pub(super) state: PartitionState,
    /// Next offset to read.
    pub(super) next: u64,
    /// Offsets so far at which no record stands.
    pub(super) skipped: u64,
    /// What the log was asked for from `next` on and has not answered.
    asked: Option<AbortOnDropHandle<Result<Batch, LogError>>>,
}

impl Held {
    /// What is held of a partition that is read from `next` on, and nothing known of its past.
    pub(super) fn at(next: u64, skipped: u64) -> Self {
        Self { next, skipped, ..Self::default() }
    }

    /// What comes next, at most about so many bytes, as the log says now: that nothing had come when it was asked earlier does not count.
    async fn answer(&mut self, log: &Arc<dyn EventLog>, partition: &TopicPartition, room: usize) -> Result<Vec<Stored>, ConsumeError> {
        let mut asked_before = true;
        loop {
            let batch = if let Some(asked) = &mut self.asked {
                let answer = asked.await;
                self.asked = None;
                answer??
            } else {
                asked_before = false;
                let (log, partition, next) = (Arc::clone(log), partition.clone(), self.next);
                let fetch = async move { log.fetch(&partition.topic, partition.partition, next, room, Duration::ZERO).await };
                let mut fetch = Box::pin(fetch);
                match poll!(&mut fetch) {
                    Poll::Ready(batch) => batch?,
                    Poll::Pending => {
                        self.asked = Some(AbortOnDropHandle::new(tokio::spawn(fetch)));
                        continue;
                    }
                }
            };
            // Gaps that no record follows yet are read over now and committed with the next record.
            self.skipped += (batch.next - self.next).saturating_sub(batch.records.len() as u64);
            self.next = batch.next;
            if !asked_before || !batch.records.is_empty() {
                return Ok(batch.records);
            }
        }
    }
}

/// Reads partitions and decides their records.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) partitions: BTreeMap<TopicPartition, Held>,
    pub(super) grids: GridStore,
    /// Whether the turn before left a backlog.
    behind: bool,
}

/// Decided records on their way to the lake.
#[derive(Debug)]
pub(super) struct Pending {
    /// What they change in `cells` and what is counted, by partition and piece.
    pub(super) decided: Vec<(CellParts, Tally)>,
    /// Their rows.
    pub(super) files: NewFiles,
    /// How many they are.
    pub(super) records: u64,
    /// How far they reach.
    pub(super) offsets: Offsets,
    /// Offsets so far at which no record stands, of partitions where there are any.
    pub(super) skipped: Offsets,
    /// A partition may hold more than a turn takes.
    pub(super) backlog: bool,
    /// Bytes of the records, as far as they were in memory.
    bytes: usize,
}

impl Pending {
    fn new(files: NewFiles) -> Self {
        let (decided, offsets, skipped) = (Vec::new(), Offsets::default(), Offsets::default());
        Self { decided, files, records: 0, offsets, skipped, backlog: false, bytes: 0 }
    }

    /// Counts in what is going to be decided after it.
    fn announce(&mut self, came: &Came) {
        for (reached, by) in [(&mut self.offsets, &came.offsets), (&mut self.skipped, &came.skipped)] {
            by.iter().for_each(|(partition, next)| reached.advance(partition.clone(), next));
        }
        for given in came.given.values() {
            self.records += given.records.len() as u64;
            self.backlog |= given.bytes() > BACKLOG_BYTES;
            self.bytes += given.held_bytes;
        }
    }

    /// Takes in what was decided, and has its rows encoded.
    async fn add(&mut self, decided: Vec<Decided>) {
        let mut rows = Vec::new();
        for decided in decided {
            rows.extend(decided.rows);
            self.decided.push((decided.cells, decided.tally));
        }
        self.files.add(rows).await;
    }
}

/// What partitions gave, and how far that reaches.
#[derive(Default)]
struct Came {
    given: BTreeMap<TopicPartition, Given>,
    offsets: Offsets,
    skipped: Offsets,
}

impl Came {
    /// Adds what a partition gave; answers how many bytes that was.
    fn add(&mut self, partition: &TopicPartition, held: &Held, records: Vec<Stored>) -> usize {
        if records.is_empty() {
            return 0;
        }
        if held.skipped > 0 {
            self.skipped.advance(partition.clone(), held.skipped);
        }
        self.offsets.advance(partition.clone(), held.next);
        let given = self.given.entry(partition.clone()).or_default();
        let before = given.bytes();
        given.add(records);
        given.bytes() - before
    }
}

/// What one partition gave.
#[derive(Default)]
struct Given {
    records: Vec<Stored>,
    /// Their bytes in memory, and those left out of them.
    held_bytes: usize,
    left_out: usize,
}

impl Given {
    fn add(&mut self, records: Vec<Stored>) {
        self.held_bytes += records.iter().map(|stored| stored.record.bytes()).sum::<usize>();
        self.left_out += records.iter().map(|stored| stored.left_out).sum::<usize>();
        if self.records.is_empty() {
            self.records = records;
        } else {
            self.records.extend(records);
        }
    }

    /// All bytes of its records.
    const fn bytes(&self) -> usize {
        self.held_bytes + self.left_out
    }
}

impl Reader {
    pub(super) fn new(log: Arc<dyn EventLog>, grids: GridStore) -> Self {
        Self { log, partitions: BTreeMap::new(), grids, behind: false }
    }

    /// Fetches and decides what every partition has, of a backlog as much as is worth a commit, into files of `writer`; `None` when
    /// nothing is new. Of a backlog the next records are fetched while those before are decided.
    pub(super) async fn decide(&mut self, writer: &Writer) -> Result<Option<Pending>, ConsumeError> {
        let mut came = Came::default();
        self.fetch(&mut came).await?;
        let began = Instant::now();
        if came.given.is_empty() {
            self.behind = false;
            return Ok(None);
        }
        let mut pending = Pending::new(writer.begin()?);
        while !came.given.is_empty() {
            pending.announce(&came);
            let tasks = self.begin_to_decide(std::mem::take(&mut came).given)?;
            let goes_on = (pending.backlog || self.behind) && pending.bytes < TURN_BYTES && began.elapsed() < GATHERING;
            let done = if goes_on { self.fetch_meanwhile(&mut came, tasks).await? } else { try_join_all(tasks).await? };
            pending.add(self.settle(done)).await;
        }
        // What is read ahead may not have come yet since the turn before.
        pending.backlog |= self.behind && pending.bytes >= BEHIND_BYTES;
        self.behind = pending.backlog;
        Ok(Some(pending))
    }

    /// Fetches what comes until the tasks are done, and for a moment at least: a client whose queues are full stops asking the broker.
    async fn fetch_meanwhile(&mut self, came: &mut Came, tasks: Vec<DecideTask>) -> Result<Vec<Done>, ConsumeError> {
        let mut deciding = pin!(join(try_join_all(tasks), sleep(GATHERING_PAUSE)));
        loop {
            self.fetch(came).await?;
            if let Ok((done, ())) = timeout(GATHERING_PAUSE, &mut deciding).await {
                self.fetch(came).await?;
                return Ok(done?);
            }
        }
    }

    /// Adds what every partition gives now to what it gave before, up to its bound.
    ///
    /// All are asked at once and waited for, but of a backlog nobody longer than a moment: a log that knows of records which its client has
    /// not received yet answers when it has. Who answers late has been asked, and gives it to a later fetch.
    async fn fetch(&mut self, came: &mut Came) -> Result<(), ConsumeError> {
        let room = |partition| FETCH_BYTES_MAX.saturating_sub(came.given.get(partition).map_or(0, |given| given.held_bytes));
        let log = &self.log;
        let mut answers = FuturesUnordered::new();
        for (partition, held) in &mut self.partitions {
            let room = room(partition);
            // Who has been asked had room then, and has given nothing since.
            if room > 0 {
                answers.push(async move { (partition, held.answer(log, partition, room).await, held) });
            }
        }
        let (mut bytes, mut moment) = (0, pin!(sleep(GATHERING_PAUSE)));
        loop {
            tokio::select! {
                biased;
                answer = answers.next() => match answer {
                    Some((partition, records, held)) => bytes += came.add(partition, held, records?),
                    None => return Ok(()),
                },
                () = &mut moment, if bytes > BACKLOG_BYTES => return Ok(()),
            }
        }
    }

    /// Has records decided, partition by partition; [`Reader::settle`] takes back what they gave, before the next begin.
    fn begin_to_decide(&mut self, came: BTreeMap<TopicPartition, Given>) -> Result<Vec<DecideTask>, ConsumeError> {
        let grids = self.grids.refresh().map_err(|source| ConsumeError::File { path: self.grids.folder().to_owned(), source })?;
        let partitions = &mut self.partitions;
        let begin = |(partition, given): (TopicPartition, Given)| {
            let held = partitions.get_mut(&partition).expect("what came is of a partition of this map");
            spawn_decide(partition, given.records, std::mem::take(&mut held.state), Arc::clone(&grids))
        };
        Ok(came.into_iter().map(begin).collect())
    }

    /// Gives partitions their state back.
    fn settle(&mut self, done: Vec<Done>) -> Vec<Decided> {
        let settle = |(partition, state, decided)| {
            self.partitions.get_mut(&partition).expect("the partition was taken from this map").state = state;
            decided
        };
        done.into_iter().map(settle).collect()
    }

    /// Newest accepted `occurred_at` by source, over the partitions held.
    pub(super) fn watermarks(&self) -> BTreeMap<String, DateTime<Utc>> {
        let mut newest = BTreeMap::new();
        for (source, micros) in self.partitions.values().flat_map(|held| held.state.watermarks()) {
            let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
            let entry = newest.entry(source.to_owned()).or_insert(at);
            *entry = at.max(*entry);
        }
        newest
    }
}

/// What a task that decides a partition's records gives back.
type Done = (TopicPartition, PartitionState, Decided);
type DecideTask = tokio::task::JoinHandle<Done>;

fn spawn_decide(partition: TopicPartition, records: Vec<Stored>, mut state: PartitionState, grids: Arc<GridSet>) -> DecideTask {
    tokio::task::spawn_blocking(move || {
        let decided = rows::decide(&partition, &records, &mut state, &grids);
        (partition, state, decided)
    })
}

/// The position, if the log still holds what comes at it and has come as far.
pub(super) fn check_position(partition: &TopicPartition, next: u64, first: u64, end: u64) -> Result<u64, LogError> {
    let (topic, partition) = (partition.topic.clone(), partition.partition);
    if next < first {
        return Err(LogError::OutOfRange { topic, partition, asked: next, first });
    }
    if next > end {
        return Err(LogError::BeyondEnd { topic, partition, asked: next, end });
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use contract::clock::ManualClock;
    use contract::log::memory::MemoryLog;
    use contract::log::{LogLimits, Record, TopicSpec};
    use contract::{Disposition, topic};

    use super::*;
    use crate::lake::delta::Table;

    /// A reader of a topic of so many partitions that holds these records.
    async fn reader_of(folder: &std::path::Path, topic: &str, partitions: u32, values: impl Iterator<Item = Vec<u8>>) -> Reader {
        let clock = ManualClock::at("2026-01-02T00:00:00Z".parse().unwrap());
        let log = MemoryLog::new(clock, LogLimits::default());
        let declared = TopicSpec { name: topic.into(), partitions, retention_age: None, retention_bytes: None };
        log.ensure_topic(&declared).await.unwrap();
        for (record, value) in values.enumerate() {
            log.append(topic, vec![Record::new(format!("city/{record}"), value)]).await.unwrap();
        }
        let mut reader = Reader::new(Arc::new(log), GridStore::open(folder).unwrap());
        reader.partitions.extend((0..partitions).map(|partition| (TopicPartition::new(topic, partition), Held::default())));
        reader
    }

    /// A reader of so many partitions that hold so many records of these bytes in all.
    async fn reader(folder: &std::path::Path, partitions: u32, records: usize, bytes: usize) -> Reader {
        reader_of(folder, topic::QUARANTINE, partitions, std::iter::repeat_n(vec![b'x'; bytes], records)).await
    }

    async fn writer(folder: &std::path::Path) -> Writer {
        Table::open(crate::records::spec(&folder.join("lake"))).await.unwrap().writer()
    }

    #[tokio::test]
    async fn a_backlog_is_gathered_for_one_commit_and_what_is_none_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path()).await;
        let mut small = reader(folder.path(), 1, 1, 1_000_000).await;
        let pending = small.decide(&writer).await.unwrap().unwrap();
        assert_eq!((pending.decided.len(), pending.backlog), (1, false));

        // Several fetches of one partition, in one turn and in their order.
        let mut large = reader(folder.path(), 1, 20, 1_000_000).await;
        let pending = large.decide(&writer).await.unwrap().unwrap();
        assert_eq!((pending.decided.len(), pending.backlog, pending.offsets.total()), (5, true, 20));
        assert!(large.decide(&writer).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_backlog_goes_on_where_much_comes_in_small_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path()).await;
        for (records, behind, goes_on) in [(120, false, false), (120, true, true), (12, true, false)] {
            let mut reader = reader(folder.path(), 8, records, 80_000).await;
            reader.behind = behind;
            let pending = reader.decide(&writer).await.unwrap().unwrap();
            assert_eq!((pending.records, pending.backlog, reader.behind), (records as u64, goes_on, goes_on));
            assert!(reader.decide(&writer).await.unwrap().is_none() && !reader.behind);
        }
    }

    #[tokio::test]
    async fn what_is_decided_of_a_turn_is_known_to_what_was_fetched_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path()).await;
        let mut call =
            br#"{"event_id":"1","source":"city","kind":"hotline_call","occurred_at":"2026-01-01T08:00:00Z","address":"Mill Road"}"#
                .to_vec();
        call.resize(1_000_000, b' ');
        let mut reader = reader_of(folder.path(), topic::ALL[0], 1, std::iter::repeat_n(call, 20)).await;
        let pending = reader.decide(&writer).await.unwrap().unwrap();
        let of = |disposition| {
            pending.decided.iter().filter_map(|(_, tally)| tally.dispositions.get(&("city".into(), disposition))).sum::<u64>()
        };
        assert_eq!((pending.decided.len(), of(Disposition::Accepted), of(Disposition::Duplicate)), (5, 1, 19));
    }

    #[tokio::test]
    async fn what_a_partition_gives_later_comes_after_what_it_gave_and_both_have_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path(), 2, 4, 1_000_000).await;
        let mut came = Came::default();
        reader.fetch(&mut came).await.unwrap();
        let log = Arc::clone(&reader.log);
        log.append(topic::QUARANTINE, (0..40).map(|nth| Record::new(format!("city/{nth}"), vec![b'x'; 1_000_000])).collect())
            .await
            .unwrap();
        for _ in 0..3 {
            reader.fetch(&mut came).await.unwrap();
        }
        assert_eq!(came.given.len(), 2);
        for (partition, given) in &came.given {
            let offsets: Vec<_> = given.records.iter().map(|stored| stored.offset).collect();
            assert!(offsets.is_sorted() && offsets.len() == 5, "{partition}: {offsets:?}");
            assert!((FETCH_BYTES_MAX..FETCH_BYTES_MAX + 1_000_100).contains(&given.held_bytes), "{} bytes", given.held_bytes);
            assert_eq!(came.offsets.next(partition), reader.partitions[partition].next);
        }
    }

    #[tokio::test]
    async fn a_backlog_does_not_wait_for_a_partition_that_answers_late_and_gets_what_that_gives_later() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path(), 2, 20, 1_000_000).await;
        let late = TopicPartition::new(topic::QUARANTINE, 1);
        let (log, (tell, told)) = (Arc::clone(&reader.log), tokio::sync::oneshot::channel::<()>());
        let answer = async move {
            told.await.unwrap();
            log.fetch(topic::QUARANTINE, 1, 0, FETCH_BYTES_MAX, Duration::ZERO).await
        };
        reader.partitions.get_mut(&late).unwrap().asked = Some(AbortOnDropHandle::new(tokio::spawn(answer)));
        let mut came = Came::default();
        reader.fetch(&mut came).await.unwrap();
        assert!(!came.given.contains_key(&late) && came.given.len() == 1);
        tell.send(()).unwrap();
        for _ in 0..2 {
            reader.fetch(&mut came).await.unwrap();
        }
        let offsets: Vec<_> = came.given[&late].records.iter().map(|stored| stored.offset).collect();
        assert_eq!((offsets, came.offsets.next(&late)), ((0..5).collect(), 5));
    }

    #[tokio::test]
    async fn that_nothing_had_come_when_it_was_asked_for_does_not_mean_that_nothing_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut reader = reader(folder.path(), 1, 1, 10).await;
        let nothing = async { Ok(Batch { records: Vec::new(), next: 0 }) };
        let held = reader.partitions.values_mut().next().unwrap();
        held.asked = Some(AbortOnDropHandle::new(tokio::spawn(nothing)));
        let mut came = Came::default();
        reader.fetch(&mut came).await.unwrap();
        assert_eq!(came.offsets.total(), 1);
    }

    #[tokio::test]
    async fn what_is_left_out_of_records_makes_a_backlog_and_no_turn_long() {
        let mut pending = Pending::new(writer(tempfile::tempdir().unwrap().path()).await.begin().unwrap());
        let mut came = Came::default();
        let large = Stored { left_out: TURN_BYTES, ..Stored::whole(0, 0, Record::new("city/1", "x")) };
        came.given.entry(TopicPartition::new("calls", 0)).or_default().add(vec![large]);
        pending.announce(&came);
        assert_eq!((pending.records, pending.backlog, pending.bytes), (1, true, "city/1x".len()));
    }

    #[tokio::test]
    async fn a_turn_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path()).await;
        let mut reader = reader(folder.path(), 1, 90, 1_000_000).await;
        let pending = reader.decide(&writer).await.unwrap().unwrap();
        assert!((TURN_BYTES..TURN_BYTES + FETCH_BYTES_MAX).contains(&pending.bytes), "{} bytes", pending.bytes);
    }
}
