//! Where cases come from: a lane is an origin, a category and a pace of handling. Its cases are an inhomogeneous Poisson
//! process, cut into slots that are each a pure function of seed, lane and time.
//!
//! All steps of a lane's cases lag behind by the same rule (`working_time`), so a step is the lane seen through that rule:
//! nothing has to remember open cases, at any rate of events.

use std::sync::Arc;

use rand::RngCore;
use rand_chacha::ChaCha8Rng;

use super::calendar::{HOUR, day_of, hour_of};
use super::categories::{CATEGORIES, COUNT};
use super::day::{DISTRICT_MAX, DayBook, DayFacts};
use super::dice::{Dice, Purpose, below, unit};
use super::working_time::{HOUR_UNITS, Lag};
use super::world::World;

/// Paces of each category: quick, usual, slow, stuck.
pub(super) const PACES: usize = 4;
/// Factor of each pace on the time a department usually needs.
const PACE_FACTORS: [f64; PACES] = [0.3, 0.8, 1.6, 4.0];
/// Minutes of the working clock until a case is registered, then dispatched, and hours until it is verified after disposal.
const REGISTER_MINUTES: [i64; PACES] = [3, 8, 20, 60];
const DISPATCH_MINUTES: [i64; PACES] = [8, 20, 45, 150];
const VERIFY_HOURS: [i64; PACES] = [1, 3, 6, 16];
/// Hours of the working clock until somebody who is not content calls again.
const ECHO_HOURS: [i64; PACES] = [6, 20, 45, 90];
const REOPEN_HOURS: i64 = 8;
/// Share of addresses that are drawn from the known places of a grid.
const KNOWN_SHARE: f64 = 0.13;
/// Share of an outbreak's events at its three worst addresses.
const WORST_SHARE: f64 = 0.6;

/// How a case comes to the city's ears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A citizen calls.
    Call,
    /// A field worker reports.
    Report,
}

impl Origin {
    /// The faces its cases can have: nobody but a caller calls again.
    pub(super) const fn faces(self) -> &'static [Face] {
        match self {
            Self::Call => &Face::ALL,
            Self::Report => Face::ALL.split_at(Face::Echo as usize).0,
        }
    }
}

/// What can be seen of a case: itself, its steps, and a second call about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    Open,
    Register,
    Dispatch,
    Dispose,
    Archive,
    Reopen,
    Redo,
    Rearchive,
    Echo,
    Merge,
}

impl Face {
    pub(super) const ALL: [Self; 10] = [
        Self::Open,
        Self::Register,
        Self::Dispatch,
        Self::Dispose,
        Self::Archive,
        Self::Reopen,
        Self::Redo,
        Self::Rearchive,
        Self::Echo,
        Self::Merge,
    ];
}

/// A lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) origin: Origin,
    pub(super) category: usize,
    /// Two characters that make its cases' ids unique.
    pub(super) code: String,
    lags: [Lag; Face::ALL.len()],
}

impl Lane {
    /// When a face of the case opened at `at` shows.
    pub(super) fn shift(&self, face: Face, at: i64) -> i64 {
        self.lags[face as usize].shift(at)
    }
}

/// Every lane.
pub(super) fn lanes(dice: &Dice) -> Vec<Lane> {
    let origins = [Origin::Call, Origin::Report];
    let all =
        origins.into_iter().flat_map(|origin| (0..COUNT).flat_map(move |category| (0..PACES).map(move |pace| (origin, category, pace))));
    all.enumerate().map(|(index, (origin, category, pace))| lane(dice, index, origin, category, pace)).collect()
}

