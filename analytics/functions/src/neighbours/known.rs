//! The last map a function was called with, so that the next call for it need not resolve its names again: a detector is called for
//! each category and step of one map, and day after day. A map is taken again if its columns are the same, byte for byte, so what is
//! answered does not depend on it. One map is kept, of bounded size, as long as the function is registered.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use datafusion_common::Result;

use super::Map;

/// The most bytes of names that are kept: of 200,000 grids with eight neighbours each.
const BYTES_MAX: usize = 32 << 20;

/// Fewer rows are resolved sooner than compared.
const ROWS_MIN: usize = 64;

/// The last map, if there was one.
#[derive(Debug, Default)]
pub(crate) struct KnownMap(Mutex<Option<Arc<Kept>>>);

#[derive(Debug)]
struct Kept {
    grids: ArrayRef,
    lists: ArrayRef,
    map: Arc<Map>,
}

impl KnownMap {
    /// The map of a column of grids and one of their neighbours, as it was resolved before or is now.
    pub(crate) fn resolved(&self, grids: &ArrayRef, lists: &ArrayRef, resolve: impl FnOnce() -> Result<Map>) -> Result<Arc<Map>> {
        // Held to clone and to replace only: partitions are computed side by side.
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(kept) = last.filter(|kept| *kept.grids == **grids && *kept.lists == **lists) {
            return Ok(Arc::clone(&kept.map));
        }
        let map = Arc::new(resolve()?);
        if grids.len() >= ROWS_MIN {
            let (grids, lists) = (copied(grids)?, copied(lists)?);
            if grids.get_array_memory_size() + lists.get_array_memory_size() <= BYTES_MAX {
                let kept = Kept { grids, lists, map: Arc::clone(&map) };
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(kept));
            }
        }
        Ok(map)
    }
}

/// The same rows without the rest of a table they may be a part of.
fn copied(column: &ArrayRef) -> Result<ArrayRef> {
    let data = column.to_data();
    let mut copy = MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(make_array(copy.freeze()))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListBuilder, StringArray, StringBuilder};

    use super::*;

    /// A ring of grids, each with the next beside it; the last with itself where the ring is open.
    fn ring(grids: usize, closed: bool) -> (ArrayRef, ArrayRef) {
        let name = |grid: usize| format!("g{grid}");
        let mut lists = ListBuilder::new(StringBuilder::new());
        for grid in 0..grids {
            let next = if grid + 1 < grids || !closed { grid + 1 } else { 0 };
            lists.values().append_value(name(next));
            lists.append(true);
        }
        (Arc::new((0..grids).map(|grid| Some(name(grid))).collect::<StringArray>()), Arc::new(lists.finish()))
    }

    /// Whether the map was resolved again.
    fn asked(known: &KnownMap, (grids, lists): &(ArrayRef, ArrayRef)) -> bool {
        let mut asked = false;
        let resolve = || {
            asked = true;
            Ok(Map::new::<u32, [u32; 0]>(&[], std::iter::empty()))
        };
        known.resolved(grids, lists, resolve).unwrap();
        asked
    }

    #[test]
    fn a_map_is_resolved_once_and_another_again() {
        let (known, open, closed) = (KnownMap::default(), ring(100, false), ring(100, true));
        assert_eq!([&open, &open, &closed, &closed, &open].map(|map| asked(&known, map)), [true, false, true, false, true]);
        let turned: (ArrayRef, ArrayRef) = (Arc::clone(&closed.0), Arc::clone(&open.1));
        assert!(!asked(&known, &turned), "the same columns, however they came together");
        assert!(asked(&known, &(open.0.slice(0, 99), open.1.slice(0, 99))));
    }

    #[test]
    fn a_part_of_a_table_is_kept_without_the_table() {
        let (known, (grids, lists)) = (KnownMap::default(), ring(10_000, true));
        let part = |first: usize| (grids.slice(first, 200), lists.slice(first, 200));
        assert_eq!([part(300), part(300), part(500), part(300)].map(|part| asked(&known, &part)), [true, false, true, true]);
        let kept = known.0.lock().unwrap().clone().unwrap();
        assert!(kept.lists.get_array_memory_size() < 20_000);
    }

    #[test]
    fn few_rows_and_too_many_bytes_are_not_kept() {
        let (known, few) = (KnownMap::default(), ring(ROWS_MIN - 1, true));
        assert_eq!([&few, &few].map(|map| asked(&known, map)), [true, true]);
        let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..100).map(|grid| format!("{grid}").repeat(400_000))));
        let many = (names, ring(100, true).1);
        assert_eq!([&many, &many].map(|map| asked(&known, map)), [true, true]);
    }
}
