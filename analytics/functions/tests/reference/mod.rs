//! Reads the reference data of the test folder: CSV, plain or zstd. Where the folder is absent the test says so and passes.

#![allow(dead_code, reason = "each test program uses its part")]
#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

use std::collections::HashMap;
use std::io::{Read, Write as _};
use std::path::PathBuf;

pub(crate) mod satscan;

/// A CSV file in memory.
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// Reads a CSV file below `reference/`.
pub(crate) fn read(file: &str) -> Option<Table> {
    Some(Table::parse(&text(file)?))
}

/// The text of a file below `reference/` of GRIDWATCH_TEST_DATA (default: `../shared/data` beside the workspace).
pub(crate) fn text(file: &str) -> Option<String> {
    let folder = std::env::var_os("GRIDWATCH_TEST_DATA").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let path = folder.join("reference").join(file);
    let Ok(bytes) = std::fs::read(&path) else {
        // Past the test's capture, which hides what a test that passes prints.
        let said = format!("skipped: {} is absent; set GRIDWATCH_TEST_DATA to the folder with reference/\n", path.display());
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return None;
    };
    if !file.ends_with(".zst") {
        return Some(String::from_utf8(bytes).unwrap());
    }
    let mut text = String::new();
    zstd::Decoder::new(bytes.as_slice()).unwrap().read_to_string(&mut text).unwrap();
    Some(text)
}

impl Table {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines().map(fields);
        let header = lines.next().expect("a CSV file has a header");
        Self { header, rows: lines.collect() }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|h| h == name).unwrap_or_else(|| panic!("no column {name} in {:?}", self.header))
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> Vec<String> {
        self.header.clone()
    }

    /// A column as it is written.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let column = self.column(name);
        self.rows.iter().map(|row| row[column].clone()).collect()
    }

    /// A column of numbers; `NA` becomes NaN.
    pub(crate) fn numbers(&self, name: &str) -> Vec<f64> {
        self.texts(name).iter().map(|t| if t == "NA" { f64::NAN } else { t.parse().unwrap() }).collect()
    }

    /// All values of `value` for each `key`.
    pub(crate) fn groups(&self, key: &str, value: &str) -> HashMap<String, Vec<String>> {
        let mut groups: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in self.texts(key).into_iter().zip(self.texts(value)) {
            groups.entry(key).or_default().push(value);
        }
        groups
    }

    /// One table for each combination of the named columns.
    pub(crate) fn split(&self, names: &[&str]) -> Vec<Table> {
        let columns: Vec<usize> = names.iter().map(|name| self.column(name)).collect();
        let mut parts: HashMap<Vec<&str>, Vec<Vec<String>>> = HashMap::new();
        for row in &self.rows {
            parts.entry(columns.iter().map(|c| row[*c].as_str()).collect()).or_default().push(row.clone());
        }
        parts.into_values().map(|rows| Table { header: self.header.clone(), rows }).collect()
    }
}

/// The fields of a CSV line: quotes hold no quotes and no line breaks in these files.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().expect("there is always a field").push(c),
        }
    }
    fields
}
