//! What is injected on purpose: outbreaks, a chronic address, sensors that fall silent or stick, each with its label, so
//! that early warning can be scored. A pure function of seed and time; the only place that knows the truth.
//!
//! Series of episodes run for ever, each on a period of its own, so every 30 days hold some of each and an outbreak is never
//! more than 36 hours away.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::calendar::{DAY, HOUR, day_start, days, ends_festivity};
use super::categories::{CATEGORIES, FLOODING, Land, NOISE, PARKING, RUBBISH, SMOKE};
use super::dice::{Dice, Purpose, below, shuffle};
use super::instant;
use super::plan::Plan;
use super::sensors::{Device, Property};

/// A new outbreak begins every three days …
const OUTBREAK_PERIOD: i64 = 72 * HOUR;
/// … up to four hours later than the round hour …
const OUTBREAK_JITTER_HOURS: usize = 5;
/// … and lasts so long: the city is calm for at most 36 hours.
const OUTBREAK_LENGTH: i64 = 40 * HOUR;
const RUBBISH_LENGTH: i64 = 36 * HOUR;
const SILENCE_PERIOD: i64 = 10 * DAY;
const STUCK_PERIOD: i64 = 14 * DAY;
const STUCK_LENGTH: i64 = 60 * HOUR;
const CHRONIC_PERIOD: i64 = 45 * DAY;
/// Time an outbreak takes to rise and to fall.
const RAMP: i64 = 2 * HOUR;
/// The longest episode; whoever looks for episodes looks this far back.
const LENGTH_MAX: i64 = CHRONIC_PERIOD;

/// The kinds of episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EpisodeKind {
    /// Night works: noise in two adjacent grids; a noise sensor there hears it.
    NoiseSurge,
    /// An event in the center: illegal parking in two adjacent grids.
    ParkingSurge,
    /// A cloudburst or a burst main: water on the road in two adjacent grids by the river; a water sensor sees it.
    Flooding,
    /// The evening after a fair or a long holiday: rubbish in three adjacent grids.
    RubbishAfterHoliday,
    /// One address about which someone calls more than once a day for weeks.
    ChronicAddress,
    /// A sensor that sends nothing.
    SensorSilent,
    /// A sensor that sends the same value again and again.
    SensorStuck,
}

impl EpisodeKind {
    /// The name in labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoiseSurge => "noise_surge",
            Self::ParkingSurge => "parking_surge",
            Self::Flooding => "flooding",
            Self::RubbishAfterHoliday => "rubbish_after_holiday",
            Self::ChronicAddress => "chronic_address",
            Self::SensorSilent => "sensor_silent",
            Self::SensorStuck => "sensor_stuck",
        }
    }
}

/// The truth about one injected episode: a line of `labels.ndjson`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Label {
    /// Its identity, stable for the seed.
    pub episode_id: String,
    /// Its kind.
    pub kind: EpisodeKind,
    /// Category of the additional events; none for sensors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<&'static str>,
    /// Ids of the grids concerned.
    pub grids: Vec<String>,
    /// The device concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The address concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_id: Option<String>,
    /// First instant with additional events.
    pub start: DateTime<Utc>,
    /// First instant without them.
    pub end: DateTime<Utc>,
    /// Calls expected beyond the ordinary.
    pub extra_calls: f64,
    /// Field reports expected beyond the ordinary.
    pub extra_reports: f64,
}

/// An episode as the generator sees it.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    pub(super) kind: EpisodeKind,
    number: i64,
    pub(super) category: usize,
    pub(super) grids: Vec<usize>,
    pub(super) device: Option<usize>,
    /// Index of the address in the first grid.
    pub(super) address: Option<usize>,
    start: i64,
    end: i64,
    /// Additional calls and reports an hour at full height.
    per_hour: [f64; 2],
}

impl Episode {
    /// How high it stands at an instant: 0 outside, 1 on the plateau.
    pub(super) fn level(&self, at: i64) -> f64 {
        let edge = (at - self.start).min(self.end - at).clamp(0, RAMP);
        edge as f64 / RAMP as f64
    }

