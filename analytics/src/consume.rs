//! From the log to the lake: the loop that reads records, decides them, and commits rows and offsets together.
//!
//! One turn: fetch what each partition has (bounded), decide partition by partition in parallel, commit `records` (rows and
//! next offsets, one Delta commit), commit `cells` (their parts and the offsets they cover), publish the cut. The next batch is
//! decided while the former is committed. What a crash does: before the first commit, nothing happened and the same records are
//! read again; between the commits, `cells` lags and is caught up from `records` at start; after both, readers see the former
//! cut until the file is written anew.
//!
//! A failed commit stops the loop: the decided batches are dropped, and a restart reads them again and decides the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use contract::clock::Clock;
use contract::grids::GridSet;
use contract::log::{EventLog, LogError, Remedy, Stored};
use contract::{Offsets, TopicPartition, topic};
use datafusion::prelude::SessionContext;
use deciding::rows::{self, CellParts, Decided, Tally};
use deciding::state::PartitionState;

use crate::cells;
use crate::cut::Cut;
use crate::grid_store::GridStore;
use crate::lake::delta::{Change, Table};
use crate::lake::{LakeError, Positions, TableSpec};
use crate::{recover, relocate};

/// Most bytes taken from one partition in a turn: with 17 partitions at their bound a turn stays below 300 MiB of log.
const FETCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Position of a partition in `records` and `cells`.
pub fn position_name(partition: &TopicPartition) -> String {
    partition.to_string()
}

/// The table `records` in the lake.
pub fn records_spec(lake: &Path) -> TableSpec {
    TableSpec {
        name: "records".into(),
        root: lake.join("records"),
        schema: contract::schema::record_schema(),
        partition_columns: vec!["disposition".into(), "month".into()],
        comment: "One row for every record of the log, whatever became of it / 日志中每条记录一行，含处置结果".into(),
    }
}

/// What went wrong while consuming.
#[derive(Debug, thiserror::Error)]
pub enum ConsumeError {
    /// The log.
    #[error("could not read the log")]
    Log(#[from] LogError),
    /// The lake.
    #[error("could not write the lake")]
    Lake(#[from] LakeError),
    /// Rows of the lake could not be read back at start.
    #[error("could not read the lake back")]
    Read(#[from] datafusion::error::DataFusionError),
    /// The grids, the cut or another small file.
    #[error("could not read or write \"{path}\"")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A thread died deciding.
    #[error("deciding a batch did not finish")]
    Decide(#[from] tokio::task::JoinError),
}

impl ConsumeError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Log(error) => error.remedy(),
            Self::Lake(error) => error.remedy(),
            Self::Read(_) | Self::File { .. } => Remedy::Fix,
            Self::Decide(_) => Remedy::Bug,
        }
    }
}

/// What a turn committed; told to metrics and progress bars.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Records committed.
    pub records: u64,
    /// What became of them.
    pub tallies: Arc<[Tally]>,
    /// The cut readers now see.
    pub cut: Cut,
    /// From the first of its records read to the cut.
    pub took: Duration,
}

/// Reads partitions and decides their records.
#[derive(Debug)]
struct Reader {
    log: Arc<dyn EventLog>,
    partitions: BTreeMap<TopicPartition, (PartitionState, u64)>,
    grids: GridStore,
}

/// Decided records on their way to the lake.
#[derive(Debug)]
struct Pending {
    decided: Vec<Decided>,
    offsets: Offsets,
    /// A partition may hold more than a turn takes.
    backlog: bool,
}

/// Consumes the log into the lake.
#[derive(Debug)]
pub struct Consumer {
    reader: Reader,
    records: Table,
    cells: Table,
    lake: PathBuf,
    clock: Arc<dyn Clock>,
    offsets: Offsets,
    cut: Cut,
}

