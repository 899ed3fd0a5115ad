//! `gi_star_permutation`: is it hot even though counts are few? Gi* with a p from rearranging the map instead of the normal
//! curve.
//!
//! z is that of `gi_star`. For p the grid keeps its value and the values of all others are dealt over its neighbours R times:
//! p = (M + 1) / (R + 1), M = how many of them are at least as extreme as what was seen, on the nearer side (high or low).
//!
//! Sources: Anselin (1995), Geographical Analysis 27(2), conditional permutation; Davison and Hinkley (1997) 4.2 for the +1.
//!
//! Cautions: p is one-sided toward the side of z; double it for a two-sided test. It cannot be below 1/(R+1), so over 1,000
//! grids with `fdr` 999 permutations cannot find anything at q < 0.05 unless many are hot: take more. esda leaves ties out on
//! the low side, which makes its p smaller there; here ties count on both. The same seed gives the same p, whatever the
//! order of rows or the number of threads. A grid of more than 4,096 neighbours is refused.
//! Worked example: `monte_carlo_approaches_the_exact_tail` in `gi_star_permutation/null.rs`.

mod documentation;
mod null;

pub use null::{DRAWS_MAX, Null, p_values};

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::Reason;
use crate::arguments::{Arguments, numbers, texts};
use crate::documentation::Unit;
use crate::fixed_point::Deviations;
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};
use crate::gi_star::{GRID, NEIGHBOURS, VALUE, observe, z_scores};

pub(crate) static FUNCTION: Function = Function {
    name: "gi_star_permutation",
    source: file!(),
    kind: Kind::Window,
    arguments: &[
        GRID,
        VALUE,
        NEIGHBOURS,
        Argument::optional(
            "permutations",
            Type::Integer,
            DefaultValue::Integer(999),
            "rearrangements, 1 to 999999",
            "重排次数，1 至 999999",
        )
        .counted_in(Unit::Rearrangements),
        Argument::optional("seed", Type::Integer, DefaultValue::Integer(1), "seed of the random numbers", "随机数种子"),
    ],
    returns: Returns::Struct(&[Output::new("z", Type::Number), Output::new("p", Type::Number), Output::new("reason", Type::Text)]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// The most neighbours of a grid: the sum of their deviations, of 51 bits and a sign each, must fit 64 bits.
const NEIGHBOURS_MAX: usize = 1 << 12;

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let observed = observe(arguments, FUNCTION.name)?;
    let replicates = arguments.integer_option(3, 1..=999_999)? as usize;
    let seed = arguments.integer_option(4, i64::MIN..=i64::MAX)? as u64;
    let most = observed.neighbours.most();
    if most > NEIGHBOURS_MAX {
        return exec_err!("a grid of gi_star_permutation has {most} neighbours, more than {NEIGHBOURS_MAX}: that is no neighbourhood");
    }
    if (most + 1).saturating_mul(replicates) > DRAWS_MAX {
        return exec_err!(
            "gi_star_permutation would draw {replicates} times for a grid of {most} neighbours, more than {DRAWS_MAX} in all: \
             take fewer permutations or shorter neighbour lists"
        );
    }
    let deviations = Deviations::of(&observed.values);
    let z = z_scores(&deviations, &observed.neighbours);
    let p = p_values(&deviations, &observed.neighbours, replicates, seed);
    let undefined = if deviations.are_zero() { Reason::ZeroVariance } else { Reason::AllGrids };
    let result = |row: &Result<u32, Reason>| {
        let place = (*row)? as usize;
        if z[place].is_nan() { Err(undefined) } else { Ok((z[place], p[place])) }
    };
    let results: Vec<_> = observed.rows.iter().map(result).collect();
    arguments.answer(vec![
        numbers(results.iter().map(|r| Some(r.ok()?.0))),
        numbers(results.iter().map(|r| Some(r.ok()?.1))),
        texts(results.iter().map(|r| r.err().map(Reason::as_str))),
    ])
}