    /// Whether an instant lies in it.
    pub(super) fn covers(&self, at: i64) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Additional events of an origin (0 calls, 1 reports) a second at an instant.
    pub(super) fn rate(&self, origin: usize, at: i64) -> f64 {
        self.per_hour[origin] * self.level(at) / HOUR as f64
    }

    /// A word of dice that is this episode's own.
    pub(super) fn key(&self) -> u64 {
        (self.kind as u64) << 48 ^ self.number as u64
    }

    /// The label to publish.
    pub(super) fn label(&self, plan: &Plan, devices: &[Device]) -> Label {
        let hours = (self.end - self.start - RAMP) as f64 / HOUR as f64;
        let extra = |origin: usize| (self.per_hour[origin] * hours * 10.0).round() / 10.0;
        Label {
            episode_id: format!("{}-{}", self.kind.as_str(), self.number),
            kind: self.kind,
            category: (self.per_hour[0] > 0.0).then_some(CATEGORIES[self.category].name.zh),
            grids: self.grids.iter().map(|grid| plan.grids[*grid].id.clone()).collect(),
            device_id: self.device.map(|device| devices[device].id.clone()),
            address_id: self.address.map(|address| plan.grids[self.grids[0]].addresses[address].id.clone()),
            start: instant(self.start),
            end: instant(self.end),
            extra_calls: extra(0),
            extra_reports: extra(1),
        }
    }
}

/// Knows where episodes can happen.
#[derive(Debug)]
pub(super) struct Director {
    dice: Dice,
    /// Additional events follow the size of the city's traffic.
    scale: f64,
    noisy: Vec<usize>,
    wet: Vec<usize>,
    central: Vec<usize>,
    lived_in: Vec<usize>,
    old: Vec<usize>,
    beside: Vec<Vec<usize>>,
    address_counts: Vec<usize>,
    device_grids: Vec<usize>,
}

impl Director {
    /// A director for a plan and its devices.
    pub(super) fn new(dice: &Dice, scale: f64, plan: &Plan, devices: &[Device]) -> Self {
        let shuffled = |mut grids: Vec<usize>| {
            shuffle(&mut dice.stream(Purpose::Episode, 0), &mut grids);
            grids
        };
        let with_device =
            |property: Property| devices.iter().filter(|device| device.property == property).map(|device| device.grid).collect();
        let with_land = |lands: &[Land]| {
            let found: Vec<usize> = (0..plan.grids.len()).filter(|grid| lands.contains(&plan.grids[*grid].land)).collect();
            shuffled(if found.is_empty() { (0..plan.grids.len()).collect() } else { found })
        };
        Self {
            dice: dice.clone(),
            scale,
            noisy: with_device(Property::Noise),
            wet: with_device(Property::WaterLevel),
            central: with_land(&[Land::Center]),
            lived_in: with_land(&[Land::Old, Land::Housing]),
            old: with_land(&[Land::Old]),
            beside: plan.grids.iter().map(|grid| grid.beside.clone()).collect(),
            address_counts: plan.grids.iter().map(|grid| grid.addresses.len()).collect(),
            device_grids: devices.iter().map(|device| device.grid).collect(),
        }
    }

    /// Every episode that touches `[from, to)`, in order of kind and time.
    pub(super) fn episodes(&self, from: i64, to: i64) -> Vec<Episode> {
        let cycles = |period: i64| (from - LENGTH_MAX).div_euclid(period)..=(to - 1).div_euclid(period);
        let outbreaks = cycles(OUTBREAK_PERIOD).map(|number| self.outbreak(number));
        let rubbish = days(from - RUBBISH_LENGTH - DAY, to).filter(|day| ends_festivity(*day)).map(|day| self.rubbish(day));
        let silences = cycles(SILENCE_PERIOD).map(|number| self.silence(number));
        let stuck = cycles(STUCK_PERIOD).map(|number| self.stuck(number));
        let chronic = cycles(CHRONIC_PERIOD).map(|number| self.chronic(number));
        let all = outbreaks.chain(rubbish).chain(silences).chain(stuck).chain(chronic);
        all.filter(|episode| episode.start < to && episode.end > from).collect()
    }

