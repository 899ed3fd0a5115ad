//! Which rows of a partition count, and who stands beside whom: the ground Gi*, its permutation test and Moran stand on.
//!
//! Rules, the same for all of them: a grid without value is *missing, not zero* and left out of every sum and of n; so is a
//! value that is not finite, a row without grid, and every row of a grid that stands in the partition more than once.
//! A neighbour that is not an observed grid of the partition is ignored, one listed twice counts once, and the grid itself
//! in its own list is ignored (who needs it adds it).

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

/// For each of n places the places beside it, without itself and without repeats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adjacency {
    offsets: Vec<u32>,
    targets: Vec<u32>,
}

impl Adjacency {
    /// From one list for each place. Targets beyond the number of places are ignored, like repeats and the place itself.
    pub fn from_lists<L: IntoIterator<Item = u32>>(lists: impl ExactSizeIterator<Item = L>) -> Self {
        let mut adjacency = Self::with_capacity(lists.len());
        let places = u32::try_from(lists.len()).expect("the caller bounds the number of places below 2^25");
        for (place, list) in (0_u32..).zip(lists) {
            adjacency.push(place, list.into_iter().filter(|target| *target < places));
        }
        adjacency
    }

    fn with_capacity(places: usize) -> Self {
        let mut offsets = Vec::with_capacity(places + 1);
        offsets.push(0);
        // Eight neighbours are a square grid's; a city's districts have about six.
        Self { offsets, targets: Vec::with_capacity(places * 8) }
    }

    fn push(&mut self, place: u32, list: impl Iterator<Item = u32>) {
        let start = self.targets.len();
        self.targets.extend(list.filter(|target| *target != place));
        // Lists are mostly in order and without repeats already.
        if !self.targets[start..].is_sorted_by(|a, b| a < b) {
            self.targets[start..].sort_unstable();
            let mut kept = start;
            for i in start..self.targets.len() {
                if kept == start || self.targets[kept - 1] != self.targets[i] {
                    self.targets[kept] = self.targets[i];
                    kept += 1;
                }
            }
            self.targets.truncate(kept);
        }
        self.offsets.push(u32::try_from(self.targets.len()).expect("the reader of the lists bounds them below 2^32 targets"));
    }

    /// The number of places.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True if there is no place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places beside `place`, ascending.
    pub fn of(&self, place: usize) -> &[u32] {
        &self.targets[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }

    /// For each place those that have it beside them: whose sums a change there changes.
    pub fn reversed(&self) -> Self {
        let mut offsets = vec![0_u32; self.len() + 1];
        self.targets.iter().for_each(|target| offsets[*target as usize + 1] += 1);
        for place in 1..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let (mut next, mut targets) = (offsets.clone(), vec![0; self.targets.len()]);
        for (place, beside) in (0_u32..).zip(self.iter()) {
            for target in beside {
                let end = &mut next[*target as usize];
                targets[*end as usize] = place;
                *end += 1;
            }
        }
        Self { offsets, targets }
    }

    /// The neighbours of every place in turn.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.offsets.windows(2).map(|bounds| &self.targets[bounds[0] as usize..bounds[1] as usize])
    }
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
    fn reversed_lists_name_those_who_named_a_place() {
        let lists = Adjacency::from_lists([vec![1, 2], vec![2], vec![], vec![0, 2]].into_iter());
        let reversed = lists.reversed();
        assert_eq!((0..4).map(|place| reversed.of(place)).collect::<Vec<_>>(), [&[3][..], &[0], &[0, 1, 3], &[]]);
        assert_eq!(reversed.reversed(), lists);
    }

    #[test]
    fn no_rows_give_no_places() {
        assert!(observe(&[]).neighbours.is_empty());
        assert!(Adjacency::default().is_empty());
    }
}
