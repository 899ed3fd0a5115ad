//! `gi_star`: where is it hot? Getis and Ord's local Gi* over the grids of a partition.
//!
//! With n grids, weights 1 for a grid and its neighbours (itself included, the "star"), x̄ = Σx/n, S² = Σx²/n − x̄²:
//!
//! Gi*ᵢ = ( Σⱼ wᵢⱼ xⱼ − x̄ Σⱼ wᵢⱼ ) / ( S · √( [ n Σⱼ wᵢⱼ² − (Σⱼ wᵢⱼ)² ] / (n − 1) ) ),  p = 2 (1 − Φ(|z|)).
//!
//! Source: Ord and Getis (1995), Local spatial autocorrelation statistics, Geographical Analysis 27(4), equation 14.
//! Row-standardizing the weights leaves z unchanged.
//!
//! Cautions: p is that of one grid; over a map use `fdr`. The normal approximation is poor with few neighbours or sparse
//! counts: `gi_star_permutation` then. NULL where all values are equal or the neighbourhood is the whole map. What counts as
//! a value, and what becomes of doubled and unknown grids: [`crate::Observations`].
//! For maps that change a few grids at a time: [`MovingMap`], and [`Cube`] for space and time, with the same bits.
//! Worked example: `six_points_within_fifteen` in `gi_star/scores.rs`.

mod cube;
mod documentation;
mod moving;
mod scores;

pub use cube::Cube;
pub use moving::{MovingMap, Readers};
pub use scores::z_scores;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::Reason;
use crate::arguments::{Arguments, numbers, texts};
use crate::documentation::Unit;
use crate::fixed_point::{Deviations, ROWS_MAX};
use crate::function::{Argument, Function, Kind, Output, Returns, Type};
use crate::neighbours::Observations;
use crate::normal::two_sided_p;

pub(crate) static FUNCTION: Function = Function {
    name: "gi_star",
    source: file!(),
    kind: Kind::Window,
    arguments: MAP,
    returns: Returns::Struct(&[Output::new("z", Type::Number), Output::new("p", Type::Number), Output::new("reason", Type::Text)]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// The arguments every statistic of a map begins with.
pub(crate) const MAP: &[Argument] = &[GRID, VALUE, NEIGHBOURS];

pub(crate) const GRID: Argument = Argument::required("grid_id", Type::Text, "the grid of the row", "该行的网格编号");
pub(crate) const VALUE: Argument =
    Argument::required("value", Type::Number, "its value; NULL is missing, not zero", "网格的数值；NULL 表示缺失而非零")
        .counted_in(Unit::Own);
pub(crate) const NEIGHBOURS: Argument = Argument::required(
    "neighbours",
    Type::Texts,
    "the grids beside it (grids.neighbours); the grid itself always counts",
    "相邻网格列表（grids.neighbours）；网格自身始终计入",
);

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let observed = observe(arguments, FUNCTION.name)?;
    let deviations = Deviations::of(&observed.values);
    let z = z_scores(&deviations, &observed.neighbours);
    let undefined = if deviations.are_zero() { Reason::ZeroVariance } else { Reason::AllGrids };
    let result = |row: &Result<u32, Reason>| row.and_then(|place| Some(z[place as usize]).filter(|z| !z.is_nan()).ok_or(undefined));
    let results: Vec<_> = observed.rows.iter().map(result).collect();
    arguments.answer(vec![
        numbers(results.iter().map(|r| r.ok())),
        numbers(results.iter().map(|r| r.ok().map(two_sided_p))),
        texts(results.iter().map(|r| r.err().map(Reason::as_str))),
    ])
}

/// Reads grid, value and neighbours of a partition.
pub(crate) fn observe(arguments: &Arguments<'_>, function: &str) -> Result<Observations> {
    let rows = arguments.rows();
    if rows > ROWS_MAX {
        return exec_err!("a partition of {function} has {rows} rows, more than {ROWS_MAX}: add PARTITION BY or aggregate first");
    }
    Ok(arguments.map(0, 2)?.observe(&arguments.optional_numbers(1)?))
}
