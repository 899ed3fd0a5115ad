//! Case files of sqllogictest's format, read by the part of it they use: the crate of that name switches features of crates below
//! DataFusion on, so that the tests would need a second build of it.

use std::path::Path;

use analytics::session::syntax::complete_text;
use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::SessionContext;

/// One record of a case file.
pub(crate) struct Case {
    pub(crate) line: usize,
    pub(crate) sql: String,
    expected: Expected,
}

enum Expected {
    Done,
    /// A part of the message.
    Refused(String),
    Rows {
        rows: Vec<String>,
        sorted: bool,
    },
}

/// The cases of a file.
pub(crate) fn cases(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let end = (at..lines.len()).find(|line| lines[*line].is_empty()).unwrap_or(lines.len());
        let record: Vec<&str> = lines[at..end].iter().copied().skip_while(|line| line.starts_with('#')).collect();
        if let [head, body @ ..] = record.as_slice() {
            let line = end - record.len() + 1;
            found.push(case(line, head, body).unwrap_or_else(|| panic!("{}:{line}: \"{head}\" is not understood", file.display())));
        }
        at = end + 1;
    }
    assert!(!found.is_empty(), "{} has no case", file.display());
    found
}

fn case(line: usize, head: &str, body: &[&str]) -> Option<Case> {
    let words: Vec<&str> = head.split(' ').collect();
    let split = body.iter().position(|line| *line == "----");
    let sql = body[..split.unwrap_or(body.len())].join("\n");
    let expected = match (words.as_slice(), split) {
        (["statement", "ok"], None) => Expected::Done,
        (["statement" | "query", "error", message @ ..], None) => Expected::Refused(message.join(" ")),
        (["query", types, sort @ ..], Some(split)) if types.chars().all(|kind| "TIRB".contains(kind)) => {
            let rows = body[split + 1..].iter().map(|row| spaced(row)).collect();
            match sort {
                [] => Expected::Rows { rows, sorted: false },
                ["rowsort"] => Expected::Rows { rows, sorted: true },
                _ => return None,
            }
        }
        _ => return None,
    };
    Some(Case { line, sql, expected })
}

fn spaced(row: &str) -> String {
    row.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Case {
    /// Runs the case; `statement` is what its SQL becomes before it is run.
    pub(crate) async fn hold(&self, session: &SessionContext, statement: Result<String, String>) -> Result<(), String> {
        let answered = match statement {
            Ok(sql) => answer(session, &sql).await,
            Err(message) => Err(message),
        };
        match (&self.expected, answered) {
            (Expected::Done, answered) => answered.map(drop),
            (Expected::Refused(part), Err(message)) if message.contains(part) => Ok(()),
            (Expected::Refused(part), Err(message)) => Err(format!("it was refused with \"{message}\", not with \"{part}\"")),
            (Expected::Refused(part), Ok(_)) => Err(format!("it was not refused with \"{part}\"")),
            (Expected::Rows { .. }, Err(message)) => Err(message),
            (Expected::Rows { rows, sorted }, Ok(mut found)) => {
                let mut rows = rows.clone();
                if *sorted {
                    rows.sort();
                    found.sort();
                }
                if rows == found { Ok(()) } else { Err(format!("expected\n{}\nfound\n{}", rows.join("\n"), found.join("\n"))) }
            }
        }
    }
}

/// The rows of a statement, or why it was refused.
pub(crate) async fn answer(session: &SessionContext, sql: &str) -> Result<Vec<String>, String> {
    let sql = complete_text(sql).map_err(|error| error.to_string())?;
    let frame = session.sql(&sql).await.map_err(|error| error.to_string())?;
    let batches = frame.collect().await.map_err(|error| error.to_string())?;
    Ok(batches.iter().flat_map(rows).collect())
}

fn rows(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns: Vec<_> = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
    let row = |row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(" ");
    (0..batch.num_rows()).map(|number| spaced(&row(number))).collect()
}
