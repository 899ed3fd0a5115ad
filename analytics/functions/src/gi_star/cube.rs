//! Space-time Gi* over a moving window of steps: beside a grid at a step stand its neighbours and itself at that step and at up
//! to `back` steps before, never after, so no score knows what had not happened yet. Mean and deviation are those of all
//! steps of the window.
//!
//! A count that comes late for a step still in the window costs the grid's readers in space times `back` + 1 steps; a new
//! step costs that for each of its grids and for those of the step that leaves. Scores are, bit for bit, those of
//! [`super::z_scores`] over the whole cube.
//!
//! Steps stand in a ring with `back` empty slots between the newest and the oldest: what looks back from the oldest step finds
//! nothing there, as before the window.

use crate::Reason;
use crate::neighbours::Adjacency;

use super::moving::{MovingMap, Readers};

/// The last `steps` steps of a map.
#[derive(Debug, Clone)]
pub struct Cube {
    map: MovingMap<Ring>,
    steps: usize,
    newest: usize,
}

/// Place = slot · grids + grid.
#[derive(Debug, Clone)]
struct Ring {
    /// For each grid those who have it beside them in space.
    grids: Adjacency,
    back: usize,
    slots: usize,
}

impl Readers for Ring {
    fn places(&self) -> usize {
        self.grids.len() * self.slots
    }

    fn each_reader(&self, place: usize, mut read: impl FnMut(usize)) {
        let (slot, grid) = (place / self.grids.len(), place % self.grids.len());
        for later in 0..=self.back {
            let start = (slot + later) % self.slots * self.grids.len();
            if later > 0 {
                read(start + grid);
            }
            self.grids.of(grid).iter().for_each(|reader| read(start + *reader as usize));
        }
    }
}

impl Cube {
    /// A window of `steps` steps (at least 1) without values, by the neighbours of each grid in space.
    pub fn new(neighbours: &Adjacency, steps: usize, back: usize) -> Self {
        assert!(steps > 0, "a window has a step");
        let ring = Ring { grids: neighbours.reversed(), back, slots: steps + back };
        Self { map: MovingMap::new(ring), steps, newest: 0 }
    }

    fn grids(&self) -> usize {
        self.map.readers().grids.len()
    }

    fn place(&self, grid: usize, age: usize) -> usize {
        let slots = self.steps + self.map.readers().back;
        (self.newest + slots - age) % slots * self.grids() + grid
    }

    /// Opens a step with a value for each grid; the oldest leaves the window. Returns how many sums were written.
    pub fn advance(&mut self, values: &[Option<f64>]) -> usize {
        assert_eq!(values.len(), self.grids(), "a value for each grid");
        let leaving = (0..self.grids()).map(|grid| self.map.change(self.place(grid, self.steps - 1), None)).sum::<usize>();
        self.newest = (self.newest + 1) % (self.steps + self.map.readers().back);
        let coming = (0..self.grids()).map(|grid| self.map.change(self.place(grid, 0), values[grid])).sum::<usize>();
        leaving + coming
    }

    /// Gives a grid another value at the step `age` steps before the newest (0). Returns how many sums were written; 0 for a step
    /// that has left the window.
    pub fn change(&mut self, grid: usize, age: usize, value: Option<f64>) -> usize {
        if age >= self.steps {
            return 0;
        }
        self.map.change(self.place(grid, age), value)
    }

    /// The z of a grid at the step `age` steps before the newest, or why it has none.
    pub fn score(&self, grid: usize, age: usize) -> Result<f64, Reason> {
        if age >= self.steps {
            return Err(Reason::MissingValue);
        }
        self.map.score(self.place(grid, age))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three grids on a line, two steps kept, one step back: the worked example counts who is told.
    #[test]
    fn a_late_case_is_told_to_the_neighbours_of_its_step_and_of_the_next() {
        let line = Adjacency::from_lists([vec![1], vec![0, 2], vec![1]].into_iter());
        let mut cube = Cube::new(&line, 2, 1);
        cube.advance(&[Some(1.0), Some(2.0), Some(3.0)]);
        cube.advance(&[Some(4.0), Some(0.0), Some(1.0)]);
        assert_eq!(cube.change(1, 1, Some(5.0)), 6, "three grids at its step and three at the next");
        assert_eq!(cube.change(0, 0, Some(9.0)), 4, "two at its step; the next one is not there yet, its slot is written");
        assert_eq!(cube.change(1, 2, Some(5.0)), 0, "it has left the window");
        assert_eq!(cube.score(1, 2), Err(Reason::MissingValue));
    }

    #[test]
    fn the_future_of_a_step_does_not_change_its_neighbourhood() {
        let line = Adjacency::from_lists([vec![1], vec![0, 2], vec![1], vec![2]].into_iter());
        let values = |seed: u32| (0..4).map(|g| Some(f64::from((g * 7 + seed * 5) % 11))).collect::<Vec<_>>();
        let mut cube = Cube::new(&line, 3, 1);
        for step in 0..3 {
            cube.advance(&values(step));
        }
        // The mean of the cube stays if what comes and what goes at the newest step balance, so only a neighbour would notice.
        let before: Vec<_> = (0..4).map(|grid| cube.score(grid, 1)).collect();
        cube.change(0, 0, values(2)[1]);
        cube.change(1, 0, values(2)[0]);
        assert_eq!(before, (0..4).map(|grid| cube.score(grid, 1)).collect::<Vec<_>>());
    }
}
