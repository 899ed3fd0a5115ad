//! The file: the only place that names redb. Its tables, its transactions, and the fence its errors and panics stay behind.
//!
//! | table | key | value |
//! |---|---|---|
//! | `format` | `version` | the number of this layout |
//! | `topics` | name | partitions, retention in microseconds, retention in bytes |
//! | `partitions` | topic, partition | first offset, next offset, bytes |
//! | `<topic>/<partition>` | offset | the record, see `codec.rs` |
//!
//! A write that failed leaves nobody knowing what the disk holds, so after one nothing is written until the file is opened
//! again: what stands then is what was committed.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use redb::{Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction};

use super::codec;
use super::topics::Marks;
use crate::log::retention::Head;
use crate::log::{LogError, Record, TopicSpec};

const FORMAT: TableDefinition<&str, u64> = TableDefinition::new("format");
const TOPICS: TableDefinition<&str, (u32, Option<u64>, Option<u64>)> = TableDefinition::new("topics");
const PARTITIONS: TableDefinition<(&str, u32), (u64, u64, u64)> = TableDefinition::new("partitions");

/// The layout of the tables above.
const FORMAT_VERSION: u64 = 1;

/// A file redb had not finished creating is never larger: it starts with 1.5 MiB.
const UNBORN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What went wrong behind the fence.
pub(super) type Fault = Box<dyn Error + Send + Sync>;

/// The open file.
pub(super) struct Store {
    /// `None` once closed. Readers share the lock, closing takes it alone, so no reader outlives the file.
    database: RwLock<Option<Database>>,
    path: String,
    /// The first failed write.
    failure: OnceLock<Cause>,
}

/// One fault, told to everybody it concerns.
#[derive(Debug, Clone)]
struct Cause(Arc<dyn Error + Send + Sync>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path).field("failure", &self.failure).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file behind `backend`, or makes a new one where there is none or where its making was cut short.
    pub(super) fn open(backend: impl StorageBackend, path: &str, cache_bytes: usize) -> Result<Self, LogError> {
        let opened = contained(|| Ok(open_database(backend, path, cache_bytes)?));
        let database = opened.map_err(|fault| match fault.downcast_ref() {
            Some(DatabaseError::DatabaseAlreadyOpen) => LogError::InUse { path: path.to_owned(), holder: String::new() },
            _ => LogError::Storage { action: "open", path: path.to_owned(), source: fault },
        })?;
        let store = Self { database: RwLock::new(Some(database)), path: path.to_owned(), failure: OnceLock::new() };
        match store.read("open", View::format)? {
            None => store.write("open", |change| change.put_format())?,
            Some(FORMAT_VERSION) => {}
            Some(found) => {
                let source = format!("its format is {found}, this program reads {FORMAT_VERSION}").into();
                return Err(store.error("open", source));
            }
        }
        Ok(store)
    }

    /// Runs `work` in one transaction and answers once it is on the disk; any fault undoes all of it and ends writing.
    pub(super) fn write<T>(&self, action: &'static str, work: impl FnOnce(&Change) -> Result<T, Fault>) -> Result<T, LogError> {
        self.check(action)?;
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(LogError::Closed)?;
        let outcome = contained(|| {
            // Durability is immediate by default: commit answers after fsync.
            let change = Change(database.begin_write()?);
            let answer = work(&change)?;
            change.0.commit()?;
            Ok(answer)
        });
        outcome.map_err(|fault| {
            let cause = self.failure.get_or_init(|| Cause(fault.into()));
            tracing::error!(path = %self.path, %cause, "could not {action} the log; nothing is written until it is opened again");
            self.error(action, Box::new(cause.clone()))
        })
    }

    /// Runs `work` on what is committed now.
    pub(super) fn read<T>(&self, action: &'static str, work: impl FnOnce(&View) -> Result<T, Fault>) -> Result<T, LogError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or(LogError::Closed)?;
        contained(|| work(&View(database.begin_read()?))).map_err(|fault| self.error(action, fault))
    }

    /// Refuses where a write has failed.
    pub(super) fn check(&self, action: &'static str) -> Result<(), LogError> {
        self.failure.get().map_or(Ok(()), |cause| Err(self.error(action, Box::new(cause.clone()))))
    }

    /// Closes the file after the readers under way.
    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = contained(|| database.map_or(Ok(()), |database| Ok(database.close()?)));
        if let Err(error) = closed {
            tracing::warn!(path = %self.path, %error, "could not close the log cleanly; it is checked when opened next");
        }
    }

    /// The file, as it is named in errors.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn error(&self, action: &'static str, source: Fault) -> LogError {
        LogError::Storage { action, path: self.path.clone(), source }
    }
}

