//! HTTP into Kafka beside the plain client, in turns: the same events to the same topic.

use std::sync::atomic::{AtomicUsize, Ordering};

use contract::log::kafka::{KafkaOptions, raw::Plain};

use super::{CALLS, calls, floor, records};
use crate::client::{Client, request};
use crate::kafka_rig::Rig;
use crate::roles::Deployment;
use crate::spread::{Spread, Watch, ratio, thousands};
use crate::{Figure, Pace};

/// Events a request and connections: each waits for its acknowledgement, and with fewer on their way that wait is what is measured.
const REQUEST_EVENTS: usize = 1000;
const CONNECTIONS: usize = 8;
/// The least share of what the plain client produces.
const FLOOR: f64 = 0.45;

/// Posts every body over connections of their own.
fn post(address: std::net::SocketAddr, bodies: &[Vec<u8>]) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (status, answer) = client.ask(body);
                    assert_eq!(status, 202, "{answer}");
                }
            });
        }
    });
}

pub(super) fn figures(rig: &Rig, pace: Pace) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let place = Deployment::new(&rig, folder.path());
    let ingest = place.ingest();
    let mut client = Plain::new(&KafkaOptions::new(rig.bootstrap())).unwrap();
    let (mut raw_wall, mut our_wall, mut wall_ratio) = (Spread::default(), Spread::default(), Spread::default());
    let (mut raw_core, mut our_core, mut core_ratio) = (Spread::default(), Spread::default(), Spread::default());
    let mut next = 0;
    // The first pair warms up the broker, the plain client and ours, and does not count.
    for pair in 0..=pace.kafka_pairs {
        let events = if pair == 0 { pace.kafka_events / 10 } else { pace.kafka_events };
        let [plain, ours] = [next..next + events, next + events..next + 2 * events];
        next = ours.end;
        let plain = records(&calls(&format!("plain{pair}"), plain));
        let watch = Watch::start(&[std::process::id()]);
        client.produce(CALLS, &plain).unwrap();
        let raw = watch.took();
        drop(plain);

        let lines = calls(&format!("ours{pair}"), ours);
        let bodies: Vec<Vec<u8>> =
            lines.chunks(REQUEST_EVENTS).map(|lines| request("POST", "/v1/events", "application/x-ndjson", &lines.join("\n"))).collect();
        let watch = Watch::start(&[ingest.id()]);
        post(ingest.at("ingest"), &bodies);
        let our = watch.took();
        if pair == 0 {
            continue;
        }
        let events = events as f64;
        println!(
            "  pair {pair}: plain {:.2} s and {:.2} core seconds, ours {:.2} s and {:.2}",
            raw.seconds, raw.processor, our.seconds, our.processor
        );
        raw_wall.push(events / raw.seconds);
        our_wall.push(events / our.seconds);
        wall_ratio.push(raw.seconds / our.seconds);
        raw_core.push(events / raw.processor);
        our_core.push(events / our.processor);
        core_ratio.push(raw.processor / our.processor);
    }
    let pairs = pace.kafka_pairs;
    vec![
        Figure::new(
            format!("Kafka: HTTP → acknowledged, {REQUEST_EVENTS} events a request, {CONNECTIONS} connections, {pairs} pairs"),
            format!("{} events", our_wall.said(thousands)),
            format!(
                "plain client's produce {}: ×{}; {}",
                raw_wall.said(thousands),
                wall_ratio.said(ratio),
                floor(FLOOR, wall_ratio.median())
            ),
        ),
        Figure::new(
            "Kafka: the same by processor time of `ingest`",
            format!("{} events a core", our_core.said(thousands)),
            format!("plain client {} a core: ×{}; {}", raw_core.said(thousands), core_ratio.said(ratio), floor(FLOOR, core_ratio.median())),
        ),
    ]
}
