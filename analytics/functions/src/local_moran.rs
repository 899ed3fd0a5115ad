//! `local_moran`: is a grid like its neighbours, or an outlier among them? Anselin's local Moran's I.
//!
//! With zᵢ = xᵢ − x̄, m₂ = Σz²/n, kᵢ neighbours and row-standardized weights: Iᵢ = (zᵢ/m₂) · (Σⱼ zⱼ)/kᵢ over the neighbours.
//! The score is that of random labelling with the own value kept (conditional): E = −zᵢ²/(m₂ (n−1)),
//! Var = (zᵢ/m₂)² · n/(n−2) · (1/kᵢ − 1/(n−1)) · (m₂ − zᵢ²/(n−1)).
//!
//! Sources: Anselin (1995), Geographical Analysis 27(2); Sokal, Oden and Thomson (1998), Geographical Analysis 30(4), the
//! conditional moments.
//!
//! Cautions: over a map use `fdr`. A grid at the mean has I = 0 and no score (`at_mean`), one among equal others has I and no score
//! (`zero_variance`), one without observed neighbours has neither. z > 0 says *like its neighbours*, whether high or low: the
//! quadrant says which.
//! Worked example: `a_line_of_four` in `local_moran/scores.rs`.

mod documentation;
mod scores;

pub use scores::{LocalMoran, local_moran};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::Reason;
use crate::arguments::{Arguments, numbers, texts};
use crate::fixed_point::Deviations;
use crate::function::{Function, Kind, Output, Returns, Type};
use crate::gi_star::{MAP, observe};
use crate::normal::two_sided_p;

pub(crate) static FUNCTION: Function = Function {
    name: "local_moran",
    source: file!(),
    kind: Kind::Window,
    arguments: MAP,
    returns: Returns::Struct(&[
        Output::new("i", Type::Number),
        Output::new("z", Type::Number),
        Output::new("p", Type::Number),
        Output::new("quadrant", Type::Text),
        Output::new("reason", Type::Text),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let observed = observe(arguments, FUNCTION.name)?;
    let places = local_moran(&Deviations::of(&observed.values), &observed.neighbours);
    let results: Vec<_> = observed.rows.iter().map(|row| row.and_then(|place| places[place as usize])).collect();
    let score = |result: &Result<LocalMoran, Reason>| result.and_then(|moran| moran.z);
    arguments.answer(vec![
        numbers(results.iter().map(|r| Some(r.ok()?.i))),
        numbers(results.iter().map(|r| score(r).ok())),
        numbers(results.iter().map(|r| score(r).ok().map(two_sided_p))),
        texts(results.iter().map(|r| Some(r.ok()?.quadrant))),
        texts(results.iter().map(|r| score(r).err().map(Reason::as_str))),
    ])
}
