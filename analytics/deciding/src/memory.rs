//! What is remembered of a source's events, by id.
//!
//! There are millions of ids, nearly all of which come once, so what counts is how much memory a new one touches: eight bytes of a table,
//! found by a part of the id, and the end of a row of blocks, where all that is remembered lies. A full block is not moved when
//! there are more; of a table of everything all pages were new each time it grew.

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, VacantEntry};

use crate::state::{Id, Seen};

/// Ids of a block.
const BLOCK: usize = 4096;

/// Where an id is remembered.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The lower half of the id's first hash.
    part: u32,
    /// Its place in the row.
    at: u32,
}

/// The parts are random, but the table goes by the upper bits of a hash, too.
const fn hash(part: u32) -> u64 {
    (part as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
const fn part(id: Id) -> u32 {
    id.0 as u32
}

/// What is remembered, in the order it came.
#[derive(Debug, Default)]
struct Row(Vec<Vec<(Id, Seen)>>);

impl Row {
    fn at(&self, at: u32) -> &(Id, Seen) {
        &self.0[at as usize / BLOCK][at as usize % BLOCK]
    }

    fn at_mut(&mut self, at: u32) -> &mut Seen {
        &mut self.0[at as usize / BLOCK][at as usize % BLOCK].1
    }

    /// Adds one; answers its place.
    fn push(&mut self, id: Id, seen: Seen) -> u32 {
        if self.0.last().is_none_or(|last| last.len() == BLOCK) {
            // The first grows as it fills, for many sources have few events.
            self.0.push(if self.0.is_empty() { Vec::new() } else { Vec::with_capacity(BLOCK) });
        }
        let block = self.0.len() - 1;
        self.0[block].push((id, seen));
        u32::try_from(block * BLOCK + self.0[block].len() - 1).expect("a partition remembers fewer ids than four billion")
    }
}

/// What is remembered of a source's events, by id.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    places: HashTable<Place>,
    row: Row,
}

/// What is known of an id.
pub(crate) enum Known<'a> {
    Seen(&'a mut Seen),
    New(Room<'a>),
}

/// Room for an id.
pub(crate) struct Room<'a> {
    id: Id,
    place: VacantEntry<'a, Place>,
    row: &'a mut Row,
}

impl Room<'_> {
    pub(crate) fn fill(self, seen: Seen) {
        self.place.insert(Place { part: part(self.id), at: self.row.push(self.id, seen) });
    }
}

impl Memory {
    pub(crate) fn known(&mut self, id: Id) -> Known<'_> {
        let Self { places, row } = self;
        let part = part(id);
        match places.entry(hash(part), |place| place.part == part && row.at(place.at).0 == id, |place| hash(place.part)) {
            Entry::Occupied(place) => Known::Seen(row.at_mut(place.get().at)),
            Entry::Vacant(place) => Known::New(Room { id, place, row }),
        }
    }

    pub(crate) fn knows(&self, id: Id) -> bool {
        let part = part(id);
        self.places.find(hash(part), |place| place.part == part && self.row.at(place.at).0 == id).is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn seen_mut(&mut self) -> impl Iterator<Item = &mut Seen> {
        self.row.0.iter_mut().flatten().map(|(_, seen)| seen)
    }

    /// Forgets what is not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Seen) -> bool) {
        self.places.clear();
        for (id, seen) in std::mem::take(&mut self.row).0.into_iter().flatten().filter(|(_, seen)| keep(seen)) {
            let place = Place { part: part(id), at: self.row.push(id, seen) };
            self.places.insert_unique(hash(place.part), place, |place| hash(place.part));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::state::Cell;

    fn seen(occurred_at: i64) -> Seen {
        Seen { body_hash: occurred_at, occurred_at, revision: 0, cell: Cell { grid: None, category: None, hour: 0 } }
    }

    #[test]
    fn what_is_remembered_is_what_a_plain_map_holds_of_ids_that_share_their_parts_too() {
        let (mut memory, mut plain) = (Memory::default(), BTreeMap::new());
        for step in 0..3 * BLOCK as u64 {
            // Each part is shared by three ids, and one in five comes again.
            let nth = if step % 5 == 4 { step / 2 } else { step };
            let id = (((nth % 7) << 32) | (nth / 3), nth);
            assert_eq!(memory.knows(id), plain.contains_key(&id), "step {step}");
            match memory.known(id) {
                Known::Seen(known) => {
                    assert_eq!(*known, plain[&id]);
                    known.revision += 1;
                }
                Known::New(room) => room.fill(seen(step.cast_signed())),
            }
            plain.entry(id).and_modify(|known: &mut Seen| known.revision += 1).or_insert_with(|| seen(step.cast_signed()));
            if step % 5_000 == 4_999 {
                let below = step.cast_signed() / 2;
                memory.retain(|seen| seen.occurred_at >= below);
                plain.retain(|_, seen| seen.occurred_at >= below);
            }
        }
        assert_eq!(memory.len(), plain.len());
        assert!(plain.len() > BLOCK, "more than a block");
        assert!(plain.iter().all(|(id, seen)| matches!(memory.known(*id), Known::Seen(known) if known == seen)));
        assert_eq!(memory.seen_mut().count(), plain.len());
    }
}
