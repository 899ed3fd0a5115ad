//! Every function in the session analysts use, over the same rows in one batch and in many, on one thread and on several: one answer.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<Int64Array>())
}

fn numbers(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn known(values: impl Iterator<Item = f64>) -> ArrayRef {
    numbers(values.map(Some))
}

fn text_lists(lists: impl Iterator<Item = Vec<String>>) -> ArrayRef {
    let mut builder = ListBuilder::new(StringBuilder::new());
    lists.for_each(|list| builder.append_value(list.into_iter().map(Some)));
    Arc::new(builder.finish())
}

/// Six categories of 8 by 8 grids over 40 days, in no order.
fn rows() -> RecordBatch {
    let n = 6 * 64 * 40;
    let scattered: Vec<usize> = (0..n).map(|i| (i * 6151) % n).collect();
    let name = |grid: usize| format!("g{grid:02}");
    let beside = |grid: usize| {
        let (x, y) = ((grid % 8) as i64, (grid / 8) as i64);
        let around = (-1..=1).flat_map(move |dx| (-1..=1).map(move |dy| (x + dx, y + dy)));
        around.filter(|(x, y)| (0..8).contains(x) && (0..8).contains(y)).map(|(x, y)| format!("g{:02}", y * 8 + x)).collect::<Vec<_>>()
    };
    let parts = |i: usize| (i % 6, i / 6 % 64, i / 384);
    let value = |i: usize| {
        let (category, grid, day) = parts(i);
        ((i * 2_654_435_761) >> 7) % (2 + category) + if grid < 10 && day > 35 { 4 } else { 0 }
    };
    let of = |read: &dyn Fn(usize) -> f64| known(scattered.iter().map(|i| read(*i)));
    let at: TimestampMicrosecondArray = scattered.iter().map(|i| Some((parts(*i).2 * 86_400_000_000 + i % 977) as i64)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", integers(scattered.iter().map(|i| *i as i64))),
        ("category", integers(scattered.iter().map(|i| parts(*i).0 as i64))),
        ("grid", Arc::new(scattered.iter().map(|i| Some(name(parts(*i).1))).collect::<StringArray>())),
        ("beside", text_lists(scattered.iter().map(|i| beside(parts(*i).1)))),
        ("x", of(&|i| (parts(i).1 % 8) as f64)),
        ("y", of(&|i| (parts(i).1 / 8) as f64)),
        ("day", of(&|i| parts(i).2 as f64)),
        ("value", numbers(scattered.iter().map(|i| (i % 101 > 0).then(|| value(*i) as f64)))),
        ("seen", Arc::new(scattered.iter().map(|i| Some(i % 3 > 0)).collect::<BooleanArray>())),
        ("at", Arc::new(at.with_timezone("UTC"))),
    ];
    let fields: Vec<Field> = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|column| column.1).collect()).unwrap()
}

const QUERIES: [(&str, &str); 19] = [
    ("gi_star", "SELECT id, gi_star(grid, value, beside) OVER (PARTITION BY category, day) AS r FROM t"),
    ("gi_star_permutation", "SELECT id, gi_star_permutation(grid, value, beside, 19, 7) OVER (PARTITION BY category, day) AS r FROM t"),
    ("local_moran", "SELECT id, local_moran(grid, value, beside) OVER (PARTITION BY category, day) AS r FROM t"),
    ("fdr", "SELECT id, fdr(1 / (1 + value)) OVER (PARTITION BY category, day) AS r FROM t"),
    ("mann_kendall", "SELECT category AS id, grid, mann_kendall(value ORDER BY day) AS r FROM t GROUP BY category, grid"),
    (
        "emerging_hotspot",
        "SELECT category AS id, grid, emerging_hotspot(value - 2, 0.1 / (1 + value * value) ORDER BY day) AS r FROM t GROUP BY category, grid",
    ),
    ("ears_c1", "SELECT id, ears_c1(value) OVER (PARTITION BY category, grid ORDER BY day) AS r FROM t"),
    ("ears_c2", "SELECT id, ears_c2(value) OVER (PARTITION BY category, grid ORDER BY day) AS r FROM t"),
    ("ears_c3", "SELECT id, ears_c3(value, 0.5, 0.01) OVER (PARTITION BY category, grid ORDER BY day) AS r FROM t"),
    ("farrington", "SELECT id, farrington(value, 8, 3, 1, 3, 2) OVER (PARTITION BY category, grid ORDER BY day) AS r FROM t"),
    (
        "space_time_scan",
        "SELECT category AS id, space_time_scan(grid, x, y, day, value, 5, 0.5, 19, 3, 'plane') AS r FROM t GROUP BY category",
    ),
    (
        "knox",
        "SELECT category AS id, knox(x, y, day, [1.5, 3.0], [2.0, 7.0], 9, 3) AS r FROM t WHERE day < 12 AND id % 5 = 0 GROUP BY category",
    ),
    ("kaplan_meier", "SELECT category AS id, kaplan_meier(day, seen) AS r FROM t GROUP BY category"),
    ("wilson", "SELECT id, wilson(value, 12) AS r FROM t"),
    ("nb_tail", "SELECT id, nb_tail(value, 2.5, 1.5) AS r FROM t"),
    ("nb_upper", "SELECT id, nb_upper(value, 1.5) AS r FROM t"),
    ("poisson_upper", "SELECT id, poisson_upper(value) AS r FROM t"),
    ("recurrence_interval", "SELECT id, recurrence_interval(1 / (1 + value), 1) AS r FROM t"),
    ("repeats", "SELECT id, repeats(at, INTERVAL '2 days') OVER (PARTITION BY category, grid) AS r FROM t"),
];

/// A session over the rows in `parts` partitions of batches of `batch` rows.
fn session(rows: &RecordBatch, parts: usize, batch: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(parts).with_batch_size(batch);
    let mut session = SessionContext::new_with_config(config);
    functions::register(&mut session).unwrap();
    let starts: Vec<usize> = (0..rows.num_rows()).step_by(batch).collect();
    let cut = |start: &usize| rows.slice(*start, batch.min(rows.num_rows() - start));
    let partitions = (0..parts).map(|part| starts.iter().skip(part).step_by(parts).map(cut).collect()).collect();
    session.register_table("t", Arc::new(MemTable::try_new(rows.schema(), partitions).unwrap())).unwrap();
    session
}

async fn answer(session: &SessionContext, query: &str) -> RecordBatch {
    let order = if query.contains("AS id, grid") { "id, grid" } else { "id" };
    let batches = session.sql(&format!("SELECT * FROM ({query}) ORDER BY {order}")).await.unwrap().collect().await.unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

#[test]
fn batches_partitions_and_threads_change_no_answer() {
    let rows = rows();
    for ((name, query), function) in QUERIES.iter().zip(functions::FUNCTIONS) {
        assert_eq!(*name, function.name, "each function has its query");
        let mut first = None;
        for (threads, parts, batch) in [(1, 1, 8192), (1, 3, 500), (2, 4, 61), (4, 7, 2048)] {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).build().unwrap();
            let got = runtime.block_on(answer(&session(&rows, parts, batch), query));
            assert!(got.num_rows() > 0);
            match &first {
                None => first = Some(got),
                Some(first) => assert_eq!(first, &got, "{name} with {threads} threads, {parts} partitions, batches of {batch}"),
            }
        }
    }
}
