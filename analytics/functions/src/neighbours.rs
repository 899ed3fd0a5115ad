//! Which rows of a partition count, and who stands beside whom: the ground Gi*, its permutation test and Moran stand on.
//!
//! Rules, the same for all of them: a grid without value is *missing, not zero* and left out of every sum and of n; so is a
//! value that is not finite, a row without grid, and every row of a grid that stands in the partition more than once.
//! A neighbour that is not an observed grid of the partition is ignored, one listed twice counts once, and the grid itself
//! in its own list is ignored (who needs it adds it).

mod adjacency;
mod known;

pub use adjacency::Adjacency;
pub(crate) use known::KnownMap;

use std::hash::Hash;
use std::sync::Arc;

use datafusion_common::HashMap;

use crate::Reason;

/// Observed rows with their neighbours, as compressed rows (offsets into one list of targets).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observations {
    /// The values that count, in row order.
    pub values: Vec<f64>,
    /// For each row of the partition its place in `values`, or why it has none.
    pub rows: Vec<Result<u32, Reason>>,
    /// The neighbours of each observed row.
    pub neighbours: Arc<Adjacency>,
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
        Map::new(grids, lists).observe(values)
    }
}

/// A map before it has values: the grid of each row, and which rows are beside it.
#[derive(Debug)]
pub(crate) struct Map {
    /// For each row what keeps it out of every sum, whatever its value.
    refused: Vec<Option<Reason>>,
    /// By row; none beside a refused one.
    neighbours: Arc<Adjacency>,
}

impl Map {
    /// Resolves the neighbours' names: see [`Observations::new`].
    pub(crate) fn new<K, L>(grids: &[Option<K>], lists: impl Iterator<Item = L>) -> Self
    where
        K: Copy + Eq + Hash,
        L: IntoIterator<Item = K>,
    {
        let (mut finder, refused) = Finder::new(grids);
        let mut neighbours = Adjacency::with_capacity(grids.len());
        for ((row, refused), list) in (0_u32..).zip(&refused).zip(lists) {
            let list = refused.is_none().then_some(list).into_iter().flatten();
            neighbours.push(row, list.enumerate().filter_map(|(i, name)| finder.find(row, i, name)));
        }
        assert_eq!(neighbours.len(), grids.len(), "there is a list for each row");
        Self { refused, neighbours: Arc::new(neighbours) }
    }

    /// The map with a value, or none, for each row.
    pub(crate) fn observe(&self, values: &[Option<f64>]) -> Observations {
        let mut kept = Vec::with_capacity(values.len());
        let mut row = |(refused, value): (&Option<Reason>, &Option<f64>)| {
            refused.map_or(Ok(()), Err)?;
            kept.push(state(*value)?);
            Ok(kept.len() as u32 - 1)
        };
        let rows: Vec<Result<u32, Reason>> = self.refused.iter().zip(values).map(&mut row).collect();
        let neighbours = if kept.len() == rows.len() { Arc::clone(&self.neighbours) } else { Arc::new(self.neighbours.only(&rows)) };
        Observations { values: kept, rows, neighbours }
    }
}

/// Finds the row of a name, and looks first where the last list leads to expect it: in a table in the order of the map, the
/// neighbour to the east is always as many rows away. To compare two names costs less than to hash one and to look it up.
struct Finder<K> {
    rows: HashMap<K, u32>,
    /// The name of each row; none where the row is refused.
    names: Vec<Option<K>>,
    /// How many rows away the neighbour was that stood there in the last list.
    steps: Vec<i64>,
}

impl<K: Copy + Eq + Hash> Finder<K> {
    /// The names of a map, and for each row what is wrong with its name.
    fn new(grids: &[Option<K>]) -> (Self, Vec<Option<Reason>>) {
        let mut refused: Vec<Option<Reason>> = grids.iter().map(|grid| grid.is_none().then_some(Reason::MissingGrid)).collect();
        let mut names = grids.to_vec();
        let mut rows: HashMap<K, u32> = HashMap::with_capacity(grids.len());
        for (row, grid) in (0_u32..).zip(grids) {
            if let Some(grid) = grid
                && let Some(other) = rows.insert(*grid, row)
            {
                for doubled in [other, row] {
                    refused[doubled as usize] = Some(Reason::DuplicateGrid);
                    names[doubled as usize] = None;
                }
            }
        }
        rows.retain(|_, row| names[*row as usize].is_some());
        (Self { rows, names, steps: Vec::new() }, refused)
    }

    /// The row of the `index`-th neighbour of `row`.
    fn find(&mut self, row: u32, index: usize, name: K) -> Option<u32> {
        if index >= self.steps.len() {
            self.steps.resize(index + 1, 0);
        }
        let guess = i64::from(row) + self.steps[index];
        if let Ok(guess) = u32::try_from(guess)
            && self.names.get(guess as usize) == Some(&Some(name))
        {
            return Some(guess);
        }
        let found = *self.rows.get(&name)?;
        self.steps[index] = i64::from(found) - i64::from(row);
        Some(found)
    }
}

fn state(value: Option<f64>) -> Result<f64, Reason> {
    match value {
        None => Err(Reason::MissingValue),
        Some(v) if !v.is_finite() => Err(Reason::NotFinite),
        Some(v) => Ok(v),
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