/// Runs `work`, turning a panic of the engine into a fault.
fn contained<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panic_text(panic.as_ref()).into()))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    format!("the storage engine panicked: {}", text.unwrap_or("without a message"))
}

fn open_database(backend: impl StorageBackend, path: &str, cache_bytes: usize) -> Result<Database, DatabaseError> {
    if unborn(&backend)? {
        tracing::warn!(%path, "the making of the log file was cut short before it held anything; making it anew");
        backend.set_len(0)?;
    }
    let named = path.to_owned();
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes).set_repair_callback(move |repair| {
        tracing::info!(path = %named, percent = repair.progress() * 100.0, "log was not closed cleanly, checking it");
    });
    builder.create_with_backend(backend)
}

/// Whether a crash fell into the making of the file: a header without its magic number, and nothing behind it.
fn unborn(backend: &impl StorageBackend) -> std::io::Result<bool> {
    const MAGIC_BYTES: usize = 9;
    const PAGE_BYTES: usize = 4096;
    let length = backend.len()?;
    if length == 0 || length > UNBORN_BYTES_MAX {
        return Ok(false);
    }
    let mut at = 0;
    while at < length {
        let mut page = vec![0; PAGE_BYTES.min(usize::try_from(length - at).unwrap_or(PAGE_BYTES))];
        backend.read(at, &mut page)?;
        let checked = if at == 0 { &page[..MAGIC_BYTES.min(page.len())] } else { &page[..] };
        if checked.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += page.len() as u64;
    }
    Ok(true)
}

fn records_table(topic: &str, partition: u32) -> String {
    // A topic's name holds no slash, so these names meet neither each other nor the fixed tables.
    format!("{topic}/{partition}")
}

/// A transaction that writes.
pub(super) struct Change(WriteTransaction);

impl Change {
    fn put_format(&self) -> Result<(), Fault> {
        self.0.open_table(FORMAT)?.insert("version", FORMAT_VERSION)?;
        self.0.open_table(TOPICS)?;
        self.0.open_table(PARTITIONS)?;
        Ok(())
    }

