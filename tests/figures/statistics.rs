//! The statistics as SQL functions, each beside the program its field uses: same input, answers compared first, then timed in
//! pairs. Ours is one SQL statement over rows in memory: parsed, planned, its rows dealt to threads, sorted and put in partitions,
//! names resolved and answers built. The peers are given numbers in order; what they do not do is timed too: the same statement
//! with a function that computes nothing (the engine alone), and the numbers behind the function without SQL.
//!
//! Ratios are of CPU time, which another program on the machine disturbs least, and of the clock where two cores matter.

use std::sync::Arc;

use analytics::session::{SessionSettings, World, Worlds};
use arrow::array::{AsArray, Float64Array, RecordBatch, StructArray};
use arrow::datatypes::Float64Type;
use tokio::runtime::Runtime;

use crate::{Figure, Pace};

mod gi_star;
mod pairs;
mod peer;
mod scan;
mod surges;

/// A window function of the engine that reads no value and answers 1 in every row: a function of ours cannot cost less.
const EMPTY: &str = "ntile(1)";

/// A session over an empty lake, and what runs it.
struct Sql {
    runtime: Runtime,
    world: Arc<World>,
    _lake: tempfile::TempDir,
}

impl Sql {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let lake = tempfile::tempdir().unwrap();
        let settings = SessionSettings { memory_bytes: 8 << 30, ..SessionSettings::default() };
        let world = runtime.block_on(async { Worlds::open(lake.path(), settings).await.unwrap().newest().await.unwrap() });
        Self { runtime, world, _lake: lake }
    }

    fn register(&self, table: &str, rows: RecordBatch) {
        self.world.session.register_batch(table, rows).unwrap();
    }

    fn query(&self, statement: &str) -> Vec<RecordBatch> {
        self.runtime.block_on(self.world.query(statement)).unwrap()
    }
}

/// A field of the last column, which a function answers with.
fn field(batch: &RecordBatch, name: &str) -> Float64Array {
    let answers: &StructArray = batch.column(batch.num_columns() - 1).as_struct();
    answers.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone()
}

/// A number of each row; NaN where it is NULL.
fn numbers(column: &Float64Array) -> impl Iterator<Item = f64> {
    column.iter().map(|number| number.unwrap_or(f64::NAN))
}

/// The greatest difference of two answers, as a share of the greater where that is above 1; both must be undefined together.
fn difference(ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let one = |(a, b): (&f64, &f64)| if a.is_nan() && b.is_nan() { 0.0 } else { (a - b).abs() / a.abs().max(1.0) };
    let differences: Vec<f64> = ours.iter().zip(theirs).map(one).collect();
    assert!(differences.iter().all(|difference| !difference.is_nan()), "one answers what the other does not");
    differences.into_iter().fold(0.0, f64::max)
}

/// Nanoseconds, or the next unit that reads well.
fn time(seconds: f64) -> String {
    let (number, unit) = match seconds {
        s if s < 1e-6 => (s * 1e9, "ns"),
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    if number < 10.0 { format!("{number:.1} {unit}") } else { format!("{number:.0} {unit}") }
}

pub(crate) fn figures(_pace: Pace) -> Vec<Figure> {
    let sql = Sql::new();
    let mut figures = gi_star::figures(&sql);
    figures.extend(surges::figures(&sql));
    figures.extend(scan::figures(&sql));
    figures
}
