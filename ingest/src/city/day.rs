//! What is true of one day for the whole city: its weather, its mood, the factor of each category, what episodes touch it.
//! A pure function of seed and day, kept in a small book because a thousand streams ask for the same days.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calendar::{DAY, day_start, is_off, mood, season_of};
use super::categories::{CATEGORIES, COUNT, Category};
use super::dice::Purpose;
use super::episodes::Episode;
use super::weather::Weather;
use super::world::World;

/// Field workers have the day off, too; so many still patrol.
const PATROLS_ON_DAYS_OFF: f64 = 0.45;
/// Largest factor of a district's own swing on a day; lanes thin by it.
pub(super) const DISTRICT_MAX: f64 = 1.5;

/// The facts of a day.
#[derive(Debug)]
pub(super) struct DayFacts {
    /// Factor of each category for calls and for reports; its mean over a year is about 1.
    pub(super) factor: [[f64; COUNT]; 2],
    /// Factor of each district, within 0.5..=[`DISTRICT_MAX`].
    pub(super) district: Vec<f64>,
    /// Episodes that touch the day.
    pub(super) episodes: Vec<Episode>,
    /// Dust at the start and at the end of the day.
    pub(super) dust: (f64, f64),
    /// Water in the ground at the start and at the end of the day.
    pub(super) wetness: (f64, f64),
}

impl DayFacts {
    fn of(world: &World, day: i64) -> Self {
        let weather = Weather::of(&world.dice, day);
        let factor = |origin: usize, index: usize| {
            let shared = libm::exp(0.1 * world.dice.normal(Purpose::District, day as u64, 1000 + index as u64));
            shared
                * mood(day)
                * season(&CATEGORIES[index], day)
                * sky(&CATEGORIES[index], weather)
                * rest(&CATEGORIES[index], origin, is_off(day))
        };
        let district =
            |index: usize| (1.0 + 0.18 * world.dice.normal(Purpose::District, day as u64, index as u64)).clamp(0.5, DISTRICT_MAX);
        Self {
            factor: [0, 1].map(|origin| std::array::from_fn(|index| factor(origin, index))),
            district: (0..world.plan.districts.len()).map(district).collect(),
            episodes: world.director.episodes(day_start(day), day_start(day) + DAY),
            dust: (weather.dust, Weather::of(&world.dice, day + 1).dust),
            wetness: (Weather::wetness(&world.dice, day - 1), Weather::wetness(&world.dice, day)),
        }
    }
}

fn season(category: &Category, day: i64) -> f64 {
    let (height, month) = category.season;
    1.0 + height * libm::cos((season_of(day) - (month - 0.5) / 12.0) * std::f64::consts::TAU)
}

fn sky(category: &Category, weather: Weather) -> f64 {
    let (rain, warmth) = category.weather;
    libm::exp((rain * weather.rain / 10.0 + warmth * (weather.warmth - 20.0) / 10.0).clamp(-1.2, 2.2))
}

fn rest(category: &Category, origin: usize, off: bool) -> f64 {
    match (off, origin) {
        (false, _) => 1.0,
        (true, 0) => category.weekend,
        (true, _) => PATROLS_ON_DAYS_OFF,
    }
}

/// The days asked for lately.
#[derive(Debug, Default)]
pub(super) struct DayBook(BTreeMap<i64, Arc<DayFacts>>);

impl DayBook {
    /// Streams of steps reach some weeks back, and those of a thinly populated city years ahead; beyond so many days the oldest page
    /// is torn out (and made again if asked for).
    const PAGES_MAX: usize = 4_096;

    /// The facts of a day.
    pub(super) fn facts(&mut self, world: &World, day: i64) -> Arc<DayFacts> {
        if let Some(facts) = self.0.get(&day) {
            return Arc::clone(facts);
        }
        let facts = Arc::new(DayFacts::of(world, day));
        self.0.insert(day, Arc::clone(&facts));
        if self.0.len() > Self::PAGES_MAX {
            self.0.pop_first();
        }
        facts
    }
}
