//! The city as a source: history at once, then live, and no gap whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};

use contract::Kind;
use contract::clock::ManualClock;
use contract::log::LogLimits;
use contract::log::memory::MemoryLog;

use super::*;
use crate::Unobserved;
use crate::city::CitySpec;

const HISTORY: Duration = Duration::from_secs(6 * 3600);

fn noon() -> DateTime<Utc> {
    DateTime::parse_from_rfc3339("2026-10-13T12:00:00+08:00").unwrap().to_utc()
}

struct Scene {
    clock: Arc<ManualClock>,
    log: Arc<MemoryLog>,
    city: City,
    settings: GeneratorSettings,
}

impl Scene {
    async fn new() -> Self {
        Self::with_limits(LogLimits::default()).await
    }

    async fn with_limits(limits: LogLimits) -> Self {
        let clock = ManualClock::at(noon());
        let log = Arc::new(MemoryLog::new(Arc::clone(&clock) as Arc<dyn Clock>, limits).with_gaps(7));
        Publisher::new(Arc::clone(&log) as Arc<dyn EventLog>).ensure_topics(3, crate::Retention::default()).await.unwrap();
        let settings = GeneratorSettings { history: HISTORY, ..GeneratorSettings::default() };
        Self { clock, log, city: City::new(CitySpec::default()).unwrap(), settings }
    }

    async fn generator(&self) -> Generator {
        let publisher = Publisher::new(Arc::clone(&self.log) as Arc<dyn EventLog>).with_deadline(Duration::ZERO);
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let progress = Progress::read(self.log.as_ref()).await.unwrap();
        Generator::new(&self.city, publisher, Arc::new(Unobserved), clock, self.settings.clone(), progress).unwrap()
    }

    /// Every event of the log, with how often it stands there.
    async fn published(&self) -> BTreeMap<String, u32> {
        let mut all = BTreeMap::new();
        for topic in Kind::ALL.map(topic::of_kind) {
            for partition in 0..3 {
                let (mut next, end) = self.log.watermarks(topic, partition).await.unwrap();
                while next < end {
                    let batch = self.log.fetch(topic, partition, next, usize::MAX, Duration::ZERO).await.unwrap();
                    for stored in batch.records {
                        *all.entry(String::from_utf8(stored.record.value.to_vec()).unwrap()).or_default() += 1;
                    }
                    next = batch.next;
                }
            }
        }
        all
    }

    async fn make_room(&self) {
        for topic in Kind::ALL.map(topic::of_kind) {
            for partition in 0..3 {
                let (_, end) = self.log.watermarks(topic, partition).await.unwrap();
                self.log.truncate_before(topic, partition, end).await.unwrap();
            }
        }
    }

    fn expected(&self, to: DateTime<Utc>) -> BTreeSet<String> {
        self.city.events(noon() - HISTORY, to).map(|event| String::from_utf8(event.to_json()).unwrap()).collect()
    }
}

#[tokio::test]
async fn history_comes_at_once_and_the_present_as_it_passes() {
    let scene = Scene::new().await;
    let mut generator = scene.generator().await;
    assert_eq!(generator.advance().await.unwrap() as usize, scene.expected(noon()).len());
    assert_eq!(generator.advance().await.unwrap(), 0, "nothing twice");
    let later = noon() + TimeDelta::seconds(613);
    scene.clock.set(later);
    generator.advance().await.unwrap();
    let published = scene.published().await;
    assert_eq!(published.keys().cloned().collect::<BTreeSet<_>>(), scene.expected(later));
    assert!(published.values().all(|times| *times == 1));
}

#[tokio::test]
async fn a_generator_that_starts_again_leaves_no_gap_and_repeats_at_most_a_second() {
    let scene = Scene::new().await;
    scene.generator().await.advance().await.unwrap();
    let later = noon() + TimeDelta::hours(2);
    scene.clock.set(later);
    scene.generator().await.advance().await.unwrap();
    let published = scene.published().await;
    assert_eq!(published.keys().cloned().collect::<BTreeSet<_>>(), scene.expected(later));
    let twice = published.values().filter(|times| **times > 1).count();
    assert!(twice <= 16, "{twice} events twice: only those of each topic's last second may be");
}

