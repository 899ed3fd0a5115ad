//! The disposition of each event of one partition: duplicate, revision, late or accepted. Pure; no IO, no clock.
//!
//! Decided against what stands at *earlier offsets* only, record by record, so neither batch boundaries nor a crash change an
//! answer. Words: the **watermark** of a source is the newest accepted `occurred_at` of it in this partition; the **horizon** is
//! how far behind the watermark ids are remembered. A feed's lateness never exceeds its horizon, so an event old enough to have
//! been forgotten is late before anybody could ask whether it is a repeat.
//!
//! What is remembered of an event takes some sixty bytes, because names are numbers here ([`Name`]).

use std::hash::{BuildHasher, RandomState};

use contract::grids::GridSet;
use contract::{DeliveryRules, Disposition};
use hashbrown::HashMap;

use crate::memory::{Known, Memory};
pub use crate::names::{Name, Names};

/// Where an accepted event counts in `cells`, by the names of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The grid, where located.
    pub grid: Option<Name>,
    /// The category.
    pub category: Option<Name>,
    /// The hour, in hours since 1970, UTC.
    pub hour: i32,
}

/// What is decided about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of it.
    pub disposition: Disposition,
    /// 0 for a first body, 1 for the next, …; the standing revision for a duplicate.
    pub revision: i32,
    /// For a revision: the cell the former body counted in, which it leaves.
    pub leaves: Option<Cell>,
}

/// An id within its source, as a partition remembers it: two keyed hashes. At a billion ids a collision has odds of 1 in 10^20, and nobody
/// outside can aim for one.
pub type Id = (u64, u64);

/// What has to be known of an event to decide.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its source.
    pub source: Name,
    /// Its id within the source.
    pub id: Id,
    /// `occurred_at`, microseconds UTC.
    pub occurred_at: i64,
    /// Fingerprint of its body.
    pub body_hash: i64,
    /// Where it counts.
    pub cell: Cell,
    /// The feed's rules.
    pub rules: &'a DeliveryRules,
}

/// What is remembered of an accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Fingerprint of its newest body.
    pub body_hash: i64,
    /// `occurred_at`, microseconds UTC.
    pub occurred_at: i64,
    /// Its newest revision.
    pub revision: i32,
    /// Where it counts.
    pub cell: Cell,
}

/// Names a partition keeps, at least, before it is looked which of them nothing remembered has any more.
const NAMES_KEPT: usize = 65_536;

#[derive(Debug, Default)]
struct SourceState {
    memory: Memory,
    watermark: Option<i64>,
    horizon_micros: Option<i64>,
    forgotten_below: Option<i64>,
}

impl SourceState {
    fn advance(&mut self, occurred_at: i64) {
        self.watermark = Some(self.watermark.map_or(occurred_at, |watermark| watermark.max(occurred_at)));
    }

    /// What occurred before it is behind the horizon.
    fn floor(&self) -> Option<i64> {
        self.watermark.zip(self.horizon_micros).map(|(watermark, horizon)| watermark.saturating_sub(horizon))
    }

    /// Drops ids behind the horizon, a tenth of the horizon at a time so that each sweep is paid for by what it drops.
    fn forget(&mut self) {
        let Some((below, horizon)) = self.floor().zip(self.horizon_micros) else { return };
        if self.forgotten_below.is_none_or(|before| below.saturating_sub(before) > horizon / 10) {
            self.forgotten_below = Some(below);
            self.memory.retain(|seen| seen.occurred_at >= below);
        }
    }
}

/// The partition's numbers for the grids of a set, by place.
#[derive(Debug, Default)]
struct Places {
    of: GridSet,
    names: Vec<Option<Name>>,
}

/// Ids and watermarks of one partition.
#[derive(Debug, Default)]
pub struct PartitionState {
    hashers: (RandomState, RandomState),
    names: Names,
    places: Places,
    sources: HashMap<Name, SourceState>,
    /// Names that were in use when it was last looked.
    names_in_use: usize,
}

impl PartitionState {
    /// The partition's number for a name; good until [`PartitionState::forget`].
    pub fn name(&mut self, text: &str) -> Name {
        self.names.name(text)
    }

