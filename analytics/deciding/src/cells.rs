//! Parts of cells, added up, as rows of table `cells`: for each commit of records, nearly as many of them as records.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::DateTime;
use contract::Kind;
use contract::schema::time_type;
use hashbrown::HashMap;

use crate::names::Name;
use crate::parts::{CellParts, Part};
use crate::rows::{month_of, voices};
use crate::state::Cell;

/// Columns of the stored parts.
pub fn schema() -> SchemaRef {
    let comment = |field: Field, text: &str| field.with_metadata([("comment".to_owned(), text.to_owned())].into());
    Arc::new(Schema::new(vec![
        comment(Field::new("grid_id", DataType::Utf8, true), "finest grid known; NULL where the event has none / 网格（未定位为空）"),
        comment(Field::new("category", DataType::Utf8, true), "category / 类别"),
        comment(Field::new("source", DataType::Utf8, false), "feed / 来源"),
        comment(Field::new("kind", DataType::Utf8, false), "kind of signal / 信号种类"),
        comment(Field::new("hour", time_type(), false), "start of the hour, UTC / 小时起点"),
        comment(Field::new("events", DataType::Int64, false), "accepted events / 采纳事件数"),
        comment(Field::new("voices", DataType::Int64, false), "contacts of persons among them / 其中的诉求人次"),
        comment(Field::new("month", DataType::Utf8, false), "month of the hour, UTC / 月份"),
    ]))
}

/// A cell of a source as one number, so that two are compared at once: hour, kind, and the names of its texts, which are in the order of
/// texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u128);

impl Key {
    /// Bits of a source, a grid and a category: names are fewer than a billion, or they would not fit into memory.
    const NAME: u32 = 30;
    const KIND: u32 = 2;

    fn new(hour: i32, kind: Kind, source: Name, grid: Option<Name>, category: Option<Name>) -> Self {
        let number = |name: Option<Name>| {
            let number = name.map_or(0, |name| name.index() as u128 + 1);
            assert!(number >> Self::NAME == 0, "names are fewer than a billion");
            number
        };
        // Those before 1970 come first.
        let hour = u128::from(hour.cast_unsigned() ^ (1 << 31));
        let of_source = ((hour << Self::KIND) | kind as u128) << Self::NAME | number(Some(source));
        Self((of_source << Self::NAME | number(grid)) << Self::NAME | number(category))
    }

    /// The name in that place, from the last on.
    fn name(self, place: u32) -> Option<Name> {
        let number = (self.0 >> (place * Self::NAME)) as usize & ((1 << Self::NAME) - 1);
        number.checked_sub(1).map(Name::at)
    }

    fn category(self) -> Option<Name> {
        self.name(0)
    }

    fn grid(self) -> Option<Name> {
        self.name(1)
    }

    fn source(self) -> Name {
        self.name(2).expect("each cell has a source")
    }

    fn kind(self) -> Kind {
        Kind::ALL[(self.0 >> (3 * Self::NAME)) as usize % Kind::ALL.len()]
    }

    fn hour(self) -> i32 {
        ((self.0 >> (3 * Self::NAME + Self::KIND)) as u32 ^ (1 << 31)).cast_signed()
    }
}

/// Pieces of parts, added up, as rows of the table; in the order of cells, so that equal sums give equal files.
pub fn batch(pieces: &[CellParts]) -> RecordBatch {
    let (texts, named) = in_order(pieces);
    let mut sums: Vec<(Key, i64)> = Vec::with_capacity(pieces.iter().map(|piece| piece.parts().len()).sum());
    for (piece, names) in pieces.iter().zip(&named) {
        let name = |name: Name| names[name.index()];
        sums.extend(piece.parts().iter().map(|Part { source, kind, cell: Cell { grid, category, hour }, events }| {
            (Key::new(*hour, *kind, name(*source), grid.map(name), category.map(name)), *events)
        }));
    }
    sums.sort_unstable_by_key(|(cell, _)| *cell);
    sums.dedup_by(|(next, events), (cell, sum)| {
        let same = next == cell;
        if same {
            *sum += *events;
        }
        same
    });
    sums.retain(|(_, sum)| *sum != 0);

    let start = |hour: i32| DateTime::from_timestamp(i64::from(hour) * 3_600, 0).unwrap_or_default();
    let text = |name: Name| texts[name.index()];
    let mut months = StringBuilder::with_capacity(sums.len(), sums.len() * "2026-01".len());
    for of_hour in sums.chunk_by(|(one, _), (next, _)| one.hour() == next.hour()) {
        months.append_value_n(month_of(start(of_hour[0].0.hour())), of_hour.len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(sums.iter().map(|(cell, _)| cell.grid().map(text)))),
        Arc::new(StringArray::from_iter(sums.iter().map(|(cell, _)| cell.category().map(text)))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|(cell, _)| text(cell.source())))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|(cell, _)| cell.kind().as_str()))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(sums.iter().map(|(cell, _)| start(cell.hour()).timestamp_micros()))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(_, events)| *events))),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(cell, events)| events * voices(cell.kind())))),
        Arc::new(months.finish()),
    ];
    RecordBatch::try_new(schema(), columns).expect("each column is built for its field of the cells schema")
}