    fn word(&self, kind: EpisodeKind, number: i64, use_of: u64) -> u64 {
        self.dice.hash(Purpose::Episode, (kind as u64) << 32 ^ use_of, number as u64)
    }

    fn outbreak(&self, number: i64) -> Episode {
        // Four in a row: noise, parking, flooding, noise. Each kind wanders through its (shuffled) places, so that none is hit
        // again before the others were.
        let (round, turn) = (number.div_euclid(4), number.rem_euclid(4));
        let (kind, category, places, nth, per_hour) = match turn {
            1 => (EpisodeKind::ParkingSurge, PARKING, &self.central, round, [1.5, 0.6]),
            2 => (EpisodeKind::Flooding, FLOODING, &self.wet, round, [1.1, 0.5]),
            _ => (EpisodeKind::NoiseSurge, NOISE, &self.noisy, 2 * round + turn / 3, [1.6, 0.2]),
        };
        let place = places[nth.rem_euclid(places.len() as i64) as usize];
        let late = below(self.word(kind, number, 1), OUTBREAK_JITTER_HOURS) as i64 * HOUR;
        let start = number * OUTBREAK_PERIOD + late;
        let grids = self.cluster(place, 2, self.word(kind, number, 3));
        self.episode(kind, number, category, grids, start..start + OUTBREAK_LENGTH, per_hour)
    }

    fn rubbish(&self, day: i64) -> Episode {
        let kind = EpisodeKind::RubbishAfterHoliday;
        let center = self.lived_in[below(self.word(kind, day, 2), self.lived_in.len())];
        let grids = self.cluster(center, 3, self.word(kind, day, 3));
        let start = day_start(day) + 18 * HOUR;
        self.episode(kind, day, RUBBISH, grids, start..start + RUBBISH_LENGTH, [1.4, 1.4])
    }

    fn chronic(&self, number: i64) -> Episode {
        let kind = EpisodeKind::ChronicAddress;
        let grid = self.old[below(self.word(kind, number, 2), self.old.len())];
        let start = number * CHRONIC_PERIOD;
        let mut episode = self.episode(kind, number, SMOKE, vec![grid], start..start + CHRONIC_PERIOD, [1.3 / 24.0, 0.1 / 24.0]);
        episode.address = Some(below(self.word(kind, number, 4), self.address_counts[grid]));
        episode
    }

    fn silence(&self, number: i64) -> Episode {
        let kind = EpisodeKind::SensorSilent;
        let start = number * SILENCE_PERIOD + below(self.word(kind, number, 1), 7 * 24) as i64 * HOUR;
        let length = (18 + below(self.word(kind, number, 5), 30) as i64) * HOUR;
        self.of_device(kind, number, start..start + length)
    }

    fn stuck(&self, number: i64) -> Episode {
        let kind = EpisodeKind::SensorStuck;
        let start = number * STUCK_PERIOD + below(self.word(kind, number, 1), 9 * 24) as i64 * HOUR;
        self.of_device(kind, number, start..start + STUCK_LENGTH)
    }

    fn of_device(&self, kind: EpisodeKind, number: i64, time: std::ops::Range<i64>) -> Episode {
        let device = below(self.word(kind, number, 2), self.device_grids.len());
        let episode = self.episode(kind, number, 0, vec![self.device_grids[device]], time, [0.0; 2]);
        Episode { device: Some(device), ..episode }
    }

    fn episode(
        &self,
        kind: EpisodeKind,
        number: i64,
        category: usize,
        grids: Vec<usize>,
        time: std::ops::Range<i64>,
        per_hour: [f64; 2],
    ) -> Episode {
        let per_hour = per_hour.map(|events| events * self.scale);
        Episode { kind, number, category, grids, device: None, address: None, start: time.start, end: time.end, per_hour }
    }

    /// `center` and up to `count - 1` grids beside it.
    fn cluster(&self, center: usize, count: usize, word: u64) -> Vec<usize> {
        let beside = &self.beside[center];
        let first = below(word, beside.len().max(1));
        let others = (0..beside.len().min(count - 1)).map(|step| beside[(first + step) % beside.len()]);
        std::iter::once(center).chain(others).collect()
    }
}
