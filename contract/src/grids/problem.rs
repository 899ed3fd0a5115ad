//! What can be wrong with a file of grids: [`Problem`] about one grid (the load goes on), [`GridError`] about the whole file
//! (nothing is loaded). Both name the thing and what to do.

use std::fmt;

use crate::log::Remedy;

/// Most problems kept of one load; beyond it one last entry tells how many more there are.
const PROBLEMS_MAX: usize = 10_000;

/// Something wrong with one feature of a file. The grid is kept unless `left_out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Place of the feature in the file, counted from 0; `None` if it is not about a feature of this file.
    pub feature: Option<usize>,
    /// The grid's id, if it has one.
    pub grid_id: Option<String>,
    /// Whether the grid is not in the new set.
    pub left_out: bool,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub advice: &'static str,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.grid_id, self.feature) {
            (Some(id), Some(feature)) => write!(f, "grid \"{id}\" (feature {feature}) ")?,
            (Some(id), None) => write!(f, "grid \"{id}\" ")?,
            (None, Some(feature)) => write!(f, "feature {feature} ")?,
            (None, None) => {}
        }
        write!(f, "{}{}: {}", self.what, if self.left_out { "; it is left out" } else { "" }, self.advice)
    }
}

/// The problems of a load, bounded.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Problem) {
        if self.list.len() < PROBLEMS_MAX {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }

    pub(super) fn into_list(mut self) -> Vec<Problem> {
        if self.more > 0 {
            let what = format!("{} more problems are not listed", self.more);
            self.list.push(Problem { feature: None, grid_id: None, left_out: false, what, advice: "mend those listed and load again" });
        }
        self.list
    }
}

/// Why a file of grids cannot be loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum GridError {
    /// The level's name or a field's name is empty, or there are too many levels.
    #[error("could not load grids: {what}")]
    Spec {
        /// What is wrong with the request.
        what: String,
    },
    /// The file is beyond a bound.
    #[error("grid file has {found} {unit}, at most {max}: load a smaller area or simplify the polygons")]
    TooLarge {
        /// What was counted.
        unit: &'static str,
        /// How many there are (at least).
        found: usize,
        /// The bound.
        max: usize,
    },
    /// The compressed bytes break off or are damaged.
    #[error("could not decompress the grid file as {format}: fetch or compress it again")]
    Compressed {
        /// gzip or zstd.
        format: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The bytes are not a GeoJSON feature collection.
    #[error("grid file is not a GeoJSON FeatureCollection: {what}")]
    NotGeoJson {
        /// What was found.
        what: String,
    },
    /// The file declares coordinates other than longitude and latitude.
    #[error(
        "grid file declares the coordinate system \"{crs}\", WGS 84 longitude and latitude are needed: convert it, for example with ogr2ogr -t_srs EPSG:4326 -lco RFC7946=YES"
    )]
    NotWgs84 {
        /// The declared system.
        crs: String,
    },
    /// No feature has the field.
    #[error("no feature has the field \"{field}\" (option {option}){}; the features have: {}", nearest.as_ref().map(|name| format!("; did you mean \"{name}\"?")).unwrap_or_default(), available.join(", "))]
    NoSuchField {
        /// The field asked for.
        field: String,
        /// The option that asks for it.
        option: &'static str,
        /// The fields there are.
        available: Vec<String>,
        /// The one most like it.
        nearest: Option<String>,
    },
    /// Every feature has a problem.
    #[error("no feature of level \"{level}\" can be used ({} problems); the first: {}", problems.len(), problems.first().map(ToString::to_string).unwrap_or_else(|| "the file has no features".to_owned()))]
    NothingUsable {
        /// The level.
        level: String,
        /// What is wrong with each.
        problems: Vec<Problem>,
    },
    /// Levels name each other as parents.
    #[error("levels {} name each other as parents: load the coarse level without --parent first, then the finer one", levels.join(", "))]
    Circle {
        /// The levels of the set.
        levels: Vec<String>,
    },
    /// The aliases file cannot be read.
    #[error("aliases file, line {line}: {what}; write two columns with the header alias,grid_id in UTF-8")]
    Aliases {
        /// Line of the file, counted from 1.
        line: u64,
        /// What was found.
        what: String,
    },
    /// Bytes that should be a stored set are not.
    #[error("stored grid set cannot be read: {what}; load the levels again with gridwatch grids load")]
    Stored {
        /// What was found.
        what: String,
    },
}

impl GridError {
    /// What the caller has to do: a person must mend the file or the options.
    pub const fn remedy(&self) -> Remedy {
        Remedy::Fix
    }
}
