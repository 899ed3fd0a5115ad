//! The grid dimension: a city's own polygons by level, their neighbours, and where a point or an address lies.
//!
//! A [`GridSet`] is immutable: [`GridSet::load_level`] answers a new set of the next version and leaves the old one as it
//! was, so that rows located against version 3 can be explained by version 3. Nothing here reads a file or a clock;
//! bytes come in and bytes go out.
//!
//! Words: a **level** is one division of the city (districts, villages, beats). A level whose grids name grids of another
//! level as parents is **finer** than it; levels without such a link are ordered by the mean area of their grids.
//! Identifiers are opaque text and unique over all levels, because an event carries one `grid_id` and no level.
//! The steps are in files of their own: `source` reads GeoJSON, `shape` judges polygons, `contact` finds neighbours and
//! overlaps, `level` puts a level together, `locate` finds points by a `raster`, `names` finds addresses, `persist` and `table` write.

mod aliases;
mod contact;
mod crossing;
mod level;
mod locate;
mod names;
mod persist;
mod problem;
mod raster;
mod shape;
mod source;
mod table;

use std::collections::HashMap;
use std::sync::Arc;

use geo::MultiPolygon;

pub use level::LevelSpec;
pub use names::{AddressMatch, Spelling};
pub use problem::{GridError, Problem};
pub use table::schema;

use locate::Locator;
use names::Names;

/// Most features of a level; the finest national divisions (Taiwan's villages: 7,700, China's communities: 110,000 for the
/// whole country) show that one city stays well below.
pub const FEATURES_MAX: usize = 100_000;
/// Most vertices of a level: 100 MB of GeoJSON, at which finding neighbours still takes seconds, not minutes.
pub const VERTICES_MAX: usize = 4_000_000;
/// Most bytes of a level's GeoJSON after decompression; a compressed file cannot fill the memory.
pub const BYTES_MAX: usize = 512 * 1024 * 1024;
/// Most levels of a set: a hierarchy deeper than nation, province, city, district, street, village, grid is a mistake.
pub const LEVELS_MAX: usize = 16;

/// A polygon of the city's own division.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Identity over all levels; opaque text.
    pub grid_id: String,
    /// Name in the city's language; the id where the file gives none.
    pub name_zh: String,
    /// English name, if the file has one.
    pub name_en: Option<String>,
    /// The level it belongs to.
    pub level: String,
    /// `grid_id` of the grid above.
    pub parent: Option<String>,
    /// Residents, if the file says.
    pub population: Option<f64>,
    /// Longitude of the centroid, WGS 84 degrees.
    pub lon: f64,
    /// Latitude of the centroid, WGS 84 degrees.
    pub lat: f64,
    /// Area on the ellipsoid, square kilometres.
    pub area_km2: f64,
    /// Grids of the same level that share a boundary point (queen contiguity), sorted.
    pub neighbours: Vec<String>,
    /// Further names it is known by in addresses.
    pub aliases: Vec<String>,
    /// The polygon, WGS 84 degrees rounded to 12 decimals, outer rings counterclockwise.
    pub geometry: MultiPolygon<f64>,
}

/// One level of a set: its grids by `grid_id`, and where they lie.
#[derive(Debug)]
struct Level {
    name: String,
    grids: Vec<Arc<Grid>>,
    /// The place of its first grid in the set.
    first: u32,
    locator: Locator,
}

/// All grids of a city, of every level, at one version. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct GridSet {
    version: u32,
    /// Coarse to fine.
    levels: Vec<Arc<Level>>,
    /// All grids, level by level, coarse to fine; what the indexes below point into.
    grids: Arc<Vec<Arc<Grid>>>,
    places: Arc<HashMap<String, u32>>,
    names: Arc<Names>,
}

impl GridSet {
    /// A set without grids, version 0.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Counts the loads this set came from; a row located against a set names it.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// Whether no grid is loaded.
    pub fn is_empty(&self) -> bool {
        self.grids.is_empty()
    }

    /// Number of grids over all levels.
    pub fn len(&self) -> usize {
        self.grids.len()
    }

    /// Every grid, coarse levels first, by `grid_id` within a level.
    pub fn grids(&self) -> impl ExactSizeIterator<Item = &Grid> {
        self.grids.iter().map(|grid| &**grid)
    }

    /// The levels, coarse to fine, each with its number of grids.
    pub fn levels(&self) -> impl ExactSizeIterator<Item = (&str, usize)> {
        self.levels.iter().map(|level| (level.name.as_str(), level.grids.len()))
    }

    /// The level the jobs compute on, if any is loaded.
    pub fn finest_level(&self) -> Option<&str> {
        self.levels.last().map(|level| level.name.as_str())
    }

    /// The grids of a level, by `grid_id`; none if the level is not loaded.
    pub fn level(&self, name: &str) -> impl Iterator<Item = &Grid> {
        self.levels.iter().filter(move |level| level.name == name).flat_map(|level| level.grids.iter().map(|grid| &**grid))
    }

    /// The grid of that id.
    pub fn get(&self, grid_id: &str) -> Option<&Grid> {
        self.places.get(grid_id).map(|place| self.at(*place))
    }

