//! Kafka into the lake: the plain client that only reads, one `analyze` that decides, locates, aggregates and commits, two and
//! three of them, and Flink's tumble, all over the same topic.

use std::path::Path;
use std::time::Instant;

use contract::log::kafka::{KafkaOptions, raw};

use super::peer;
use super::{City, PARTITIONS, TOPIC, floor};
use crate::kafka_rig::Rig;
use crate::roles::{Deployment, Role};
use crate::spread::{Spread, processor_seconds, ratio, thousands};
use crate::support::program;
use crate::{Figure, Pace};

/// The least multiple of Flink's tumble, events a core.
const FLOOR: f64 = 5.0;
/// Members that share the partitions.
const MEMBERS: [usize; 3] = [1, 2, 3];

/// What a run over the whole topic took.
struct Run {
    seconds: f64,
    /// From the first commit seen on: without the start of the process.
    steady_seconds: f64,
    steady_share: f64,
    members_processor: f64,
    broker_processor: f64,
    fenced: f64,
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
    let mut first = None;
    loop {
        let now = committed();
        if now > 0.0 && first.is_none() {
            first = Some((Instant::now(), now));
        }
        if now >= events as f64 {
            break;
        }
        assert!(began.elapsed().as_secs() < 300, "{now} of {events} were committed");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let seconds = began.elapsed().as_secs_f64();
    let (first_at, first_count) = first.unwrap();
    let run = Run {
        seconds,
        steady_seconds: first_at.elapsed().as_secs_f64(),
        steady_share: 1.0 - first_count / events as f64,
        members_processor: roles.iter().map(|role| processor_seconds(role.id())).sum(),
        broker_processor: processor_seconds(broker) - broker_before,
        fenced: roles.iter().filter_map(|role| role.sum("gridwatch_commits_fenced_total")).sum(),
    };
    // The answer first: every event once, and the cells hold each of them.
    let cells = "SELECT coalesce(sum(events), 0) FROM cells";
    while answer(&place.data, cells) < events {
        assert!(began.elapsed().as_secs() < 300, "the cells do not hold every event");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let counts = "SELECT count(DISTINCT (source, event_id)) FROM records WHERE disposition = 'accepted' AND grid_id IS NOT NULL";
    assert_eq!((answer(&place.data, cells), answer(&place.data, counts)), (events, events), "events in cells, and located");
    run
}

pub(super) fn figures(rig: &Rig, city: &City, pace: Pace) -> Vec<Figure> {
    let options = KafkaOptions::new(rig.bootstrap());
    let events = raw::consume(&options, TOPIC, PARTITIONS).unwrap().records;
    let (mut raw_wall, mut raw_core) = (Spread::default(), Spread::default());
    let mut wall: [Spread; 3] = Default::default();
    let mut core: [Spread; 3] = Default::default();
    let mut used: [Spread; 3] = Default::default();
    let (mut steady, mut broker, mut fenced) = (Spread::default(), Spread::default(), 0.0);
    for pair in 1..=pace.kafka_pairs {
        let (began, before) = (Instant::now(), processor_seconds(std::process::id()));
        assert_eq!(raw::consume(&options, TOPIC, PARTITIONS).unwrap().records, events);
        raw_wall.push(events as f64 / began.elapsed().as_secs_f64());
        raw_core.push(events as f64 / (processor_seconds(std::process::id()) - before));
        for (index, members) in MEMBERS.into_iter().enumerate() {
            let run = analyze(rig, city, members, events);
            println!(
                "  pair {pair}, {members} members: {:.1} s, {:.1} core seconds, broker {:.1}",
                run.seconds, run.members_processor, run.broker_processor
            );
            wall[index].push(events as f64 / run.seconds);
            core[index].push(events as f64 / run.members_processor);
            used[index].push(run.members_processor / run.seconds);
            if members == 1 {
                steady.push(events as f64 * run.steady_share / run.steady_seconds);
                broker.push(run.broker_processor / run.seconds);
            }
            fenced += run.fenced;
        }
    }
    let peer = peer::tumble(rig, events);
    let multiple = core[0].median() / peer.per_core();
    let mut figures = vec![
        Figure::new(
            format!("Kafka → lake, one `analyze`: {events} records decided, located, summed in cells, committed"),
            format!("{} events with the start of the process, {} after its first commit", wall[0].said(thousands), steady.said(thousands)),
            format!("the plain client only reads them: {}", raw_wall.said(thousands)),
        ),
        Figure::new(
            "Kafka → lake, the same by processor time",
            format!("{} events a core", core[0].said(thousands)),
            format!("{}: ×{multiple:.1}; {}; plain client {} a core", peer.said(), floor(FLOOR, multiple), raw_core.said(thousands)),
        ),
        Figure::new(
            "Kafka → lake with 1, 2 and 3 members",
            format!("{}, {}, {} events", wall[0].said(thousands), wall[1].said(thousands), wall[2].said(thousands)),
            format!(
                "{}; {} and {} of one member's speed; {fenced:.0} commits refused",
                bottleneck(&used, &broker),
                ratio(wall[1].median() / wall[0].median()),
                ratio(wall[2].median() / wall[0].median())
            ),
        ),
    ];
    figures.extend(peer.figure());
    figures
}

/// What bounds more members: the machine's cores, where those of one and the broker are all of them; otherwise waiting.
fn bottleneck(used: &[Spread; 3], broker: &Spread) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let busy: Vec<String> = used.iter().map(|used| format!("{:.2}", used.median())).collect();
    let first = if used[2].median() + broker.median() > 0.85 * cores {
        "first bottleneck: the processor"
    } else {
        "first bottleneck: waiting (disk, commits in turn), not the processor"
    };
    format!("{first}: the members keep {} of {cores:.0} cores busy, the broker {:.2}", busy.join(", "), broker.median())
}
