//! Gi* beside numpy and esda: square maps, each grid with its eight neighbours, values drawn once.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, ListBuilder, RecordBatch, StringArray, StringBuilder};
use functions::{Adjacency, Deviations, Dice};

use super::pairs::{Pairs, cost, exponent};
use super::peer::{Peer, python, read_numbers, script, write_numbers};
use super::{EMPTY, Sql, difference, field, numbers, time};
use crate::Figure;

const REPLICATES: usize = 999;

/// A square map.
struct Map {
    /// What the names of its grids begin with.
    city: &'static str,
    side: usize,
    values: Vec<f64>,
}

impl Map {
    fn new(side: usize) -> Self {
        let mut dice = Dice::new(1, side as u64);
        // The sum of four dice: no two grids equal, and hot ones are rare.
        let mut value = || (0..4).map(|_| f64::from(dice.below(1 << 24))).sum::<f64>() / f64::from(1 << 24);
        Self { city: "city", side, values: (0..side * side).map(|_| value()).collect() }
    }

    /// The grids beside each, itself left out.
    fn beside(&self, cell: usize) -> impl Iterator<Item = u32> {
        let (x, y) = (cell % self.side, cell / self.side);
        let near = |at: usize| at.saturating_sub(1)..(at + 2).min(self.side);
        let (side, rows) = (self.side, near(y));
        rows.flat_map(move |v| (x.saturating_sub(1)..(x + 2).min(side)).map(move |u| (v * side + u) as u32))
            .filter(move |c| *c as usize != cell)
    }

    fn name(&self, cell: u32) -> String {
        format!("{}/{cell}", self.city)
    }