fn lane(dice: &Dice, index: usize, origin: Origin, category: usize, pace: usize) -> Lane {
    let minute = HOUR_UNITS / 60;
    let needed = (CATEGORIES[category].dispose_hours * PACE_FACTORS[pace] * HOUR_UNITS as f64) as i64;
    let register = REGISTER_MINUTES[pace] * minute;
    let dispatch = register + DISPATCH_MINUTES[pace] * minute;
    let dispose = dispatch + needed;
    let archive = dispose + VERIFY_HOURS[pace] * HOUR_UNITS;
    let reopen = archive + REOPEN_HOURS * HOUR_UNITS;
    let redo = reopen + needed;
    let rearchive = redo + VERIFY_HOURS[pace] * HOUR_UNITS;
    let echo = ECHO_HOURS[pace] * HOUR_UNITS;
    let units = [0, register, dispatch, dispose, archive, reopen, redo, rearchive, echo, echo + 20 * minute];
    let period = 4 * rearchive.max(echo + 20 * minute);
    let phase = (dice.hash(Purpose::Cases, 1, index as u64) % period as u64) as i64;
    let digit = |value: usize| char::from(b"0123456789abcdefghijklmnopqrstuvwxyz"[value]);
    Lane {
        origin,
        category,
        code: [digit(index / 36), digit(index % 36)].iter().collect(),
        lags: units.map(|units| Lag::new(units, period, phase)),
    }
}

/// A case as it was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) lane: usize,
    pub(super) opened: i64,
    pub(super) slot_start: i64,
    /// Its number in lane and slot.
    pub(super) number: u32,
    pub(super) grid: usize,
    pub(super) address: usize,
    /// Whether it belongs to an outbreak: such matters are more urgent.
    pub(super) outbreak: bool,
    /// Dice for what people say about it.
    pub(super) words: [u64; 2],
}

/// The cases of a lane in time order, without end.
#[derive(Debug)]
pub(super) struct CaseStream {
    lane: usize,
    slot: i64,
    open: Option<Slot>,
}

/// A slot being drawn: candidates come at the highest rate of the slot, and each is kept with the share its own instant has
/// of it (thinning; Lewis and Shedler 1979).
#[derive(Debug)]
struct Slot {
    rng: ChaCha8Rng,
    start: i64,
    number: u32,
    passed: f64,
    facts: Arc<DayFacts>,
    /// Rate of ordinary cases at the start and the end, before thinning by district.
    base: (f64, f64),
    /// Rates of the episodes that add to this lane: index in the facts, start, end.
    extra: Vec<(usize, f64, f64)>,
    highest: f64,
}

impl CaseStream {
    /// Cases of `lane` whose slot starts at or after the one that holds `from`.
    pub(super) fn new(world: &World, lane: usize, from: i64) -> Self {
        Self { lane, slot: from.div_euclid(world.slot_seconds), open: None }
    }

    /// The next case, as long as its slot starts before `to`.
    pub(super) fn next(&mut self, world: &World, book: &mut DayBook, to: i64) -> Option<Case> {
        loop {
            if self.open.is_none() {
                let start = self.slot * world.slot_seconds;
                if start >= to {
                    return None;
                }
                self.open = Some(Slot::new(world, book, self.lane, self.slot));
                self.slot += 1;
            }
            let case = self.open.as_mut().and_then(|slot| slot.next(world, self.lane));
            if case.is_some() {
                return case;
            }
            self.open = None;
        }
    }
}

impl Slot {
    fn new(world: &World, book: &mut DayBook, lane: usize, slot: i64) -> Self {
        let start = slot * world.slot_seconds;
        let end = start + world.slot_seconds;
        let Lane { origin, category, .. } = world.lanes[lane];
        let facts = book.facts(world, day_of(start));
        let base = ordinary(world, &facts, origin, category, start);
        let adds = |(index, episode): (usize, &super::episodes::Episode)| {
            let rates = [start, end].map(|at| episode.rate(origin as usize, at) / PACES as f64);
            (episode.category == category && rates != [0.0; 2]).then_some((index, rates[0], rates[1]))
        };
        let extra: Vec<_> = facts.episodes.iter().enumerate().filter_map(adds).collect();
        let total = extra.iter().fold(base, |sum, (_, first, last)| (sum.0 + first, sum.1 + last));
        Self {
            rng: world.dice.stream(Purpose::Cases, (lane as u64) << 48 ^ slot as u64),
            start,
            number: 0,
            passed: 0.0,
            facts,
            base,
            extra,
            highest: total.0.max(total.1),
        }
    }