    /// The partition's number for the grid at a place of a set; good until [`PartitionState::forget`]. Places of one set after the other are
    /// cheap, of two in turn are not.
    pub fn grid(&mut self, set: &GridSet, place: u32) -> Name {
        let Self { names, places, .. } = self;
        if !places.of.is(set) {
            *places = Places { of: set.clone(), names: vec![None; set.len()] };
        }
        *places.names[place as usize].get_or_insert_with(|| names.name(set.id_of(place)))
    }

    /// Where a cell lies, by the partition's numbers; good until [`PartitionState::forget`].
    pub fn cell(&mut self, grid_id: Option<&str>, category: Option<&str>, hour: i32) -> Cell {
        Cell { grid: grid_id.map(|name| self.name(name)), category: category.map(|name| self.name(name)), hour }
    }

    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// Decides an event and remembers it if it is accepted. `formerly` computes the fingerprint that earlier builds gave its body, which the
    /// lake may hold; it is asked only where an id comes again with another one.
    pub fn decide(&mut self, event: Candidate<'_>, formerly: impl FnOnce() -> i64) -> Decision {
        let source = self.sources.entry(event.source).or_default();
        source.horizon_micros = event.rules.deduplication_seconds.map(|seconds| i64::from(seconds) * 1_000_000);
        let behind = source.watermark.map_or(0, |watermark| watermark.saturating_sub(event.occurred_at));
        let beyond = |seconds: Option<u32>| seconds.is_some_and(|seconds| behind > i64::from(seconds) * 1_000_000);
        let late = Decision { disposition: Disposition::Late, revision: 0, leaves: None };
        if beyond(event.rules.deduplication_seconds) {
            return late;
        }
        // What lies behind the horizon counts as forgotten, whether or not a sweep has dropped it yet.
        let floor = source.floor();
        let mut next = Seen { body_hash: event.body_hash, occurred_at: event.occurred_at, revision: 0, cell: event.cell };
        let leaves = match source.memory.known(event.id) {
            Known::Seen(seen) if floor.is_none_or(|floor| seen.occurred_at >= floor) => {
                if seen.body_hash == event.body_hash || seen.body_hash == formerly() {
                    return Decision { disposition: Disposition::Duplicate, revision: seen.revision, leaves: None };
                }
                next.revision = seen.revision + 1;
                Some(std::mem::replace(seen, next).cell)
            }
            _ if beyond(event.rules.lateness_seconds) => return late,
            Known::Seen(forgotten) => {
                *forgotten = next;
                None
            }
            Known::New(room) => {
                room.fill(next);
                None
            }
        };
        source.advance(event.occurred_at);
        Decision { disposition: Disposition::Accepted, revision: next.revision, leaves }
    }

    /// Takes over an accepted row of the lake at start; the newest revision of an id wins whatever the order of rows.
    pub fn remember(&mut self, source: Name, event_id: &str, seen: Seen) {
        let id = self.id(event_id);
        let source = self.sources.entry(source).or_default();
        source.advance(seen.occurred_at);
        match source.memory.known(id) {
            Known::Seen(known) if known.revision < seen.revision => *known = seen,
            Known::Seen(_) => {}
            Known::New(room) => room.fill(seen),
        }
    }

    /// Forgets ids behind their source's horizon, and now and then names nothing has any more, for a feed may bring new ones without end.
    /// Changes no decision (see the module's words), so it may run at any time between events.
    pub fn forget(&mut self) {
        self.sources.values_mut().for_each(SourceState::forget);
        if self.names.len() > NAMES_KEPT.max(2 * self.names_in_use) {
            self.number_anew();
            self.names_in_use = self.names.len();
        }
    }

    /// Gives new numbers to the names that are still in use.
    fn number_anew(&mut self) {
        let before = std::mem::take(&mut self.names);
        self.places = Places::default();
        let names = &mut self.names;
        let mut anew = |name: Name| names.name(before.text(name));
        let of_source = |(name, mut source): (Name, SourceState)| {
            for seen in source.memory.seen_mut() {
                seen.cell.grid = seen.cell.grid.map(&mut anew);
                seen.cell.category = seen.cell.category.map(&mut anew);
            }
            (anew(name), source)
        };
        self.sources = std::mem::take(&mut self.sources).into_iter().map(of_source).collect();
    }

