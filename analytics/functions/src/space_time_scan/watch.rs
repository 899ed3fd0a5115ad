//! One scan a day without starting anew: circles are measured once, cases are counted as they come, and a day that begins or
//! leaves the study costs its own cases.
//!
//! [`Watch::study`] is the very [`Study`] of all cases of the period and [`Watch::circles`] the very [`Circles`] around its places, so
//! clusters and their p are those of a scan from the beginning, bit for bit. A scan reads the cases of each place in the
//! whole period, one number, and of the last windows; older days are kept for the day they leave, and no more.

use std::collections::VecDeque;

use super::circles::{Circles, Limits, Metric, Place};
use super::clusters::{CASES_MAX, Study};

/// The cases of places over a moving period of days.
#[derive(Debug, Clone)]
pub struct Watch {
    study: Study,
    /// Every circle within the radius, whatever its cases.
    widest: Circles,
    /// What was counted on each day of the period, the newest first: (place, cases).
    days: VecDeque<Vec<(u32, u32)>>,
    period: usize,
    total: u32,
}

/// Why cases were not counted. Nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The day is no longer, or not yet, in the period.
    OutsidePeriod,
    /// There would be more than [`CASES_MAX`] cases.
    TooManyCases,
}

impl Watch {
    /// Places without cases, watched for `period` days with clusters of up to `windows` days; none if the circles within `radius`
    /// are more than [`super::MEMBERS_MAX`] places together. Of places equally far the earlier in the list enters first: list
    /// them from west to east, then south to north.
    pub fn over(places: Vec<Place>, metric: Metric, radius: f64, windows: usize, period: usize) -> Option<Self> {
        let study = Study::of(places, windows);
        let widest = Circles::around(&study.places, metric, Limits { cases: f64::INFINITY, radius })?;
        Some(Self { study, widest, days: VecDeque::from([Vec::new()]), period: period.max(1), total: 0 })
    }

    /// Begins a day; the oldest leaves if the period is full. Returns how many counts it wrote: those of the last windows, and one
    /// for each entry of the day that left.
    pub fn next_day(&mut self) -> usize {
        for place in self.study.recent.chunks_mut(self.study.windows.max(1)) {
            place.rotate_right(1);
            place[0] = 0;
        }
        self.days.push_front(Vec::new());
        let leaving = if self.days.len() > self.period { self.days.pop_back().unwrap_or_default() } else { Vec::new() };
        for (place, cases) in &leaving {
            self.study.places[*place as usize].cases -= cases;
            self.total -= cases;
            // A period shorter than the longest window ends windows too.
            if self.period < self.study.windows {
                self.study.recent[*place as usize * self.study.windows + self.period] -= cases;
            }
        }
        self.study.recent.len() + leaving.len()
    }

    /// Counts cases of a place, `lag` days before the newest day: one step, on the day or late.
    pub fn add(&mut self, place: u32, lag: usize, cases: u32) -> Result<(), Refused> {
        let Some(day) = self.days.get_mut(lag) else { return Err(Refused::OutsidePeriod) };
        if cases > CASES_MAX - self.total {
            return Err(Refused::TooManyCases);
        }
        day.push((place, cases));
        self.total += cases;
        self.study.add(place as usize, lag, cases);
        Ok(())
    }

    /// The cases as a scan takes them.
    pub fn study(&self) -> &Study {
        &self.study
    }

    /// The circles that hold at most this share of all cases, cut from those measured once.
    pub fn circles(&self, share: f64) -> Circles {
        self.widest.cut(&self.study.places, f64::from(self.total) * share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u32) -> Vec<Place> {
        (0..n).map(|x| Place { x: f64::from(x), y: 0.0, cases: 0 }).collect()
    }

    #[test]
    fn a_day_begins_at_the_cost_of_the_windows_and_of_the_day_that_leaves() {
        let mut watch = Watch::over(line(5), Metric::Plane, 2.0, 3, 4).unwrap();
        let mut costs = Vec::new();
        for day in 0..8_u32 {
            costs.push(watch.next_day());
            for case in 0..day {
                watch.add(case % 5, 0, 1).unwrap();
            }
        }
        assert_eq!(
            costs,
            [15, 15, 15, 15, 15, 16, 17, 18],
            "fifteen recent counts; from the fifth day on days of 0, 1, 2, 3 entries leave"
        );
        assert_eq!(watch.study().total(), 4 + 5 + 6 + 7);
    }

    #[test]
    fn what_cannot_be_counted_is_refused_and_changes_nothing() {
        let mut watch = Watch::over(line(2), Metric::Plane, 1.0, 2, 30).unwrap();
        assert_eq!(watch.add(0, 1, 1), Err(Refused::OutsidePeriod), "that day was before the first");
        assert_eq!(watch.add(0, 0, CASES_MAX), Ok(()));
        assert_eq!(watch.add(1, 0, 1), Err(Refused::TooManyCases));
        assert_eq!((watch.study().total(), watch.study().recent.as_slice()), (CASES_MAX, &[CASES_MAX, 0, 0, 0][..]));
    }
}
