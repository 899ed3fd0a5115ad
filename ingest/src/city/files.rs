//! The city as files, for `gridwatch city`: map, events by kind, labels. The only place of the generator that touches a disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, NaiveDate, Utc};
use contract::Kind;

use super::calendar::{DAY, day_start, default_until};
use super::{City, CityError, instant};

/// Most days written at once: ten years are 60 million events and 40 GB.
pub const DAYS_MAX: u32 = 3_660;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Rows by file name.
    pub rows: BTreeMap<String, u64>,
}

impl City {
    /// Writes `districts.geojson`, `grids.geojson`, `river.geojson`, one `<kind>.ndjson` of contract events for each kind, and
    /// `labels.ndjson` into `dir` (made if absent, files of these names replaced): the `days` local days before `until`,
    /// by default before a fixed date, so that the same seed gives the same bytes whenever it is called.
    ///
    /// # Errors
    /// When `days` is 0 or beyond [`DAYS_MAX`], or naming the file that could not be written.
    pub fn write(&self, dir: &Path, days: u32, until: Option<NaiveDate>) -> Result<Written, CityError> {
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(CityError::Spec { field: "days", found: days.to_string(), bounds: format!("1 to {DAYS_MAX}") });
        }
        let (from, to) = range(days, until.unwrap_or_else(default_until));
        fs::create_dir_all(dir).map_err(failed("create", dir))?;
        let mut written = Written::default();
        for (name, text) in [
            ("districts.geojson", self.districts_geojson()),
            ("grids.geojson", self.grids_geojson()),
            ("river.geojson", self.river_geojson()),
        ] {
            let mut file = Output::create(dir, name)?;
            file.line(text.trim_end().as_bytes())?;
            file.finish()?;
        }
        self.write_events(dir, from, to, &mut written)?;
        let mut labels = Output::create(dir, "labels.ndjson")?;
        for label in self.labels(from, to) {
            labels.line(&serde_json::to_vec(&label).expect("a label holds only text, finite numbers and times"))?;
        }
        written.rows.insert("labels.ndjson".to_owned(), labels.finish()?);
        Ok(written)
    }

    fn write_events(&self, dir: &Path, from: DateTime<Utc>, to: DateTime<Utc>, written: &mut Written) -> Result<(), CityError> {
        let mut files = BTreeMap::new();
        for kind in Kind::ALL {
            files.insert(kind, Output::create(dir, &file_name(kind))?);
        }
        for event in self.events(from, to) {
            files.get_mut(&event.kind).expect("every kind has its file").line(&event.to_json())?;
        }
        for (kind, file) in files {
            written.rows.insert(file_name(kind), file.finish()?);
        }
        Ok(())
    }
}

fn file_name(kind: Kind) -> String {
    format!("{}.ndjson", kind.as_str())
}

fn range(days: u32, until: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let last = (until - NaiveDate::default()).num_days();
    let end = day_start(last);
    (instant(end - i64::from(days) * DAY), instant(end))
}

/// A file that appears under its name only once it is whole.
struct Output {
    partial: PathBuf,
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

impl Output {
    fn create(dir: &Path, name: &str) -> Result<Self, CityError> {
        let (path, partial) = (dir.join(name), dir.join(format!("{name}.partial")));
        let file = File::create(&partial).map_err(failed("create", &partial))?;
        Ok(Self { path, partial, file: BufWriter::with_capacity(1 << 18, file), lines: 0 })
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), CityError> {
        self.lines += 1;
        self.file.write_all(bytes).and_then(|()| self.file.write_all(b"\n")).map_err(failed("write", &self.partial))
    }

    fn finish(mut self) -> Result<u64, CityError> {
        self.file.flush().map_err(failed("write", &self.partial))?;
        fs::rename(&self.partial, &self.path).map_err(failed("rename", &self.partial))?;
        Ok(self.lines)
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CityError {
    let path = path.display().to_string();
    move |source| CityError::File { action, path, source }
}
