//! The statistics of surveillance as SQL functions: Arrow in, Arrow out. No IO, no clock, no dice but a seed.
//!
//! [`FUNCTIONS`] is the one list. Each entry is a file with definition, source, cautions and a worked example (which is a
//! test), its pure numbers in a folder beside it, and there its SQL cases and what an analyst reads ([`Documentation`]). `window`, `aggregate` and `scalar` present an entry
//! to DataFusion. Undefined is NULL with a [`Reason`].

mod aggregate;
mod arguments;
mod counts;
mod dice;
mod documentation;
mod elsewhere;
mod fixed_point;
mod function;
mod neighbours;
mod normal;
mod parallel;
mod reason;
mod registry;
mod scalar;
mod student;
mod window;

pub mod ears;
pub mod emerging_hotspot;
pub mod farrington;
pub mod fdr;
pub mod gi_star;
pub mod gi_star_permutation;
pub mod kaplan_meier;
pub mod knox;
pub mod local_moran;
pub mod mann_kendall;
pub mod recurrence_interval;
pub mod repeats;
pub mod space_time_scan;
pub mod wilson;

mod nb_tail;
mod nb_upper;
mod poisson_upper;

pub use arguments::{Arguments, Texts};
pub use counts::Counts;
pub use dice::Dice;
pub use documentation::{
    ArgumentDoc, DemoCity, Documentation, Drawing, Example, FunctionDoc, Language, Meaning, Picture, ResultDoc, Undefined, Unit, Words,
    documentation,
};
pub use elsewhere::{ELSEWHERE, Elsewhere};
pub use fixed_point::{Change, Deviations, Moments, Moving, ROWS_MAX};
pub use function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};
pub use neighbours::{Adjacency, Observations};
pub use normal::{quantile, two_sided_p, upper_p};
pub use reason::Reason;
pub use registry::{aggregates, register, scalars, windows};

/// Every function, in the order of the documentation.
pub static FUNCTIONS: &[&Function] = &[
    &gi_star::FUNCTION,
    &gi_star_permutation::FUNCTION,
    &local_moran::FUNCTION,
    &fdr::FUNCTION,
    &mann_kendall::FUNCTION,
    &emerging_hotspot::FUNCTION,
    &ears::C1,
    &ears::C2,
    &ears::C3,
    &farrington::FUNCTION,
    &space_time_scan::FUNCTION,
    &knox::FUNCTION,
    &kaplan_meier::FUNCTION,
    &wilson::FUNCTION,
    &nb_tail::FUNCTION,
    &nb_upper::FUNCTION,
    &poisson_upper::FUNCTION,
    &recurrence_interval::FUNCTION,
    &repeats::FUNCTION,
];
