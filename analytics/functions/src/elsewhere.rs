//! Functions an analyst meets in SQL whose code stands where their data is: grids in the session, feeds in ingest, the city's
//! calendar. They are described here, so that one list tells all there are; a test asks each of them in a city.

use crate::documentation::Documentation;
use crate::function::{Argument, Kind, Returns};

mod address_grid;
mod bd09_to_wgs84;
mod completeness_curve;
mod gcj02_to_wgs84;
mod grid_at;
mod local_day;
mod normalize_address;
mod pseudonym;
mod roc_date;
mod why;

/// A function that is computed elsewhere.
#[derive(Debug)]
pub struct Elsewhere {
    /// The name in SQL.
    pub name: &'static str,
    /// The file that computes it.
    pub source: &'static str,
    /// How rows go in and come out.
    pub kind: Kind,
    /// What it takes, in order; those with a default last.
    pub arguments: &'static [Argument],
    /// What it gives.
    pub returns: Returns,
    /// What an analyst reads about it.
    pub documentation: &'static Documentation,
}

/// All of them, in the order of the documentation.
pub static ELSEWHERE: &[&Elsewhere] = &[
    &grid_at::FUNCTION,
    &address_grid::FUNCTION,
    &normalize_address::FUNCTION,
    &gcj02_to_wgs84::FUNCTION,
    &bd09_to_wgs84::FUNCTION,
    &roc_date::FUNCTION,
    &pseudonym::FUNCTION,
    &local_day::FUNCTION,
    &completeness_curve::FUNCTION,
    &why::FUNCTION,
];
