//! A deployment at a steady rate: how soon SQL and `/metrics` show what was sent, and then how soon a killed member has caught up.

use std::time::Instant;

use super::{City, restart};
use crate::freshness::{Doors, watch};
use crate::kafka_rig::Rig;
use crate::roles::Deployment;
use crate::spread::processor_seconds;
use crate::{Figure, Pace};

/// Events a second.
pub(super) const RATE: u64 = 10_000;
/// What is asked, and the longest 99 of 100 requests may take to be seen there, in milliseconds.
const FLOORS: [(&str, f64); 2] = [("SQL", 2000.0), ("/metrics", 1000.0)];

pub(super) fn figures(rig: &Rig, city: &City, pace: Pace) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let place = Deployment::new(&rig, folder.path());
    city.lake(&place.data);
    let ingest = place.ingest();
    let analyze = place.start("analyze", &["--member", restart::NAME], 1);
    let serve = place.start("serve", &["--sql", "127.0.0.1:0", "--sql-http", "127.0.0.1:0"], 3);
    analyze.until("gridwatch_kafka_assigned_partitions", |partitions| partitions > 0.0);
    let doors = Doors { ingest: ingest.at("ingest"), sql: serve.at("sql-http"), metrics: analyze.at("metrics") };
    let broker: u32 = rig.fact("broker.1.pid").parse().unwrap();
    let roles = [("broker", broker), ("ingest", ingest.id()), ("analyze", analyze.id())];
    let processor = || roles.map(|(_, id)| processor_seconds(id));
    let (began, before) = (Instant::now(), processor());
    // From when a request was due: one that waits for the one before it is charged for that.
    let seen = watch(&doors, RATE, pace.freshness, |sent| sent.due);
    let busy = roles
        .iter()
        .zip(processor())
        .zip(before)
        .map(|(((name, _), after), before)| format!("{name} {:.2}", (after - before) / began.elapsed().as_secs_f64()));
    println!("  cores kept busy meanwhile: {}", busy.collect::<Vec<_>>().join(", "));
    let mut figures: Vec<Figure> = Vec::new();
    for (visible, (what, most)) in seen.iter().zip(FLOORS) {
        println!("  {what}: p50 {:.0} ms, p99 {:.0} ms", visible.p50_ms, visible.p99_ms);
        let missed = if visible.p99_ms <= most { "" } else { ", MISSED" };
        let bound = format!("floor p99 {most:.0} ms{missed}; Flink on Kafka, exactly once: p99 1,143 ms (recorded)");
        figures.push(visible.figure(format!("Kafka: due → visible in {what}, {RATE} events/s"), &bound));
    }
    drop(serve);
    figures.extend(restart::figures(&place, ingest.at("ingest"), analyze, pace));
    figures
}