/// The texts of all pieces in their order, and by piece the name there of each of its own: cells are then sorted without a look at a text.
fn in_order(pieces: &[CellParts]) -> (Vec<&str>, Vec<Vec<Name>>) {
    // Pieces of a partition share their texts, and where one lies is found sooner than what it says.
    let (mut at, mut numbers) = (HashMap::new(), HashMap::new());
    let mut numbered: Vec<Vec<usize>> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let mut of_piece = Vec::with_capacity(piece.texts().len());
        for text in piece.texts() {
            of_piece.push(*at.entry(Arc::as_ptr(text).addr()).or_insert_with(|| {
                let next = numbers.len();
                *numbers.entry(&**text).or_insert(next)
            }));
        }
        numbered.push(of_piece);
    }
    let mut texts: Vec<(&str, usize)> = numbers.into_iter().collect();
    texts.sort_unstable();
    let mut names = vec![Name::at(0); texts.len()];
    texts.iter().enumerate().for_each(|(place, (_, number))| names[*number] = Name::at(place));
    let named = numbered.into_iter().map(|numbers| numbers.into_iter().map(|number| names[number]).collect()).collect();
    (texts.into_iter().map(|(text, _)| text).collect(), named)
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use crate::names::Names;

    use super::*;

    /// Of which source, grid and category, in which hour, and how many.
    type Calls = (&'static str, Option<&'static str>, Option<&'static str>, i32, i64);

    fn piece(parts: &[Calls]) -> CellParts {
        let mut names = Names::default();
        let part = |(source, grid, category, hour, events): &Calls| {
            let cell = Cell { grid: grid.map(|text| names.name(text)), category: category.map(|text| names.name(text)), hour: *hour };
            Part { source: names.name(source), kind: Kind::HotlineCall, cell, events: *events }
        };
        CellParts::new(parts.iter().map(part).collect(), &names)
    }

    #[test]
    fn a_cell_is_a_number_that_stands_where_the_cell_does() {
        let most = Name::at((1 << Key::NAME) - 2);
        let names = [None, Some(Name::at(0)), Some(most)];
        let cells = [i32::MIN, -1, 0, 490_896, i32::MAX].into_iter().flat_map(|hour| Kind::ALL.map(|kind| (hour, kind)));
        let cells = cells.flat_map(|(hour, kind)| [Name::at(0), most].map(|source| (hour, kind, source)));
        let cells = cells.flat_map(|(hour, kind, source)| names.map(|grid| (hour, kind, source, grid)));
        let cells: Vec<_> =
            cells.flat_map(|(hour, kind, source, grid)| names.map(|category| (hour, kind, source, grid, category))).collect();
        assert!(cells.is_sorted());
        let keys: Vec<_> = cells.iter().map(|&(hour, kind, source, grid, category)| Key::new(hour, kind, source, grid, category)).collect();
        assert!(keys.is_sorted_by(|one, next| one < next));
        assert_eq!(keys.iter().map(|key| (key.hour(), key.kind(), key.source(), key.grid(), key.category())).collect::<Vec<_>>(), cells);
    }

    #[test]
    fn parts_of_a_cell_are_one_row_whatever_piece_they_came_in() {
        let pieces = [
            piece(&[("b", Some("g10"), Some("noise"), 490_896, 1), ("a", Some("g2"), None, 490_896, 4)]),
            piece(&[("b", None, Some("noise"), 490_896, 3), ("b", Some("g10"), Some("noise"), 490_896, 2)]),
            piece(&[("b", Some("g10"), Some("noise"), 490_895, 4), ("b", Some("g10"), Some("noise"), 490_895, 1)]),
            // One that came and left again is no row.
            piece(&[("c", Some("g2"), Some("smoke"), 490_896, 1)]),
            piece(&[("c", Some("g2"), Some("smoke"), 490_896, -1)]),
        ];
        let rows = batch(&pieces);
        let expected = "\
+---------+----------+--------+--------------+----------------------+--------+--------+---------+
| grid_id | category | source | kind         | hour                 | events | voices | month   |
+---------+----------+--------+--------------+----------------------+--------+--------+---------+
| g10     | noise    | b      | hotline_call | 2025-12-31T23:00:00Z | 5      | 5      | 2025-12 |
| g2      |          | a      | hotline_call | 2026-01-01T00:00:00Z | 4      | 4      | 2026-01 |
|         | noise    | b      | hotline_call | 2026-01-01T00:00:00Z | 3      | 3      | 2026-01 |
| g10     | noise    | b      | hotline_call | 2026-01-01T00:00:00Z | 3      | 3      | 2026-01 |
+---------+----------+--------+--------------+----------------------+--------+--------+---------+";
        assert_eq!(pretty_format_batches(std::slice::from_ref(&rows)).unwrap().to_string(), expected);
        let mut turned = pieces.clone();
        turned.reverse();
        assert_eq!(batch(&turned), rows);
        assert_eq!(batch(&[]).num_rows(), 0);
    }
}