impl Consumer {
    /// Opens the lake, takes positions, ids and watermarks from it, mends `cells` if a crash left it behind.
    ///
    /// # Errors
    /// The lake or the log cannot be read; the log no longer holds, or never held, the position the lake stands at.
    pub async fn open(log: Arc<dyn EventLog>, lake: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConsumeError> {
        std::fs::create_dir_all(lake).map_err(|source| ConsumeError::File { path: lake.to_owned(), source })?;
        let mut records = Table::open(records_spec(lake)).await?;
        let mut cells = Table::open(cells::spec(lake)).await?;
        let all = partitions_of(log.as_ref()).await?;
        let offsets = positions_of(&mut records, &all).await?;
        for (partition, next) in offsets.iter() {
            let (first, end) = log.watermarks(&partition.topic, partition.partition).await?;
            check_position(partition, next, first, end)?;
        }
        let states = recover::states(&records).await?;
        let covered = positions_of(&mut cells, &all).await?;
        recover::cells(&records, &mut cells, &covered, &offsets).await?;
        relocate::rebuild_cells(&mut records, &mut cells, &offsets).await?;
        let partitions = states_by_partition(all, states, &offsets);
        let grids = GridStore::open(lake).map_err(|source| ConsumeError::File { path: lake.to_owned(), source })?;
        let mut consumer =
            Self { reader: Reader { log, partitions, grids }, records, cells, lake: lake.to_owned(), clock, offsets, cut: Cut::default() };
        consumer.publish(consumer.reader.watermarks())?;
        Ok(consumer)
    }

    /// The cut readers see.
    pub const fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Next offsets committed.
    pub const fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// The newest grids.
    pub fn grids(&self) -> Arc<GridSet> {
        self.reader.grids.newest()
    }

    /// Commits everything the log holds now, turn by turn; answers how many records that were.
    ///
    /// # Errors
    /// As of the first turn that fails; what was committed before it stays.
    pub async fn drain(&mut self, mut on_turn: impl FnMut(&Turn)) -> Result<u64, ConsumeError> {
        self.turns(true, &mut on_turn).await
    }

    /// Commits what the log holds in one turn, or in several: while there is a backlog, or until nothing is left.
    async fn turns(&mut self, until_empty: bool, on_turn: &mut impl FnMut(&Turn)) -> Result<u64, ConsumeError> {
        let mut total = 0;
        let mut began = Instant::now();
        let mut pending = self.reader.decide().await?;
        while let Some(batch) = pending {
            let reading_next = Instant::now();
            let watermarks = self.reader.watermarks();
            let go_on = until_empty || batch.backlog;
            let reader = &mut self.reader;
            let decide = async { if go_on { reader.decide().await } else { Ok(None) } };
            // The next batch is decided while this one is committed; neither touches what the other holds.
            let (next, turn) = tokio::join!(decide, commit(&mut self.records, &mut self.cells, batch, &mut self.offsets));
            let (records, tallies) = turn?;
            self.publish(watermarks)?;
            total += records;
            on_turn(&Turn { records, tallies: tallies.into(), cut: self.cut.clone(), took: began.elapsed() });
            (pending, began) = (next?, reading_next);
        }
        Ok(total)
    }

    /// Consumes until `stop` resolves: a turn each `interval` while records come, at once while there is a backlog.
    ///
    /// # Errors
    /// As [`Consumer::drain`].
    pub async fn run(
        &mut self,
        interval: Duration,
        stop: impl Future<Output = ()>,
        mut on_turn: impl FnMut(&Turn),
    ) -> Result<(), ConsumeError> {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => {
                    self.drain(&mut on_turn).await?;
                    return Ok(());
                }
                _ = ticks.tick() => { self.turns(false, &mut on_turn).await?; }
            }
        }
    }

    /// Locates events that have no grid again; `session` has the functions over the newest grids. The consumer ends with it, because
    /// what it remembers of those events is of before.
    ///
    /// # Errors
    /// The lake cannot be read or written.
    pub async fn locate_again(mut self, session: &SessionContext) -> Result<u64, ConsumeError> {
        let found = relocate::run(session, &mut self.records, &mut self.cells, &self.offsets).await?;
        self.publish(self.reader.watermarks())?;
        Ok(found)
    }

    fn publish(&mut self, watermarks: BTreeMap<String, DateTime<Utc>>) -> Result<(), ConsumeError> {
        self.cut = Cut {
            records: self.records.version(),
            cells: self.cells.version(),
            offsets: self.offsets.iter().map(|(partition, next)| (partition.to_string(), next)).collect(),
            watermarks,
            committed_at: self.clock.now(),
        };
        self.cut.publish(&self.lake).map_err(|source| ConsumeError::File { path: self.lake.join("cut.json"), source })
    }
}

