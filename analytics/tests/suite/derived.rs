//! Cells derived by a leader beside other writers: from what it committed itself, from the files of others, and across upkeep.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use analytics::consume::{Consumer, Step};
use analytics::derive::Deriver;
use analytics::lake::delta::Table;
use analytics::{check, engine, records};
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

    async fn leader_of(&self, member: &Consumer) -> Deriver {
        Deriver::open(self.log.as_ref(), &self.lake, Arc::clone(&self.clock), member.own_commits()).await.unwrap()
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
    while let Step::Overtaken(_) = member.step(&mut |_| (), &mut |_| true).await.unwrap() {}
}

async fn files(lake: &Path) -> Vec<PathBuf> {
    let records = Table::open(records::spec(lake)).await.unwrap();
    records.snapshot().unwrap().files.iter().map(|file| lake.join("records").join(&file.path)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_beside_another_writer_has_the_cells_of_every_row_whoever_committed_it() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).await;
    let (mut ours, mut others) = (desk.member().await, desk.member().await);
    let mut leader = desk.leader_of(&ours).await;
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
            leader = desk.leader_of(&others).await;
            std::mem::swap(&mut ours, &mut others);
        }
    }
    leader.step().await.unwrap();
    desk.holds().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_leader_committed_itself_is_not_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).await;
    let (mut ours, mut others) = (desk.member().await, desk.member().await);
    let mut leader = desk.leader_of(&ours).await;
    let mut dice = ChaCha8Rng::seed_from_u64(12);
    leader.step().await.unwrap();
    desk.append(&call(&mut dice, 1)).await;
    commit(&mut ours).await;
    // Out of sight: whoever opens one of its own files fails.
    let own = files(&desk.lake).await;
    let hidden: Vec<_> = own.iter().map(|file| file.with_extension("hidden")).collect();
    own.iter().zip(&hidden).for_each(|(file, hidden)| std::fs::rename(file, hidden).unwrap());
    assert!(leader.step().await.unwrap().is_some());
    own.iter().zip(&hidden).for_each(|(file, hidden)| std::fs::rename(hidden, file).unwrap());
    desk.holds().await;

    // The same of another's files is an error: they are read.
    desk.append(&call(&mut dice, 2)).await;
    commit(&mut others).await;
    let theirs: Vec<_> = files(&desk.lake).await.into_iter().filter(|file| !own.contains(file)).collect();
    assert!(!theirs.is_empty());
    theirs.iter().for_each(|file| std::fs::rename(file, file.with_extension("hidden")).unwrap());
    leader.step().await.unwrap_err();
    theirs.iter().for_each(|file| std::fs::rename(file.with_extension("hidden"), file).unwrap());
    leader.step().await.unwrap();
    desk.holds().await;
}
