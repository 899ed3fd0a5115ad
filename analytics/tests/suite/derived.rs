//! Cells derived by a leader beside other writers: from what they prepared, from their rows, and across upkeep.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics::consume::{Consumer, Step};
use analytics::derive::Deriver;
use analytics::{check, engine};
use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::{Clock, ManualClock};
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits, TopicSpec};
use contract::{DeliveryRules, Envelope, Event, topic};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Enough that upkeep merges files several times.
const TURNS: u32 = 160;

fn start() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

/// A call; one in four has the id of one before, with the same body or another.
fn call(dice: &mut ChaCha8Rng, nth: u32) -> Event {
    let id = if dice.random_bool(0.25) { dice.random_range(0..=nth) } else { nth };
    let at = start() + TimeDelta::minutes(i64::from(id) * 17 % 4_000);
    let (category, grid) = (dice.random_range(0..2), id % 5);
    let json = format!(
        r#"{{"event_id":"e{id}","source":"desk","kind":"hotline_call","occurred_at":"{}","case_id":"c{id}","category":"k{category}","grid_id":"g{grid}"}}"#,
        at.to_rfc3339()
    );
    Event::from_json(json.as_bytes(), at).unwrap()
}

struct Desk {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    lake: PathBuf,
}

impl Desk {
    async fn open(lake: &Path) -> Self {
        let clock = ManualClock::at(start() + TimeDelta::days(10)) as Arc<dyn Clock>;
        let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(Arc::clone(&clock), LogLimits::default()));
        for name in topic::ALL {
            log.ensure_topic(&TopicSpec { name: name.into(), partitions: 2, retention_age: None, retention_bytes: None }).await.unwrap();
        }
        Self { log, clock, lake: lake.to_owned() }
    }

    async fn member(&self) -> Consumer {
        Consumer::join(Arc::clone(&self.log), &self.lake, Arc::clone(&self.clock)).await.unwrap()
    }

    async fn leader(&self) -> Deriver {
        Deriver::open(self.log.as_ref(), &self.lake, Arc::clone(&self.clock)).await.unwrap()
    }

    async fn append(&self, event: &Event) {
        let Envelope { topic, record } = Envelope::event(event, &DeliveryRules::default());
        self.log.append(topic, vec![record]).await.unwrap();
    }

    /// Every rule of `gridwatch check` holds; among them that the cells are what the events come to.
    async fn holds(&self) {
        let findings = check::run(&self.lake, Some(self.log.as_ref())).await.unwrap();
        let broken: Vec<_> = findings.iter().filter(|finding| !finding.holds).collect();
        assert!(broken.is_empty(), "{broken:?}");
    }
}

/// Commits what the log holds; a member whose partitions another has written to meanwhile reads anew where they stand.
async fn commit(member: &mut Consumer) {
    while let Step::Overtaken(_) = member.step(&mut |_, _| true).await.unwrap() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_beside_another_writer_has_the_cells_of_every_row_whoever_committed_it() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).await;
    let (mut ours, mut others) = (desk.member().await, desk.member().await);
    let mut leader = desk.leader().await;
    let mut dice = ChaCha8Rng::seed_from_u64(11);
    for turn in 0..TURNS {
        for nth in 0..dice.random_range(1..4) {
            desk.append(&call(&mut dice, turn * 4 + nth)).await;
        }
        commit(if dice.random_bool(0.7) { &mut ours } else { &mut others }).await;
        if dice.random_bool(0.5) {
            leader.step().await.unwrap();
        }
        if turn % 40 == 39 {
            // Merges files the leader has not seen yet with others it has.
            engine::upkeep_once(&desk.lake, TimeDelta::days(1)).await.unwrap();
        }
        if turn % 50 == 49 {
            leader.step().await.unwrap();
            desk.holds().await;
        }
        if turn == TURNS / 2 {
            // Another process leads from here on.
            leader = desk.leader().await;
            std::mem::swap(&mut ours, &mut others);
        }
    }
    leader.step().await.unwrap();
    desk.holds().await;
}

/// Files of a table's folder, in any of its folders, that end so.
fn below(folder: &Path, ending: &str) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.insert(path);
        }
    }
    found
}

/// Puts the files of `records` out of sight while `step` goes on: whoever opens one fails.
async fn unseen<T>(lake: &Path, step: impl Future<Output = T>) -> T {
    let files = below(&lake.join("records"), ".parquet");
    files.iter().for_each(|file| std::fs::rename(file, file.with_extension("hidden")).unwrap());
    let done = step.await;
    files.iter().for_each(|file| std::fs::rename(file.with_extension("hidden"), file).unwrap());
    done
}

/// Takes what its newest commit says of cells out of the log of `records`, as if a former build had made it.
fn says_nothing(lake: &Path) {
    let entry = below(&lake.join("records/_delta_log"), ".json").pop_last().unwrap();
    let mut said = false;
    let text = std::fs::read_to_string(&entry).unwrap();
    let lines = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        said |= line.get_mut("commitInfo").is_some_and(|info| info.as_object_mut().unwrap().remove("gridwatch").is_some());
        format!("{line}\n")
    });
    let lines: String = lines.collect();
    assert!(said, "{} says nothing of cells", entry.display());
    std::fs::write(entry, lines).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cells_are_taken_as_whoever_committed_the_rows_prepared_them_and_computed_where_that_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).await;
    let (mut ours, mut others) = (desk.member().await, desk.member().await);
    let mut leader = desk.leader().await;
    let mut dice = ChaCha8Rng::seed_from_u64(12);
    for (nth, member) in (0..).zip([&mut ours, &mut others]) {
        desk.append(&call(&mut dice, nth)).await;
        commit(member).await;
    }
    assert!(unseen(&desk.lake, leader.step()).await.unwrap().is_some());
    desk.holds().await;

    // Another leader goes on where the cells stand, without a row of what came before.
    desk.append(&call(&mut dice, 2)).await;
    commit(&mut others).await;
    let mut leader = desk.leader().await;
    unseen(&desk.lake, leader.step()).await.unwrap();
    desk.holds().await;

    desk.append(&call(&mut dice, 3)).await;
    commit(&mut ours).await;
    says_nothing(&desk.lake);
    unseen(&desk.lake, leader.step()).await.unwrap_err();
    leader.step().await.unwrap();
    desk.holds().await;

    let before = below(&desk.lake.join("cells"), ".parquet");
    desk.append(&call(&mut dice, 4)).await;
    commit(&mut others).await;
    let prepared = &below(&desk.lake.join("cells"), ".parquet") - &before;
    assert!(!prepared.is_empty());
    prepared.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    unseen(&desk.lake, leader.step()).await.unwrap_err();
    leader.step().await.unwrap();
    desk.holds().await;
}
