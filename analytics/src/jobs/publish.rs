//! Results for consumers that are not ours: the rows of a job's newest run in the topic its `job.toml` names, a message a key.
//!
//! - The key is the row's `grid_id` where that is one of the job's key columns, otherwise all of its key columns: one column as
//!   its text, several (or a NULL) as a JSON array. All rows of a key are one message, `{"job": …, "as_of": …, "rows": […]}`;
//!   so a compacted topic keeps all of them, whatever else identifies a row.
//! - What was published is what the topic says, read before each publication from where it was read last. A restart, a run that
//!   was committed and not published, and another leader in between are thereby all the same: what stands otherwise in the topic
//!   than in the run is published, and nothing else. Rejected: comparing with the job's former rows, which are committed before
//!   they are published, so that a crash in between would keep a change from the topic for ever.
//! - `as_of` is that of the run in which these rows came to be, and of no part in the comparison. A key that the run does not have
//!   any more is ended with a null. The topic is the job's alone.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::Bytes;
use contract::log::{EventLog, Latest, LogError};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::Job;
use super::run::Answer;

/// Partitions of a topic that is created: as many as the contract's topics have.
const PARTITIONS: u32 = 4;
/// Bytes read of the topic at once.
const READ_BYTES: usize = 8 * 1024 * 1024;
/// Longest wait for messages that stand there.
const READ_WAIT: Duration = Duration::from_secs(1);
/// The column most jobs answer by.
const GRID: &str = "grid_id";
/// Columns each run stamps on its rows: they change where the rows do not.
const STAMPS: [&str; 2] = ["as_of", "table_version"];

/// Why rows could not be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A row has no JSON.
    #[error("a row cannot be written as JSON")]
    Json(#[from] ArrowError),
    /// A key column is not among the job's columns.
    #[error("the job's rows have no column \"{column}\", which its key names")]
    Key {
        /// The column.
        column: String,
    },
}

/// The rows of a key, told apart by so much of their hash: 128 bits do not meet by chance.
type Fingerprint = [u8; 16];

/// A job's topic, and what is known to stand in it.
#[derive(Debug)]
pub struct Publication {
    topic: String,
    ready: bool,
    /// Where each partition is read on.
    next: BTreeMap<u32, u64>,
    standing: HashMap<Bytes, Fingerprint>,
}

#[derive(Debug, Serialize)]
struct Message<'a> {
    job: &'a str,
    as_of: String,
    rows: &'a RawValue,
}

/// What is looked at of a message that stands.
#[derive(Deserialize)]
struct Standing<'a> {
    #[serde(borrow)]
    rows: &'a RawValue,
}

