//! Table `cells`: events of one grid, category, source, kind and hour, kept as mergeable partial sums.
//!
//! Derived from committed rows of `records` alone. Whoever commits rows writes the parts of their cells into files beside them and names
//! those in the same commit ([`Prepared`]); a commit of `cells` adds them, and says in its positions which version and offsets of `records`
//! it covers. What is missing after a crash between the two is added later, or computed from `records`, never from the log. A revision
//! takes its former body out of its former cell: sums may hold negative parts, their totals never do.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use contract::schema::time_type;
use contract::{Kind, Offsets};
use deciding::parts::{CellParts, Part};
use deciding::rows::{month_of, voices};
use deciding::state::{Cell, Name};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::consume::{ConsumeError, positions};
use crate::lake::delta::{LooseFiles, Writer};
use crate::lake::{Positions, TableSpec, Written};

pub mod missing;

/// Position under which a commit of `cells` names the version of `records` it covers.
pub const RECORDS_VERSION: &str = "records";

/// Positions of a commit of `cells` that covers a version of `records`, which reached these offsets.
pub fn covering(version: u64, reached: &Offsets) -> Positions {
    let version = (RECORDS_VERSION.to_owned(), version.cast_signed());
    positions(reached).into_iter().chain([version]).collect()
}

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

/// The table in the lake.
pub fn spec(lake: &Path) -> TableSpec {
    TableSpec {
        name: "cells".into(),
        root: lake.join("cells"),
        schema: schema(),
        partition_columns: vec!["month".into()],
        bounded_columns: vec!["hour".into()],
        written: written(),
        comment: "Partial sums of events by grid, category, source, kind and hour; add them up / 网格小时累计（需求和）".into(),
    }
}

/// How the columns of `cells` are written: there are nearly as many rows as events.
fn written() -> Vec<(&'static str, Written)> {
    let sums = ["events", "voices"].map(|column| (column, Written::Plain));
    let names = ["grid_id", "category", "source", "kind"].map(|column| (column, Written::Names));
    // Rows stand in the order of hours.
    [("hour", Written::Rising)].into_iter().chain(sums).chain(names).collect()
}

/// A cell of a source, by its texts' names in the order of texts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    hour: i32,
    kind: Kind,
    source: Name,
    grid: Option<Name>,
    category: Option<Name>,
}

/// Pieces of parts, added up, as rows of the table; in the order of cells, so that equal sums give equal files.
pub fn batch(pieces: &[CellParts]) -> RecordBatch {
    let (texts, named) = in_order(pieces);
    let mut sums: Vec<(Key, i64)> = Vec::with_capacity(pieces.iter().map(|piece| piece.parts().len()).sum());
    for (piece, names) in pieces.iter().zip(&named) {
        let name = |name: Name| names[name.index()];
        sums.extend(piece.parts().iter().map(|Part { source, kind, cell: Cell { grid, category, hour }, events }| {
            let key = Key { hour: *hour, kind: *kind, source: name(*source), grid: grid.map(name), category: category.map(name) };
            (key, *events)
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
    for of_hour in sums.chunk_by(|(one, _), (next, _)| one.hour == next.hour) {
        months.append_value_n(month_of(start(of_hour[0].0.hour)), of_hour.len());
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter(sums.iter().map(|(cell, _)| cell.grid.map(text)))),
        Arc::new(StringArray::from_iter(sums.iter().map(|(cell, _)| cell.category.map(text)))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|(cell, _)| text(cell.source)))),
        Arc::new(StringArray::from_iter_values(sums.iter().map(|(cell, _)| cell.kind.as_str()))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(sums.iter().map(|(cell, _)| start(cell.hour).timestamp_micros()))
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(_, events)| *events))),
        Arc::new(Int64Array::from_iter_values(sums.iter().map(|(cell, events)| events * voices(cell.kind)))),
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

/// What a commit of `records` says of the cells of its rows: whoever decided those has written the parts of their cells into files, which
/// whoever derives adds to `cells`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Prepared {
    /// The parts.
    pub files: LooseFiles,
    /// Newest accepted `occurred_at` by source.
    pub newest: Newest,
}

impl Prepared {
    /// As it is noted in the commit of the rows.
    pub fn note(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("names, numbers and instants are JSON")
    }
}

/// Newest accepted `occurred_at` by source.
pub type Newest = BTreeMap<String, DateTime<Utc>>;

/// Adds up what was decided and writes it into files of `cells`.
///
/// # Errors
/// The store fails.
pub async fn prepare(writer: &Writer, pieces: Vec<CellParts>) -> Result<LooseFiles, ConsumeError> {
    let rows = tokio::task::spawn_blocking(move || batch(&pieces)).await?;
    Ok(writer.write(vec![rows]).await?)
}

/// Takes over an instant of a source that is later than what is known of it.
pub(crate) fn later(newest: &mut Newest, source: String, at: DateTime<Utc>) {
    let known = newest.entry(source).or_insert(at);
    *known = at.max(*known);
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use deciding::state::Names;

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