impl Reader {
    /// Fetches and decides what every partition has; `None` when nothing is new.
    async fn decide(&mut self) -> Result<Option<Pending>, ConsumeError> {
        let grids = self.grids.refresh().map_err(|source| ConsumeError::File { path: self.grids.folder().to_owned(), source })?;
        let mut offsets = Offsets::default();
        let mut tasks = Vec::new();
        let mut backlog = false;
        for (partition, (state, next)) in &mut self.partitions {
            let batch = self.log.fetch(&partition.topic, partition.partition, *next, FETCH_BYTES_MAX, Duration::ZERO).await?;
            if batch.records.is_empty() {
                continue;
            }
            *next = batch.next;
            backlog |= batch.records.iter().map(|stored| stored.record.bytes()).sum::<usize>() > FETCH_BYTES_MAX / 2;
            offsets.advance(partition.clone(), batch.next);
            tasks.push(spawn_decide(partition.clone(), batch.records, std::mem::take(state), Arc::clone(&grids)));
        }
        let mut decided = Vec::with_capacity(tasks.len());
        for task in tasks {
            let (partition, state, rows) = task.await?;
            self.partitions.get_mut(&partition).expect("the partition was taken from this map").0 = state;
            decided.push(rows);
        }
        Ok((!decided.is_empty()).then_some(Pending { decided, offsets, backlog }))
    }

    fn watermarks(&self) -> BTreeMap<String, DateTime<Utc>> {
        let mut newest = BTreeMap::new();
        for (source, micros) in self.partitions.values().flat_map(|(state, _)| state.watermarks()) {
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

async fn commit(records: &mut Table, cells: &mut Table, batch: Pending, offsets: &mut Offsets) -> Result<(u64, Vec<Tally>), ConsumeError> {
    let Pending { decided, offsets: reached, .. } = batch;
    let mut positions = positions(&reached);
    let mut parts = CellParts::new();
    let (mut rows, mut tallies) = (Vec::new(), Vec::new());
    for Decided { rows: batch, cells, tally } in decided {
        rows.push(batch);
        tallies.push(tally);
        for (key, (events, voices)) in cells {
            let sums = parts.entry(key).or_default();
            *sums = (sums.0 + events, sums.1 + voices);
        }
    }
    let count = rows.iter().map(|batch| batch.num_rows() as u64).sum();
    let version = records.commit(Change { rows, positions: positions.clone(), ..Change::default() }).await?;
    positions.insert(cells::RECORDS_VERSION.to_owned(), version.cast_signed());
    cells.commit(Change { rows: vec![cells::batch(&parts)], positions, ..Change::default() }).await?;
    for (partition, next) in reached.iter() {
        offsets.advance(partition.clone(), next);
    }
    Ok((count, tallies))
}

/// Offsets as positions of a commit.
pub fn positions(offsets: &Offsets) -> Positions {
    offsets.iter().map(|(partition, next)| (position_name(partition), next.cast_signed())).collect()
}

async fn partitions_of(log: &dyn EventLog) -> Result<Vec<TopicPartition>, LogError> {
    let mut all = Vec::new();
    for topic in topic::ALL {
        all.extend((0..log.partitions(topic).await?).map(|partition| TopicPartition::new(topic, partition)));
    }
    Ok(all)
}

async fn positions_of(table: &mut Table, all: &[TopicPartition]) -> Result<Offsets, LakeError> {
    let mut offsets = Offsets::default();
    if table.version() == 0 {
        return Ok(offsets);
    }
    for partition in all {
        if let Some(next) = table.position(&position_name(partition)).await? {
            offsets.advance(partition.clone(), next.cast_unsigned());
        }
    }
    Ok(offsets)
}

fn check_position(partition: &TopicPartition, next: u64, first: u64, end: u64) -> Result<(), LogError> {
    let (topic, partition) = (partition.topic.clone(), partition.partition);
    if next < first {
        return Err(LogError::OutOfRange { topic, partition, asked: next, first });
    }
    if next > end {
        return Err(LogError::BeyondEnd { topic, partition, asked: next, end });
    }
    Ok(())
}

fn states_by_partition(
    all: Vec<TopicPartition>,
    mut states: BTreeMap<TopicPartition, PartitionState>,
    offsets: &Offsets,
) -> BTreeMap<TopicPartition, (PartitionState, u64)> {
    all.into_iter()
        .map(|partition| {
            let state = states.remove(&partition).unwrap_or_default();
            let next = offsets.next(&partition);
            (partition, (state, next))
        })
        .collect()
}
