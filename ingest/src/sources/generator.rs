//! The demo city as a source: publishes its history at once, then lives on as the clock advances. The only place where the
//! generator meets a clock and the log.
//!
//! The log itself says how far a generator has come ([`Progress::read`]), so a stopped or killed one goes on without a gap:
//! each topic from its own last second, which is sent again because it may have been cut; its ids make that harmless.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use contract::clock::Clock;
use contract::log::{EventLog, LogError, Remedy};
use contract::{DeliveryRules, Envelope, Event, topic};
use tokio_util::sync::CancellationToken;

use crate::city::{City, Events, SOURCES};
use crate::{Observer, PublishError, Publisher};

/// Events of one publish: about 4 MB, an append the log takes whole and a moment's work.
const BATCH_EVENTS_MAX: usize = 8_192;
/// How often the city's clock is looked at: events lie on whole seconds, so four times is as good as at once.
const TICK: Duration = Duration::from_millis(250);
/// How much of the history a time lapse shows.
const LAPSE: TimeDelta = TimeDelta::hours(24);
/// Fastest time lapse: the whole of [`LAPSE`] in a second.
const SPEED_MAX: f64 = 86_400.0;
/// Records looked at from the end of a partition to find the city's last one, between those of other sources.
const TAIL_RECORDS: u64 = 4_096;
const TAIL_BYTES: usize = 4 * 1024 * 1024;

/// How the city is streamed.
#[derive(Debug, Clone)]
pub struct GeneratorSettings {
    /// How far back history reaches; also the longest stop that is caught up on.
    pub history: Duration,
    /// 1 publishes all history at once; more keeps the last 24 hours of it back and shows them so many times faster than
    /// they were, until the city's time has caught up with the clock. 1 to 86,400.
    pub speed: f64,
    /// Stops between two batches; what was published stays.
    pub stop: CancellationToken,
}

impl Default for GeneratorSettings {
    /// Thirty days at once.
    fn default() -> Self {
        Self { history: Duration::from_secs(30 * 86_400), speed: 1.0, stop: CancellationToken::new() }
    }
}

/// Why the city stopped streaming.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// A setting is out of bounds.
    #[error("the demo city's {setting} is {found}, it must be {bounds}")]
    Setting {
        /// Which setting.
        setting: &'static str,
        /// What was given.
        found: String,
        /// What is possible.
        bounds: &'static str,
    },
    /// The log did not tell how far the city had come.
    #[error("could not read the end of topic \"{topic}\" to resume the demo city")]
    Resume {
        /// The topic.
        topic: &'static str,
        /// What the log said.
        #[source]
        source: LogError,
    },
    /// A batch did not get into the log.
    #[error("could not publish {events} events of the demo city")]
    Publish {
        /// How many.
        events: usize,
        /// What the publisher said.
        #[source]
        source: Box<PublishError>,
    },
}

impl GeneratorError {
    /// What the caller has to do.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::Setting { .. } => Remedy::Fix,
            Self::Resume { source, .. } => source.remedy(),
            Self::Publish { source, .. } => source.remedy(),
        }
    }
}

/// The last second of the city that each topic holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress(BTreeMap<&'static str, DateTime<Utc>>);

impl Progress {
    /// Reads the ends of the city's topics; a topic that does not exist yet holds nothing.
    ///
    /// # Errors
    /// When the log fails.
    pub async fn read(log: &dyn EventLog) -> Result<Self, GeneratorError> {
        let mut last = BTreeMap::new();
        for topic in topic::ALL.into_iter().filter(|topic| *topic != topic::QUARANTINE) {
            match last_of(log, topic).await {
                Ok(Some(at)) => {
                    last.insert(topic, at);
                }
                Ok(None) | Err(LogError::UnknownTopic { .. }) => {}
                Err(source) => return Err(GeneratorError::Resume { topic, source }),
            }
        }
        Ok(Self(last))
    }

    /// From when on something may be missing; `None` when a topic holds nothing of the city.
    fn complete_until(&self) -> Option<DateTime<Utc>> {
        let topics = topic::ALL.len() - 1;
        (self.0.len() == topics).then(|| self.0.values().min().copied()).flatten()
    }

    fn lacks(&self, event: &Event) -> bool {
        self.0.get(topic::of_kind(event.kind)).is_none_or(|last| event.occurred_at >= *last)
    }
}

async fn last_of(log: &dyn EventLog, topic: &str) -> Result<Option<DateTime<Utc>>, LogError> {
    let mut last = None;
    for partition in 0..log.partitions(topic).await? {
        let (first, end) = log.watermarks(topic, partition).await?;
        let mut next = first.max(end.saturating_sub(TAIL_RECORDS));
        // Bounded by the offsets that stood when we looked; each turn moves on or stops.
        while next < end {
            let batch = log.fetch(topic, partition, next, TAIL_BYTES, Duration::ZERO).await?;
            let events = batch.records.iter().filter_map(|stored| serde_json::from_slice::<Event>(&stored.record.value).ok());
            last = last.max(events.filter(|event| SOURCES.contains(&event.source.as_str())).map(|event| event.occurred_at).max());
            if batch.next <= next {
                break;
            }
            next = batch.next;
        }
    }
    Ok(last)
}

/// Streams one city into the log.
#[derive(Debug)]
pub struct Generator {
    publisher: Publisher,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
    pace: Pace,
    progress: Progress,
    rules: DeliveryRules,
    /// Taken out while a batch is made on another thread.
    events: Option<Events>,
    /// Made but not yet durable: kept when the log pushes back for long.
    pending: Vec<Event>,
}

