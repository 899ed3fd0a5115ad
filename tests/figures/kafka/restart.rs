//! kill -9 of the one `analyze` under load, started again at once: how long until what readers may see is as fresh as before.
//!
//! Readers see the cut, a small file written after each commit; it is looked at every fifty milliseconds. A request is late when it
//! takes longer to be in the cut than half as much again as 99 of 100 did before the kill; caught up is when the last late one before a
//! whole second without one is in. What is late after that is late as it would be without a kill, which the latencies say.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::freshness::RATE;
use super::{CALLS, PARTITIONS};
use crate::freshness::{Moments, Stop, probe, send, shown};
use crate::roles::{Deployment, Role};
use crate::spread::{Spread, seconds};
use crate::{Figure, Pace, quantile};

/// The member's name, by which the group knows it again.
pub(super) const NAME: &str = "one";
/// The longest it may take.
const FLOOR: f64 = 5.0;
/// Under load before the kill, and after it: longer than the session of a member without a name, with time to catch up.
const BEFORE: Duration = Duration::from_secs(8);
const AFTER: [Duration; 2] = [Duration::from_secs(12), Duration::from_secs(25)];

/// How long no request may be late for the member to have caught up.
const IN_TIME: Duration = Duration::from_secs(1);

/// Longest wait for what was acknowledged: far beyond the floor, so that a busy machine gives a poor figure and not none.
const PATIENCE: Duration = Duration::from_secs(180);

/// Records of the topic up to the published cut.
fn covered(data: &Path) -> Option<u64> {
    let cut: serde_json::Value = serde_json::from_slice(&std::fs::read(data.join("lake/cut.json")).ok()?).ok()?;
    Some((0..PARTITIONS).filter_map(|partition| cut["offsets"][format!("{CALLS}/{partition}")].as_u64()).sum())
}

/// What one kill cost.
struct Restart {
    /// From the kill to the first new cut.
    first: f64,
    caught_up: f64,
    before_ms: f64,
}

/// Kills the member under load and starts another with these arguments; answers it, running.
fn once(place: &Deployment, ingest: SocketAddr, victim: Role, arguments: &[&str], after: Duration) -> (Restart, Role) {
    // What was sent before is in the cut: otherwise it would be taken for what is sent now.
    victim.until("gridwatch_consumer_lag_records{", |lag| lag < 0.5);
    let (stop, seen) = (AtomicBool::new(false), Mutex::new(Moments::new()));
    let standing = covered(&place.data).unwrap_or(0);
    let (sent, killed, restarted) = std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| *seen.lock().unwrap() = probe(&stop, || covered(&place.data).map(|count| count.saturating_sub(standing))));
        let sending = scope.spawn(|| send(ingest, "restart", RATE, BEFORE + after));
        std::thread::sleep(BEFORE);
        let killed = Instant::now();
        victim.kill();
        let restarted = place.start("analyze", arguments, 1);
        let sent = sending.join().unwrap();
        let last = sent.last().unwrap().count;
        let began = Instant::now();
        while covered(&place.data).unwrap_or(0) < standing + last {
            assert!(began.elapsed() < PATIENCE, "what was acknowledged does not come");
            std::thread::sleep(Duration::from_millis(20));
        }
        // Once more past the last of it, for the probe.
        std::thread::sleep(Duration::from_millis(50));
        (sent, killed, restarted)
    });
    let seen = seen.into_inner().unwrap();
    let waits: Vec<(Instant, Duration, Instant)> =
        shown(&sent, &seen).map(|(request, at)| (request.due, at.saturating_duration_since(request.due), at)).collect();
    let warm = waits[0].0 + BEFORE / 4;
    let mut before: Vec<Duration> = waits.iter().filter(|wait| wait.0 > warm && wait.2 < killed).map(|wait| wait.1).collect();
    let before_ms = quantile(&mut before, 0.99);
    let late = |wait: &&(Instant, Duration, Instant)| wait.2 > killed && wait.1.as_secs_f64() * 1e3 > 1.5 * before_ms;
    let since = |at: Instant| at.saturating_duration_since(killed).as_secs_f64();
    let (mut caught_up, mut last) = (0.0, None);
    for (due, _, at) in waits.iter().filter(late) {
        if last.is_some_and(|last: Instant| due.saturating_duration_since(last) > IN_TIME) {
            break;
        }
        (caught_up, last) = (since(*at).max(caught_up), Some(*due));
    }
    let first = waits.iter().find(|wait| wait.2 > killed).map_or(f64::NAN, |wait| since(wait.2));
    (Restart { first, caught_up, before_ms }, restarted)
}

pub(super) fn figures(place: &Deployment, ingest: SocketAddr, first: Role, pace: Pace) -> Vec<Figure> {
    let (mut named, mut first_cut, mut before) = (Spread::default(), Spread::default(), Spread::default());
    let mut member = first;
    for kill in 1..=pace.kafka_pairs {
        let (restart, next) = once(place, ingest, member, &["--member", NAME], AFTER[0]);
        println!("  kill {kill}: first cut after {:.2} s, caught up after {:.2} s", restart.first, restart.caught_up);
        named.push(restart.caught_up);
        first_cut.push(restart.first);
        before.push(restart.before_ms);
        member = next;
    }
    // Without a name: it leaves first, so that the one that is killed holds the partitions.
    drop(member);
    let nameless = place.start("analyze", &["--group", "nameless"], 1);
    nameless.until("gridwatch_kafka_assigned_partitions", |partitions| partitions > 0.0);
    let (restart, _) = once(place, ingest, nameless, &["--group", "nameless"], AFTER[1]);
    println!("  kill without a name: first cut after {:.2} s, caught up after {:.2} s", restart.first, restart.caught_up);
    let missed = if named.median() < FLOOR { "" } else { ", MISSED" };
    vec![Figure::new(
        format!("Kafka: kill -9 of `analyze --member`, started again → caught up, {RATE} events/s, {} kills", pace.kafka_pairs),
        format!("{}; first cut after {}", named.said(seconds), first_cut.said(seconds)),
        format!(
            "floor {FLOOR} s{missed}; without a name {:.1} s (its session has to end first); Flink 27.8–35.5 s (recorded); before the kill p99 {:.0} ms",
            restart.caught_up,
            before.median()
        ),
    )]
}
