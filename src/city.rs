//! The demo city: as files for `gridwatch city`, as a source for `gridwatch up`.

use std::sync::Arc;

use analytics::grid_store::GridStore;
use analytics::metrics::chain;
use contract::clock::Clock;
use contract::grids::LevelSpec;
use contract::log::EventLog;
use ingest::city::{City, CitySpec};
use ingest::sources::generator::{Generator, GeneratorSettings, Progress};
use ingest::{Publisher, Unobserved};
use tokio::sync::watch;

use crate::cli::{CityOptions, Place};
use crate::failure::Failure;
use crate::output;

fn draw(seed: u64) -> Result<City, Failure> {
    City::new(CitySpec { seed, ..CitySpec::default() }).map_err(|error| Failure::configuration(chain(&error)))
}

/// Writes the city's files.
pub(crate) fn write(options: &CityOptions) -> Result<(), Failure> {
    let written = draw(options.seed)?
        .write(&options.out, options.days, None)
        .map_err(|error| Failure::machine("could not write the city", &error))?;
    let rows: Vec<Vec<String>> =
        written.rows.iter().map(|(file, count)| vec![options.out.join(file).display().to_string(), count.to_string()]).collect();
    output::print(&[output::texts(&["file", "rows"], &rows)?], None)
}

/// Draws the city and, on a lake without grids, loads its two levels.
pub(crate) fn demo(place: &Place, seed: u64) -> Result<City, Failure> {
    let city = draw(seed)?;
    let mut store = GridStore::open(&place.lake()).map_err(|error| Failure::machine("could not open the grids of the lake", &error))?;
    if store.newest().is_empty() {
        load(&mut store, &city.districts_geojson(), "district", None)?;
        load(&mut store, &city.grids_geojson(), "grid", Some("parent"))?;
    }
    Ok(city)
}

fn load(store: &mut GridStore, geojson: &str, level: &str, parent: Option<&str>) -> Result<(), Failure> {
    let spec = LevelSpec {
        level: level.to_owned(),
        id_field: "grid_id".into(),
        name_field: "name_zh".into(),
        name_en_field: Some("name_en".into()),
        parent_field: parent.map(str::to_owned),
        population_field: Some("population".into()),
        aliases: None,
    };
    let (set, problems) = store.newest().load_level(geojson.as_bytes(), &spec).map_err(|error| Failure::configuration(chain(&error)))?;
    if let Some(problem) = problems.first() {
        tracing::warn!(level, problems = problems.len(), "the demo city's grids: {problem}");
    }
    store.save(set).map_err(|error| Failure::machine("could not keep the grids", &error))
}

/// Streams the city into the log: its history at once, then live; goes on where the log's records end.
pub(crate) async fn stream(
    city: City,
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    speed: f64,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::machine("the demo city stopped", error);
    let token = tokio_util::sync::CancellationToken::new();
    let progress = Progress::read(log.as_ref()).await.map_err(|error| failed(&error))?;
    let settings = GeneratorSettings { speed, stop: token.clone(), ..GeneratorSettings::default() };
    let generator = Generator::new(&city, Publisher::new(log), Arc::new(Unobserved), clock, settings, progress)
        .map_err(|error| Failure::configuration(chain(&error)))?;
    tokio::spawn(async move {
        // A sender that is gone is a stop too.
        drop(stop.wait_for(|stop| *stop).await);
        token.cancel();
    });
    generator.run().await.map_err(|error| failed(&error))
}