impl Publication {
    /// The publication of a job, if it has a topic.
    pub fn of(job: &Job) -> Option<Self> {
        let topic = job.definition.publish_topic.clone()?;
        Some(Self { topic, ready: false, next: BTreeMap::new(), standing: HashMap::new() })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Makes the topic say what the run says; answers how many keys were published or ended.
    ///
    /// # Errors
    /// The log does not take it: what is left over comes with the next publication. A row does not fit.
    pub async fn publish(&mut self, log: &dyn EventLog, job: &Job, answer: &Answer) -> Result<usize, PublishError> {
        if !self.ready {
            log.ensure_latest(&self.topic, PARTITIONS).await?;
            self.ready = true;
        }
        self.catch_up(log).await?;
        let rows = rows_by_key(job, answer)?;
        let mut changes: Vec<Latest> = Vec::new();
        for (key, rows) in &rows {
            if self.standing.get(key) != Some(&fingerprint(rows.get().as_bytes())) {
                let as_of = answer.as_of.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
                let message = Message { job: &job.name, as_of, rows };
                let value = serde_json::to_vec(&message).map_err(|error| ArrowError::JsonError(error.to_string()))?;
                changes.push(Latest { key: key.clone(), value: Some(value.into()) });
            }
        }
        let mut ended: Vec<Bytes> = self.standing.keys().filter(|key| !rows.contains_key(*key)).cloned().collect();
        ended.sort_unstable();
        changes.extend(ended.into_iter().map(|key| Latest { key, value: None }));
        // Known to stand when it is read again, and not before.
        if !changes.is_empty() {
            log.append_latest(&self.topic, &changes).await?;
            tracing::debug!(job = job.name, topic = self.topic, keys = changes.len(), "published what changed");
        }
        Ok(changes.len())
    }

    /// Reads what came into the topic since it was read last, by whomever.
    async fn catch_up(&mut self, log: &dyn EventLog) -> Result<(), LogError> {
        let mut ends = BTreeMap::new();
        for partition in 0..log.partitions(&self.topic).await? {
            ends.insert(partition, log.watermarks(&self.topic, partition).await?);
        }
        let lost = |(partition, next): (&u32, &u64)| ends.get(partition).is_none_or(|(first, end)| next < first || next > end);
        if self.next.iter().any(lost) {
            // Cut or made anew: what is known of it counts no more.
            self.next.clear();
            self.standing.clear();
        }
        for (partition, (first, end)) in ends {
            let mut next = self.next.get(&partition).copied().unwrap_or(first);
            while next < end {
                let batch = log.fetch(&self.topic, partition, next, READ_BYTES, READ_WAIT).await?;
                for stored in batch.records {
                    self.note(stored.record.key, &stored.record.value);
                }
                next = batch.next;
                self.next.insert(partition, next);
            }
        }
        Ok(())
    }

    fn note(&mut self, key: Bytes, value: &[u8]) {
        if value.is_empty() {
            self.standing.remove(&key);
            return;
        }
        // What is not of ours is replaced, or ended.
        let standing =
            serde_json::from_slice::<Standing<'_>>(value).map_or(fingerprint(value), |message| fingerprint(message.rows.get().as_bytes()));
        self.standing.insert(key, standing);
    }
}

fn fingerprint(rows: &[u8]) -> Fingerprint {
    let hash = Sha256::digest(rows);
    let mut short = Fingerprint::default();
    short.copy_from_slice(&hash[..16]);
    short
}

/// The JSON array of each key's rows, in an order that does not depend on the query's.
fn rows_by_key(job: &Job, answer: &Answer) -> Result<BTreeMap<Bytes, Box<RawValue>>, PublishError> {
    let by_grid = job.definition.key.iter().any(|column| column == GRID);
    let columns: Vec<&str> = if by_grid { vec![GRID] } else { job.definition.key.iter().map(String::as_str).collect() };
    let mut all: BTreeMap<Bytes, Vec<String>> = BTreeMap::new();
    for batch in &answer.rows {
        let lines = lines(batch)?;
        let keys = keys(batch, &columns)?;
        for (key, line) in keys.into_iter().zip(lines) {
            all.entry(key).or_default().push(line);
        }
    }
    let array = |(key, mut rows): (Bytes, Vec<String>)| -> Result<_, PublishError> {
        rows.sort_unstable();
        let text = RawValue::from_string(format!("[{}]", rows.join(","))).map_err(|error| ArrowError::JsonError(error.to_string()))?;
        Ok((key, text))
    };
    all.into_iter().map(array).collect()
}

/// The JSON object of each row, without the run's stamps.
fn lines(batch: &RecordBatch) -> Result<Vec<String>, ArrowError> {
    let wanted = |name: &String| !STAMPS.contains(&name.as_str());
    let kept: Vec<usize> = (0..batch.num_columns()).filter(|column| wanted(batch.schema().field(*column).name())).collect();
    let batch = batch.project(&kept)?;
    let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
    writer.write(&batch)?;
    writer.finish()?;
    let text = String::from_utf8(writer.into_inner()).map_err(|error| ArrowError::JsonError(error.to_string()))?;
    Ok(text.lines().map(ToOwned::to_owned).collect())
}

/// The message key of each row.
fn keys(batch: &RecordBatch, columns: &[&str]) -> Result<Vec<Bytes>, PublishError> {
    let mut texts = Vec::with_capacity(columns.len());
    for column in columns {
        let values = batch.column_by_name(column).ok_or_else(|| PublishError::Key { column: (*column).to_owned() })?;
        texts.push(arrow::compute::cast(values, &DataType::Utf8)?);
    }
    let key = |row: usize| {
        let parts: Vec<Option<&str>> =
            texts.iter().map(|column| (!column.is_null(row)).then(|| column.as_string::<i32>().value(row))).collect();
        match parts[..] {
            [Some(one)] => Bytes::copy_from_slice(one.as_bytes()),
            _ => serde_json::to_vec(&parts).map_or_else(|_| Bytes::new(), Bytes::from),
        }
    };
    Ok((0..batch.num_rows()).map(key).collect())
}

#[cfg(test)]
mod tests;
