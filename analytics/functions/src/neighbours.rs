//! Which rows of a partition count, and who stands beside whom: the ground Gi*, its permutation test and Moran stand on.
//!
//! Rules, the same for all of them: a grid without value is *missing, not zero* and left out of every sum and of n; so is a
//! value that is not finite, a row without grid, and every row of a grid that stands in the partition more than once.
//! A neighbour that is not an observed grid of the partition is ignored, one listed twice counts once, and the grid itself
//! in its own list is ignored (who needs it adds it).

mod adjacency;

pub use adjacency::Adjacency;

use std::hash::{BuildHasher, Hash};

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::Reason;

/// Observed rows with their neighbours, as compressed rows (offsets into one list of targets).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observations {
    /// The values that count, in row order.
    pub values: Vec<f64>,
    /// For each row of the partition its place in `values`, or why it has none.
    pub rows: Vec<Result<u32, Reason>>,
    /// The neighbours of each observed row.
    pub neighbours: Adjacency,
}

impl Observations {
    /// Sorts out which rows count and resolves the neighbour lists, each grid hashed once without copying its name.
    ///
    /// `grids`, `values` and `lists` hold one entry a row; `lists` yields the neighbours' names.
    pub fn new<K, L>(grids: &[Option<K>], values: &[Option<f64>], lists: impl Iterator<Item = L>) -> Self
    where
        K: Copy + Eq + Hash,
        L: IntoIterator<Item = K>,
    {
        let mut rows: Vec<Result<u32, Reason>> = grids.iter().zip(values).map(|(grid, value)| state(grid.is_some(), *value)).collect();
        let mut finder = Finder::new(grids, |row| rows[row as usize] = Err(Reason::DuplicateGrid));
        let mut kept = Vec::with_capacity(rows.len());
        for (row, value) in rows.iter_mut().zip(values) {
            if let (Ok(place), Some(value)) = (row, value) {
                *place = u32::try_from(kept.len()).expect("the caller bounds the number of rows below 2^25");
                kept.push(*value);
            }
        }
        let mut neighbours = Adjacency::with_capacity(kept.len());
        for ((row, place), list) in (0..).zip(&rows).zip(lists) {
            if let Ok(place) = place {
                let found = list.into_iter().enumerate().filter_map(|(i, name)| finder.find(row, i, &name));
                neighbours.push(*place, found.filter_map(|row| rows[row as usize].ok()));
            }
        }
        assert_eq!(neighbours.len(), kept.len(), "there is a list for each row");
        Self { values: kept, rows, neighbours }
    }
}

/// Finds the row of a grid by its name, and looks first where the last list leads to expect it: in a table in the order of the map,
/// the neighbour to the east is always as many rows away. To compare two names costs less than to hash one and to look it up.
struct Finder<'a, K> {
    grids: &'a [Option<K>],
    /// The first row of each grid. Names stand in `grids` alone, so that the table of a city fits the processor's cache.
    first: HashTable<u32>,
    hasher: DefaultHashBuilder,
    /// How many rows away (modulo 2^32) the neighbour was that stood there in the last list.
    steps: Vec<u32>,
}

impl<'a, K: Eq + Hash> Finder<'a, K> {
    /// Tells `doubled` each row whose grid stands in another row too.
    fn new(grids: &'a [Option<K>], mut doubled: impl FnMut(u32)) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut first = HashTable::with_capacity(grids.len());
        for (row, grid) in (0..).zip(grids) {
            let Some(name) = grid else { continue };
            let same = |other: &u32| grids[*other as usize] == *grid;
            let hash_of = |other: &u32| grids[*other as usize].as_ref().map_or(0, |name| hasher.hash_one(name));
            match first.entry(hasher.hash_one(name), same, hash_of) {
                Entry::Vacant(entry) => {
                    entry.insert(row);
                }
                Entry::Occupied(entry) => {
                    doubled(*entry.get());
                    doubled(row);
                }
            }
        }
        Self { grids, first, hasher, steps: Vec::new() }
    }

    /// A row of the `index`-th neighbour of the grid in `row`; if it has several, none of them counts.
    #[inline]
    fn find(&mut self, row: u32, index: usize, name: &K) -> Option<u32> {
        if index >= self.steps.len() {
            self.steps.resize(index + 1, 0);
        }
        let is_named = |row: u32| self.grids.get(row as usize).is_some_and(|grid| grid.as_ref() == Some(name));
        let guess = row.wrapping_add(self.steps[index]);
        if is_named(guess) {
            return Some(guess);
        }
        let found = *self.first.find(self.hasher.hash_one(name), |row| is_named(*row))?;
        self.steps[index] = found.wrapping_sub(row);
        Some(found)
    }
}

fn state(has_grid: bool, value: Option<f64>) -> Result<u32, Reason> {
    match value {
        _ if !has_grid => Err(Reason::MissingGrid),
        None => Err(Reason::MissingValue),
        Some(v) if !v.is_finite() => Err(Reason::NotFinite),
        Some(_) => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(rows: &[(Option<&'static str>, Option<f64>, &[&'static str])]) -> Observations {
        let grids: Vec<_> = rows.iter().map(|r| r.0).collect();
        let values: Vec<_> = rows.iter().map(|r| r.1).collect();
        Observations::new(&grids, &values, rows.iter().map(|r| r.2.iter().copied()))
    }

    #[test]
    fn unknown_repeated_and_own_neighbours_are_ignored() {
        let o = observe(&[(Some("a"), Some(1.0), &["b", "b", "a", "nowhere"]), (Some("b"), Some(2.0), &[])]);
        assert_eq!((o.neighbours.of(0), o.neighbours.of(1)), (&[1][..], &[][..]));
    }

    #[test]
    fn missing_grids_leave_every_sum() {
        let o = observe(&[
            (Some("a"), None, &["b"]),
            (Some("b"), Some(2.0), &["a", "c", "d"]),
            (Some("c"), Some(f64::NAN), &[]),
            (None, Some(4.0), &["b"]),
            (Some("d"), Some(5.0), &["b"]),
        ]);
        use Reason::{MissingGrid, MissingValue, NotFinite};
        assert_eq!(o.rows, [Err(MissingValue), Ok(0), Err(NotFinite), Err(MissingGrid), Ok(1)]);
        assert_eq!((o.values, o.neighbours.of(0), o.neighbours.of(1)), (vec![2.0, 5.0], &[1][..], &[0][..]));
    }

    #[test]
    fn all_rows_of_a_doubled_grid_are_refused() {
        let o =
            observe(&[(Some("a"), Some(1.0), &[]), (Some("b"), Some(2.0), &["a"]), (Some("a"), None, &[]), (Some("a"), Some(3.0), &[])]);
        let twice = Err(Reason::DuplicateGrid);
        assert_eq!(o.rows, [twice, Ok(0), twice, twice]);
        assert!(o.neighbours.of(0).is_empty());
    }

    #[test]
    fn no_rows_give_no_places() {
        assert!(observe(&[]).neighbours.is_empty());
        assert!(Adjacency::default().is_empty());
    }
}