    /// Newest accepted `occurred_at` by source, microseconds UTC.
    pub fn watermarks(&self) -> impl Iterator<Item = (&str, i64)> {
        self.sources.iter().filter_map(|(name, source)| source.watermark.map(|watermark| (&**self.names.text(*name), watermark)))
    }

    /// How many ids are remembered.
    pub fn remembered(&self) -> usize {
        self.sources.values().map(|source| source.memory.len()).sum()
    }

    /// How many of these ids a source has remembered. Asked of many at once it brings what is known of them near while it waits for none;
    /// asked one by one each waits for memory.
    pub(crate) fn known(&self, ids: impl Iterator<Item = (Name, Id)>) -> usize {
        ids.filter(|(source, id)| self.sources.get(source).is_some_and(|source| source.memory.knows(*id))).count()
    }

    /// An id as it is remembered here; another partition has other numbers for it.
    pub fn id(&self, event_id: &str) -> Id {
        (self.hashers.0.hash_one(event_id), self.hashers.1.hash_one(event_id))
    }
}

#[cfg(test)]
mod tests {
    use contract::grids::LevelSpec;

    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn rules(lateness: Option<u32>, horizon: Option<u32>) -> DeliveryRules {
        DeliveryRules { mapping_version: String::new(), lateness_seconds: lateness, deduplication_seconds: horizon }
    }

    /// Decides an event of one source in one grid.
    fn decide(state: &mut PartitionState, id: &str, at: i64, body: i64, rules: &DeliveryRules) -> Decision {
        let cell = state.cell(Some("g"), None, i32::try_from(at / HOUR).unwrap());
        let candidate = Candidate { source: state.name("city"), id: state.id(id), occurred_at: at, body_hash: body, cell, rules };
        state.decide(candidate, || -body)
    }

    #[test]
    fn a_repeat_is_a_duplicate_and_a_repeat_with_another_body_a_revision_that_leaves_its_cell() {
        let rules = rules(None, None);
        let mut state = PartitionState::default();
        assert_eq!(decide(&mut state, "a", HOUR, 1, &rules).disposition, Disposition::Accepted);
        assert_eq!(decide(&mut state, "a", HOUR, 1, &rules).disposition, Disposition::Duplicate);
        let revision = decide(&mut state, "a", 5 * HOUR, 2, &rules);
        assert_eq!((revision.disposition, revision.revision, revision.leaves.map(|cell| cell.hour)), (Disposition::Accepted, 1, Some(1)));
        assert_eq!(decide(&mut state, "a", 5 * HOUR, 2, &rules).revision, 1);
    }

    #[test]
    fn a_repeat_of_what_an_earlier_build_took_in_is_a_duplicate() {
        let rules = rules(None, None);
        let mut state = PartitionState::default();
        let (source, cell) = (state.name("city"), state.cell(None, None, 1));
        state.remember(source, "a", Seen { body_hash: -1, occurred_at: HOUR, revision: 0, cell });
        assert_eq!(decide(&mut state, "a", HOUR, 1, &rules).disposition, Disposition::Duplicate);
        assert_eq!(decide(&mut state, "a", HOUR, 2, &rules).revision, 1);
    }

    #[test]
    fn lateness_is_measured_from_the_sources_own_watermark() {
        let hour = rules(Some(3_600), Some(7_200));
        let mut state = PartitionState::default();
        decide(&mut state, "new", 10 * HOUR, 1, &hour);
        assert_eq!(decide(&mut state, "just", 9 * HOUR, 1, &hour).disposition, Disposition::Accepted);
        assert_eq!(decide(&mut state, "late", 9 * HOUR - 1, 1, &hour).disposition, Disposition::Late);
        let never = rules(None, None);
        assert_eq!(decide(&mut state, "archive", 0, 1, &never).disposition, Disposition::Accepted);
    }

    #[test]
    fn forgetting_changes_no_decision() {
        let hour = rules(Some(3_600), Some(7_200));
        let (mut plain, mut forgetful) = (PartitionState::default(), PartitionState::default());
        for step in 0..2_000_i64 {
            // A walk forward in time with repeats from far behind and near behind.
            let at = step * HOUR / 50 - (step % 7) * HOUR / 2;
            let id = format!("e{}", step - (step % 3) * (step % 40));
            let [one, two] = [&mut plain, &mut forgetful].map(|state| decide(state, &id, at, step % 2, &hour));
            assert_eq!(one, two, "step {step}");
            forgetful.forget();
        }
        assert!(forgetful.remembered() < plain.remembered() / 2);
    }

