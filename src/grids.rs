//! `gridwatch grids`: the levels there are, and loading one.

use analytics::consume::Consumer;
use analytics::grid_store::GridStore;
use analytics::metrics::chain;
use analytics::session::Worlds;
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use contract::grids::LevelSpec;

use crate::cli::{GridsCommand, GridsLoadOptions, GridsOptions, RowsOptions};
use crate::failure::Failure;
use crate::{clock, log, output, pipeline};

/// Runs the command.
pub(crate) async fn run(options: GridsOptions) -> Result<(), Failure> {
    match options.command {
        Some(GridsCommand::Load(options)) => load(&options),
        Some(GridsCommand::Locate(rows)) => locate(&rows).await,
        None => list(&options.rows),
    }
}

fn store(rows: &RowsOptions) -> Result<GridStore, Failure> {
    GridStore::open(&rows.place.lake()).map_err(|error| Failure::machine("could not open the grids of the lake", &error))
}

fn list(rows: &RowsOptions) -> Result<(), Failure> {
    pipeline::existing(&rows.place)?;
    let set = store(rows)?.newest();
    let finest = set.finest_level().map(str::to_owned);
    let levels: Vec<Vec<String>> = set
        .levels()
        .map(|(level, count)| {
            vec![level.to_owned(), count.to_string(), (finest.as_deref() == Some(level)).to_string(), set.version().to_string()]
        })
        .collect();
    output::print(&[output::texts(&["level", "grids", "finest", "version"], &levels)?], rows.format)
}

/// Needs the log for itself: the writer of the lake must not run meanwhile.
async fn locate(rows: &RowsOptions) -> Result<(), Failure> {
    pipeline::existing(&rows.place)?;
    let (clock, lake) = (clock::system(), rows.place.lake());
    let log = log::open(&rows.place, &clock).await?;
    let failed = |error: &dyn std::error::Error| Failure::machine("could not locate again", error);
    let mut consumer = Consumer::open(log, &lake, clock).await.map_err(|error| failed(&error))?;
    consumer.drain(|_| ()).await.map_err(|error| failed(&error))?;
    let mut worlds = Worlds::open(&lake, pipeline::session(&rows.place)?).await.map_err(|error| failed(&error))?;
    let world = worlds.newest().await.map_err(|error| failed(&error))?;
    let found = consumer.locate_again(&world.session).await.map_err(|error| failed(&error))?;
    let left = worlds.newest().await.map_err(|error| failed(&error))?;
    let left = left.query("SELECT count(*) AS left FROM unlocated").await.map_err(|error| failed(&error))?;
    let left = left[0].column(0).as_primitive::<Int64Type>().value(0);
    output::print(&[output::texts(&["located", "unlocated"], &[vec![found.to_string(), left.to_string()]])?], rows.format)
}

fn load(options: &GridsLoadOptions) -> Result<(), Failure> {
    let place = &options.rows.place;
    pipeline::data_folder(place)?;
    let read = |path: &std::path::Path| {
        std::fs::read(path).map_err(|error| Failure::usage(format!("could not read \"{}\": {error}", path.display())))
    };
    let spec = LevelSpec {
        level: options.level.clone(),
        id_field: options.id.clone(),
        name_field: options.name.clone(),
        name_en_field: options.name_en.clone(),
        parent_field: options.parent.clone(),
        population_field: options.population.clone(),
        aliases: options.aliases.as_deref().map(read).transpose()?,
    };
    let mut store = store(&options.rows)?;
    let loaded = store.newest().load_level(&read(&options.file)?, &spec);
    let (set, problems) = loaded.map_err(|error| Failure::usage(format!("\"{}\": {}", options.file.display(), chain(&error))))?;
    for problem in &problems {
        tracing::warn!(file = %options.file.display(), "{problem}");
    }
    let count = set.levels().find(|(level, _)| *level == options.level).map_or(0, |(_, count)| count);
    let row = vec![options.level.clone(), count.to_string(), problems.len().to_string(), set.version().to_string()];
    store.save(set).map_err(|error| Failure::machine("could not keep the grids", &error))?;
    output::print(&[output::texts(&["level", "grids", "problems", "version"], &[row])?], options.rows.format)
}
