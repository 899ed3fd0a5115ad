//! Kafka into the lake: the plain client that only reads, one `analyze` that decides, locates, aggregates and commits, two and
//! three of them, and Flink's tumble, all over the same topic.
//!
//! Ours is said twice: with all of the process, and steady, from where a quarter of the topic is committed to its end. The peer's
//! figure is a slope without the start of its virtual machine, so it is the steady one that is held against it. What is read ahead
//! when the quarter is committed, the turn after it, was decided in part before; its events are not counted, what they still cost is.

use std::path::Path;
use std::time::{Duration, Instant};

use contract::log::kafka::{KafkaOptions, raw};

use super::peer::Peer;
use super::{CALLS, City, PARTITIONS};
use crate::kafka_rig::Rig;
use crate::roles::{Deployment, Role};
use crate::spread::{Spread, Watch, processor_seconds, ratio, thousands};
use crate::support::program;
use crate::{Figure, Pace};

/// The least multiple of Flink's tumble, events a core.
const FLOOR: f64 = 5.0;
/// Longest wait for the whole topic: far beyond what a busy machine takes.
const PATIENCE: Duration = Duration::from_secs(600);
/// Members that share the partitions.
const MEMBERS: [usize; 3] = [1, 2, 3];

/// What a run over the whole topic took.
struct Run {
    seconds: f64,
    members_processor: f64,
    broker_processor: f64,
    /// From where a quarter was committed.
    steady: Steady,
    fenced: f64,
}

/// From one point of a run to its end.
struct Steady {
    events: f64,
    seconds: f64,
    processor: f64,
}

/// Runs with the same number of members: events a second and a core, cores kept busy.
#[derive(Default)]
struct Measured {
    wall: Spread,
    core: Spread,
    steady_wall: Spread,
    steady_core: Spread,
    used: Spread,
    broker: Spread,
}

impl Measured {
    fn push(&mut self, run: &Run, events: u64) {
        self.wall.push(events as f64 / run.seconds);
        self.core.push(events as f64 / run.members_processor);
        self.steady_wall.push(run.steady.events / run.steady.seconds);
        self.steady_core.push(run.steady.events / run.steady.processor);
        self.used.push(run.steady.processor / run.steady.seconds);
        self.broker.push(run.broker_processor / run.seconds);
    }
}

fn answer(data: &Path, statement: &str) -> u64 {
    let out = program().args(["sql", statement, "--format", "csv", "--data-dir"]).arg(data).output().unwrap();
    assert!(out.status.success(), "{statement}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().lines().nth(1).unwrap().parse().unwrap()
}

/// A fresh lake and a fresh group read the topic from its beginning to its end.
fn analyze(rig: &Rig, city: &City, members: usize, events: u64) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let place = Deployment::new(&rig, folder.path());
    city.lake(&place.data);
    let broker: u32 = rig.fact("broker.1.pid").parse().unwrap();
    let group = folder.path().file_name().unwrap().to_string_lossy().into_owned();
    let (began, broker_before) = (Instant::now(), processor_seconds(broker));
    let roles: Vec<Role> =
        (0..members).map(|member| place.start("analyze", &["--group", &group, "--member", &format!("m{member}")], 1)).collect();
    let committed = || roles.iter().filter_map(|role| role.sum("gridwatch_source_events_total")).sum::<f64>();
    let processor = || roles.iter().map(|role| processor_seconds(role.id())).sum::<f64>();
    // Where a quarter was committed, and what was committed with the turn after it.
    let (mut quarter, mut counted_from): (Option<(Instant, f64, f64)>, Option<f64>) = (None, None);
    loop {
        let now = committed();
        match quarter {
            None if now >= events as f64 / 4.0 => quarter = Some((Instant::now(), processor(), now)),
            Some((.., at)) if counted_from.is_none() && now > at => counted_from = Some(now),
            _ => {}
        }
        if now >= events as f64 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{now} of {events} were committed");
        // Each look has the member write its metrics down.
        std::thread::sleep(Duration::from_millis(20));
    }
    let (seconds, members_processor) = (began.elapsed().as_secs_f64(), processor());
    let (quarter_at, quarter_processor, _) = quarter.unwrap();
    let run = Run {
        seconds,
        members_processor,
        broker_processor: processor_seconds(broker) - broker_before,
        steady: Steady {
            events: events as f64 - counted_from.expect("more than two turns of events"),
            seconds: quarter_at.elapsed().as_secs_f64(),
            processor: members_processor - quarter_processor,
        },
        fenced: roles.iter().filter_map(|role| role.sum("gridwatch_commits_fenced_total")).sum(),
    };
    // The answer first: every event once, and the cells hold each of them.
    let cells = "SELECT coalesce(sum(events), 0) FROM cells";
    while answer(&place.data, cells) < events {
        assert!(began.elapsed() < PATIENCE, "the cells do not hold every event");
        std::thread::sleep(Duration::from_millis(100));
    }
    let counts = "SELECT count(DISTINCT (source, event_id)) FROM records WHERE disposition = 'accepted' AND grid_id IS NOT NULL";
    assert_eq!((answer(&place.data, cells), answer(&place.data, counts)), (events, events), "events in cells, and located");
    run
}

