//! `gridwatch quarantine`: the records that did not get in, newest last.

use analytics::session::Worlds;

use crate::cli::QuarantineOptions;
use crate::failure::Failure;
use crate::{output, pipeline};

/// Most records shown; all of them are in table `quarantine`.
const SHOWN_MAX: usize = 10_000;

/// Runs the command.
pub(crate) async fn run(options: QuarantineOptions) -> Result<(), Failure> {
    let place = &options.rows.place;
    pipeline::existing(place)?;
    let mut worlds = Worlds::open(&place.lake(), pipeline::session(place)?)
        .await
        .map_err(|error| Failure::machine("could not open the lake", &error))?;
    let world = worlds.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let is = |column: &str, value: &Option<String>| {
        value.as_ref().map_or_else(|| "true".to_owned(), |value| format!("{column} = '{}'", value.replace('\'', "''")))
    };
    let query = format!(
        "SELECT source, reason, reason_field, detail, payload, ingested_at FROM quarantine WHERE {} AND {} ORDER BY ingested_at, log_offset LIMIT {SHOWN_MAX}",
        is("source", &options.feed),
        is("reason", &options.reason)
    );
    let rows = world.query(&query).await.map_err(|error| Failure::machine("could not read quarantine", &error))?;
    output::print(&rows, options.rows.format)
}
