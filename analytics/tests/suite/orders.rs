//! The same events in any order, repeated, and cut into any batches give the same tables.
//!
//! What order may change is left out of the comparison: offsets and times of ingest.

use std::sync::Arc;

use analytics::consume::Consumer;
use analytics::session::{SessionSettings, Worlds};
use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::ManualClock;
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits, TopicSpec};
use contract::{DeliveryRules, Envelope, Event, topic};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ORDERS: u64 = 200;

fn start() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn events() -> Vec<Event> {
    (0..120)
        .map(|n: i64| {
            let at = start() + TimeDelta::minutes(n * 17 % 4_000);
            let json = format!(
                r#"{{"event_id":"e{n}","source":"{}","kind":"{}","occurred_at":"{}","category":"c{}","grid_id":"g{}"}}"#,
                if n % 3 == 0 { "calls" } else { "reports" },
                if n % 3 == 0 { "hotline_call" } else { "grid_report" },
                at.to_rfc3339(),
                n % 4,
                n % 7
            );
            Event::from_json(json.as_bytes(), at).unwrap()
        })
        .collect()
}

/// Publishes the events in an order, with repetitions and batch splits all drawn from `seed`; answers the tables as text.
async fn tables(seed: u64) -> Vec<String> {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut sent = events();
    let repeats: Vec<Event> = (0..dice.random_range(0..60)).filter_map(|_| sent.choose(&mut dice).cloned()).collect();
    sent.extend(repeats);
    sent.shuffle(&mut dice);
    let clock = ManualClock::at(start() + TimeDelta::days(10));
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(Arc::<ManualClock>::clone(&clock), LogLimits::default()));
    for name in topic::ALL {
        log.ensure_topic(&TopicSpec { name: name.into(), partitions: 2, retention_age: None, retention_bytes: None }).await.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rest = sent.as_slice();
    let mut consumer = Consumer::open(Arc::clone(&log), folder.path(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(dice.random_range(1..=rest.len()));
        rest = after;
        for event in batch {
            let Envelope { topic, record } = Envelope::event(event, &DeliveryRules::default());
            log.append(topic, vec![record]).await.unwrap();
        }
        consumer.drain(|_| ()).await.unwrap();
        if dice.random_bool(0.2) {
            // A stop and a start: ids and watermarks come from the lake.
            consumer = Consumer::open(Arc::clone(&log), folder.path(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
        }
    }
    read(folder.path()).await
}

async fn read(lake: &std::path::Path) -> Vec<String> {
    let world = Worlds::open(lake, SessionSettings::default()).await.unwrap().newest().await.unwrap();
    let mut said = Vec::new();
    for query in [
        "SELECT event_id, source, kind, occurred_at, category, grid_id, revision FROM events ORDER BY source, event_id",
        "SELECT grid_id, category, source, kind, hour, events, voices FROM cells ORDER BY hour, source, kind, grid_id, category",
    ] {
        let rows = world.session.sql(query).await.unwrap().collect().await.unwrap();
        said.push(arrow::util::pretty::pretty_format_batches(&rows).unwrap().to_string());
    }
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_repetition_and_batch_split_gives_the_same_tables() {
    let expected = tables(0).await;
    assert!(expected[0].lines().count() > 120, "{}", expected[0]);
    for seed in 1..ORDERS {
        assert_eq!(tables(seed).await, expected, "seed {seed}");
    }
}
