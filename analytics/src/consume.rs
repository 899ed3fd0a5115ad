//! From the log to the lake: the loop that reads records, decides them, and commits rows and offsets together.
//!
//! One turn: fetch what each partition has (bounded), decide partition by partition in parallel, write the rows and the parts of their
//! cells, commit `records` (rows and next offsets, one Delta commit), commit `cells` (their parts and the offsets they cover), publish
//! the cut. The next batch is decided while the former is committed. What a crash does: before the first commit, nothing happened and
//! the same records are read again; between the commits, `cells` lags and is caught up at start; after both, readers see the former cut
//! until the file is written anew.
//!
//! After a commit that failed, the decided batches are dropped: what holds them is let go of, here or by the end of the process, and
//! the same records are read again from where the table stands and decided the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::clock::Clock;
use contract::grids::GridSet;
use contract::log::{EventLog, LogError, Remedy, every_partition};
use contract::{Offsets, TopicPartition, topic};
use datafusion::prelude::SessionContext;
use deciding::rows::Tally;

use crate::cells::{self, Newest};
use crate::cut::Cut;
use crate::grid_store::GridStore;
use crate::lake::delta::{Table, Writer};
use crate::lake::{LakeError, Positions};
use crate::metrics::chain;
use crate::records::{self, position_name};
use crate::{recover, relocate};

mod commit;
mod partitions;
mod reader;

use commit::commit;
use reader::Reader;

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
    /// A task died: one that decides, derives or measures.
    #[error("a task did not finish")]
    Died(#[from] tokio::task::JoinError),
}

impl ConsumeError {
    /// Whether nothing was committed because another process has partitions we believed ours.
    pub const fn is_fenced(&self) -> bool {
        matches!(self, Self::Lake(error) if error.is_fenced())
    }

    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Log(error) => error.remedy(),
            Self::Lake(error) => error.remedy(),
            Self::Read(_) | Self::File { .. } => Remedy::Fix,
            Self::Died(_) => Remedy::Bug,
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
    /// The cut readers now see; where the cells are derived elsewhere, how far this process has come.
    pub cut: Cut,
    /// From the first of its records read to the cut.
    pub took: Duration,
    /// The log may hold more, which is taken at once.
    pub behind: bool,
}

/// What came of a step.
#[derive(Debug)]
pub enum Step {
    /// So many records were committed.
    Committed(u64),
    /// Another process has partitions we believed ours; nothing was committed.
    Overtaken(ConsumeError),
    /// The log is away, or other writers crowd the table; try again.
    Waits(ConsumeError),
}

/// Pause before a log that is away is asked again.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Says that consuming waits, and waits.
pub(crate) async fn wait_out(error: &ConsumeError) {
    tracing::warn!(error = %chain(error), "consuming waits and tries again");
    tokio::time::sleep(RETRY_PAUSE).await;
}

