//! What this process committed to `records` itself, kept until its cells are derived: nobody has to read back what was just decided here.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use deciding::rows::CellParts;

/// Commits kept at most: minutes of a leader that does not get on. What is beyond is read from the files.
const KEPT_MAX: usize = 256;

/// A commit of this process.
#[derive(Debug)]
pub(crate) struct OwnCommit {
    /// The version of `records` it made.
    pub(crate) version: u64,
    /// The files it added.
    pub(crate) files: Vec<String>,
    /// What its rows come to, as they were decided.
    pub(crate) parts: Vec<CellParts>,
    /// Newest accepted `occurred_at` by source.
    pub(crate) newest: BTreeMap<String, DateTime<Utc>>,
}

/// The commits of this process, where it derives. Each may be missing: it is then read from its files like another member's.
#[derive(Debug, Default)]
pub struct OwnCommits(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    /// How often somebody began to ask for them.
    begun: u64,
    /// Whether the last who began still asks.
    asked: bool,
    commits: Vec<OwnCommit>,
}

impl OwnCommits {
    // No holder leaves anything half changed.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on commits are kept; answers what to end with.
    pub(super) fn begin(&self) -> u64 {
        let mut kept = self.kept();
        *kept = Kept { begun: kept.begun + 1, asked: true, commits: Vec::new() };
        kept.begun
    }

    /// From now on none is, unless somebody has begun anew: who led before may end late.
    pub(super) fn end(&self, begun: u64) {
        let mut kept = self.kept();
        if kept.begun == begun {
            *kept = Kept { begun, ..Kept::default() };
        }
    }

    /// Keeps a commit, where somebody asks for it.
    pub(crate) fn add(&self, commit: impl FnOnce() -> OwnCommit) {
        let mut kept = self.kept();
        if kept.asked {
            if kept.commits.len() >= KEPT_MAX {
                kept.commits.clear();
            }
            kept.commits.push(commit());
        }
    }

    /// Takes the commits after version `after` up to version `upto`; what was before is dropped.
    pub(super) fn take(&self, after: u64, upto: u64) -> Vec<OwnCommit> {
        let mut kept = self.kept();
        let (taken, later): (Vec<_>, Vec<_>) = std::mem::take(&mut kept.commits).into_iter().partition(|commit| commit.version <= upto);
        kept.commits = later;
        taken.into_iter().filter(|commit| commit.version > after).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(version: u64) -> OwnCommit {
        OwnCommit { version, files: Vec::new(), parts: Vec::new(), newest: BTreeMap::new() }
    }

    fn versions(commits: &[OwnCommit]) -> Vec<u64> {
        commits.iter().map(|commit| commit.version).collect()
    }

    #[test]
    fn commits_are_kept_from_beginning_to_end_and_given_once() {
        let own = OwnCommits::default();
        own.add(|| commit(1));
        let begun = own.begin();
        (2..8).for_each(|version| own.add(|| commit(version)));
        assert_eq!(versions(&own.take(3, 5)), [4, 5]);
        assert_eq!(versions(&own.take(5, 9)), [6, 7]);
        // One that comes when its version was passed already is not given any more.
        own.add(|| commit(8));
        assert_eq!(versions(&own.take(9, 12)), [0; 0]);
        let anew = own.begin();
        own.end(begun);
        own.add(|| commit(13));
        assert_eq!(versions(&own.take(9, 20)), [13]);
        own.end(anew);
        own.add(|| commit(21));
        assert_eq!(versions(&own.take(20, 30)), [0; 0]);
    }

    #[test]
    fn a_leader_that_does_not_get_on_fills_no_memory() {
        let own = OwnCommits::default();
        own.begin();
        (1..10_000).for_each(|version| own.add(|| commit(version)));
        assert!(own.take(0, 10_000).len() <= KEPT_MAX);
    }
}
