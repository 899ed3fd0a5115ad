//! The only place that runs a feed folder's sample against what it is expected to become; for `gridwatch feed test` and our own tests alike.
//!
//! `expected.ndjson` has a line for each row of the sample: the contract event, or `{"rejected": {…}}`. The clock stands at the start of 2100
//! and pseudonyms are made with a fixed key, so the answer is the same on every machine and day.

use std::fs::File;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use contract::clock::ManualClock;
use serde_json::{Value, json};

use super::{Feed, FeedError, read_text};
use crate::raw::{BATCH_ROWS, compression};
use crate::{Mapper, Outcome, PseudonymKey};

/// 2100-01-01: every sample lies in its past, so that only rows meant to be ahead of the clock are.
const NOW_SECONDS: i64 = 4_102_444_800;
/// A sample is a few authored rows; a file with more is data.
const SAMPLE_ROWS_MAX: usize = 10_000;

/// What a feed's test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The feed.
    pub feed: String,
    /// Rows of the sample.
    pub rows: usize,
    /// Rows that became events.
    pub events: usize,
    /// Rows that differ from what was expected.
    pub differences: Vec<Difference>,
}

impl Report {
    /// Whether every row became what was expected.
    pub fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// A row that became something else than expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The line of `expected.ndjson`, from 1; the row of the sample as well.
    pub line: usize,
    /// What stands there, if anything.
    pub expected: Option<String>,
    /// What the row became, if there is one.
    pub found: Option<String>,
}

/// Runs the sample of the feed folder `dir` and compares it with `expected.ndjson`.
///
/// # Errors
/// When the folder does not hold together or the sample cannot be mapped at all; differences are not errors.
pub fn test(dir: &Path) -> Result<Report, FeedError> {
    let feed = Feed::read(dir)?;
    let expected = read_text(&dir.join("expected.ndjson"))?;
    let expected = expected
        .ok_or_else(|| FeedError::folder(&feed.name, "expected.ndjson is missing: the events and rejections of the sample, a line each"))?;
    let expected: Vec<&str> = expected.lines().filter(|line| !line.trim().is_empty()).collect();
    let found = lines_of(&feed, dir)?;
    let events = found.iter().filter(|line| !line.starts_with(r#"{"rejected""#)).count();
    let differences = (0..expected.len().max(found.len()))
        .filter(|index| !same(expected.get(*index).copied(), found.get(*index).map(String::as_str)))
        .map(|index| Difference {
            line: index + 1,
            expected: expected.get(index).map(|line| (*line).to_owned()),
            found: found.get(index).cloned(),
        })
        .collect();
    Ok(Report { feed: feed.name, rows: found.len(), events, differences })
}

/// What the sample of the feed folder `dir` becomes, as lines of `expected.ndjson`: to write it anew and review the difference.
///
/// # Errors
/// When the folder does not hold together or the sample cannot be mapped at all.
pub fn expected_lines(dir: &Path) -> Result<Vec<String>, FeedError> {
    lines_of(&Feed::read(dir)?, dir)
}

/// Equal as JSON, whatever the order of members or the blanks.
fn same(expected: Option<&str>, found: Option<&str>) -> bool {
    let value = |line: Option<&str>| line.and_then(|line| serde_json::from_str::<Value>(line).ok());
    expected.is_some() && value(expected).is_some() && value(expected) == value(found)
}

fn lines_of(feed: &Feed, dir: &Path) -> Result<Vec<String>, FeedError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| FeedError::Sample { feed: feed.name.clone(), source };
    let path: PathBuf = dir.join(format!("sample.{}", feed.format.as_str()));
    let file = File::open(&path).map_err(|source| FeedError::Unreadable { path: path.display().to_string(), source })?;
    let clock = ManualClock::at(DateTime::from_timestamp(NOW_SECONDS, 0).unwrap_or_default());
    let key = PseudonymKey::new("test", &[0; 32]).expect("the fixed key is sound");
    let mapper = Mapper::new(feed, clock, key).map_err(|error| failed(error.into()))?;
    let input = compression::detect(Box::new(file)).map_err(|error| failed(error.into()))?;
    let name = format!("sample.{}", feed.format.as_str());
    let mut rows = feed.rows(mapper.columns(), &name, input).map_err(|error| failed(error.into()))?;
    let mut lines = Vec::new();
    while let Some(batch) = rows.next_batch(BATCH_ROWS).map_err(|error| failed(error.into()))? {
        lines.extend(mapper.normalize(&batch).map_err(|error| failed(error.into()))?.iter().map(line));
        if lines.len() > SAMPLE_ROWS_MAX {
            return Err(FeedError::folder(&feed.name, format!("sample has more than {SAMPLE_ROWS_MAX} rows; keep a few telling ones")));
        }
    }
    Ok(lines)
}

fn line(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Event(event) => String::from_utf8_lossy(&event.to_json()).into_owned(),
        Outcome::Rejection(rejection) => {
            let told = json!({
                "origin": rejection.origin,
                "reason": rejection.reason,
                "field": rejection.field,
                "detail": rejection.detail,
                "payload": rejection.payload,
            });
            json!({"rejected": told}).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feed_folders_sample_becomes_what_is_expected() {
        let feeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds");
        #[expect(clippy::disallowed_methods, reason = "the switch of golden tests, read where it is used")]
        let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
        let mut tested = 0;
        for folder in super::super::folders(&feeds).unwrap() {
            let feed = Feed::read(&folder).unwrap();
            // A feed of contract events made by the city's generator has the generator's own golden files.
            if feed.mapping.is_none() {
                continue;
            }
            if update {
                std::fs::write(folder.join("expected.ndjson"), expected_lines(&folder).unwrap().join("\n") + "\n").unwrap();
            }
            let report = test(&folder).unwrap();
            assert!(report.passed(), "{}: {:#?}", report.feed, report.differences);
            assert!(report.events > 0 && report.events < report.rows, "{}: a sample has good rows and bad ones", report.feed);
            tested += 1;
        }
        assert!(tested > 0);
    }

    #[test]
    fn difference_names_line_expected_and_found() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/taipei-hotline");
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("taipei-hotline");
        std::fs::create_dir(&folder).unwrap();
        for file in ["feed.toml", "mapping.sql", "sample.csv"] {
            std::fs::copy(source.join(file), folder.join(file)).unwrap();
        }
        let mut lines = expected_lines(&folder).unwrap();
        lines[1] = lines[1].replace("hotline_call", "grid_report");
        lines.pop();
        std::fs::write(folder.join("expected.ndjson"), lines.join("\n")).unwrap();
        let report = test(&folder).unwrap();
        assert_eq!(report.differences.iter().map(|difference| difference.line).collect::<Vec<_>>(), [2, report.rows]);
        assert!(report.differences[0].expected.as_ref().unwrap().contains("grid_report"));
        assert_eq!(report.differences[1].expected, None);
        std::fs::remove_file(folder.join("expected.ndjson")).unwrap();
        assert!(test(&folder).unwrap_err().to_string().contains("expected.ndjson is missing"));
    }
}
