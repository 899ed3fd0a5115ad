//! The demo city as a lake: its events go through log, consumer and tables as any city's do.

use std::sync::Arc;

use analytics::consume::Consumer;
use analytics::grid_store::GridStore;
use analytics::session::{SessionSettings, World, Worlds};
use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::ManualClock;
use contract::grids::LevelSpec;
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits, TopicSpec};
use contract::{Envelope, Kind, topic};
use functions::DemoCity;
use ingest::PseudonymKey;
use ingest::city::{City, CitySpec};

/// Records of one append and of one commit.
const APPEND: usize = 4_096;
const COMMIT: usize = 100_000;

/// A city that can be asked.
pub(crate) struct Lake {
    pub(crate) world: Arc<World>,
    /// Each grid with the rings of its polygon in degrees.
    pub(crate) outlines: Vec<(String, Vec<Vec<[f64; 2]>>)>,
    _folder: tempfile::TempDir,
}

/// Where the city ends: as `gridwatch city` writes it.
fn until() -> DateTime<Utc> {
    "2026-11-01T00:00:00+08:00".parse().unwrap()
}

fn spec(city: DemoCity) -> (CitySpec, TimeDelta, &'static [Kind]) {
    match city {
        DemoCity::Weeks => (CitySpec::default(), TimeDelta::days(42), &[Kind::HotlineCall, Kind::GridReport, Kind::CaseStep]),
        DemoCity::Years => (CitySpec { rate: 0.02, sensors: 5, ..CitySpec::default() }, TimeDelta::days(4 * 365 + 1), &[Kind::HotlineCall]),
    }
}

impl Lake {
    /// The lake of a demo city.
    pub(crate) async fn of(which: DemoCity) -> Self {
        let (spec, length, kinds) = spec(which);
        let city = City::new(spec).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut store = GridStore::open(folder.path()).unwrap();
        for (geojson, level, parent) in [(city.districts_geojson(), "district", None), (city.grids_geojson(), "grid", Some("parent"))] {
            store.save(store.newest().load_level(geojson.as_bytes(), &level_spec(level, parent)).unwrap().0).unwrap();
        }
        publish(&city, length, kinds, folder.path()).await;
        // A key of the test's own, so that pseudonyms are the same each time.
        let key = PseudonymKey::new("k1", b"a key of the pages alone").unwrap();
        let scalar_functions = ingest::mapping_functions(&key).into_iter().map(Arc::new).collect();
        let settings = SessionSettings { scalar_functions, ..SessionSettings::default() };
        let world = Worlds::open(folder.path(), settings).await.unwrap().newest().await.unwrap();
        Self { world, outlines: outlines(&city.grids_geojson()), _folder: folder }
    }
}

fn level_spec(level: &str, parent: Option<&str>) -> LevelSpec {
    LevelSpec {
        level: level.to_owned(),
        id_field: "grid_id".into(),
        name_field: "name_zh".into(),
        name_en_field: Some("name_en".into()),
        parent_field: parent.map(str::to_owned),
        population_field: Some("population".into()),
        aliases: None,
    }
}

async fn publish(city: &City, length: TimeDelta, kinds: &[Kind], lake: &std::path::Path) {
    let clock = ManualClock::at(until());
    let log: Arc<dyn EventLog> = Arc::new(MemoryLog::new(Arc::<ManualClock>::clone(&clock), LogLimits::default()));
    for name in topic::ALL {
        log.ensure_topic(&TopicSpec { name: name.into(), partitions: 1, retention_age: None, retention_bytes: None }).await.unwrap();
    }
    let mut consumer = Consumer::open(Arc::clone(&log), lake, clock).await.unwrap();
    let rules = City::delivery_rules();
    let mut waiting: std::collections::BTreeMap<&str, Vec<contract::log::Record>> = std::collections::BTreeMap::new();
    let mut published = 0;
    for event in city.events(until() - length, until()).filter(|event| kinds.contains(&event.kind)) {
        let Envelope { topic, record } = Envelope::event(&event, &rules);
        let records = waiting.entry(topic).or_default();
        records.push(record);
        if records.len() == APPEND {
            log.append(topic, std::mem::take(records)).await.unwrap();
        }
        published += 1;
        if published % COMMIT == 0 {
            consumer.drain(|_| ()).await.unwrap();
        }
    }
    for (topic, records) in waiting.into_iter().filter(|(_, records)| !records.is_empty()) {
        log.append(topic, records).await.unwrap();
    }
    consumer.drain(|_| ()).await.unwrap();
}

fn outlines(geojson: &str) -> Vec<(String, Vec<Vec<[f64; 2]>>)> {
    let collection: serde_json::Value = serde_json::from_str(geojson).unwrap();
    let features = collection["features"].as_array().unwrap().iter();
    features
        .map(|feature| {
            let rings = serde_json::from_value(feature["geometry"]["coordinates"].clone()).unwrap();
            (feature["properties"]["grid_id"].as_str().unwrap().to_owned(), rings)
        })
        .collect()
}