/// Ticks that keep their distance when one is missed.
pub(crate) fn ticks(interval: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// Consumes the log into the lake.
#[derive(Debug)]
pub struct Consumer {
    reader: Reader,
    records: Table,
    writer: Writer,
    cells_writer: Writer,
    /// `None` where several processes share the partitions and one of them derives the cells (see [`crate::derive`]).
    cells: Option<Table>,
    lake: PathBuf,
    clock: Arc<dyn Clock>,
    offsets: Offsets,
    skipped: Offsets,
    cut: Cut,
}

impl Consumer {
    /// Opens the lake for a process that has every partition to itself: takes positions, ids and watermarks from it, and mends
    /// `cells` if a crash left it behind.
    ///
    /// # Errors
    /// The lake or the log cannot be read; the log no longer holds, or never held, the position the lake stands at.
    pub async fn open(log: Arc<dyn EventLog>, lake: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConsumeError> {
        let mut consumer = Self::join(Arc::clone(&log), lake, clock).await?;
        let mut cells = Table::open(cells::spec(lake)).await?;
        let all = every_partition(log.as_ref(), &topic::ALL).await?;
        consumer.take_over(all.clone()).await?;
        let covered = positions_of(&mut cells, &all).await?;
        recover::cells(&consumer.records, &mut cells, &covered, &consumer.offsets).await?;
        relocate::rebuild_cells(&mut consumer.records, &mut cells, &consumer.offsets).await?;
        consumer.cells = Some(cells);
        consumer.publish(consumer.reader.watermarks())?;
        Ok(consumer)
    }

    /// Opens the lake for a process that shares the partitions with others: it has none until [`Consumer::step`] gives it some,
    /// and commits `records` alone.
    ///
    /// # Errors
    /// The lake cannot be opened.
    pub async fn join(log: Arc<dyn EventLog>, lake: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConsumeError> {
        std::fs::create_dir_all(lake).map_err(|source| ConsumeError::File { path: lake.to_owned(), source })?;
        let (records, cells) = (Table::open(records::spec(lake)).await?, Table::open(cells::spec(lake)).await?);
        let grids = GridStore::open(lake).map_err(|source| ConsumeError::File { path: lake.to_owned(), source })?;
        let (offsets, skipped, cut) = (Offsets::default(), Offsets::default(), Cut::default());
        let (reader, writer, cells_writer, lake) = (Reader::new(log, grids), records.writer(), cells.writer(), lake.to_owned());
        Ok(Self { reader, records, writer, cells_writer, cells: None, lake, clock, offsets, skipped, cut })
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
        let on_turn = &mut |_: &Self, turn: &Turn| {
            on_turn(turn);
            true
        };
        self.turns(true, on_turn).await
    }

    /// Commits what the log holds in one turn, or in several: until nothing is left, or while there is a backlog, `on_turn` says to go on
    /// with it, and the partitions stay ours.
    async fn turns(&mut self, until_empty: bool, on_turn: &mut impl FnMut(&Self, &Turn) -> bool) -> Result<u64, ConsumeError> {
        let (mut total, mut wanted) = (0, true);
        let mut began = Instant::now();
        let mut pending = self.reader.decide(&self.writer).await?;
        while let Some(batch) = pending {
            let reading_next = Instant::now();
            let watermarks = self.reader.watermarks();
            let behind = batch.backlog;
            let go_on = until_empty || (behind && wanted && self.keeps().await);
            let (reader, writer) = (&mut self.reader, &self.writer);
            let decide = async { if go_on { reader.decide(writer).await } else { Ok(None) } };
            // The next batch is decided while this one is committed; neither touches what the other holds.
            let (next, turn) = tokio::join!(
                decide,
                commit(&mut self.records, self.cells.as_mut(), &self.cells_writer, batch, &mut self.offsets, &mut self.skipped)
            );
            let (records, tallies) = turn?;
            self.publish(watermarks)?;
            self.report().await;
            total += records;
            let turn = Turn { records, tallies: tallies.into(), cut: self.cut.clone(), took: began.elapsed(), behind };
            wanted = on_turn(self, &turn);
            (pending, began) = (next?, reading_next);
        }
        Ok(total)
    }

    /// Tells the group how far the table stands: for tools that show lag, never to start from.
    async fn report(&self) {
        if let Err(error) = self.reader.log.report(&self.offsets).await {
            tracing::debug!(error = %chain(&error), "the group was not told how far the table stands");
        }
    }

    /// Consumes until `stop` resolves: a turn each `interval` while records come, at once while there is a backlog. A log that is
    /// away is waited out.
    ///
    /// # Errors
    /// As [`Consumer::drain`].
    pub async fn run(
        &mut self,
        interval: Duration,
        stop: impl Future<Output = ()>,
        mut on_turn: impl FnMut(&Turn),
    ) -> Result<(), ConsumeError> {
        let mut ticks = ticks(interval);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => {
                    self.drain(&mut on_turn).await?;
                    return Ok(());
                }
                _ = ticks.tick() => {}
            }
            let on_turn = &mut |_: &Self, turn: &Turn| {
                on_turn(turn);
                true
            };
            match self.step(on_turn).await? {
                Step::Committed(_) => {}
                Step::Overtaken(error) => return Err(error),
                Step::Waits(error) => wait_out(&error).await,
            }
        }
    }

    /// Follows the assignment and commits what there is, of a backlog as long as `on_turn` says to go on; lets go of everything where that
    /// did not go through.
    ///
    /// # Errors
    /// A person must act.
    pub async fn step(&mut self, on_turn: &mut impl FnMut(&Self, &Turn) -> bool) -> Result<Step, ConsumeError> {
        let done = match self.follow().await {
            Ok(()) => self.turns(false, on_turn).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(records) => Ok(Step::Committed(records)),
            Err(error) if error.is_fenced() => {
                self.let_go();
                Ok(Step::Overtaken(error))
            }
            Err(error) if error.remedy() == Remedy::Retry => {
                self.let_go();
                Ok(Step::Waits(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Locates events that have no grid again; `session` has the functions over the newest grids. The consumer ends with it, because
    /// what it remembers of those events is of before.
    ///
    /// # Errors
    /// The lake cannot be read or written.
    pub async fn locate_again(mut self, session: &SessionContext) -> Result<u64, ConsumeError> {
        let Some(cells) = self.cells.as_mut() else { return Ok(0) };
        let found = relocate::run(session, &mut self.records, cells, &self.offsets).await?;
        self.publish(self.reader.watermarks())?;
        Ok(found)
    }

    /// Tells readers of the cut; where the cells are derived elsewhere, they are told there.
    fn publish(&mut self, watermarks: Newest) -> Result<(), ConsumeError> {
        self.cut = Cut {
            records: self.records.version(),
            cells: self.cells.as_ref().map_or(0, Table::version),
            offsets: self.offsets.iter().map(|(partition, next)| (partition.to_string(), next)).collect(),
            skipped: self.skipped.total(),
            watermarks,
            committed_at: self.clock.now(),
        };
        if self.cells.is_none() {
            return Ok(());
        }
        self.cut.publish(&self.lake).map_err(|source| ConsumeError::File { path: self.lake.join("cut.json"), source })
    }
}

/// Offsets as positions of a commit.
pub fn positions(offsets: &Offsets) -> Positions {
    offsets.iter().map(|(partition, next)| (position_name(partition), next.cast_signed())).collect()
}

pub(crate) async fn positions_of(table: &mut Table, all: &BTreeSet<TopicPartition>) -> Result<Offsets, LakeError> {
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
