//! Cells and cut where several processes write `records`: one of them follows the table and derives both from its rows.
//!
//! Writers of a group commit `records` side by side, so no two versions of the tables would ever cover the same offsets if each
//! wrote its own cells. Here one process takes the newest version of `records`, computes the cells of the rows that are new in it,
//! and publishes the cut; every cut is then one that `records` really had. What it committed itself it has decided itself ([`own`]), so
//! only the files of other members are read. If two processes believe they are that one, the second
//! commit to `cells` is refused (its position `records` was moved), and nothing is published.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, Utc};
use contract::clock::Clock;
use contract::log::{EventLog, every_partition};
use contract::{Offsets, TopicPartition, topic};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::cells::{self, Missing, RECORDS_VERSION};
use crate::consume::{ConsumeError, positions, positions_of};
use crate::cut::Cut;
use crate::lake::delta::{Change, Table};
use crate::lake::scan::PinnedTable;
use crate::lake::{DataFile, Snapshot};
use crate::records::{self, position_name, skipped_name};

pub mod own;

use own::{OwnCommit, OwnCommits};

/// Follows `records` and derives what belongs to it.
#[derive(Debug)]
pub struct Deriver {
    lake: PathBuf,
    clock: Arc<dyn Clock>,
    own: Arc<OwnCommits>,
    begun: u64,
    runtime: Arc<RuntimeEnv>,
    partitions: BTreeSet<TopicPartition>,
    records: Table,
    cells: Table,
    /// Offsets `cells` covers.
    covered: Offsets,
    /// Newest `occurred_at` by source, of the rows below `watched`.
    watermarks: BTreeMap<String, DateTime<Utc>>,
    watched: Offsets,
    /// Version of `records` of the cut, and its files.
    version: Option<u64>,
    files: HashSet<String>,
    /// The newest cut this process published.
    cut: Option<Cut>,
}

fn of_cut(lake: &Path, source: std::io::Error) -> ConsumeError {
    ConsumeError::File { path: lake.join("cut.json"), source }
}

/// The watermarks of the published cut and the offsets they know of, so that a new leader does not read all the rows there ever were. Without
/// one that can be read it does.
fn watermarks(lake: &Path, partitions: &BTreeSet<TopicPartition>) -> (BTreeMap<String, DateTime<Utc>>, Offsets) {
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
    /// Takes from the lake how far the cells have come; `own` is where this process says what it commits.
    ///
    /// # Errors
    /// The lake or the log cannot be read.
    pub async fn open(log: &dyn EventLog, lake: &Path, clock: Arc<dyn Clock>, own: Arc<OwnCommits>) -> Result<Self, ConsumeError> {
        let records = Table::open(records::spec(lake)).await?;
        let mut cells = Table::open(cells::spec(lake)).await?;
        let partitions = every_partition(log, &topic::ALL).await?;
        let covered = positions_of(&mut cells, &partitions).await?;
        Cut::tidy(lake).map_err(|source| of_cut(lake, source))?;
        // Known from here on, so that a commit of another process is noticed.
        cells.position(RECORDS_VERSION).await?;
        let (watermarks, watched) = watermarks(lake, &partitions);
        let (runtime, version, files, cut) = (Arc::new(RuntimeEnv::default()), None, HashSet::new(), None);
        let begun = own.begin();
        let lake = lake.to_owned();
        Ok(Self { lake, clock, own, begun, runtime, partitions, records, cells, covered, watermarks, watched, version, files, cut })
    }

    /// Brings cells and cut to the newest version of `records`; `None` when there is no newer one.
    ///
    /// # Errors
    /// The lake cannot be read or written; another process derives too.
    pub async fn step(&mut self) -> Result<Option<Cut>, ConsumeError> {
        let began = Instant::now();
        self.records.refresh(None).await?;
        if self.version == Some(self.records.version()) {
            self.stand_by()?;
            return Ok(None);
        }
        let reached = positions_of(&mut self.records, &self.partitions).await?;
        let snapshot = self.records.snapshot()?;
        // Watermarks and cells stand together except where another process began one of them.
        let together = self.watched == self.covered;
        let own = self.own_commits(&snapshot, together);
        let known: HashSet<&str> = own.iter().flat_map(|commit| &commit.files).map(String::as_str).collect();
        let added: Arc<[_]> =
            snapshot.files.iter().filter(|file| !self.files.contains(&file.path) && !known.contains(file.path.as_str())).cloned().collect();
        let reads = !(together && added.is_empty());
        let session = if reads { Some(self.session(&snapshot, added)?) } else { None };
        if let Some(session) = session.as_ref().filter(|_| !together) {
            self.advance_watermarks(session, &reached).await?;
        }
        if !self.covered.covers(&reached) || self.covered.iter().count() != reached.iter().count() {
            let Missing { parts, newest } = match &session {
                Some(session) => cells::missing(session, &self.covered, &reached).await?,
                None => Missing::default(),
            };
            if together {
                self.take_newest(newest, &reached);
            }
            let mut pieces = vec![parts];
            for OwnCommit { parts, newest, .. } in own {
                pieces.extend(parts);
                self.take_newest(newest, &reached);
            }
            let mut positions = positions(&reached);
            positions.insert(RECORDS_VERSION.to_owned(), snapshot.version.cast_signed());
            self.cells.commit(Change { rows: vec![cells::batch(&pieces)], positions, ..Change::default() }).await?;
            self.covered = reached;
        }
        self.files = snapshot.files.iter().map(|file| file.path.clone()).collect();
        self.version = Some(snapshot.version);
        let cut = Cut {
            records: snapshot.version,
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
            reads,
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

    /// What this process committed since the former cut; nothing where its rows have to be read all the same: at the first cut, where
    /// watermarks are read, and where upkeep has already put some of them into other files.
    fn own_commits(&self, snapshot: &Snapshot, together: bool) -> Vec<OwnCommit> {
        let own = self.own.take(self.version.unwrap_or(snapshot.version), snapshot.version);
        let present: HashSet<&str> = snapshot.files.iter().map(|file| file.path.as_str()).collect();
        let stands = own.iter().flat_map(|commit| &commit.files).all(|file| present.contains(file.as_str()));
        if together && stands { own } else { Vec::new() }
    }

    /// `records` at its newest version, and as `added` the files of it that are to be read.
    fn session(&self, snapshot: &Snapshot, added: Arc<[DataFile]>) -> Result<SessionContext, ConsumeError> {
        let session = SessionContext::new_with_config_rt(SessionConfig::new().with_target_partitions(2), Arc::clone(&self.runtime));
        let added = Snapshot { files: added, ..snapshot.clone() };
        session.register_table("records", Arc::new(PinnedTable::new(snapshot.clone(), Some("occurred_at"))))?;
        session.register_table("added", Arc::new(PinnedTable::new(added, Some("occurred_at"))))?;
        Ok(session)
    }

    async fn advance_watermarks(&mut self, session: &SessionContext, reached: &Offsets) -> Result<(), ConsumeError> {
        if !reached.covers(&self.watched) {
            // A cut of another lake, or of one that was put back to an earlier state: every row counts.
            (self.watermarks, self.watched) = (BTreeMap::new(), Offsets::default());
        }
        let newest = cells::missing(session, &self.watched, reached).await?.newest;
        self.take_newest(newest, reached);
        Ok(())
    }

    /// Takes over the newest instants of rows up to `reached`.
    fn take_newest(&mut self, newest: BTreeMap<String, DateTime<Utc>>, reached: &Offsets) {
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

impl Drop for Deriver {
    fn drop(&mut self) {
        self.own.end(self.begun);
    }
}