#[tokio::test]
async fn a_topic_left_behind_by_a_crash_is_completed() {
    let scene = Scene::new().await;
    // A crash between two topics: the sensors' part of a batch is there, the others' is not.
    let half = noon() - HISTORY / 2;
    let rules = City::delivery_rules();
    for (kind, to) in [(Kind::HotlineCall, half), (Kind::GridReport, half), (Kind::SensorEvent, noon()), (Kind::CaseStep, half)] {
        let events = scene.city.events(noon() - HISTORY, to).filter(|event| event.kind == kind);
        let envelopes = events.map(|event| Envelope::event(&event, &rules)).collect();
        Publisher::new(Arc::clone(&scene.log) as Arc<dyn EventLog>).publish(envelopes).await.unwrap();
    }
    scene.generator().await.advance().await.unwrap();
    let published = scene.published().await;
    assert_eq!(published.keys().cloned().collect::<BTreeSet<_>>(), scene.expected(noon()));
    assert!(published.values().filter(|times| **times > 1).count() <= 16);
}

#[tokio::test]
async fn what_a_full_log_did_not_take_comes_first_when_there_is_room() {
    let later = noon() + TimeDelta::hours(3);
    let city = City::new(CitySpec::default()).unwrap();
    // The fullest topic holds the history or the hours after it, not both; 16 bytes is what the log adds to a record.
    let fullest = |from: DateTime<Utc>, to: DateTime<Utc>| {
        let bytes = |event: &Event| Envelope::event(event, &City::delivery_rules()).record.bytes() as u64 + 16;
        let of_kind = |kind: Kind| city.events(from, to).filter(|event| event.kind == kind).map(|event| bytes(&event)).sum::<u64>();
        Kind::ALL.map(of_kind).into_iter().max().unwrap()
    };
    let topic_bytes_max = fullest(noon() - HISTORY, noon()).max(fullest(noon(), later));
    let scene = Scene::with_limits(LogLimits { topic_bytes_max, ..LogLimits::default() }).await;
    let mut generator = scene.generator().await;
    generator.advance().await.unwrap();
    scene.clock.set(later);
    assert_eq!(generator.advance().await.unwrap_err().remedy(), Remedy::Retry);
    let mut seen: BTreeSet<String> = scene.published().await.into_keys().collect();
    scene.make_room().await;
    generator.advance().await.unwrap();
    seen.extend(scene.published().await.into_keys());
    assert!(seen == scene.expected(later));
}

#[tokio::test]
async fn a_stopped_generator_publishes_no_more() {
    let scene = Scene::new().await;
    scene.settings.stop.cancel();
    scene.generator().await.run().await.unwrap();
    assert!(scene.published().await.is_empty());
}

#[tokio::test]
async fn a_time_lapse_shows_the_last_day_and_never_runs_ahead_of_the_clock() {
    let mut scene = Scene::new().await;
    scene.settings.history = Duration::from_secs(30 * 3600);
    scene.settings.speed = 3_600.0;
    let mut generator = scene.generator().await;
    let newest =
        async || scene.published().await.keys().map(|text| serde_json::from_str::<Event>(text).unwrap().occurred_at).max().unwrap();
    generator.advance().await.unwrap();
    assert!(newest().await < noon() - TimeDelta::hours(24));
    scene.clock.set(noon() + TimeDelta::seconds(10));
    generator.advance().await.unwrap();
    let shown = newest().await;
    assert!(shown < noon() - TimeDelta::hours(14) && shown > noon() - TimeDelta::hours(15), "ten seconds show ten hours: {shown}");
    scene.clock.set(noon() + TimeDelta::seconds(60));
    generator.advance().await.unwrap();
    let shown = newest().await;
    assert!(shown < noon() + TimeDelta::seconds(60) && shown > noon(), "{shown}");
}

#[tokio::test]
async fn settings_out_of_bounds_are_named() {
    let scene = Scene::new().await;
    let attempt = |settings: GeneratorSettings| {
        let publisher = Publisher::new(Arc::clone(&scene.log) as Arc<dyn EventLog>);
        let made = Generator::new(
            &scene.city,
            publisher,
            Arc::new(Unobserved),
            Arc::clone(&scene.clock) as Arc<dyn Clock>,
            settings,
            Progress::default(),
        );
        made.map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        attempt(GeneratorSettings { speed: 0.5, ..GeneratorSettings::default() }),
        "the demo city's speed is 0.5, it must be 1 to 86400"
    );
    let endless = GeneratorSettings { history: Duration::from_secs(u64::MAX), ..GeneratorSettings::default() };
    assert!(attempt(endless).starts_with("the demo city's history is 18446744073709551615 s, it must be at most ten years"));
}