pub(super) fn figures(rig: &Rig, city: &City, pace: Pace) -> Vec<Figure> {
    let options = KafkaOptions::new(rig.bootstrap());
    let events = raw::consume(&options, CALLS, PARTITIONS).unwrap().records;
    let (mut raw_wall, mut raw_core) = (Spread::default(), Spread::default());
    let mut members: [Measured; 3] = Default::default();
    let (mut fenced, mut peer) = (0.0, Peer::find());
    for pair in 1..=pace.kafka_pairs {
        let watch = Watch::start(&[std::process::id()]);
        assert_eq!(raw::consume(&options, CALLS, PARTITIONS).unwrap().records, events);
        let took = watch.took();
        raw_wall.push(events as f64 / took.seconds);
        raw_core.push(events as f64 / took.processor);
        for (count, measured) in MEMBERS.into_iter().zip(&mut members) {
            let run = analyze(rig, city, count, events);
            println!(
                "  pair {pair}, {count} members: {:.1} s, {:.1} core seconds, broker {:.1}; steady {:.0} events in {:.1} s and {:.1} core seconds",
                run.seconds, run.members_processor, run.broker_processor, run.steady.events, run.steady.seconds, run.steady.processor
            );
            fenced += run.fenced;
            measured.push(&run, events);
            if count == 1 {
                peer.commits(rig, events, pair, run.steady.events / run.steady.processor);
            }
        }
    }
    peer.keeps_nothing(rig, events);
    let [one, two, three] = &members;
    let steady = |measured: &Measured| measured.steady_wall.median() / one.steady_wall.median();
    let mut figures = vec![
        Figure::new(
            format!("Kafka → lake, one `analyze`: {events} records decided, located, summed in cells, committed"),
            format!("{} events with the start of the process, {} steady", one.wall.said(thousands), one.steady_wall.said(thousands)),
            format!("the plain client only reads them: {}", raw_wall.said(thousands)),
        ),
        Figure::new(
            "Kafka → lake, the same by processor time, steady as the peer's figure is",
            format!("{} events a core; {} with the start of the process", one.steady_core.said(thousands), one.core.said(thousands)),
            format!("{}; plain client {} a core", peer.said(one.steady_core.median(), FLOOR), raw_core.said(thousands)),
        ),
        Figure::new(
            "Kafka → lake with 1, 2 and 3 members, steady",
            members.iter().map(|measured| measured.steady_wall.said(thousands)).collect::<Vec<_>>().join(", ") + " events",
            format!(
                "{}; {} and {} of one member's speed; {}, {}, {} events a core; {fenced:.0} commits refused",
                bottleneck(&members),
                ratio(steady(two)),
                ratio(steady(three)),
                thousands(one.steady_core.median()),
                thousands(two.steady_core.median()),
                thousands(three.steady_core.median()),
            ),
        ),
    ];
    figures.extend(peer.figures());
    figures
}

/// What bounds more members: the machine's cores, where those of one and the broker are all of them; otherwise waiting.
fn bottleneck(members: &[Measured; 3]) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let busy: Vec<String> = members.iter().map(|measured| format!("{:.2}", measured.used.median())).collect();
    let broker = members[2].broker.median();
    let first = if members[2].used.median() + broker > 0.85 * cores {
        "first bottleneck: the processor"
    } else {
        "first bottleneck: waiting (disk, commits in turn), not the processor"
    };
    format!("{first}: the members keep {} of {cores:.0} cores busy, the broker {broker:.2}", busy.join(", "))
}
