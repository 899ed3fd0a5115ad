//! EARS and Farrington Flexible beside R's surveillance: series of Poisson counts, one statement for all of them.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{AsArray, Float64Array, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use functions::Dice;

use super::pairs::{Pairs, cost, exponent};
use super::peer::{Peer, surveillance};
use super::{EMPTY, Sql, difference, field, numbers, time};
use crate::Figure;

/// Series and bins R is given: a run of it takes about a second.
const DAYS: Shape = Shape { series: 200, bins: 110 };
const WEEKS: Shape = Shape { series: 8, bins: 240 };

/// First week with four years and half a window before it.
const WEEKS_BEFORE: usize = 4 * 52 + 3;

#[derive(Clone, Copy)]
struct Shape {
    series: usize,
    bins: usize,
}

/// A count of about `mean`: how many of its unit intervals a random walk of small steps takes.
fn count(dice: &mut Dice, mean: f64) -> f64 {
    let (mut at, mut count) = (0.0, -1.0);
    while at < mean {
        at -= (f64::from(dice.below(1 << 30)) + 1.0).ln() - f64::from(1 << 30).ln();
        count += 1.0;
    }
    count
}

/// Counts by series, then bin, with a season.
fn counts(shape: Shape) -> Vec<f64> {
    let mut dice = Dice::new(2, 0);
    let mean = |bin: usize| 10.0 + 4.0 * (bin as f64 * std::f64::consts::TAU / 52.0).sin();
    (0..shape.series * shape.bins).map(|i| count(&mut dice, mean(i % shape.bins))).collect()
}