impl Generator {
    /// A generator of `city` that goes on where `progress` ends, at most a history's length ago.
    ///
    /// # Errors
    /// Names the setting that is out of bounds.
    pub fn new(
        city: &City,
        publisher: Publisher,
        observer: Arc<dyn Observer>,
        clock: Arc<dyn Clock>,
        settings: GeneratorSettings,
        progress: Progress,
    ) -> Result<Self, GeneratorError> {
        let now = clock.now();
        let oldest = TimeDelta::from_std(settings.history).ok().filter(|history| history.num_days() <= i64::from(crate::city::DAYS_MAX));
        let oldest = oldest.and_then(|history| now.checked_sub_signed(history)).ok_or_else(|| GeneratorError::Setting {
            setting: "history",
            found: format!("{} s", settings.history.as_secs()),
            bounds: "at most ten years",
        })?;
        let start = progress.complete_until().map_or(oldest, |complete| complete.max(oldest));
        let pace = Pace::new(start, now, settings.speed)?;
        tracing::info!(%start, speed = settings.speed, resumed = start != oldest, "demo city starts");
        let events = Some(city.events(start, DateTime::<Utc>::MAX_UTC));
        Ok(Self {
            publisher,
            observer,
            clock,
            stop: settings.stop,
            pace,
            progress,
            rules: City::delivery_rules(),
            events,
            pending: Vec::new(),
        })
    }

    /// Streams until stopped. A log that pushes back is waited for, however long: the city's past does not go away.
    ///
    /// # Errors
    /// When the log refuses a batch for good; starting again with the log's [`Progress`] continues.
    pub async fn run(mut self) -> Result<(), GeneratorError> {
        while !self.stop.is_cancelled() {
            match self.advance().await {
                Err(error) if error.remedy() == Remedy::Retry => {
                    tracing::warn!(pending = self.pending.len(), error = &error as &dyn std::error::Error, "demo city waits for the log");
                }
                result => {
                    result?;
                }
            }
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(TICK) => {}
            }
        }
        Ok(())
    }

    /// Publishes everything that is due by the clock, or until stopped; answers how many events that were.
    ///
    /// # Errors
    /// When a batch was not taken: it is kept and comes first at the next call.
    pub async fn advance(&mut self) -> Result<u64, GeneratorError> {
        let due = self.pace.due(self.clock.now());
        let mut published = 0;
        while !self.stop.is_cancelled() {
            if self.pending.is_empty() {
                self.pending = self.batch(due).await;
            }
            if self.pending.is_empty() {
                break;
            }
            self.publish().await?;
            published += self.pending.len() as u64;
            self.pending.clear();
        }
        Ok(published)
    }

    /// The next events before `due`, made beside the runtime because a full batch takes some milliseconds.
    async fn batch(&mut self, due: DateTime<Utc>) -> Vec<Event> {
        let Some(mut events) = self.events.take() else { return Vec::new() };
        if events.next_at().is_none_or(|next| next >= due) {
            self.events = Some(events);
            return Vec::new();
        }
        let progress = self.progress.clone();
        let made = tokio::task::spawn_blocking(move || {
            let mut batch = Vec::new();
            while batch.len() < BATCH_EVENTS_MAX && events.next_at().is_some_and(|next| next < due) {
                batch.extend(events.next().filter(|event| progress.lacks(event)));
            }
            (events, batch)
        });
        match made.await {
            Ok((events, batch)) => {
                self.events = Some(events);
                batch
            }
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is going down: there is nothing to publish any more.
            Err(_) => Vec::new(),
        }
    }

    async fn publish(&self) -> Result<(), GeneratorError> {
        let events = self.pending.len();
        let mut by_source: BTreeMap<&str, u64> = BTreeMap::new();
        self.pending.iter().for_each(|event| *by_source.entry(event.source.as_str()).or_default() += 1);
        let envelopes = self.pending.iter().map(|event| Envelope::event(event, &self.rules)).collect();
        self.publisher.publish(envelopes).await.map_err(|source| GeneratorError::Publish { events, source: Box::new(source) })?;
        by_source.into_iter().for_each(|(source, count)| self.observer.published(source, count));
        Ok(())
    }
}

/// How far the city's time has come at a time of the clock.
#[derive(Debug)]
struct Pace {
    started: DateTime<Utc>,
    /// The city's time when we started.
    shown: DateTime<Utc>,
    speed: f64,
}

impl Pace {
    fn new(start: DateTime<Utc>, now: DateTime<Utc>, speed: f64) -> Result<Self, GeneratorError> {
        if !(1.0..=SPEED_MAX).contains(&speed) {
            return Err(GeneratorError::Setting { setting: "speed", found: speed.to_string(), bounds: "1 to 86400" });
        }
        let shown = if speed > 1.0 { start.max(now - LAPSE) } else { now };
        Ok(Self { started: now, shown, speed })
    }

    /// Events before this instant are due. Never ahead of the clock: an event of the future is refused downstream.
    fn due(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let elapsed = (now - self.started).max(TimeDelta::zero());
        let lapsed = elapsed.as_seconds_f64() * self.speed;
        // Beyond a year of lapse the city has long caught up; the bound keeps the conversion exact.
        let lapsed = TimeDelta::milliseconds((lapsed.min(31_536_000.0) * 1000.0) as i64);
        if self.speed > 1.0 { (self.shown + lapsed).min(now) } else { now }
    }
}

#[cfg(test)]
mod tests;
