//! The reading half of the consumer: fetches what each partition has and decides it, partition by partition, in parallel.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use contract::grids::GridSet;
use contract::log::{EventLog, LogError, Stored};
use contract::{Offsets, TopicPartition};
use deciding::rows::{self, CellParts, Decided, Tally};
use deciding::state::PartitionState;
use futures::future::try_join_all;

use super::ConsumeError;
use crate::grid_store::GridStore;
use crate::lake::delta::{NewFiles, Writer};

/// Most bytes taken from one partition at once: with 17 partitions at their bound that is below 70 MiB of log, fetched while as much is
/// decided and what came before is encoded.
const FETCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes one partition gives at once that say it may hold more: half of what a reader on Kafka reads ahead of a partition.
const BACKLOG_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of a backlog worth a commit, which costs tens of milliseconds however little it holds.
const TURN_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a turn after a backlog that say it goes on, however little each partition gave at once: more than comes in a quarter of a second
/// to a city of 80,000 events a second.
const BEHIND_BYTES: usize = 8 * 1024 * 1024;

/// Longest time a backlog is gathered for one commit, and the pause before it is looked for more where little came.
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
    /// Bytes of the records.
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
        self.records += came.batches.iter().map(|(_, records)| records.len() as u64).sum::<u64>();
        self.backlog |= came.backlog;
        self.bytes += came.bytes;
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

/// What every partition gave at once.
struct Came {
    batches: Vec<(TopicPartition, Vec<Stored>)>,
    offsets: Offsets,
    skipped: Offsets,
    backlog: bool,
    bytes: usize,
}

impl Reader {
    pub(super) fn new(log: Arc<dyn EventLog>, grids: GridStore) -> Self {
        Self { log, partitions: BTreeMap::new(), grids, behind: false }
    }

    /// Fetches and decides what every partition has, of a backlog as much as is worth a commit, into files of `writer`; `None` when
    /// nothing is new. Of a backlog the next records are fetched while those before are decided.
    pub(super) async fn decide(&mut self, writer: &Writer) -> Result<Option<Pending>, ConsumeError> {
        let began = Instant::now();
        let Some(mut came) = self.fetch().await? else {
            self.behind = false;
            return Ok(None);
        };
        let mut pending = Pending::new(writer.begin()?);
        loop {
            pending.announce(&came);
            let at_once = came.backlog;
            let deciding = self.begin_to_decide(came.batches)?;
            let goes_on = (pending.backlog || self.behind) && pending.bytes < TURN_BYTES && began.elapsed() < GATHERING;
            if goes_on && !at_once {
                tokio::time::sleep(GATHERING_PAUSE).await;
            }
            let next = if goes_on { self.fetch().await? } else { None };
            pending.add(self.decided(deciding).await?).await;
            let Some(next) = next else { break };
            came = next;
        }
        // What is read ahead may not have come yet since the turn before.
        pending.backlog |= self.behind && pending.bytes >= BEHIND_BYTES;
        self.behind = pending.backlog;
        Ok(Some(pending))
    }

    /// What every partition gives at once; `None` where that is nothing.
    async fn fetch(&mut self) -> Result<Option<Came>, ConsumeError> {
        let log = &self.log;
        // All at once: a broker that has nothing for one partition may take its time to say so.
        let fetches = self
            .partitions
            .iter()
            .map(|(partition, held)| log.fetch(&partition.topic, partition.partition, held.next, FETCH_BYTES_MAX, Duration::ZERO));
        let fetched = try_join_all(fetches).await?;
        let mut came = Came { batches: Vec::new(), offsets: Offsets::default(), skipped: Offsets::default(), backlog: false, bytes: 0 };
        for ((partition, held), batch) in self.partitions.iter_mut().zip(fetched) {
            // Gaps that no record follows yet are read over now and committed with the next record.
            held.skipped += (batch.next - held.next).saturating_sub(batch.records.len() as u64);
            held.next = batch.next;
            if batch.records.is_empty() {
                continue;
            }
            if held.skipped > 0 {
                came.skipped.advance(partition.clone(), held.skipped);
            }
            let given = batch.records.iter().map(Stored::bytes).sum::<usize>();
            came.backlog |= given > BACKLOG_BYTES;
            came.bytes += given;
            came.offsets.advance(partition.clone(), batch.next);
            came.batches.push((partition.clone(), batch.records));
        }
        Ok((!came.batches.is_empty()).then_some(came))
    }

    /// Has records decided, partition by partition; [`Reader::decided`] waits for them, before the next begin.
    fn begin_to_decide(&mut self, batches: Vec<(TopicPartition, Vec<Stored>)>) -> Result<Vec<DecideTask>, ConsumeError> {
        let grids = self.grids.refresh().map_err(|source| ConsumeError::File { path: self.grids.folder().to_owned(), source })?;
        let partitions = &mut self.partitions;
        let begin = |(partition, records): (TopicPartition, Vec<Stored>)| {
            let held = partitions.get_mut(&partition).expect("what came is of a partition of this map");
            spawn_decide(partition, records, std::mem::take(&mut held.state), Arc::clone(&grids))
        };
        Ok(batches.into_iter().map(begin).collect())
    }

    async fn decided(&mut self, tasks: Vec<DecideTask>) -> Result<Vec<Decided>, ConsumeError> {
        let mut all = Vec::with_capacity(tasks.len());
        for task in tasks {
            let (partition, state, decided) = task.await?;
            self.partitions.get_mut(&partition).expect("the partition was taken from this map").state = state;
            all.push(decided);
        }
        Ok(all)
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

type DecideTask = tokio::task::JoinHandle<(TopicPartition, PartitionState, Decided)>;

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
    async fn a_turn_has_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(folder.path()).await;
        let mut reader = reader(folder.path(), 1, 90, 1_000_000).await;
        let pending = reader.decide(&writer).await.unwrap().unwrap();
        assert!((TURN_BYTES..TURN_BYTES + FETCH_BYTES_MAX).contains(&pending.bytes), "{} bytes", pending.bytes);
    }
}
