//! Everything about a city that is drawn once and never changes: its plan, devices, lanes and the tables of chance.

use super::CitySpec;
use super::calendar::DAY;
use super::categories::{CATEGORIES, COUNT, PATROL};
use super::dice::{Dice, Weighted};
use super::episodes::Director;
use super::lanes::{Lane, Origin, PACES, lanes};
use super::plan::{Plan, taste};
use super::sensors::{Device, install};

/// Ranks of the places everybody knows in a grid, for each category.
const KNOWN_PLACES: usize = 24;
/// Exponent of Zipf's law over them: the first is named about as often as the last twelve together.
const PLACES_EXPONENT: f64 = 0.9;
/// From this rate on, lanes are cut into minutes instead of hours, so that starting in the middle stays quick.
const BUSY_RATE: f64 = 32.0;
/// Calls a day for which the size of episodes was chosen.
const EPISODE_CALLS: f64 = 1_500.0;

/// The city as it is at all times.
#[derive(Debug)]
pub(super) struct World {
    pub(super) spec: CitySpec,
    pub(super) dice: Dice,
    pub(super) plan: Plan,
    pub(super) devices: Vec<Device>,
    pub(super) director: Director,
    pub(super) lanes: Vec<Lane>,
    /// Choice of the grid by category.
    pub(super) grid_of: Vec<Weighted>,
    /// Choice of the rank of a known place.
    pub(super) place_rank: Weighted,
    /// Length of the slots lanes are cut into; divides an hour.
    pub(super) slot_seconds: i64,
    /// Events a second of a lane at each hour of an ordinary day, by origin and category.
    hourly: [[[f64; 24]; COUNT]; 2],
}

impl World {
    /// Draws the world of a checked spec.
    pub(super) fn new(spec: CitySpec) -> Self {
        let dice = Dice::new(spec.seed);
        let plan = Plan::draw(&dice, &spec);
        let devices = install(&dice, &plan, spec.sensors);
        let scale = spec.rate * spec.calls_per_day / EPISODE_CALLS;
        Self {
            director: Director::new(&dice, scale, &plan, &devices),
            lanes: lanes(&dice),
            grid_of: (0..COUNT).map(|category| grid_choice(&dice, &plan, category)).collect(),
            place_rank: Weighted::zipf(KNOWN_PLACES, PLACES_EXPONENT),
            slot_seconds: if spec.rate < BUSY_RATE { 3600 } else { 60 },
            hourly: [Origin::Call, Origin::Report].map(|origin| std::array::from_fn(|category| hourly(&spec, origin, category))),
            plan,
            devices,
            dice,
            spec,
        }
    }

    /// Events a second of a lane at the full hour `hour` of an ordinary day.
    pub(super) fn hourly(&self, origin: Origin, category: usize, hour: usize) -> f64 {
        self.hourly[origin as usize][category][hour]
    }
}

fn hourly(spec: &CitySpec, origin: Origin, category: usize) -> [f64; 24] {
    let (per_day, hours) = match origin {
        Origin::Call => (spec.calls_per_day, CATEGORIES[category].hours),
        Origin::Report => (spec.reports_per_day, &PATROL),
    };
    let mean = hours.iter().sum::<f64>() / 24.0;
    let share = CATEGORIES[category].share[origin as usize] / 1000.0;
    hours.map(|weight| spec.rate * per_day * share / DAY as f64 / PACES as f64 * weight / mean)
}

fn grid_choice(dice: &Dice, plan: &Plan, category: usize) -> Weighted {
    let weight = |(index, grid): (usize, &super::plan::Grid)| {
        // A hundred people more than live there: passers-by complain in parks, too.
        (f64::from(grid.population) + 100.0) * CATEGORIES[category].land[grid.land as usize] * taste(dice, index, category)
    };
    Weighted::new(&plan.grids.iter().enumerate().map(weight).collect::<Vec<_>>())
}
