//! `emerging_hotspot`: what kind of hot or cold spot is a grid over time? One of 17 classes.
//!
//! A step is hot (cold) if q < 0.05 and z > 0 (z < 0). First match wins; the cold side mirrors the hot one:
//!
//! 1. final step neither: hot in ≥ 90 % of the steps → *historical*, else *none*;
//! 2. final step hot, hot in ≥ 90 %: z rising (Mann–Kendall, p < 0.05) → *intensifying*, falling → *diminishing*, else *persistent*;
//! 3. final step hot, hot in < 90 %: never before → *new*; one run of at least 2 up to the end and never before → *consecutive*;
//!    ever cold before → *oscillating*; else → *sporadic*.
//!
//! Source: the Emerging Hot Spot Analysis of ArcGIS Pro, by its published descriptions, with our reading of what they leave
//! open: a former cold spot hot for the first time is *new*; the side of the final step decides. Not compared with ArcGIS.
//!
//! Cautions: q should come from `fdr` a step. A step whose z is NULL or not finite, or whose q is NULL or outside 0 to 1, is left
//! out, so the final step is the last one known.
//! Needs 10 steps. Worked example: `histories_have_their_class` in `emerging_hotspot/class.rs`.

mod class;
mod documentation;

pub use class::{ALPHA, CLASSES, Class, STEPS_MIN, classify};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use crate::Reason;
use crate::arguments::{Arguments, integers, numbers, texts};
use crate::documentation::Unit;
use crate::function::{Argument, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "emerging_hotspot",
    source: file!(),
    kind: Kind::OrderedAggregate,
    arguments: &[
        Argument::required("z", Type::Number, "the score of a step (gi_star)", "每一步的得分（gi_star）"),
        Argument::required("q", Type::Number, "its q (fdr over the grids of the step)", "每一步的 q 值（对该步所有网格做 fdr）")
            .counted_in(Unit::Share),
    ],
    returns: Returns::Struct(&[
        Output::new("class", Type::Text),
        Output::new("share_hot", Type::Number),
        Output::new("steps", Type::Integer),
        Output::new("reason", Type::Text),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let pairs = arguments.numbers(0)?.iter().zip(arguments.numbers(1)?);
    let known = pairs.filter_map(|(z, q)| z.zip(q)).filter(|(z, q)| z.is_finite() && (0.0..=1.0).contains(q));
    let steps: Vec<(f64, f64)> = known.collect();
    let class = classify(&steps);
    arguments.answer(vec![
        texts([class.ok().map(|c| c.name)]),
        numbers([class.ok().map(|c| c.share_hot)]),
        integers([i64::try_from(steps.len()).ok()]),
        texts([class.err().map(Reason::as_str)]),
    ])
}
