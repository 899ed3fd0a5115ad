//! `gridwatch jobs` and `gridwatch job run`.

use analytics::jobs::{self, run};
use analytics::metrics::chain;
use analytics::session::Worlds;
use arrow::array::RecordBatch;

use crate::cli::{JobRunOptions, Place, RowsOptions};
use crate::failure::Failure;
use crate::{clock, output, pipeline};

async fn worlds(place: &Place) -> Result<Worlds, Failure> {
    pipeline::existing(place)?;
    let worlds = Worlds::open(&place.lake(), pipeline::session(place)?).await;
    worlds.map_err(|error| Failure::machine("could not open the lake", &error))
}

/// The jobs, and what is known of their last run.
pub(crate) async fn list(options: RowsOptions) -> Result<(), Failure> {
    let all = jobs::discover(options.place.jobs_dir.as_deref()).map_err(|error| Failure::configuration(chain(&error)))?;
    let ran = last_runs(&options.place).await?;
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|job| {
            let (as_of, rows) = ran.get(&job.name).cloned().unwrap_or_default();
            vec![
                job.name.clone(),
                job.definition.question.en.clone(),
                job.definition.question.zh.clone(),
                format!("{:?}", job.definition.schedule),
                job.query_sha256.clone(),
                as_of,
                rows,
                published(&job.definition, &options.place),
            ]
        })
        .collect();
    output::print(
        &[output::texts(&["job", "question", "question_zh", "schedule", "query_sha256", "last_as_of", "rows", "publishes_to"], &rows)?],
        options.format,
    )
}

/// Where a job's rows go beside its table.
fn published(definition: &jobs::Definition, place: &Place) -> String {
    let topic = definition.publish_topic.clone().unwrap_or_default();
    if topic.is_empty() || place.log != "local" { topic } else { format!("{topic} (not now: it needs --log kafka://HOST:PORT)") }
}

async fn last_runs(place: &Place) -> Result<std::collections::HashMap<String, (String, String)>, Failure> {
    if !place.lake().is_dir() {
        return Ok(Default::default());
    }
    let world = worlds(place).await?.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let query = "SELECT job, CAST(as_of AS VARCHAR), CAST(rows AS VARCHAR) FROM system.jobs";
    let batches = world.query(query).await.map_err(|error| Failure::machine("could not read system.jobs", &error))?;
    let mut runs = std::collections::HashMap::new();
    for batch in batches {
        let text = |column: usize, row: usize| arrow::util::display::array_value_to_string(batch.column(column), row).unwrap_or_default();
        runs.extend((0..batch.num_rows()).map(|row| (text(0, row), (text(1, row), text(2, row)))));
    }
    Ok(runs)
}

/// Runs one job now and prints its rows.
pub(crate) async fn run(options: JobRunOptions) -> Result<(), Failure> {
    let place = &options.rows.place;
    let job = jobs::find(&options.job, place.jobs_dir.as_deref()).map_err(|error| Failure::usage(chain(&error)))?;
    let world = worlds(place).await?.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let as_of = options.as_of.or_else(|| world.cut.as_of());
    let as_of =
        as_of.ok_or_else(|| Failure::usage("the lake holds no event yet, so there is no time to run as of").hint("give --as-of TIME"))?;
    let answer = run::answer(&job, &world, as_of, clock::system().now()).await.map_err(|error| Failure::refused(chain(&error)))?;
    let rows = if answer.rows.is_empty() { vec![RecordBatch::new_empty(answer.schema)] } else { answer.rows };
    output::print(&rows, options.rows.format)
}