    /// Creates or changes a topic; its partitions stay as they are.
    pub(super) fn put_topic(&self, spec: &TopicSpec) -> Result<(), Fault> {
        let age = spec.retention_age.map(|age| u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
        self.0.open_table(TOPICS)?.insert(spec.name.as_str(), (spec.partitions, age, spec.retention_bytes))?;
        let mut partitions = self.0.open_table(PARTITIONS)?;
        for partition in 0..spec.partitions {
            if partitions.get((spec.name.as_str(), partition))?.is_none() {
                partitions.insert((spec.name.as_str(), partition), (0, 0, 0))?;
            }
            self.0.open_table(TableDefinition::<u64, &[u8]>::new(&records_table(&spec.name, partition)))?;
        }
        Ok(())
    }

    /// Says how far a partition reaches.
    pub(super) fn put_marks(&self, topic: &str, partition: u32, marks: Marks) -> Result<(), Fault> {
        self.0.open_table(PARTITIONS)?.insert((topic, partition), (marks.first, marks.next, marks.bytes))?;
        Ok(())
    }

    /// Adds records behind the newest of a partition; an offset that stands already is a fault.
    pub(super) fn append(&self, topic: &str, partition: u32, appended_at: i64, records: &[(u64, &Record)]) -> Result<(), Fault> {
        let name = records_table(topic, partition);
        let mut table = self.0.open_table(TableDefinition::<u64, &[u8]>::new(&name))?;
        let mut end = table.upper_bound_mut(Bound::<u64>::Unbounded)?;
        let mut bytes = Vec::new();
        for (offset, record) in records {
            codec::encode(*offset, appended_at, record, &mut bytes);
            end.insert_before(offset, bytes.as_slice())?;
        }
        Ok(end.close()?)
    }

    /// Removes the records below an offset; answers how many and their bytes.
    pub(super) fn trim(&self, topic: &str, partition: u32, below: u64) -> Result<(u64, u64), Fault> {
        let name = records_table(topic, partition);
        let mut table = self.0.open_table(TableDefinition::<u64, &[u8]>::new(&name))?;
        let (mut records, mut bytes) = (0, 0);
        table.retain_in(..below, |_, value| {
            records += 1;
            bytes += value.len() as u64;
            false
        })?;
        Ok((records, bytes))
    }
}

/// A transaction that reads one committed state.
pub(super) struct View(ReadTransaction);

impl View {
    fn format(&self) -> Result<Option<u64>, Fault> {
        match self.0.open_table(FORMAT) {
            Ok(table) => Ok(table.get("version")?.map(|version| version.value())),
            Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The topics as declared.
    pub(super) fn topics(&self) -> Result<Vec<TopicSpec>, Fault> {
        let mut topics = Vec::new();
        for row in self.0.open_table(TOPICS)?.iter()? {
            let (name, value) = row?;
            let (partitions, age, retention_bytes) = value.value();
            topics.push(TopicSpec {
                name: name.value().to_owned(),
                partitions,
                retention_age: age.map(Duration::from_micros),
                retention_bytes,
            });
        }
        Ok(topics)
    }

    /// How far a partition reaches.
    pub(super) fn marks(&self, topic: &str, partition: u32) -> Result<Marks, Fault> {
        let row = self.0.open_table(PARTITIONS)?.get((topic, partition))?;
        let (first, next, bytes) = row.ok_or_else(|| format!("partition {topic}/{partition} has no row"))?.value();
        Ok(Marks { first, next, bytes })
    }

    /// Checks that a partition's marks and records agree, as every commit leaves them.
    pub(super) fn checked_marks(&self, topic: &str, partition: u32) -> Result<Marks, Fault> {
        let marks = self.marks(topic, partition)?;
        let table = self.0.open_table(TableDefinition::<u64, &[u8]>::new(&records_table(topic, partition)))?;
        let first = table.first()?.map(|(offset, _)| offset.value());
        let last = table.last()?.map(|(offset, _)| offset.value());
        if marks.first > marks.next || first.is_some_and(|first| first < marks.first) || last.is_some_and(|last| last >= marks.next) {
            return Err(format!("partition {topic}/{partition} is damaged: it says {marks:?} and holds {first:?} to {last:?}").into());
        }
        Ok(marks)
    }

    /// Hands over records from `from` on until `take` answers false; answers whether all were handed over.
    pub(super) fn scan(&self, topic: &str, partition: u32, from: u64, mut take: impl FnMut(u64, &[u8]) -> bool) -> Result<bool, Fault> {
        let table = self.0.open_table(TableDefinition::<u64, &[u8]>::new(&records_table(topic, partition)))?;
        for row in table.range(from..)? {
            let (offset, value) = row?;
            if !take(offset.value(), value.value()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A partition's records as retention sees them, oldest first.
    pub(super) fn heads(&self, topic: &str, partition: u32) -> Result<impl Iterator<Item = Result<Head, Fault>>, Fault> {
        let table = self.0.open_table(TableDefinition::<u64, &[u8]>::new(&records_table(topic, partition)))?;
        Ok(table.range::<u64>(..)?.map(|row| {
            let (offset, value) = row?;
            let (offset, bytes) = (offset.value(), value.value().len() as u64);
            Ok(Head { offset, appended_at: codec::appended_at(offset, value.value())?, bytes })
        }))
    }
}
