//! Loading one level: features to grids, with every problem named. The only place that decides what leaves a grid out.

use std::collections::HashMap;
use std::sync::Arc;

use geo::MultiPolygon;
use geojson::JsonObject;

use super::crossing::self_crossing;
use super::problem::Problems;
use super::shape::{Flaw, Shape, crossed, shape};
use super::source::{self, Source, text_of};
use super::{Grid, GridError, GridSet, LEVELS_MAX, Problem, aliases, contact, names};
use crate::limits::ID_BYTES_MAX;

/// What to load as a level: its name, the fields to read, and the aliases file if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LevelSpec {
    /// Name of the level.
    pub level: String,
    /// Field with the id.
    pub id_field: String,
    /// Field with the name.
    pub name_field: String,
    /// Field with the English name.
    pub name_en_field: Option<String>,
    /// Field that names the grid above, by its id or by its name.
    pub parent_field: Option<String>,
    /// Field with the number of residents.
    pub population_field: Option<String>,
    /// Bytes of the aliases file: CSV with the columns alias and grid_id.
    pub aliases: Option<Vec<u8>>,
}

/// A grid in the making, with the place of its feature.
struct Draft {
    feature: usize,
    grid: Grid,
}

impl GridSet {
    /// Adds a level from GeoJSON (plain, gzip or zstd), or replaces the level of that name. Answers a new set, one version
    /// on, and everything that is wrong with single grids; this set stays as it is.
    ///
    /// # Errors
    /// The file or the request as a whole cannot be used; nothing is loaded.
    pub fn load_level(&self, geojson: &[u8], spec: &LevelSpec) -> Result<(Self, Vec<Problem>), GridError> {
        self.check(spec)?;
        let mut problems = Problems::default();
        let mut drafts = self.drafts(geojson, spec, &mut problems)?;
        if drafts.is_empty() {
            return Err(GridError::NothingUsable { level: spec.level.clone(), problems: problems.into_list() });
        }
        link_neighbours(&mut drafts);
        name_overlaps(&drafts, &mut problems);
        if let Some(bytes) = &spec.aliases {
            give_aliases(&mut drafts, bytes, &mut problems)?;
        }
        let mut levels = self.other_levels(&spec.level, &drafts, &mut problems);
        levels.push((spec.level.clone(), drafts.into_iter().map(|draft| Arc::new(draft.grid)).collect()));
        Ok((Self::assemble(self.version + 1, levels)?, problems.into_list()))
    }

    fn check(&self, spec: &LevelSpec) -> Result<(), GridError> {
        for (option, value) in [("--level", &spec.level), ("--id", &spec.id_field), ("--name", &spec.name_field)] {
            if value.trim().is_empty() {
                return Err(GridError::Spec { what: format!("option {option} is empty") });
            }
        }
        let known = self.levels.iter().any(|level| level.name == spec.level);
        if !known && self.levels.len() == LEVELS_MAX {
            return Err(GridError::Spec { what: format!("there are {LEVELS_MAX} levels already, which is the most") });
        }
        Ok(())
    }

    fn drafts(&self, geojson: &[u8], spec: &LevelSpec, problems: &mut Problems) -> Result<Vec<Draft>, GridError> {
        let text = source::text(geojson)?;
        let sources = source::features(&text)?;
        source::require_field(&sources, &spec.id_field, "--id")?;
        source::require_field(&sources, &spec.name_field, "--name")?;
        let optional = [(&spec.name_en_field, "--name-en"), (&spec.parent_field, "--parent"), (&spec.population_field, "--population")];
        for (field, option) in optional.iter().filter_map(|(field, option)| Some((field.as_deref()?, *option))) {
            source::require_field(&sources, field, option)?;
        }
        let mut drafts = Drafts { set: self, spec, parents: self.parent_names(&spec.level), taken: HashMap::new(), list: Vec::new() };
        for (feature, source) in sources.into_iter().enumerate() {
            drafts.take(feature, source, problems);
        }
        drafts.list.sort_by(|a, b| a.grid.grid_id.cmp(&b.grid.grid_id));
        Ok(drafts.list)
    }

    /// Folded names of the grids of the other levels, each with the ids that bear it.
    fn parent_names(&self, level: &str) -> HashMap<String, Vec<String>> {
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        for grid in self.grids().filter(|grid| grid.level != level) {
            names.entry(names::folded(&grid.name_zh)).or_default().push(grid.grid_id.clone());
        }
        names
    }

