//! Fixed devices and what they read: noise, fine dust and water level, each with its daily course, its noise, its gaps and,
//! during an episode, its trouble. A reading is a pure function of device and time.

use std::sync::Arc;

use contract::{Event, Kind};

use super::calendar::{DAY, HOUR, OFFSET_SECONDS, day_of, hour_of};
use super::categories::Land;
use super::day::{DayBook, DayFacts};
use super::dice::{Dice, Purpose, below, shuffle, unit};
use super::episodes::EpisodeKind;
use super::lattice::Point;
use super::plan::Plan;
use super::world::World;
use super::{SOURCE_SENSORS, bare_event};

/// Share of readings that never arrive.
const MISSING_SHARE: f64 = 0.015;
/// Seconds between two readings, by device in turn.
const PERIODS: [i64; 3] = [600, 720, 900];
/// A reading comes up to so many seconds after its round time.
const JITTER_SECONDS: usize = 20;
/// Decibels of the quiet hours by land, and the part of them that follows the day.
const NOISE_LEVEL: [f64; 5] = [58.0, 55.0, 50.0, 57.0, 46.0];
/// Loudness of the hours, 0 at night to 1 at the busiest.
const LOUDNESS: [f64; 24] =
    [0.15, 0.08, 0.03, 0., 0., 0.1, 0.35, 0.7, 0.9, 0.85, 0.8, 0.8, 0.78, 0.75, 0.78, 0.8, 0.88, 1., 0.98, 0.85, 0.75, 0.6, 0.45, 0.28];
/// Dust by the hours: tops at both rush hours, cleanest in the afternoon.
const DUST: [f64; 24] = [
    1.05, 1.02, 1., 0.98, 0.97, 1., 1.08, 1.18, 1.22, 1.15, 1.05, 0.95, 0.9, 0.86, 0.84, 0.86, 0.92, 1.02, 1.1, 1.12, 1.12, 1.1, 1.08, 1.06,
];

/// What a device measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Noise,
    Dust,
    WaterLevel,
}

impl Property {
    const fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Noise => ("noise", "noise_level", "dB(A)"),
            Self::Dust => ("air", "pm2_5", "ug/m3"),
            Self::WaterLevel => ("water", "water_level", "m"),
        }
    }

    /// Readings carry so many steps a unit: 0.1 dB, 1 µg/m³, 1 cm.
    const fn steps(self) -> f64 {
        match self {
            Self::Noise => 10.0,
            Self::Dust => 1.0,
            Self::WaterLevel => 100.0,
        }
    }
}

/// A device at its place.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) id: String,
    pub(super) property: Property,
    pub(super) grid: usize,
    point: Point,
    period: i64,
    phase: i64,
    /// How far the device reads from its neighbours, standard normal.
    bias: f64,
}

/// Puts `count` devices up: noise where people are, water along the river, dust anywhere.
pub(super) fn install(dice: &Dice, plan: &Plan, count: usize) -> Vec<Device> {
    let mut rng = dice.stream(Purpose::Device, 0);
    let mut places = |wanted: &dyn Fn(usize) -> bool| {
        let mut all: Vec<usize> = (0..plan.grids.len()).collect();
        shuffle(&mut rng, &mut all);
        // Stable: wanted places first, the others after them where there are more devices than places.
        all.sort_by_key(|grid| !wanted(*grid));
        all
    };
    let busy = places(&|grid| matches!(plan.grids[grid].land, Land::Center | Land::Old));
    let any = places(&|_| true);
    let wet = places(&|grid| plan.grids[grid].riverside);
    // Of five devices two listen, two taste the air and one stands in the water.
    let turns =
        [(Property::Noise, &busy), (Property::Dust, &any), (Property::Noise, &busy), (Property::WaterLevel, &wet), (Property::Dust, &any)];
    let mut used = [0; 3];
    let mut device = |index: usize| {
        let (property, places) = turns[index % turns.len()];
        let nth = used[property as usize];
        used[property as usize] += 1;
        let grid = places[nth % places.len()];
        let addresses = &plan.grids[grid].addresses;
        let word = dice.hash(Purpose::Device, 1, index as u64);
        Device {
            id: format!("{}-{:03}", property.names().0, nth + 1),
            property,
            grid,
            point: addresses[below(word, addresses.len())].point,
            period: PERIODS[index % PERIODS.len()],
            phase: (word % 600) as i64,
            bias: dice.normal(Purpose::Device, 2, index as u64),
        }
    };
    (0..count).map(&mut device).collect()
}

/// The readings of one device in time order, from an instant on.
#[derive(Debug)]
pub(super) struct DeviceStream {
    device: usize,
    next: i64,
    facts: Option<(i64, Arc<DayFacts>)>,
}

/// A reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) at: i64,
    turn: i64,
    value: f64,
}

