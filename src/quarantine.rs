//! `gridwatch quarantine`: the records that did not get in, newest last; and mapping them again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use analytics::session::Worlds;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::DataType;

use ingest::feeds::Format;

use crate::cli::{Place, QuarantineCommand, QuarantineOptions, QuarantineReplayOptions};
use crate::failure::Failure;
use crate::replay::{self, Plan};
use crate::{output, pipeline};

/// Most records shown; all of them are in table `quarantine`.
const SHOWN_MAX: usize = 10_000;

/// Runs the command.
pub(crate) async fn run(options: QuarantineOptions) -> Result<(), Failure> {
    if let Some(QuarantineCommand::Replay(options)) = options.command {
        return again(options).await;
    }
    let columns = "source, reason, reason_field, detail, payload, ingested_at";
    let rows = select(&options.rows.place, columns, options.feed.as_deref(), options.reason.as_deref(), Some(SHOWN_MAX)).await?;
    output::print(&rows, options.rows.format)
}

async fn select(
    place: &Place,
    columns: &str,
    feed: Option<&str>,
    reason: Option<&str>,
    most: Option<usize>,
) -> Result<Vec<RecordBatch>, Failure> {
    pipeline::existing(place)?;
    let mut worlds = Worlds::open(&place.lake(), pipeline::session(place)?)
        .await
        .map_err(|error| Failure::machine("could not open the lake", &error))?;
    let world = worlds.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let is = |column: &str, value: Option<&str>| {
        value.map_or_else(|| "true".to_owned(), |value| format!("{column} = '{}'", value.replace('\'', "''")))
    };
    let limit = most.map_or_else(String::new, |most| format!("LIMIT {most}"));
    let query = format!(
        "SELECT {columns} FROM quarantine WHERE {} AND {} ORDER BY ingested_at, log_offset {limit}",
        is("source", feed),
        is("reason", reason)
    );
    world.query(&query).await.map_err(|error| Failure::machine("could not read quarantine", &error))
}

/// Maps the payloads of a feed again. Those that are accepted now become events; repeating it makes duplicates, never doubles.
async fn again(options: QuarantineReplayOptions) -> Result<(), Failure> {
    let place = &options.rows.place;
    let csv = pipeline::feed(place, &options.feed)?.format == Format::Csv;
    let rows = select(place, "payload", Some(&options.feed), options.reason.as_deref(), None).await?;
    let folder = place.data_dir.join(format!("quarantine-replay-{}", std::process::id()));
    let done = async {
        let files =
            write(&folder, &rows, csv).map_err(|error| Failure::machine("could not write the payloads to be read again", &error))?;
        let plan = Plan { feed: options.feed.clone(), files, speed: "max".to_owned(), limit: None, again: true };
        replay::carry_out(place, &plan, options.rows.format, false).await
    };
    let done = done.await;
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        tracing::warn!(folder = %folder.display(), %error, "could not remove the payloads that were read again");
    }
    done
}

/// A payload of CSV is a header and a row: rows with one header go into one file below it, as they came. Values of JSON stand one
/// after another in one file.
fn write(folder: &Path, rows: &[RecordBatch], csv: bool) -> std::io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut by_header: BTreeMap<String, String> = BTreeMap::new();
    for batch in rows {
        let payloads = arrow::compute::cast(batch.column(0), &DataType::Utf8).map_err(std::io::Error::other)?;
        for payload in payloads.as_string::<i32>().iter().flatten() {
            let (header, row) = if csv { payload.split_once('\n').unwrap_or((payload, "")) } else { ("", payload) };
            let file = by_header.entry(header.to_owned()).or_insert_with(|| header.to_owned());
            file.push('\n');
            file.push_str(row);
        }
    }
    let mut files = Vec::new();
    for (number, text) in by_header.into_values().enumerate() {
        let path = std::path::absolute(folder.join(format!("payloads-{number}")))?;
        std::fs::write(&path, text)?;
        files.push(path);
    }
    Ok(files)
}
