//! A member with a long backlog: it hears of the group and leads meanwhile, and ends when it is told to.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use analytics::consume::{Consumer, Step, Turn};
use analytics::cut::Cut;
use analytics::derive::Deriver;
use analytics::engine::EngineSettings;
use analytics::metrics::Metrics;
use analytics::session::SessionSettings;
use analytics::{check, member};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::{Clock, ManualClock};
use contract::log::memory::MemoryLog;
use contract::log::{Batch, EventLog, LogError, LogLimits, Position, Record, TopicSpec, every_partition};
use contract::{DeliveryRules, Envelope, Event, Offsets, TopicPartition, topic};
use tokio::sync::watch;

/// Calls, and the bytes of each: four turns of a member, to whom each is mostly room between two brackets.
const CALLS: usize = 240;
const CALL_BYTES: usize = 1_000_000;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A log shared by a group that gives this member what it likes.
#[derive(Debug)]
struct Shared {
    log: MemoryLog,
    assigned: Mutex<BTreeSet<TopicPartition>>,
    /// Whoever asks for this offset or a later one waits.
    withheld_from: watch::Sender<u64>,
}

#[async_trait]
impl EventLog for Shared {
    async fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), LogError> {
        self.log.ensure_topic(spec).await
    }
    async fn partitions(&self, topic: &str) -> Result<u32, LogError> {
        self.log.partitions(topic).await
    }
    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        self.log.append(topic, records).await
    }
    async fn fetch(&self, topic: &str, partition: u32, from: u64, bytes_max: usize, wait: Duration) -> Result<Batch, LogError> {
        drop(self.withheld_from.subscribe().wait_for(|withheld| from < *withheld).await);
        self.log.fetch(topic, partition, from, bytes_max, wait).await
    }
    async fn watermarks(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        self.log.watermarks(topic, partition).await
    }
    async fn truncate_before(&self, topic: &str, partition: u32, offset: u64) -> Result<(), LogError> {
        self.log.truncate_before(topic, partition, offset).await
    }
    async fn retain(&self, now_micros: i64, keep_from: &Offsets) -> Result<u64, LogError> {
        self.log.retain(now_micros, keep_from).await
    }
    async fn assigned(&self, _: &[&str]) -> Result<BTreeSet<TopicPartition>, LogError> {
        Ok(self.assigned.lock().unwrap().clone())
    }
}

impl Shared {
    /// A log with that backlog, all of it given to the member.
    async fn with_a_backlog(now: DateTime<Utc>) -> Arc<Self> {
        let log = MemoryLog::new(ManualClock::at(now), LogLimits::default());
        for name in topic::ALL {
            log.ensure_topic(&TopicSpec { name: name.into(), partitions: 2, retention_age: None, retention_bytes: None }).await.unwrap();
        }
        for nth in 0..CALLS {
            let at = (now - TimeDelta::hours(1)).to_rfc3339();
            let json = format!(
                r#"{{"event_id":"e{nth}","source":"desk","kind":"hotline_call","occurred_at":"{at}","case_id":"c{nth}","grid_id":"g{}"}}"#,
                nth % 3
            );
            let event = Event::from_json(json.as_bytes(), now).unwrap();
            let Envelope { topic, mut record } = Envelope::event(&event, &DeliveryRules::default());
            let room = CALL_BYTES - record.value.len();
            record.value = [&*record.value, &vec![b' '; room]].concat().into();
            log.append(topic, vec![record]).await.unwrap();
        }
        let assigned = Mutex::new(every_partition(&log, &topic::ALL).await.unwrap());
        Arc::new(Self { log, assigned, withheld_from: watch::Sender::new(u64::MAX) })
    }

    /// Gives the member no more of the calls than their first partition.
    fn takes_a_partition_away(&self) {
        self.assigned.lock().unwrap().remove(&TopicPartition::new(topic::ALL[0], 1));
    }
}

async fn joined(log: &Arc<Shared>, lake: &Path, now: DateTime<Utc>) -> Consumer {
    Consumer::join(Arc::clone(log) as Arc<dyn EventLog>, lake, ManualClock::at(now) as Arc<dyn Clock>).await.unwrap()
}