    fn next(&mut self, world: &World, lane: usize) -> Option<Case> {
        loop {
            // 1 - u lies in (0, 1], so the logarithm is finite.
            self.passed -= libm::log(1.0 - unit(self.rng.next_u64())) / self.highest;
            if self.passed >= world.slot_seconds as f64 {
                return None;
            }
            let chance = unit(self.rng.next_u64()) * self.highest;
            if let Some(case) = self.accept(world, lane, chance) {
                return Some(case);
            }
        }
    }

    fn accept(&mut self, world: &World, lane: usize, chance: f64) -> Option<Case> {
        let share = self.passed / world.slot_seconds as f64;
        let now = |first: f64, last: f64| first + (last - first) * share;
        let mut left = chance - now(self.base.0, self.base.1);
        let (grid, address, outbreak) = if left < 0.0 {
            let (grid, address) = self.ordinary_place(world, lane)?;
            (grid, address, false)
        } else {
            let mut episodes = self.extra.iter();
            let episode = loop {
                let (index, first, last) = episodes.next()?;
                left -= now(*first, *last);
                if left < 0.0 {
                    break *index;
                }
            };
            let (grid, address) = self.outbreak_place(world, episode);
            (grid, address, true)
        };
        let words = [self.rng.next_u64(), self.rng.next_u64()];
        let number = self.number;
        self.number += 1;
        Some(Case { lane, opened: self.start + self.passed as i64, slot_start: self.start, number, grid, address, outbreak, words })
    }

    /// A grid and one of its addresses; nothing where the district has a quieter day than the loudest possible.
    fn ordinary_place(&mut self, world: &World, lane: usize) -> Option<(usize, usize)> {
        let category = world.lanes[lane].category;
        let grid = world.grid_of[category].pick(self.rng.next_u64());
        let swing = self.facts.district[world.plan.grids[grid].district];
        if unit(self.rng.next_u64()) * DISTRICT_MAX >= swing {
            return None;
        }
        let addresses = world.plan.grids[grid].addresses.len();
        let word = self.rng.next_u64();
        let address = if unit(self.rng.next_u64()) < KNOWN_SHARE {
            let rank = world.place_rank.pick(word);
            below(world.dice.hash(Purpose::Address, (grid * COUNT + category) as u64, rank as u64), addresses)
        } else {
            below(word, addresses)
        };
        Some((grid, address))
    }

    fn outbreak_place(&mut self, world: &World, index: usize) -> (usize, usize) {
        let episode = &self.facts.episodes[index];
        let grid = episode.grids[below(self.rng.next_u64(), episode.grids.len())];
        let word = self.rng.next_u64();
        if let Some(address) = episode.address {
            return (grid, address);
        }
        let addresses = world.plan.grids[grid].addresses.len();
        if unit(self.rng.next_u64()) < WORST_SHARE {
            (grid, below(world.dice.hash(Purpose::Episode, episode.key() ^ grid as u64, word % 3), addresses))
        } else {
            (grid, below(word, addresses))
        }
    }
}

/// Rates of ordinary cases at the start and the end of a slot, raised so that thinning by district leaves the mean.
fn ordinary(world: &World, facts: &DayFacts, origin: Origin, category: usize, start: i64) -> (f64, f64) {
    let hour = hour_of(start);
    let (this, next) = (world.hourly(origin, category, hour), world.hourly(origin, category, (hour + 1) % 24));
    let at = |second: i64| (this + (next - this) * second as f64 / HOUR as f64) * facts.factor[origin as usize][category] * DISTRICT_MAX;
    let second = start.rem_euclid(HOUR);
    (at(second), at(second + world.slot_seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_step_lags_so_far_that_the_search_for_its_case_would_miss_it() {
        let at = 1_790_000_000;
        let latest = lanes(&Dice::new(1)).iter().flat_map(|lane| Face::ALL.map(|face| lane.shift(face, at))).max().unwrap();
        assert!(latest - at < super::super::events::LAG_SECONDS_MAX / 2, "{} days", (latest - at) / 86_400);
    }

    #[test]
    fn lanes_have_codes_of_their_own() {
        let lanes = lanes(&Dice::new(1));
        let codes: std::collections::BTreeSet<&str> = lanes.iter().map(|lane| lane.code.as_str()).collect();
        assert_eq!(codes.len(), lanes.len());
    }
}
