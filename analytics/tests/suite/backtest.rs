//! A back-test sees only what had arrived by each look, in cells as in events, and a job answers in it what it would have answered then.

use std::path::Path;
use std::sync::Arc;

use analytics::backtest::alarms::Look;
use analytics::backtest::run;
use analytics::consume::Consumer;
use analytics::jobs::{Job, find};
use analytics::session::{SessionSettings, Worlds};
use chrono::{DateTime, Utc};
use contract::clock::ManualClock;
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits, TopicSpec};
use contract::{DeliveryRules, Envelope, Event, topic};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Three events of one hour: received at once, received two days later, and one that never says when it was received.
async fn lake(folder: &Path) {
    let clock = ManualClock::at(at("2026-03-10T00:00:00Z"));
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(Arc::<ManualClock>::clone(&clock), LogLimits::default()));
    for name in topic::ALL {
        log.ensure_topic(&TopicSpec { name: name.into(), partitions: 1, retention_age: None, retention_bytes: None }).await.unwrap();
    }
    for (id, received) in
        [("prompt", r#","received_at":"2026-03-01T10:20:00Z""#), ("slow", r#","received_at":"2026-03-03T09:59:00Z""#), ("silent", "")]
    {
        let json = format!(
            r#"{{"event_id":"{id}","source":"calls","kind":"hotline_call","occurred_at":"2026-03-01T10:10:00Z","category":"noise","grid_id":"g1"{received}}}"#
        );
        let event = Event::from_json(json.as_bytes(), at("2026-03-04T00:00:00Z")).unwrap();
        let Envelope { topic, record } = Envelope::event(&event, &DeliveryRules::default());
        log.append(topic, vec![record]).await.unwrap();
    }
    let mut consumer = Consumer::open(log, folder, clock).await.unwrap();
    consumer.drain(|_| ()).await.unwrap();
}

fn job(folder: &Path, name: &str, table: &str, count: &str) -> Job {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).unwrap();
    let definition = "schedule = \"1h\"\nwindow = \"all\"\nkey = [\"grid_id\"]\n[question]\nen = \"How many?\"\nzh = \"多少？\"\n\
        [alarm]\nwhere = \"total >= 1\"\nplace = \"grid_id\"\nby = \"total\"\nstrongest = \"largest\"\n";
    std::fs::write(folder.join("job.toml"), definition).unwrap();
    let query = format!("SELECT category, grid_id, {count} AS total FROM {table} GROUP BY category, grid_id");
    std::fs::write(folder.join("query.sql"), query).unwrap();
    find(&folder.display().to_string(), None).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_knows_what_had_arrived_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let lake_folder = folder.path().join("lake");
    std::fs::create_dir(&lake_folder).unwrap();
    lake(&lake_folder).await;
    let jobs = [job(folder.path(), "cells_told", "cell_parts", "sum(events)"), job(folder.path(), "events_told", "events", "count(*)")];
    let looks = ["2026-03-01T10:00:00Z", "2026-03-01T11:00:00Z", "2026-03-03T09:00:00Z", "2026-03-03T10:00:00Z"].map(at);
    let past = Worlds::open(&lake_folder, SessionSettings::default()).await.unwrap().past().await.unwrap();
    let found = run(past, &jobs, &looks, |_| ()).await.unwrap();
    let strengths = |looks: &[Look]| looks.iter().map(|look| look.seen.first().map_or(0.0, |seen| seen.strength)).collect::<Vec<_>>();
    assert_eq!(strengths(&found[0]), [0.0, 2.0, 2.0, 3.0], "cells");
    assert_eq!(strengths(&found[1]), [0.0, 2.0, 2.0, 3.0], "events");
    let seen = &found[0][1].seen[0];
    assert_eq!((seen.category.as_str(), seen.place.as_str(), found[0][1].at), ("noise", "g1", looks[1]));
}