impl DeviceStream {
    /// Readings of a device from `from` on.
    pub(super) fn new(world: &World, device: usize, from: i64) -> Self {
        let Device { period, phase, .. } = world.devices[device];
        Self { device, next: (from - phase - JITTER_SECONDS as i64).div_euclid(period), facts: None }
    }

    /// The next reading that arrives, if its time is before `to`.
    pub(super) fn next(&mut self, world: &World, book: &mut DayBook, to: i64) -> Option<Reading> {
        loop {
            let turn = self.next;
            let device = &world.devices[self.device];
            let word = world.dice.hash(Purpose::Device, 16 + self.device as u64, turn as u64);
            let at = turn * device.period + device.phase + below(word, JITTER_SECONDS) as i64;
            if at >= to {
                return None;
            }
            self.next += 1;
            if unit(super::dice::mix(word)) < MISSING_SHARE {
                continue;
            }
            let facts = self.facts_of(world, book, day_of(at));
            let trouble = |kind: EpisodeKind| {
                facts.episodes.iter().find(|episode| episode.kind == kind && episode.device == Some(self.device) && episode.covers(at))
            };
            if trouble(EpisodeKind::SensorSilent).is_some() {
                continue;
            }
            let value = match trouble(EpisodeKind::SensorStuck) {
                Some(episode) => frozen(world, self.device, episode.key()),
                None => measure(world, self.device, &facts, at, turn),
            };
            return Some(Reading { at, turn, value });
        }
    }

    fn facts_of(&mut self, world: &World, book: &mut DayBook, day: i64) -> Arc<DayFacts> {
        match &self.facts {
            Some((known, facts)) if *known == day => Arc::clone(facts),
            _ => {
                let facts = book.facts(world, day);
                self.facts = Some((day, Arc::clone(&facts)));
                facts
            }
        }
    }
}

/// What a stuck device repeats: an ordinary value of it.
fn frozen(world: &World, device: usize, key: u64) -> f64 {
    let device = &world.devices[device];
    let chance = world.dice.unit(Purpose::Device, 3, key);
    let value = match device.property {
        Property::Noise => NOISE_LEVEL[world.plan.grids[device.grid].land as usize] + 6.0 * chance,
        Property::Dust => 20.0 + 40.0 * chance,
        Property::WaterLevel => 1.1 + 0.4 * chance,
    };
    (value * device.property.steps()).round() / device.property.steps()
}

fn measure(world: &World, index: usize, facts: &DayFacts, at: i64, turn: i64) -> f64 {
    let device = &world.devices[index];
    let flutter = world.dice.normal(Purpose::Device, 1 << 20 | index as u64, turn as u64);
    let hour = hour_of(at);
    let within = (at + OFFSET_SECONDS).rem_euclid(HOUR) as f64 / HOUR as f64;
    let course = |hours: &[f64; 24]| hours[hour] + (hours[(hour + 1) % 24] - hours[hour]) * within;
    let through_day = (at + OFFSET_SECONDS).rem_euclid(DAY) as f64 / DAY as f64;
    let height = |kind: EpisodeKind| {
        let near = facts.episodes.iter().filter(|episode| episode.kind == kind && episode.grids.contains(&device.grid));
        near.map(|episode| episode.level(at)).fold(0.0, f64::max)
    };
    let value = match device.property {
        Property::Noise => {
            let quiet = NOISE_LEVEL[world.plan.grids[device.grid].land as usize] - 6.0 + 1.5 * device.bias;
            quiet + 15.0 * course(&LOUDNESS) + 1.6 * flutter + 13.0 * height(EpisodeKind::NoiseSurge)
        }
        Property::Dust => {
            let city = facts.dust.0 + (facts.dust.1 - facts.dust.0) * through_day;
            (city * course(&DUST) * (1.0 + 0.08 * device.bias) * (1.0 + 0.06 * flutter)).max(1.0)
        }
        Property::WaterLevel => {
            let wet = facts.wetness.0 + (facts.wetness.1 - facts.wetness.0) * through_day;
            1.2 + 0.08 * device.bias + 0.011 * wet + 0.01 * flutter + 0.9 * height(EpisodeKind::Flooding)
        }
    };
    (value * device.property.steps()).round() / device.property.steps()
}

/// The contract event of a reading.
pub(super) fn event(world: &World, device: usize, reading: Reading) -> Event {
    let device = &world.devices[device];
    let (_, property, unit) = device.property.names();
    let (lon, lat) = device.point.degrees();
    Event {
        device_id: Some(device.id.clone()),
        observed_property: Some(property.to_owned()),
        value: Some(reading.value),
        value_unit: Some(unit.to_owned()),
        lon: Some(lon),
        lat: Some(lat),
        grid_id: Some(world.plan.grids[device.grid].id.clone()),
        ..bare_event(
            format!("{}-{}", device.id, reading.turn * device.period + device.phase),
            SOURCE_SENSORS,
            Kind::SensorEvent,
            reading.at,
        )
    }
}
