//! `gridwatch feeds` and `gridwatch feed test`.

use analytics::metrics::chain;
use analytics::session::Worlds;

use crate::cli::{FeedTestOptions, RowsOptions};
use crate::failure::Failure;
use crate::{output, pipeline, topics};

/// The feeds, and what came by each.
pub(crate) async fn list(options: RowsOptions) -> Result<(), Failure> {
    let feeds = pipeline::feeds(&options.place)?;
    let mut came = came(&options).await?;
    let mut rows: Vec<Vec<String>> = Vec::new();
    for feed in &feeds {
        let mut row = vec![
            feed.name.clone(),
            feed.kind.as_str().to_owned(),
            feed.transport.iter().map(|transport| transport.as_str()).collect::<Vec<_>>().join(", "),
            feed.kafka.as_ref().map(topics::described).unwrap_or_default(),
            feed.description.en.clone(),
            feed.description.zh.clone(),
            feed.mapping_version.clone(),
        ];
        row.extend(came.remove(&feed.name).unwrap_or_else(|| vec![String::new(); 6]));
        rows.push(row);
    }
    // Sources without a folder sent contract events themselves.
    for (source, counts) in came {
        let none = String::new;
        let mut row = vec![source, none(), none(), none(), "sends contract events".to_owned(), "直接发送合同事件".to_owned(), none()];
        row.extend(counts);
        rows.push(row);
    }
    let headings = [
        "feed",
        "kind",
        "transport",
        "topic",
        "description",
        "description_zh",
        "mapping_version",
        "records",
        "accepted",
        "duplicate",
        "late",
        "quarantined",
        "last_event_at",
    ];
    output::print(&[output::texts(&headings, &rows)?], options.format)
}

async fn came(options: &RowsOptions) -> Result<std::collections::BTreeMap<String, Vec<String>>, Failure> {
    if !options.place.lake().is_dir() {
        return Ok(Default::default());
    }
    let mut worlds = Worlds::open(&options.place.lake(), pipeline::session(&options.place)?)
        .await
        .map_err(|error| Failure::machine("could not open the lake", &error))?;
    let world = worlds.newest().await.map_err(|error| Failure::machine("could not open the lake", &error))?;
    let query = "SELECT source, records, accepted, duplicate, late, quarantined, last_event_at FROM system.feeds";
    let batches = world.query(query).await.map_err(|error| Failure::machine("could not read system.feeds", &error))?;
    let mut came = std::collections::BTreeMap::new();
    for batch in batches {
        let text = |column: usize, row: usize| arrow::util::display::array_value_to_string(batch.column(column), row).unwrap_or_default();
        came.extend((0..batch.num_rows()).map(|row| (text(0, row), (1..7).map(|column| text(column, row)).collect())));
    }
    Ok(came)
}

/// A folder's sample against its expected events.
#[expect(clippy::print_stdout, reason = "the report is the command's result")]
pub(crate) fn test(options: &FeedTestOptions) -> Result<(), Failure> {
    let report = ingest::feeds::test(&options.folder).map_err(|error| Failure::configuration(chain(&error)))?;
    println!("feed {}: {} rows, {} events, {} rows differ", report.feed, report.rows, report.events, report.differences.len());
    for difference in &report.differences {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
        println!("  row {}\n    expected {}\n    became   {}", difference.line, shown(&difference.expected), shown(&difference.found));
    }
    if report.passed() {
        Ok(())
    } else {
        Err(Failure::refused(format!("the sample of \"{}\" does not become what is expected", options.folder.display())))
    }
}