    #[test]
    fn names_that_nothing_remembered_has_any_more_are_forgotten() {
        let hour = rules(None, Some(3_600));
        let mut state = PartitionState::default();
        for step in 0..3 * i64::try_from(NAMES_KEPT).unwrap() {
            let cell = state.cell(Some("g"), Some(&format!("category {step}")), 0);
            let (source, id) = (state.name("city"), state.id(&step.to_string()));
            let at = step * HOUR / 1_000;
            state.decide(Candidate { source, id, occurred_at: at, body_hash: 1, cell, rules: &hour }, || 0);
            if step % 500 == 0 {
                state.forget();
                assert!(state.names.len() <= NAMES_KEPT + 500 + 2, "{} names", state.names.len());
            }
        }
        // What is still remembered leaves the cell it counted in, by whatever number.
        let last = 3 * i64::try_from(NAMES_KEPT).unwrap() - 1;
        let (source, cell, at) = (state.name("city"), state.cell(Some("g"), Some("another"), 0), last * HOUR / 1_000);
        let event = Candidate { source, id: state.id(&last.to_string()), occurred_at: at, body_hash: 2, cell, rules: &hour };
        let left = state.decide(event, || 0).leaves.unwrap();
        assert_eq!(
            (&**state.names.text(left.grid.unwrap()), &**state.names.text(left.category.unwrap())),
            ("g", format!("category {last}").as_str())
        );
    }

    /// Two square grids of these ids.
    fn grids(ids: [&str; 2]) -> GridSet {
        let square = |(west, id): (usize, &str)| {
            let east = west + 1;
            format!(
                r#"{{"type":"Feature","properties":{{"id":"{id}"}},"geometry":{{"type":"Polygon","coordinates":[[[{west},0],[{east},0],[{east},1],[{west},1],[{west},0]]]}}}}"#
            )
        };
        let features: Vec<_> = ids.into_iter().enumerate().map(square).collect();
        let geojson = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, features.join(","));
        let spec = LevelSpec { level: "grid".into(), id_field: "id".into(), name_field: "id".into(), ..LevelSpec::default() };
        GridSet::empty().load_level(geojson.as_bytes(), &spec).unwrap().0
    }

    #[test]
    fn a_grid_is_called_by_the_set_its_place_is_of() {
        let (former, newer) = (grids(["a", "b"]), grids(["b", "c"]));
        let mut state = PartitionState::default();
        for (set, place, id) in [(&former, 0, "a"), (&former, 1, "b"), (&newer, 0, "b"), (&newer, 1, "c"), (&former, 0, "a")] {
            let (grid, named) = (state.grid(set, place), state.name(id));
            assert_eq!((&**state.names.text(grid), grid), (id, named));
        }
        state.number_anew();
        let (grid, named) = (state.grid(&former, 1), state.name("b"));
        assert_eq!((&**state.names.text(grid), grid), ("b", named));
    }

    #[test]
    fn remembering_rows_of_the_lake_in_any_order_decides_as_before() {
        let never = rules(None, None);
        let mut state = PartitionState::default();
        let source = state.name("city");
        let [first, second] = [1, 2].map(|hour| state.cell(None, None, hour));
        state.remember(source, "a", Seen { body_hash: 22, occurred_at: 2 * HOUR, revision: 1, cell: second });
        state.remember(source, "a", Seen { body_hash: 11, occurred_at: HOUR, revision: 0, cell: first });
        assert_eq!(decide(&mut state, "a", 2 * HOUR, 22, &never).disposition, Disposition::Duplicate);
        assert_eq!(decide(&mut state, "a", HOUR, 11, &never).revision, 2);
        assert_eq!(state.watermarks().collect::<Vec<_>>(), [("city", 2 * HOUR)]);
    }

    #[test]
    fn what_is_remembered_of_an_event_is_small() {
        assert_eq!(size_of::<(Id, Seen)>(), 48);
    }
}