    /// The finest grid that holds the point (WGS 84 degrees). A point has one answer: on an edge two grids share it belongs
    /// to the grid east of the edge (north of it if the edge is level), on the city's outer edge to the grid inside, and
    /// where grids overlap to the least `grid_id`.
    pub fn grid_at(&self, lon: f64, lat: f64) -> Option<&str> {
        self.place_at(lon, lat).map(|place| self.id_of(place))
    }

    /// The same as a place: which of [`GridSet::grids`] it is. For who asks for each event; the grids themselves are far from one another.
    pub fn place_at(&self, lon: f64, lat: f64) -> Option<u32> {
        self.levels.iter().rev().find_map(|level| Some(level.first + level.locator.find(lon, lat)?))
    }

    /// The id of the grid at a place of this set.
    ///
    /// # Panics
    /// The set has fewer grids.
    pub fn id_of(&self, place: u32) -> &str {
        &self.at(place).grid_id
    }

    /// Whether it is the same set, so that a place of the one is that of the other.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.grids, &other.grids)
    }

    /// The finest grid an address names; see [`GridSet::address_match`].
    pub fn address_grid(&self, address: &str) -> Option<&str> {
        self.address_place(address).map(|place| self.id_of(place))
    }

    /// The same as a place; see [`GridSet::place_at`].
    pub fn address_place(&self, address: &str) -> Option<u32> {
        self.names.find(address).map(|(place, _)| place)
    }

    /// The finest grid an address names, and how the name was spelled.
    ///
    /// Names are read from the start of the address (`district`, `village`, …; postal codes, country, city and repeated
    /// prefixes between them are passed over) and a name counts only below the grid named before it, so a village is never
    /// taken from another district. If the village is not known the district is the answer, and of two districts that
    /// contradict each other the first.
    pub fn address_match(&self, address: &str) -> Option<AddressMatch<'_>> {
        let (place, spelling) = self.names.find(address)?;
        Some(AddressMatch { grid: self.at(place), spelling })
    }

    fn at(&self, place: u32) -> &Grid {
        &self.grids[place as usize]
    }

    /// Builds the indexes of a set from the grids of each level.
    fn assemble(version: u32, levels: Vec<(String, Vec<Arc<Grid>>)>) -> Result<Self, GridError> {
        let levels = in_order(levels)?;
        let grids: Vec<Arc<Grid>> = levels.iter().flat_map(|level| level.grids.iter().map(Arc::clone)).collect();
        let places: HashMap<String, u32> = (0..).zip(&grids).map(|(place, grid)| (grid.grid_id.clone(), place)).collect();
        debug_assert_eq!(places.len(), grids.len(), "ids are unique over all levels");
        let names = Names::build(&grids, &places);
        Ok(Self { version, levels, grids: Arc::new(grids), places: Arc::new(places), names: Arc::new(names) })
    }
}

/// Sorts levels coarse to fine: by the number of levels above them, then by mean area, largest first.
fn in_order(levels: Vec<(String, Vec<Arc<Grid>>)>) -> Result<Vec<Arc<Level>>, GridError> {
    let owner: HashMap<&str, usize> =
        (0..).zip(&levels).flat_map(|(index, (_, grids))| grids.iter().map(move |grid| (grid.grid_id.as_str(), index))).collect();
    let above: Vec<Vec<usize>> = levels
        .iter()
        .map(|(_, grids)| {
            let mut above: Vec<usize> = grids.iter().filter_map(|grid| owner.get(grid.parent.as_deref()?).copied()).collect();
            above.sort_unstable();
            above.dedup();
            above
        })
        .collect();
    let depths = depths(&above).ok_or_else(|| GridError::Circle { levels: levels.iter().map(|(name, _)| name.clone()).collect() })?;
    let mean_area = |grids: &[Arc<Grid>]| {
        let count = u32::try_from(grids.len()).expect("features are bounded by FEATURES_MAX");
        grids.iter().map(|grid| grid.area_km2).sum::<f64>() / f64::from(count.max(1))
    };
    let mut keyed: Vec<_> = depths.into_iter().zip(levels).map(|(depth, (name, grids))| (depth, mean_area(&grids), name, grids)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then(a.2.cmp(&b.2)));
    let mut next = 0;
    Ok(keyed
        .into_iter()
        .map(|(_, _, name, mut grids)| {
            grids.sort_by(|a, b| a.grid_id.cmp(&b.grid_id));
            let locator = Locator::build(grids.iter().map(|grid| &grid.geometry));
            let first = next;
            next += u32::try_from(grids.len()).expect("features are bounded by FEATURES_MAX");
            Arc::new(Level { name, grids, first, locator })
        })
        .collect())
}

/// How many levels lie above each; `None` if parents run in a circle.
fn depths(above: &[Vec<usize>]) -> Option<Vec<usize>> {
    let mut depths = vec![0; above.len()];
    // A depth grows at most once for each level below the top, so a change in the last round means a circle.
    for round in 0..=above.len() {
        let next: Vec<usize> = above.iter().map(|parents| parents.iter().map(|parent| depths[*parent] + 1).max().unwrap_or(0)).collect();
        if next == depths {
            return Some(depths);
        }
        if round == above.len() {
            return None;
        }
        depths = next;
    }
    None
}
