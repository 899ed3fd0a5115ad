//! The demo city Anlan (安澜市): a seeded generator of a city's map and of everything its hotline, field workers, departments
//! and sensors would send. It is what `gridwatch up` streams and what `gridwatch city` writes.
//!
//! - **Pure**: the same spec gives the same bytes on any machine, on any thread, in any order; no clock, no files but in
//!   [`City::write`].
//! - **Seekable**: [`City::events`] of any range of time costs what lies in the range; two ranges that meet give the same
//!   events as one. Each event has an id of its own that never changes, so sending a range twice does no harm.
//! - **Alive**: hours, weekdays, seasons, holidays and weather move the rates; a few addresses and callers come again and
//!   again; offices work office hours; episodes are injected whose truth [`City::labels`] tells.
//!
//! | question | file |
//! |---|---|
//! | where are streets, grids, addresses? | `lattice`, `partition`, `outline`, `plan`, `names`, `map` |
//! | what is complained about, and when? | `categories`, `calendar`, `weather`, `day` |
//! | how do cases come and go? | `lanes`, `working_time`, `faces` |
//! | what do sensors read? | `sensors` |
//! | what was injected? | `episodes` |
//! | in which order does it come? | `events` |

use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::{DeliveryRules, Event, Kind};

mod calendar;
mod categories;
mod day;
mod dice;
mod episodes;
mod events;
mod faces;
mod files;
mod lanes;
mod lattice;
mod map;
mod names;
mod outline;
mod partition;
mod plan;
mod sensors;
#[cfg(test)]
mod tests;
mod weather;
mod working_time;
mod world;

pub use categories::CategoryName;
pub use episodes::{EpisodeKind, Label};
pub use events::Events;
pub use files::{DAYS_MAX, Written};

use world::World;

/// Source of the city's calls.
pub const SOURCE_HOTLINE: &str = "demo-hotline";
/// Source of the field workers' reports.
pub const SOURCE_GRID: &str = "demo-grid";
/// Source of the readings.
pub const SOURCE_SENSORS: &str = "demo-sensors";
/// Source of the steps of cases.
pub const SOURCE_CASES: &str = "demo-cases";
/// Every source of the city.
pub const SOURCES: [&str; 4] = [SOURCE_HOTLINE, SOURCE_GRID, SOURCE_SENSORS, SOURCE_CASES];

/// Most grids: what there are names for, with room.
pub const GRIDS_MAX: usize = 400;

/// What a city is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct CitySpec {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// Number of districts, 2 to 8.
    pub districts: usize,
    /// Number of grids, 24 to [`GRIDS_MAX`].
    pub grids: usize,
    /// People, 10,000 to 30 million.
    pub residents: u32,
    /// Calls on an ordinary day, 1 to 100,000.
    pub calls_per_day: f64,
    /// Field reports on an ordinary day, 1 to 100,000.
    pub reports_per_day: f64,
    /// Devices, 5 to 2,000.
    pub sensors: usize,
    /// Multiplies calls and reports (and so their steps) for load tests, 0.01 to 100,000; about 81,000 is 10,000 events/s.
    pub rate: f64,
}

impl Default for CitySpec {
    /// A city of 1.2 million in 7 districts and 120 grids.
    fn default() -> Self {
        Self {
            seed: 1,
            districts: 7,
            grids: 120,
            residents: 1_200_000,
            calls_per_day: 1_500.0,
            reports_per_day: 900.0,
            sensors: 60,
            rate: 1.0,
        }
    }
}

impl CitySpec {
    fn check(&self) -> Result<(), CityError> {
        let bounds: [(&'static str, f64, f64, f64); 7] = [
            ("districts", self.districts as f64, 2.0, names::DISTRICTS.len() as f64),
            ("grids", self.grids as f64, 24.0, GRIDS_MAX as f64),
            ("residents", f64::from(self.residents), 10_000.0, 30_000_000.0),
            ("calls_per_day", self.calls_per_day, 1.0, 100_000.0),
            ("reports_per_day", self.reports_per_day, 1.0, 100_000.0),
            ("sensors", self.sensors as f64, 5.0, 2_000.0),
            ("rate", self.rate, 0.01, 100_000.0),
        ];
        match bounds.into_iter().find(|(_, found, low, high)| !(low..=high).contains(&found)) {
            Some((field, found, low, high)) => Err(CityError::Spec { field, found: found.to_string(), bounds: format!("{low} to {high}") }),
            None => Ok(()),
        }
    }
}

/// Why a city could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum CityError {
    /// A number is outside its bounds.
    #[error("the demo city's {field} is {found}, it must be {bounds}")]
    Spec {
        /// Which number.
        field: &'static str,
        /// What was given.
        found: String,
        /// What is possible.
        bounds: String,
    },
    /// A file could not be made.
    #[error("could not {action} \"{path}\"")]
    File {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
}

/// A city. Cheap to clone; clones share what was drawn.
#[derive(Debug, Clone)]
pub struct City {
    world: Arc<World>,
}

impl City {
    /// Draws the city of a spec.
    ///
    /// # Errors
    /// Names the number that is out of bounds.
    pub fn new(spec: CitySpec) -> Result<Self, CityError> {
        spec.check()?;
        Ok(Self { world: Arc::new(World::new(spec)) })
    }

    /// What it was made from.
    pub fn spec(&self) -> &CitySpec {
        &self.world.spec
    }

    /// The name, Chinese and English.
    pub const fn name() -> (&'static str, &'static str) {
        names::CITY
    }

    /// The districts as GeoJSON, properties `grid_id`, `level`, `name_zh`, `name_en`, `parent` (null), `population`.
    pub fn districts_geojson(&self) -> String {
        map::districts(&self.world.plan)
    }

    /// The grids as GeoJSON, properties as the districts', `parent` being the district's `grid_id`.
    pub fn grids_geojson(&self) -> String {
        map::grids(&self.world.plan)
    }

    /// The river as GeoJSON: a line along which no grid has land on both sides.
    pub fn river_geojson(&self) -> String {
        map::river(&self.world.plan)
    }

    /// The code table: what events carry in `category`, with code and English name.
    pub fn categories() -> impl Iterator<Item = CategoryName> {
        categories::CATEGORIES.iter().map(|category| category.name)
    }

    /// The events of `[from, to)` in time order.
    pub fn events(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Events {
        Events::new(Arc::clone(&self.world), from, to)
    }

    /// The truth about every episode that touches `[from, to)`, in order of its start.
    pub fn labels(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Label> {
        let episodes = self.world.director.episodes(from.timestamp(), to.timestamp());
        let mut labels: Vec<Label> = episodes.iter().map(|episode| episode.label(&self.world.plan, &self.world.devices)).collect();
        labels.sort_by(|a, b| (a.start, &a.episode_id).cmp(&(b.start, &b.episode_id)));
        labels
    }

    /// The delivery rules of the city's sources: never late, because history is read from several partitions at once and
    /// each at its own speed; remembered for ever, because a generator that starts again may repeat itself.
    pub fn delivery_rules() -> DeliveryRules {
        DeliveryRules::default()
    }
}

/// An event with what every event has.
fn bare_event(event_id: String, source: &str, kind: Kind, at: i64) -> Event {
    Event::new(event_id, source.to_owned(), kind, instant(at))
}

/// An instant of the city's whole seconds; ranges are given as instants, so what lies between them is one, too.
fn instant(at: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(at, 0).unwrap_or_default()
}