    fn rows(&self) -> RecordBatch {
        let cells = 0..self.values.len() as u32;
        let grids: StringArray = cells.clone().map(|cell| Some(self.name(cell))).collect();
        let mut neighbours = ListBuilder::new(StringBuilder::new());
        for cell in cells {
            self.beside(cell as usize).for_each(|other| neighbours.values().append_value(self.name(other)));
            neighbours.append(true);
        }
        let columns: [(&str, ArrayRef); 3] = [
            ("grid_id", Arc::new(grids)),
            ("value", Arc::new(Float64Array::from(self.values.clone()))),
            ("neighbours", Arc::new(neighbours.finish())),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    /// The map's numbers alone: neighbours as places.
    fn places(&self) -> Adjacency {
        Adjacency::from_lists((0..self.values.len()).map(|cell| self.beside(cell)))
    }
}

fn in_sql(sql: &Sql, function: &str, name: &str) -> Vec<f64> {
    let rest = if function == "gi_star" { String::new() } else { format!(", {REPLICATES}, 1") };
    let batches = answer(sql, function, &format!("{function}(grid_id, value, neighbours{rest})"));
    batches.iter().flat_map(|batch| numbers(&field(batch, name)).collect::<Vec<_>>()).collect()
}

/// The statement with a call, over the map of a function.
fn answer(sql: &Sql, function: &str, call: &str) -> Vec<RecordBatch> {
    sql.query(&format!("SELECT {call} OVER () AS answer FROM map_{}", function.len()))
}

/// The table of a function's map.
fn register(sql: &Sql, function: &str, map: &Map) {
    let table = format!("map_{}", function.len());
    sql.world.session.deregister_table(&table).unwrap();
    sql.register(&table, map.rows());
}

fn kernel(map: &Map, places: &Adjacency) -> Vec<f64> {
    functions::gi_star::z_scores(&Deviations::of(&map.values), places)
}

/// A map of that side on which a peer waits.
fn meet(python: &std::path::Path, side: usize) -> (Map, tempfile::TempDir, Peer) {
    let (map, folder) = (Map::new(side), tempfile::tempdir().unwrap());
    write_numbers(&folder.path().join("values.f64"), &map.values);
    let peer = Peer::start(Command::new(python).arg(script("gi_star.py")).arg(folder.path()).arg(side.to_string()));
    (map, folder, peer)
}

/// CPU seconds of the statement on maps of n, 4n and 16n grids.
fn grown(sql: &Sql, function: &str, side: usize) -> f64 {
    exponent([side, 2 * side, 4 * side].map(|side| {
        register(sql, function, &Map::new(side));
        cost(|| drop(in_sql(sql, function, "z"))).cpu
    }))
}

pub(super) fn figures(sql: &Sql) -> Vec<Figure> {
    let Some(python) = python() else { return Vec::new() };
    let mut figures = beside_numpy(&python, 1000);
    figures.extend([100, 400].map(|side| beside_esda(sql, &python, side)));
    figures.push(permutations(sql, &python, 100));
    figures
}

/// The numbers alone: numpy is given a square, and knows no grids, so neither are ours resolved.
fn beside_numpy(python: &std::path::Path, largest: usize) -> Vec<Figure> {
    let one = |side: usize| {
        let (map, folder, mut peer) = meet(python, side);
        let places = map.places();
        peer.run("numpy");
        let differs = difference(&kernel(&map, &places), &read_numbers(&folder.path().join("numpy.f64")));
        assert!(differs < 1e-9, "Gi* and numpy's differ by {differs}");
        let pairs = Pairs::run(|| peer.run("numpy"), || cost(|| drop(kernel(&map, &places))));
        let cells = map.values.len() as f64;
        Figure::new(
            format!("Gi* of {cells} grids, the numbers alone"),
            format!("{}/grid, {} × numpy", time(pairs.ours() / cells), pairs.cpu()),
            format!(
                "numpy {}/grid, sums over rows and columns; greatest difference {differs:.0e}; floor 1 ×",
                time(pairs.theirs() / cells)
            ),
        )
    };
    vec![one(largest / 10), one(largest)]
}

/// Both from lists of neighbours to scores.
fn beside_esda(sql: &Sql, python: &std::path::Path, side: usize) -> Figure {
    let (map, folder, mut peer) = meet(python, side);
    peer.run("esda");
    register(sql, "gi_star", &map);
    let differs = difference(&in_sql(sql, "gi_star", "z"), &read_numbers(&folder.path().join("esda.f64")));
    assert!(differs < 1e-9, "Gi* and esda's differ by {differs}");
    let pairs = Pairs::run(|| peer.run("esda"), || cost(|| drop(in_sql(sql, "gi_star", "z"))));
    let engine = pairs.part(|| drop(answer(sql, "gi_star", EMPTY)));
    let places = map.places();
    let alone = pairs.part(|| drop(kernel(&map, &places)));
    let (cells, elsewhere) = (map.values.len() as f64, Map { city: "elsewhere", ..map });
    sql.world.session.deregister_table("map_elsewhere").unwrap();
    sql.register("map_elsewhere", elsewhere.rows());
    let mut turns = ["map_7", "map_elsewhere"].into_iter().cycle();
    let new = pairs.part(|| {
        let table = turns.next().expect("a cycle goes on");
        drop(sql.query(&format!("SELECT gi_star(grid_id, value, neighbours) OVER () AS answer FROM {table}")));
    });
    Figure::new(
        format!("`gi_star` of {cells} grids in SQL, of the map of the call before"),
        format!(
            "{}/grid, {} × esda; names of another map to resolve {}/grid, {} ×; the engine alone {}/grid, {} ×; the numbers alone {}/grid, {} ×{}",
            time(pairs.ours() / cells),
            pairs.cpu(),
            time(new.ours() / cells),
            new.cpu(),
            time(engine.ours() / cells),
            engine.cpu(),
            time(alone.ours() / cells),
            alone.cpu(),
            if side == 100 {
                format!("; cost grows with n^{:.2} to {} grids", grown(sql, "gi_star", side), 16.0 * cells)
            } else {
                String::new()
            }
        ),
        format!("esda {}/grid; greatest difference {differs:.0e}; floor 500 × for the numbers alone", time(pairs.theirs() / cells)),
    )
}

/// The same map, each grid against 999 rearrangements of the others.
fn permutations(sql: &Sql, python: &std::path::Path, side: usize) -> Figure {
    let (map, folder, mut peer) = meet(python, side);
    peer.run("esda-999");
    register(sql, "gi_star_permutation", &map);
    let ours = in_sql(sql, "gi_star_permutation", "p");
    let theirs = read_numbers(&folder.path().join("esda-999.f64"));
    // Both are estimates: of 10,000 differences by chance, few are beyond four standard errors, and none far.
    let error = |p: f64| (2.0 * p * (1.0 - p) / REPLICATES as f64).sqrt() + 1.0 / REPLICATES as f64;
    let far: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs() / error(a.midpoint(*b))).collect();
    let most = far.iter().copied().fold(0.0, f64::max);
    assert!(most < 6.0 && far.iter().filter(|errors| **errors > 4.0).count() < far.len() / 1000, "p differ by up to {most} errors");
    let pairs = Pairs::run(|| peer.run("esda-999"), || cost(|| drop(in_sql(sql, "gi_star_permutation", "p"))));
    let cells = map.values.len() as f64;
    Figure::new(
        format!("`gi_star_permutation` of {cells} grids in SQL, {REPLICATES} rearrangements"),
        format!(
            "{}/grid, {} × esda; cost grows with n^{:.2}",
            time(pairs.ours() / cells),
            pairs.cpu(),
            grown(sql, "gi_star_permutation", side)
        ),
        format!("esda {}/grid; p at most {most:.1} standard errors apart; floor 50 ×", time(pairs.theirs() / cells)),
    )
}
