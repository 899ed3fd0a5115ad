//! The role `analyze` in a group: commits the partitions it is given, side by side with others; one of them leads.
//!
//! The leader is whoever holds the one partition of the quarantine topic: the group gives it to one member at a time, and to
//! another when that one is gone. It derives cells and cut, runs the jobs and does the upkeep. What a member that lost its
//! partitions unnoticed still tries to commit is refused by the table, changes nothing, and makes it read anew where it stands.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use contract::clock::Clock;
use contract::log::EventLog;
use contract::{Offsets, TopicPartition, topic};
use futures::FutureExt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::consume::{ConsumeError, Consumer, Step, Turn, ticks, wait_out};
use crate::derive::Deriver;
use crate::engine::{EngineError, EngineSettings, measure, offsets_of, stopped, upkeep};
use crate::jobs::Job;
use crate::jobs::run::Scheduler;
use crate::metrics::{Metrics, chain};
use crate::session::Worlds;

/// Least time from one look for new versions of `records` to the next, and longest wait to be told of one, since other members' commits are
/// not told: half of a member's default commit interval.
const DERIVE_PAUSE: Duration = Duration::from_millis(250);
/// Least time between looks while this member is behind: nobody watches each step of catching up, and a look costs as much as some
/// thousand records.
const DERIVE_PAUSE_BEHIND: Duration = Duration::from_secs(1);
/// Pause between looks for partitions while a member has none: the group gives them within a few answers of the broker, and a member
/// that comes back under its name should not wait for its next commit to notice.
const JOIN_PAUSE: Duration = Duration::from_millis(50);
/// Pause before leading is tried again after it failed.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs the role until `stop` turns true: what was read by then, and what the log holds of no backlog, is committed before it answers.
///
/// # Errors
/// Consuming cannot go on. What another member has taken over, and a log that is away, are waited out.
pub async fn run(
    log: Arc<dyn EventLog>,
    settings: EngineSettings,
    jobs: Vec<Job>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> Result<(), EngineError> {
    let consumer = Consumer::join(Arc::clone(&log), &settings.lake, Arc::clone(&clock)).await?;
    let worlds = Worlds::open(&settings.lake, settings.session.clone()).await?;
    let ((leads, led), (behind, catches_up)) = (watch::channel(false), watch::channel(false));
    let scheduler = Scheduler::new(worlds, &settings.lake, Arc::clone(&clock), metrics.clone(), jobs)
        .publishing(Arc::clone(&log))
        .yielding(catches_up.clone());
    let committed = Arc::new(Notify::new());
    let office = Office {
        log: Arc::clone(&log),
        settings: settings.clone(),
        clock,
        metrics: metrics.clone(),
        scheduler,
        news: Arc::clone(&committed),
        catches_up,
    };
    let leader = tokio::spawn(office.while_elected(led, stop.clone()));
    let member = Member { consumer, metrics, leads, behind, committed };
    let consumed = member.consume(settings.commit_interval, stop).await;
    leader.abort();
    // Aborted or done: either way it no longer holds the lake.
    drop(leader.await);
    log.leave().await;
    Ok(consumed?)
}

/// What every member does.
struct Member {
    consumer: Consumer,
    metrics: Metrics,
    leads: watch::Sender<bool>,
    behind: watch::Sender<bool>,
    /// Told of each commit.
    committed: Arc<Notify>,
}

impl Member {
    async fn consume(mut self, interval: Duration, stop: watch::Receiver<bool>) -> Result<(), ConsumeError> {
        let (mut commits, mut looks) = (ticks(interval), ticks(JOIN_PAUSE));
        let stops = stop.clone();
        let stop = stopped(stop);
        tokio::pin!(stop);
        let mut overtaken = false;
        loop {
            // Who was overtaken reads the lake anew, and does that no more often than it commits.
            let soon = !self.consumer.holds_any() && !overtaken;
            let last = tokio::select! {
                () = &mut stop => true,
                _ = if soon { looks.tick() } else { commits.tick() } => false,
            };
            let on_turn = &mut |consumer: &Consumer, turn: &Turn| {
                self.metrics.turn_committed(turn);
                self.behind.send_replace(turn.behind);
                self.committed.notify_one();
                lead(&self.leads, consumer.holds(&leading()));
                !*stops.borrow()
            };
            let step = self.consumer.step(on_turn).await?;
            self.behind.send_replace(false);
            overtaken = matches!(step, Step::Overtaken(_));
            match step {
                // Known after a step that went through; while the log is away nobody else has become leader.
                Step::Committed(_) => lead(&self.leads, self.consumer.holds(&leading())),
                Step::Overtaken(error) => {
                    self.metrics.fenced();
                    tracing::warn!(error = %chain(&error), "another member has partitions this one believed its own; reading anew where they stand");
                }
                Step::Waits(error) => wait_out(&error).await,
            }
            if last {
                return Ok(());
            }
        }
    }
}

/// Says whether this member leads, where that has changed.
fn lead(leads: &watch::Sender<bool>, holds: bool) {
    leads.send_if_modified(|leads| std::mem::replace(leads, holds) != holds);
}

/// The partition whose holder leads.
fn leading() -> TopicPartition {
    TopicPartition::new(topic::QUARANTINE, 0)
}

/// What the leader does.
struct Office {
    log: Arc<dyn EventLog>,
    settings: EngineSettings,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    scheduler: Scheduler,
    /// Tells of this member's own commits.
    news: Arc<Notify>,
    /// Whether this member is behind.
    catches_up: watch::Receiver<bool>,
}

impl Office {
    async fn while_elected(mut self, mut led: watch::Receiver<bool>, stop: watch::Receiver<bool>) {
        loop {
            // A sender that is gone ends the role.
            if led.wait_for(|leads| *leads).await.is_err() {
                return;
            }
            tracing::info!("this member leads: it derives cells, runs the jobs and does the upkeep");
            let ended = {
                let mut voted_out = led.clone();
                tokio::select! {
                    // Whoever says that it leads is gone: the role has ended.
                    voted = voted_out.wait_for(|leads| !*leads) => match voted {
                        Ok(_) => Ok(()),
                        Err(_) => return,
                    },
                    () = stopped(stop.clone()) => return,
                    ended = self.hold() => ended,
                }
            };
            self.scheduler.fall_silent();
            self.metrics.lag_left_to_others();
            if let Err(error) = ended {
                tracing::warn!(error = %chain(&error), "leading stopped; trying again");
                tokio::time::sleep(RETRY_PAUSE).await;
            }
        }
    }

    async fn hold(&mut self) -> Result<(), ConsumeError> {
        let deriver = Deriver::open(self.log.as_ref(), &self.settings.lake, Arc::clone(&self.clock)).await?;
        let committed = Arc::new(Mutex::new(Offsets::default()));
        let (lake, never) = (self.settings.lake.clone(), std::future::pending::<()>);
        let measure = measure(Arc::clone(&self.log), lake.clone(), Arc::clone(&committed), self.metrics.clone(), never());
        // Tasks of their own, which end with this call: planning a job holds its task for a good part of a second, and whoever waits
        // beside it in the same one comes to its next step as late. A leader of ten seconds would publish no cut.
        let mut beside = JoinSet::new();
        beside.spawn(derive(deriver, committed, Arc::clone(&self.news), self.catches_up.clone()));
        beside.spawn(upkeep(lake, never()).map(Ok));
        beside.spawn(measure.map(Ok));
        tokio::select! {
            ended = beside.join_next() => match ended {
                Some(Ok(ended)) => ended,
                Some(Err(died)) => Err(died.into()),
                None => Ok(()),
            },
            () = self.scheduler.run(never()) => Ok(()),
        }
    }
}

async fn derive(
    mut deriver: Deriver,
    committed: Arc<Mutex<Offsets>>,
    news: Arc<Notify>,
    mut behind: watch::Receiver<bool>,
) -> Result<(), ConsumeError> {
    loop {
        let began = Instant::now();
        if let Some(cut) = deriver.step().await? {
            *committed.lock().unwrap_or_else(PoisonError::into_inner) = offsets_of(&cut);
        }
        // Commits of a backlog come one upon the other, and one look is enough for several.
        tokio::time::sleep(DERIVE_PAUSE.saturating_sub(began.elapsed())).await;
        drop(timeout(DERIVE_PAUSE_BEHIND.saturating_sub(began.elapsed()), behind.wait_for(|behind| !behind)).await);
        // Whether told or not in time, it is looked at.
        drop(timeout(DERIVE_PAUSE, news.notified()).await);
    }
}
