//! Cells and cut where several processes write `records`: one of them follows the table and derives both from its rows.
//!
//! Writers of a group commit `records` side by side, so no two versions of the tables would ever cover the same offsets if each
//! committed its own cells. Here one process takes the newest version of `records`, adds the cells that were prepared with the rows new
//! in it ([`crate::cells::Prepared`]), and publishes the cut; every cut is then one that `records` really had. If two processes believe
//! they are that one, the second commit to `cells` is refused (its position `records` was moved), and nothing is published.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use contract::clock::Clock;
use contract::log::{EventLog, every_partition};
use contract::{Offsets, TopicPartition, topic};

use crate::cells::{self, Newest, RECORDS_VERSION, missing};
use crate::consume::{ConsumeError, positions_of};
use crate::cut::Cut;
use crate::lake::delta::Table;
use crate::records::{self, position_name, skipped_name};
use crate::recover;

/// Follows `records` and derives what belongs to it.
#[derive(Debug)]
pub struct Deriver {
    lake: PathBuf,
    clock: Arc<dyn Clock>,
    partitions: BTreeSet<TopicPartition>,
    records: Table,
    cells: Table,
    /// Offsets `cells` covers.
    covered: Offsets,
    /// Newest `occurred_at` by source, of the rows below `watched`.
    watermarks: Newest,
    watched: Offsets,
    /// The newest cut this process published.
    cut: Option<Cut>,
}

fn of_cut(lake: &Path, source: std::io::Error) -> ConsumeError {
    ConsumeError::File { path: lake.join("cut.json"), source }
}

/// The watermarks of the published cut and the offsets they know of, so that a new leader does not read all the rows there ever were. Without
/// one that can be read it does.
fn watermarks(lake: &Path, partitions: &BTreeSet<TopicPartition>) -> (Newest, Offsets) {
    let Ok(Some(cut)) = Cut::read(lake) else { return Default::default() };
    let mut watched = Offsets::default();
    for partition in partitions {
        if let Some(next) = cut.offsets.get(&position_name(partition)) {
            watched.advance(partition.clone(), *next);
        }
    }
    (cut.watermarks, watched)
}

impl Deriver {
    /// Takes from the lake how far the cells have come.
    ///
    /// # Errors
    /// The lake or the log cannot be read.
    pub async fn open(log: &dyn EventLog, lake: &Path, clock: Arc<dyn Clock>) -> Result<Self, ConsumeError> {
        let records = Table::open(records::spec(lake)).await?;
        let mut cells = Table::open(cells::spec(lake)).await?;
        let partitions = every_partition(log, &topic::ALL).await?;
        let covered = positions_of(&mut cells, &partitions).await?;
        Cut::tidy(lake).map_err(|source| of_cut(lake, source))?;
        // Known from here on, so that a commit of another process is noticed.
        cells.position(RECORDS_VERSION).await?;
        let (watermarks, watched) = watermarks(lake, &partitions);
        Ok(Self { lake: lake.to_owned(), clock, partitions, records, cells, covered, watermarks, watched, cut: None })
    }

    /// Brings cells and cut to the newest version of `records`; `None` when there is no newer one.
    ///
    /// # Errors
    /// The lake cannot be read or written; another process derives too.
    pub async fn step(&mut self) -> Result<Option<Cut>, ConsumeError> {
        let began = Instant::now();
        self.records.refresh(None).await?;
        if self.cut.as_ref().is_some_and(|cut| cut.records == self.records.version()) {
            self.stand_by()?;
            return Ok(None);
        }
        let reached = positions_of(&mut self.records, &self.partitions).await?;
        // Watermarks and cells stand together except where another process began one of them.
        if self.watched != self.covered {
            self.advance_watermarks(&reached).await?;
        }
        if let Some(newest) = missing::catch_up(&self.records, &mut self.cells, &self.covered, &reached).await? {
            self.take_newest(newest, &reached);
            self.covered = reached;
        }
        let cut = Cut {
            records: self.records.version(),
            cells: self.cells.version(),
            offsets: self.covered.iter().map(|(partition, next)| (position_name(partition), next)).collect(),
            skipped: self.skipped().await?,
            watermarks: self.watermarks.clone(),
            committed_at: self.clock.now(),
        };
        cut.publish(&self.lake).map_err(|source| of_cut(&self.lake, source))?;
        tracing::debug!(
            records = cut.records,
            cells = cut.cells,
            took_ms = began.elapsed().as_millis(),
            "derived cells and published the cut"
        );
        self.cut = Some(cut.clone());
        Ok(Some(cut))
    }

    /// Publishes the cut again where a process that hung before its last word has put an older one in its place.
    fn stand_by(&self) -> Result<(), ConsumeError> {
        let Some(cut) = &self.cut else { return Ok(()) };
        let published = Cut::read(&self.lake).map_err(|source| of_cut(&self.lake, source))?;
        if published.is_none_or(|published| published.records < cut.records) {
            tracing::warn!("an older cut stood in the place of the newest; publishing it again");
            cut.publish(&self.lake).map_err(|source| of_cut(&self.lake, source))?;
        }
        Ok(())
    }

    async fn advance_watermarks(&mut self, reached: &Offsets) -> Result<(), ConsumeError> {
        if !reached.covers(&self.watched) {
            // A cut of another lake, or of one that was put back to an earlier state: every row counts.
            (self.watermarks, self.watched) = (Newest::new(), Offsets::default());
        }
        let newest = missing::computed(&recover::session(&self.records)?, &self.watched, reached).await?.newest;
        self.take_newest(newest, reached);
        Ok(())
    }

    /// Takes over the newest instants of rows up to `reached`.
    fn take_newest(&mut self, newest: Newest, reached: &Offsets) {
        newest.into_iter().for_each(|(source, at)| cells::later(&mut self.watermarks, source, at));
        self.watched = reached.clone();
    }

    async fn skipped(&mut self) -> Result<u64, ConsumeError> {
        let mut total = 0;
        for partition in &self.partitions {
            total += self.records.position(&skipped_name(partition)).await?.map_or(0, i64::cast_unsigned);
        }
        Ok(total)
    }
}
