//! Who stands beside whom, by number.

use std::ops::Range;

/// For each of n places the places beside it, without itself and without repeats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Adjacency {
    offsets: Vec<u32>,
    targets: Vec<u32>,
    stretches: Vec<Range<u32>>,
    most: usize,
}

/// A stretch so short that its places are as well taken one by one.
const SHORT: usize = 8;

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

    pub(super) fn with_capacity(places: usize) -> Self {
        let mut offsets = Vec::with_capacity(places + 1);
        offsets.push(0);
        // Eight neighbours are a square grid's; a city's districts have about six.
        Self { offsets, targets: Vec::with_capacity(places * 8), stretches: Vec::new(), most: 0 }
    }

    /// Adds the next place, with those beside it.
    pub(super) fn push(&mut self, place: u32, list: impl Iterator<Item = u32>) {
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
        let next = u32::try_from(self.targets.len()).expect("the reader of the lists bounds them below 2^32 targets");
        self.most = self.most.max(self.targets.len() - start);
        let goes_on = self.goes_on(start);
        match self.stretches.last_mut() {
            Some(last) if goes_on => last.end = place + 1,
            Some(last) if last.len() < SHORT => *last = place..place + 1,
            _ => self.stretches.push(place..place + 1),
        }
        self.offsets.push(next);
    }

    /// True if the targets from `start` on are those of the place before, each one further.
    fn goes_on(&self, start: usize) -> bool {
        let [.., before, _] = self.offsets[..] else { return false };
        let (before, list) = (&self.targets[before as usize..start], &self.targets[start..]);
        before.len() == list.len() && before.iter().zip(list).fold(true, |further, (a, b)| further & (*b == a + 1))
    }

    /// Long stretches of places whose neighbours all are as many places away: in a table in the order of the map the rows of its
    /// squares, in any other table none. They come in order; what is between them is to be taken place by place.
    pub fn stretches(&self) -> impl Iterator<Item = Range<usize>> {
        self.stretches.iter().map(|stretch| stretch.start as usize..stretch.end as usize)
    }

    /// The number of places.
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// True if there is no place.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of places beside the one that has most.
    pub fn most(&self) -> usize {
        self.most
    }

    /// The places beside `place`, ascending.
    pub fn of(&self, place: usize) -> &[u32] {
        &self.targets[self.offsets[place] as usize..self.offsets[place + 1] as usize]
    }

    /// The neighbours of those places that have another number there, in their order, without those that have none.
    pub(super) fn only<E>(&self, numbers: &[Result<u32, E>]) -> Self {
        let mut only = Self::with_capacity(self.len());
        for (number, list) in numbers.iter().zip(self.iter()) {
            if let Ok(number) = number {
                only.push(*number, list.iter().filter_map(|target| numbers[*target as usize].as_ref().ok().copied()));
            }
        }
        only
    }

    /// For each place those that have it beside them: whose sums a change there changes.
    pub fn reversed(&self) -> Self {
        let mut ends = vec![0_u32; self.len() + 1];
        self.targets.iter().for_each(|target| ends[*target as usize + 1] += 1);
        for place in 1..ends.len() {
            ends[place] += ends[place - 1];
        }
        let mut readers = vec![0; self.targets.len()];
        for (place, beside) in (0_u32..).zip(self.iter()) {
            for target in beside {
                let end = &mut ends[*target as usize];
                readers[*end as usize] = place;
                *end += 1;
            }
        }
        // What was a list's start is its end now.
        let mut reversed = Self::with_capacity(self.len());
        let mut start = 0;
        for (place, end) in (0_u32..).zip(&ends[..self.len()]) {
            reversed.push(place, readers[start..*end as usize].iter().copied());
            start = *end as usize;
        }
        reversed
    }

    /// The neighbours of every place in turn.
    pub fn iter(&self) -> impl Iterator<Item = &[u32]> {
        self.within(0..self.len())
    }

    /// The neighbours of some places in a row.
    pub fn within(&self, places: Range<usize>) -> impl Iterator<Item = &[u32]> {
        let bounds = self.offsets.get(places.start..=places.end).unwrap_or_default();
        bounds.array_windows().map(|[start, end]| &self.targets[*start as usize..*end as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversed_lists_name_those_who_named_a_place() {
        let lists = Adjacency::from_lists([vec![1, 2], vec![2], vec![], vec![0, 2]].into_iter());
        let reversed = lists.reversed();
        assert_eq!((0..4).map(|place| reversed.of(place)).collect::<Vec<_>>(), [&[3][..], &[0], &[0, 1, 3], &[]]);
        assert_eq!(reversed.reversed(), lists);
    }
}
