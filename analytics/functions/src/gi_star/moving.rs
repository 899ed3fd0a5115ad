//! Gi* of a map that changes a few grids at a time: a change costs the grid and those who have it beside them, a score is read
//! in constant time, and every score is, bit for bit, that of [`super::z_scores`] over the whole map.
//!
//! Kept are the integers scores are made of: each grid's own value, the sum over it and those beside it, and the sums of all
//! values and of their squares. They are exact, so nothing drifts however long it runs. Mean and deviation of the map, which any
//! change moves for all grids, are made of the last two when a score is read.

use crate::Reason;
use crate::fixed_point::{Change, Moving};
use crate::neighbours::Adjacency;

use super::scores::{scale_of, score};

/// Who stands beside whom, asked from the side of the one who changes.
pub trait Readers {
    /// The number of places.
    fn places(&self) -> usize;

    /// Calls `read` once for each other place that has `place` beside it.
    fn each_reader(&self, place: usize, read: impl FnMut(usize));
}

/// The [`Adjacency::reversed`] of a map.
impl Readers for Adjacency {
    fn places(&self) -> usize {
        self.len()
    }

    fn each_reader(&self, place: usize, mut read: impl FnMut(usize)) {
        self.of(place).iter().for_each(|reader| read(*reader as usize));
    }
}

/// A map of places whose values come, change and go.
#[derive(Debug, Clone)]
pub struct MovingMap<R> {
    readers: R,
    values: Moving,
    /// Why a place has no value.
    missing: Vec<Reason>,
    /// Values of a place and of those beside it, added up; and how many they are.
    sums: Vec<i128>,
    members: Vec<u32>,
}

impl MovingMap<Adjacency> {
    /// A map without values, by the neighbours of each place; a place in its own list or a repeat has been left out of it.
    pub fn beside(neighbours: &Adjacency) -> Self {
        Self::new(neighbours.reversed())
    }
}

impl<R: Readers> MovingMap<R> {
    /// A map without values.
    pub fn new(readers: R) -> Self {
        let places = readers.places();
        Self {
            readers,
            values: Moving::new(places),
            missing: vec![Reason::MissingValue; places],
            sums: vec![0; places],
            members: vec![0; places],
        }
    }

    /// Who stands beside whom.
    pub(super) fn readers(&self) -> &R {
        &self.readers
    }

    /// The value of a place.
    pub fn value(&self, place: usize) -> Option<f64> {
        self.values.value(place)
    }

    /// Gives a place another value: NULL is missing, not zero, and so is what is not finite. Returns how many sums it wrote: the
    /// place's, and one for each place that has it beside it. Where values that are no counts have to be rounded to another
    /// unit ([`Change::Anew`]) that is all sums there are.
    pub fn change(&mut self, place: usize, value: Option<f64>) -> usize {
        let finite = value.filter(|v| v.is_finite());
        self.missing[place] = if value.is_some() { Reason::NotFinite } else { Reason::MissingValue };
        if finite.is_none() && self.values.value(place).is_none() {
            return 0;
        }
        match self.values.set(place, finite) {
            Change::By { units, values } => self.add(place, i128::from(units), values),
            Change::Anew => {
                self.sums.fill(0);
                self.members.fill(0);
                let there = |place: &usize| self.values.value(*place).is_some();
                let places: Vec<usize> = (0..self.values.places()).filter(there).collect();
                places.into_iter().map(|place| self.add(place, i128::from(self.values.units_of(place)), 1)).sum()
            }
        }
    }

    fn add(&mut self, place: usize, units: i128, values: i64) -> usize {
        let (sums, members) = (&mut self.sums, &mut self.members);
        let mut written = 0;
        let mut write = |place: usize| {
            sums[place] += units;
            members[place] = members[place].saturating_add_signed(values as i32);
            written += 1;
        };
        write(place);
        self.readers.each_reader(place, write);
        written
    }

    /// The z of a place as of now, in constant time, or why it has none.
    pub fn score(&self, place: usize) -> Result<f64, Reason> {
        if self.values.value(place).is_none() {
            return Err(self.missing[place]);
        }
        let moments = self.values.moments();
        let k = self.members[place] as usize;
        if moments.squares <= 0.0 {
            return Err(Reason::ZeroVariance);
        }
        if k >= moments.count {
            return Err(Reason::AllGrids);
        }
        let scale = scale_of(moments.count, moments.squares, k);
        Ok(score(moments.deviation(self.sums[place], k), k, moments.remainder, scale))
    }
}

#[cfg(test)]
mod tests {
    use super::super::z_scores;
    use super::*;
    use crate::fixed_point::Deviations;

    /// A square of `side` by `side` grids, queens beside each other.
    fn square(side: u32) -> Adjacency {
        let beside = |a: u32, b: u32| (a % side).abs_diff(b % side) <= 1 && (a / side).abs_diff(b / side) <= 1;
        Adjacency::from_lists((0..side * side).map(|a| (0..side * side).filter(move |b| beside(a, *b))))
    }

    /// Worked example: one case more in the middle of nine grids changes nine sums, and all nine scores are those of the map.
    #[test]
    fn one_case_more_in_the_middle() {
        let neighbours = square(4);
        let mut map = MovingMap::beside(&neighbours);
        let mut values: Vec<f64> = (0..16).map(f64::from).collect();
        for (place, value) in values.iter().enumerate() {
            map.change(place, Some(*value));
        }
        values[5] += 1.0;
        assert_eq!(map.change(5, Some(values[5])), 9);
        assert_eq!(map.change(0, Some(0.0)), 4, "a corner has three beside it");
        let z: Vec<f64> = (0..16).map(|place| map.score(place).unwrap()).collect();
        assert_eq!(z, z_scores(&Deviations::of(&values), &neighbours));
    }

    #[test]
    fn the_cost_of_k_changes_does_not_know_the_size_of_the_map() {
        let costs = [9_u32, 16, 32, 64].map(|side| {
            let mut map = MovingMap::beside(&square(side));
            for place in 0..(side * side) as usize {
                map.change(place, Some(1.0));
            }
            (0..5).map(|k| map.change((side * 3 + 3 + k) as usize, Some(1000.0 * f64::from(k)))).sum::<usize>()
        });
        assert_eq!(costs, [45; 4], "five grids, each with eight beside it");
    }

    #[test]
    fn undefined_has_its_reason() {
        let neighbours = Adjacency::from_lists([vec![1], vec![0], vec![0, 1]].into_iter());
        let mut map = MovingMap::beside(&neighbours);
        assert_eq!(map.score(0), Err(Reason::MissingValue));
        map.change(0, Some(f64::NAN));
        assert_eq!(map.score(0), Err(Reason::NotFinite));
        for place in 0..3 {
            map.change(place, Some(2.0));
        }
        assert_eq!(map.score(0), Err(Reason::ZeroVariance));
        map.change(1, Some(3.0));
        assert!(map.score(0).is_ok());
        assert_eq!(map.score(2), Err(Reason::AllGrids));
        map.change(1, None);
        assert_eq!(map.score(1), Err(Reason::MissingValue));
    }
}