    /// The levels that stay. A grid whose parent stood in the replaced level and is gone loses it, and is named.
    fn other_levels(&self, replaced: &str, drafts: &[Draft], problems: &mut Problems) -> Vec<(String, Vec<Arc<Grid>>)> {
        let kept = |id: &str| drafts.binary_search_by(|draft| draft.grid.grid_id.as_str().cmp(id)).is_ok();
        let mut mend = |grid: &Arc<Grid>| {
            let lost =
                grid.parent.as_deref().filter(|parent| self.get(parent).is_some_and(|above| above.level == replaced) && !kept(parent));
            let Some(parent) = lost else { return Arc::clone(grid) };
            let what =
                format!("of level \"{}\" loses its parent \"{parent}\", which the new level \"{replaced}\" does not have", grid.level);
            let advice = "load its level again with --parent, or mend the new file";
            problems.push(Problem { feature: None, grid_id: Some(grid.grid_id.clone()), left_out: false, what, advice });
            Arc::new(Grid { parent: None, ..Grid::clone(grid) })
        };
        let others = self.levels.iter().filter(|level| level.name != replaced);
        others.map(|level| (level.name.clone(), level.grids.iter().map(&mut mend).collect())).collect()
    }
}

/// The grids taken from a file so far.
struct Drafts<'a> {
    set: &'a GridSet,
    spec: &'a LevelSpec,
    parents: HashMap<String, Vec<String>>,
    taken: HashMap<String, usize>,
    list: Vec<Draft>,
}

impl Drafts<'_> {
    fn take(&mut self, feature: usize, source: Source, problems: &mut Problems) {
        let grid_id = text_of(&source.properties, &self.spec.id_field);
        let mut report = |left_out: bool, flaw: Flaw| {
            problems.push(Problem { feature: Some(feature), grid_id: grid_id.clone(), left_out, what: flaw.what, advice: flaw.advice });
        };
        let mut flaws = Vec::new();
        let usable = self.usable_id(grid_id.as_deref()).and_then(|grid_id| Ok((grid_id, usable_shape(source.polygons, &mut flaws)?)));
        match usable {
            Ok((grid_id, shape)) => {
                let grid = self.grid(grid_id.clone(), &source.properties, shape, &mut flaws);
                self.taken.insert(grid_id, feature);
                self.list.push(Draft { feature, grid });
            }
            Err(flaw) => report(true, flaw),
        }
        flaws.into_iter().for_each(|flaw| report(false, flaw));
    }

    fn usable_id(&self, grid_id: Option<&str>) -> Result<String, Flaw> {
        let Some(grid_id) = grid_id else {
            return Err(Flaw {
                what: format!("has no value in the id field \"{}\"", self.spec.id_field),
                advice: "give the feature an id",
            });
        };
        if grid_id.len() > ID_BYTES_MAX {
            return Err(Flaw {
                what: format!("has an id of {} bytes, at most {ID_BYTES_MAX}", grid_id.len()),
                advice: "choose a field with short ids",
            });
        }
        if let Some(first) = self.taken.get(grid_id) {
            let advice = "give each grid an id of its own; merge the parts of one grid into a MultiPolygon";
            return Err(Flaw { what: format!("has the duplicate id of feature {first}"), advice });
        }
        match self.set.get(grid_id).filter(|other| other.level != self.spec.level) {
            Some(other) => Err(Flaw {
                what: format!("has the duplicate id of a grid of level \"{}\"", other.level),
                advice: "choose an id field whose values are unique over all levels",
            }),
            None => Ok(grid_id.to_owned()),
        }
    }

    fn grid(&self, grid_id: String, properties: &JsonObject, shape: Shape, flaws: &mut Vec<Flaw>) -> Grid {
        let field = |name: &Option<String>| text_of(properties, name.as_deref()?);
        let name_zh = text_of(properties, &self.spec.name_field).unwrap_or_else(|| {
            let what = format!("has no value in the name field \"{}\", so its id is its name", self.spec.name_field);
            flaws.push(Flaw { what, advice: "give the feature a name" });
            grid_id.clone()
        });
        let parent = self.parent(field(&self.spec.parent_field), flaws);
        let population = field(&self.spec.population_field).and_then(|text| population(&text, flaws));
        let Shape { geometry, lon, lat, area_km2 } = shape;
        let (level, name_en) = (self.spec.level.clone(), field(&self.spec.name_en_field));
        Grid { grid_id, name_zh, name_en, level, parent, population, lon, lat, area_km2, neighbours: vec![], aliases: vec![], geometry }
    }

    /// The id of the grid above: by id, else by a name only one grid of the other levels bears.
    fn parent(&self, named: Option<String>, flaws: &mut Vec<Flaw>) -> Option<String> {
        self.spec.parent_field.as_ref()?;
        let Some(named) = named else {
            flaws.push(Flaw { what: "names no parent".to_owned(), advice: "fill the parent field, or its events count in no grid above" });
            return None;
        };
        if self.set.get(&named).is_some_and(|above| above.level != self.spec.level) {
            return Some(named);
        }
        let bearers = self.parents.get(&names::folded(&named)).map(Vec::as_slice).unwrap_or_default();
        if let [only] = bearers {
            return Some(only.clone());
        }
        flaws.push(match bearers {
            [] => {
                Flaw { what: format!("has the unknown parent \"{named}\""), advice: "load the level above first, or mend the parent field" }
            }
            several => {
                let what = format!("has the parent \"{named}\", a name of {} grids ({})", several.len(), several.join(", "));
                Flaw { what, advice: "use a parent field with the id of the grid above" }
            }
        });
        None
    }
}

