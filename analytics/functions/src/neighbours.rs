//! Which rows of a partition count, and who stands beside whom: the ground Gi*, its permutation test and Moran stand on.
//!
//! Rules, the same for all of them: a grid without value is *missing, not zero* and left out of every sum and of n; so is a
//! value that is not finite, a row without grid, and every row of a grid that stands in the partition more than once.
//! A neighbour that is not an observed grid of the partition is ignored, one listed twice counts once, and the grid itself
//! in its own list is ignored (who needs it adds it).

mod adjacency;

pub use adjacency::Adjacency;

use std::hash::Hash;

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
        let (places, rows) = places(grids, values);
        let kept: Vec<f64> = rows.iter().zip(values).filter_map(|(row, value)| row.is_ok().then_some((*value)?)).collect();
        let names: Vec<K> = rows.iter().zip(grids).filter_map(|(row, grid)| row.is_ok().then_some((*grid)?)).collect();
        let mut finder = Finder { places, names, steps: Vec::new() };
        let mut neighbours = Adjacency::with_capacity(kept.len());
        for (row, list) in rows.iter().zip(lists) {
            if let Ok(place) = row {
                neighbours.push(*place, list.into_iter().enumerate().filter_map(|(i, name)| finder.find(*place, i, name)));
            }
        }
        assert_eq!(neighbours.len(), kept.len(), "there is a list for each row");
        Self { values: kept, rows, neighbours }
    }
}

/// Finds the place of a name, and looks first where the last list leads to expect it: in a table in the order of the map, the
/// neighbour to the east is always as many rows away. To compare two names costs less than to hash one and to look it up.
struct Finder<K> {
    places: HashMap<K, u32>,
    /// The name of each place.
    names: Vec<K>,
    /// How many places away the neighbour was that stood there in the last list.
    steps: Vec<i64>,
}

impl<K: Copy + Eq + Hash> Finder<K> {
    /// The place of the `index`-th neighbour of `place`.
    fn find(&mut self, place: u32, index: usize, name: K) -> Option<u32> {
        if index >= self.steps.len() {
            self.steps.resize(index + 1, 0);
        }
        let guess = i64::from(place) + self.steps[index];
        if let Ok(guess) = u32::try_from(guess)
            && self.names.get(guess as usize) == Some(&name)
        {
            return Some(guess);
        }
        let found = *self.places.get(&name)?;
        self.steps[index] = i64::from(found) - i64::from(place);
        Some(found)
    }
}

/// The place of each observed grid, and of each row (or why it has none).
fn places<K: Copy + Eq + Hash>(grids: &[Option<K>], values: &[Option<f64>]) -> (HashMap<K, u32>, Vec<Result<u32, Reason>>) {
    let mut rows: Vec<Result<u32, Reason>> = grids.iter().zip(values).map(|(grid, value)| state(grid.is_some(), *value)).collect();
    let mut first: HashMap<K, u32> = HashMap::with_capacity(grids.len());
    for (i, grid) in (0_u32..).zip(grids) {
        let Some(grid) = grid else { continue };
        if let Some(other) = first.insert(*grid, i) {
            rows[other as usize] = Err(Reason::DuplicateGrid);
            rows[i as usize] = Err(Reason::DuplicateGrid);
        }
    }
    for (next, row) in (0_u32..).zip(rows.iter_mut().flatten()) {
        *row = next;
    }
    first.retain(|_, row| match rows[*row as usize] {
        Ok(place) => {
            *row = place;
            true
        }
        Err(_) => false,
    });
    (first, rows)
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