/// Steps once; answers how many were committed, in how many turns.
async fn step(member: &mut Consumer, mut on_turn: impl FnMut(&Consumer, &Turn) -> bool) -> (u64, u32) {
    let mut turns = 0;
    let on_turn = &mut |member: &Consumer, turn: &Turn| {
        turns += 1;
        on_turn(member, turn)
    };
    let Step::Committed(records) = member.step(on_turn).await.unwrap() else { panic!("the member was overtaken") };
    (records, turns)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_taken_away_in_a_backlog_is_let_go_of_before_the_backlog_ends() {
    let (folder, now) = (tempfile::tempdir().unwrap(), "2026-03-01T08:00:00Z".parse().unwrap());
    let log = Shared::with_a_backlog(now).await;
    let mut ours = joined(&log, folder.path(), now).await;
    let (first, turns) = step(&mut ours, |_, _| {
        log.takes_a_partition_away();
        true
    })
    .await;
    // The turn that was decided meanwhile is committed too.
    assert!(turns <= 2 && first < CALLS as u64, "{first} of {CALLS} in {turns} turns");
    let mut of_the_rest = 0;
    loop {
        let (records, _) = step(&mut ours, |_, _| true).await;
        of_the_rest += records;
        if records == 0 {
            break;
        }
    }
    assert!(!ours.holds(&TopicPartition::new(topic::ALL[0], 1)) && first + of_the_rest < CALLS as u64);

    // Whoever is given it goes on where the table stands; nothing is missing or twice.
    *log.assigned.lock().unwrap() = [TopicPartition::new(topic::ALL[0], 1)].into();
    let mut others = joined(&log, folder.path(), now).await;
    let (theirs, _) = step(&mut others, |_, _| true).await;
    assert_eq!(first + of_the_rest + theirs, CALLS as u64);
    let mut leader = Deriver::open(log.as_ref(), folder.path(), ManualClock::at(now) as Arc<dyn Clock>).await.unwrap();
    leader.step().await.unwrap();
    let findings = check::run(folder.path(), Some(log.as_ref())).await.unwrap();
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.holds).collect();
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_backlog_knows_whether_it_leads_and_ends_in_the_middle_when_told_to() {
    let (folder, now) = (tempfile::tempdir().unwrap(), "2026-03-01T08:00:00Z".parse().unwrap());
    let log = Shared::with_a_backlog(now).await;
    let mut ours = joined(&log, folder.path(), now).await;
    let (records, turns) = step(&mut ours, |member, turn| {
        assert!(turn.behind && member.holds(&TopicPartition::new(topic::QUARANTINE, 0)), "who leads is known");
        false
    })
    .await;
    // The turn that was decided while the first one was committed is committed too.
    assert!(turns == 2 && records < CALLS as u64, "{records} of {CALLS} in {turns} turns");
    let (rest, _) = step(&mut ours, |_, _| true).await;
    assert_eq!(records + rest, CALLS as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_a_backlog_leads_meanwhile_and_readers_see_what_has_come() {
    let (folder, now) = (tempfile::tempdir().unwrap(), "2026-03-01T08:00:00Z".parse().unwrap());
    let log = Shared::with_a_backlog(now).await;
    // Two turns and some more of the four there are.
    log.withheld_from.send_replace(100);
    let lake = folder.path().to_owned();
    let (clock, (stop, stopped)) = (ManualClock::at(now) as Arc<dyn Clock>, watch::channel(false));
    let settings = EngineSettings { lake: lake.clone(), commit_interval: Duration::from_millis(50), session: SessionSettings::default() };
    let shared = Arc::clone(&log) as Arc<dyn EventLog>;
    let running = tokio::spawn(member::run(shared, settings, Vec::new(), clock, Metrics::new("0", "0"), stopped));
    let seen = |at_least: u64| {
        let lake = lake.clone();
        let published = async move {
            loop {
                let offsets = Cut::read(&lake).unwrap().unwrap_or_default().offsets;
                let calls = offsets.values().sum::<u64>();
                if calls >= at_least {
                    return calls;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, published)
    };
    let meanwhile = seen(1).await.expect("nothing was published while the backlog went on");
    assert!(meanwhile < CALLS as u64, "{meanwhile} of {CALLS}");
    log.withheld_from.send_replace(u64::MAX);
    assert_eq!(seen(CALLS as u64).await.unwrap(), CALLS as u64);
    stop.send_replace(true);
    running.await.unwrap().unwrap();
    let findings = check::run(&lake, Some(log.as_ref())).await.unwrap();
    let broken: Vec<_> = findings.iter().filter(|finding| !finding.holds).collect();
    assert!(broken.is_empty(), "{broken:?}");
}