fn usable_shape(polygons: Result<Vec<source::Rings>, String>, flaws: &mut Vec<Flaw>) -> Result<Shape, Flaw> {
    let rings = polygons.map_err(|what| Flaw { what, advice: "give the feature a Polygon or MultiPolygon" })?;
    let shape = shape(rings, flaws)?;
    if let Some(point) = self_crossing(&shape.geometry) {
        flaws.push(crossed(point, "the even-odd rule tells what is inside"));
    }
    Ok(shape)
}

fn population(text: &str, flaws: &mut Vec<Flaw>) -> Option<f64> {
    // Statistics files group digits in threes.
    let number = text.replace([',', '\u{ff0c}'], "").parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if number.is_none() {
        flaws.push(Flaw {
            what: format!("has the population \"{text}\", which is no count; it stays empty"),
            advice: "mend the population field",
        });
    }
    number
}

fn shapes(drafts: &[Draft]) -> Vec<&MultiPolygon<f64>> {
    drafts.iter().map(|draft| &draft.grid.geometry).collect()
}

fn link_neighbours(drafts: &mut [Draft]) {
    let links = contact::neighbours(&shapes(drafts));
    let ids: Vec<String> = drafts.iter().map(|draft| draft.grid.grid_id.clone()).collect();
    for (draft, beside) in drafts.iter_mut().zip(links) {
        draft.grid.neighbours = beside.into_iter().map(|index| ids[index].clone()).collect();
    }
}

fn name_overlaps(drafts: &[Draft], problems: &mut Problems) {
    let areas: Vec<f64> = drafts.iter().map(|draft| draft.grid.area_km2).collect();
    for overlap in contact::overlaps(&shapes(drafts), &areas) {
        let (first, second) = (&drafts[overlap.first], &drafts[overlap.second]);
        let share = 100.0 * overlap.area_km2 / areas[overlap.first].min(areas[overlap.second]);
        let what = format!(
            "overlaps grid \"{}\" (feature {}) by {:.0} m2, {share:.1} % of the smaller; points there count for \"{}\"",
            first.grid.grid_id,
            first.feature,
            overlap.area_km2 * 1e6,
            first.grid.grid_id
        );
        let grid_id = Some(second.grid.grid_id.clone());
        problems.push(Problem { feature: Some(second.feature), grid_id, left_out: false, what, advice: "cut one polygon back" });
    }
}

fn give_aliases(drafts: &mut [Draft], bytes: &[u8], problems: &mut Problems) -> Result<(), GridError> {
    for alias in aliases::read(bytes)? {
        match drafts.binary_search_by(|draft| draft.grid.grid_id.cmp(&alias.grid_id)) {
            Ok(index) => drafts[index].grid.aliases.push(alias.alias),
            Err(_) => problems.push(Problem {
                feature: None,
                grid_id: Some(alias.grid_id),
                left_out: false,
                what: format!("of the alias \"{}\" (aliases file, line {}) is not in this level", alias.alias, alias.line),
                advice: "mend the grid_id in the aliases file",
            }),
        }
    }
    Ok(())
}