fn rows(shape: Shape) -> RecordBatch {
    let index = 0..(shape.series * shape.bins) as i64;
    let bins = shape.bins as i64;
    let columns: [(&str, arrow::array::ArrayRef); 3] = [
        ("series", Arc::new(Int64Array::from_iter_values(index.clone().map(|i| i / bins)))),
        ("bin", Arc::new(Int64Array::from_iter_values(index.map(|i| i % bins)))),
        ("cases", Arc::new(Float64Array::from(counts(shape)))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn register(sql: &Sql, table: &str, shape: Shape) {
    sql.world.session.deregister_table(table).unwrap();
    sql.register(table, rows(shape));
}

/// A row for each bin, a column for each series.
fn write_csv(file: &Path, shape: Shape) {
    let counts = counts(shape);
    let mut text = String::new();
    for bin in 0..shape.bins {
        let row: Vec<String> = (0..shape.series).map(|series| counts[series * shape.bins + bin].to_string()).collect();
        writeln!(text, "{}", row.join(",")).unwrap();
    }
    std::fs::write(file, text).unwrap();
}

/// Upper bounds of the last bins as R gives them, by series, then bin.
fn read_csv(file: &Path, shape: Shape) -> (usize, Vec<f64>) {
    let text = std::fs::read_to_string(file).unwrap();
    let number = |word: &str| word.parse().unwrap_or(f64::NAN);
    let rows: Vec<Vec<f64>> = text.lines().map(|line| line.split(',').map(number).collect()).collect();
    let by_series = (0..shape.series).flat_map(|series| rows.iter().map(move |row| row[series]));
    (shape.bins - rows.len(), by_series.collect())
}

fn run(sql: &Sql, call: &str, table: &str) -> Vec<RecordBatch> {
    sql.query(&format!("SELECT series, bin, {call} OVER (PARTITION BY series ORDER BY bin) AS answer FROM {table}"))
}

/// Upper bounds from bin `first` on, by series, then bin.
fn uppers(batches: &[RecordBatch], shape: Shape, first: usize) -> Vec<f64> {
    let mut all = vec![f64::NAN; shape.series * shape.bins];
    for batch in batches {
        let (series, bins) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        for ((series, bin), upper) in series.values().iter().zip(bins.values()).zip(numbers(&field(batch, "upper"))) {
            all[*series as usize * shape.bins + *bin as usize] = upper;
        }
    }
    all.chunks(shape.bins).flat_map(|series| series[first..].to_vec()).collect()
}

pub(super) fn figures(sql: &Sql) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    write_csv(&folder.path().join("days.csv"), DAYS);
    write_csv(&folder.path().join("weeks.csv"), WEEKS);
    let Some(mut peer) = surveillance(folder.path()) else { return Vec::new() };
    register(sql, "days", DAYS);
    register(sql, "weeks", WEEKS);
    let mut figures: Vec<Figure> = [("C1", "ears_c1(cases, 0.0)"), ("C2", "ears_c2(cases, 0.0)"), ("C3", "ears_c3(cases, 0.0)")]
        .map(|(name, call)| ears(sql, &mut peer, folder.path(), name, call))
        .into();
    figures.push(farrington(sql, &mut peer, folder.path()));
    figures
}

fn ears(sql: &Sql, peer: &mut Peer, folder: &Path, name: &str, call: &str) -> Figure {
    peer.run(name);
    let (first, theirs) = read_csv(&folder.join(format!("{name}.csv")), DAYS);
    let agreement = if name == "C3" {
        // surveillance leaves the current bin out of C3, against its manual: there is nothing to agree on.
        "its C3 is a bin late, so bounds are not compared".to_owned()
    } else {
        let differs = difference(&uppers(&run(sql, call, "days"), DAYS, first), &theirs);
        assert!(differs < 1e-9, "{name} and surveillance's differ by {differs}");
        format!("greatest difference {differs:.0e}")
    };
    let pairs = Pairs::run(|| peer.run(name), || cost(|| drop(run(sql, call, "days"))));
    let points = (DAYS.series * DAYS.bins) as f64;
    let grown = exponent([1, 4, 16].map(|times| {
        register(sql, "more_days", Shape { series: DAYS.series * times, ..DAYS });
        cost(|| drop(run(sql, call, "more_days"))).cpu
    }));
    let setting = functions::ears::Setting { min_sigma: 0.0, threshold: functions::quantile(0.999) };
    let values: Vec<Option<f64>> = counts(DAYS).into_iter().map(Some).collect();
    let kernel = pairs.part(|| {
        for series in values.chunks(DAYS.bins) {
            match name {
                "C1" => drop(functions::ears::shewhart(series, 0, setting)),
                "C2" => drop(functions::ears::shewhart(series, functions::ears::GUARD, setting)),
                _ => drop(functions::ears::cumulative(series, setting)),
            }
        }
    });
    let engine = pairs.part(|| drop(run(sql, EMPTY, "days")));
    Figure::new(
        format!("`ears_{}` of {} series of {} days in SQL", name.to_lowercase(), DAYS.series, DAYS.bins),
        format!(
            "{}/day, {} × surveillance; the engine alone {}/day, {} ×; the numbers alone {}/day, {} ×; cost grows with n^{grown:.2}",
            time(pairs.ours() / points),
            pairs.cpu(),
            time(engine.ours() / points),
            engine.cpu(),
            time(kernel.ours() / points),
            kernel.cpu()
        ),
        format!("surveillance {}/day; {agreement}; floor 500 × for the numbers alone", time(pairs.theirs() / points)),
    )
}

fn farrington(sql: &Sql, peer: &mut Peer, folder: &Path) -> Figure {
    const CALL: &str = "farrington(cases, 52, 4, 3, 10, 26, 0.01, 'nb_plugin', 0.05, 5.0)";
    peer.run("farrington");
    let (first, theirs) = read_csv(&folder.join("farrington.csv"), WEEKS);
    assert_eq!(first, WEEKS_BEFORE, "both judge the same weeks");
    let differs = difference(&uppers(&run(sql, CALL, "weeks"), WEEKS, first), &theirs);
    assert!(differs < 1e-4, "Farrington's bounds and surveillance's differ by {differs}");
    let pairs = Pairs::run(|| peer.run("farrington"), || cost(|| drop(run(sql, CALL, "weeks"))));
    let fits = (WEEKS.series * (WEEKS.bins - WEEKS_BEFORE)) as f64;
    let grown = exponent([1, 4, 16].map(|times| {
        register(sql, "more_weeks", Shape { series: WEEKS.series * times, ..WEEKS });
        cost(|| drop(run(sql, CALL, "more_weeks"))).cpu
    }));
    Figure::new(
        format!("`farrington` of {} series of {} weeks in SQL, {fits} fits", WEEKS.series, WEEKS.bins),
        format!("{}/fit, {} × surveillance; cost grows with n^{grown:.2}", time(pairs.ours() / fits), pairs.cpu()),
        format!("surveillance {}/fit; greatest difference {differs:.0e}; floor 20 ×", time(pairs.theirs() / fits)),
    )
}
