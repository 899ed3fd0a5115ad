//! The only place where raw rows become events: `mapping.sql` evaluated on batches, its columns read as contract fields.
//!
//! `mapping.sql` is one `SELECT … FROM raw`. `raw` has the input's columns as text (an empty CSV field is NULL), `row_number` (1 is the first
//! row) and `file_name`. The mapping must look at one row at a time (no WHERE, join, aggregate, window, random or clock): so one row in is one
//! event or one rejection out by construction, whatever the batches, and the same row always becomes the same event.
//! A row whose evaluation fails is refused alone.

mod coordinates;
mod events;
mod functions;
mod plan;
pub(crate) mod pseudonym;
mod times;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use contract::clock::Clock;
use contract::log::RECORD_BYTES_MAX;
use contract::{Envelope, Event, Reason, Rejection, cloud_events};
use datafusion::error::DataFusionError;

use events::Reader;
pub use functions::mapping_functions;
use plan::Plan;
use pseudonym::PseudonymKey;

use crate::feeds::{Feed, Format};
use crate::raw::{Fault, RawBatch};

/// What a raw row became.
#[expect(clippy::large_enum_variant, reason = "nearly all outcomes are events; boxing them would cost an allocation a row")]
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// An event of the contract.
    Event(Event),
    /// A refusal, with the row kept.
    Rejection(Box<Rejection>),
}

/// Why a mapping cannot be used. A person has to mend it: the remedy is always Fix.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// The SQL cannot be parsed or planned.
    #[error("mapping.sql of feed \"{feed}\" cannot be planned: {problem}")]
    Sql {
        /// The feed.
        feed: String,
        /// What is wrong and where.
        problem: String,
        /// The planner's own words.
        #[source]
        source: Option<Box<DataFusionError>>,
    },
    /// The mapping names a column the input does not have.
    #[error("mapping.sql of feed \"{feed}\" names column \"{column}\", which \"{file}\" does not have; {hint}")]
    MissingColumn {
        /// The feed.
        feed: String,
        /// The input.
        file: String,
        /// The column.
        column: String,
        /// The nearest column, or all.
        hint: String,
    },
    /// The mapping yields a column that does not fit the contract.
    #[error("mapping.sql of feed \"{feed}\" yields column \"{column}\", {problem}")]
    Column {
        /// The feed.
        feed: String,
        /// The column.
        column: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// The plans of recent headers; files of one feed have few, and senders over HTTP must not make us keep more.
const PLANS_MAX: usize = 8;

/// Plans by the header they were made for, oldest first.
type Plans = Vec<(Arc<[String]>, Arc<Plan>)>;

/// Turns raw rows of one feed into events. Cheap to share; planning is done once for each header.
#[derive(Debug)]
pub struct Mapper {
    feed: Arc<Feed>,
    clock: Arc<dyn Clock>,
    key: PseudonymKey,
    columns: Arc<[String]>,
    plans: Mutex<Plans>,
}

impl Mapper {
    /// A mapper of `feed`; `clock` says when rows are refused and what lies in the future, `key` makes pseudonyms.
    ///
    /// # Errors
    /// When mapping.sql is not one `SELECT` over `raw`.
    pub fn new(feed: &Feed, clock: Arc<dyn Clock>, key: PseudonymKey) -> Result<Self, MappingError> {
        let mut mapper = Self { feed: Arc::new(feed.clone()), clock, key, columns: Arc::from([]), plans: Mutex::default() };
        if let Some(sql) = &feed.mapping {
            // Planned once over the columns it names, so that a broken mapping is known before the first row comes.
            mapper.columns = mapper.columns_read(plan::names(&feed.name, sql)?)?;
        }
        Ok(mapper)
    }

    /// The columns of `raw` the mapping reads: the least it can be planned with.
    fn columns_read(&self, names: plan::Names) -> Result<Arc<[String]>, MappingError> {
        let mut columns = names.columns;
        let mut ambiguous = names.ambiguous;
        loop {
            let tried: Arc<[String]> = columns.iter().cloned().collect();
            match self.plan(&tried, "raw") {
                Err(MappingError::MissingColumn { column, .. }) if ambiguous.remove(&column) => columns.insert(column),
                Err(error) => return Err(error),
                Ok(_) => return Ok(tried),
            };
        }
    }

    /// The feed it maps.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// The columns the mapping names: what JSON rows are read for.
    pub fn columns(&self) -> &Arc<[String]> {
        &self.columns
    }

    /// The present instant by the mapper's clock.
    pub(crate) fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now()
    }

    /// One outcome for each raw row, in order.
    ///
    /// # Errors
    /// When the mapping does not fit the batch's columns; a row that does not fit is a rejection instead.
    pub fn normalize(&self, batch: &RawBatch) -> Result<Vec<Outcome>, MappingError> {
        let now = self.clock.now();
        let faults_or_events = match self.feed.mapping {
            Some(_) => self.map(batch)?,
            None => self.read_contract(batch),
        };
        let mut mapped = faults_or_events.into_iter();
        let outcome = |index: usize| {
            let result = match &batch.rows[index].fault {
                Some(fault) => Err((**fault).clone()),
                None => mapped.next().expect("the mapping yields one result for each sound row"),
            };
            let checked = result.and_then(|event| match event.validate(now) {
                Ok(()) => Ok(event),
                Err(invalid) => Err(Fault { reason: invalid.reason, field: invalid.field, detail: invalid.detail }),
            });
            match checked {
                Ok(event) => Outcome::Event(event),
                Err(fault) => {
                    Outcome::Rejection(Box::new(rejection(&self.feed.name, fault, batch.payload(index), batch.origin(index), now)))
                }
            }
        };
        Ok((0..batch.len()).map(outcome).collect())
    }

    /// Refuses every row of a batch for one reason, where the batch as a whole does not fit.
    pub(crate) fn refuse(&self, batch: &RawBatch, fault: &Fault) -> Vec<Outcome> {
        let now = self.clock.now();
        let one =
            |index| Outcome::Rejection(Box::new(rejection(&self.feed.name, fault.clone(), batch.payload(index), batch.origin(index), now)));
        (0..batch.len()).map(one).collect()
    }

    fn map(&self, batch: &RawBatch) -> Result<Vec<Result<Event, Fault>>, MappingError> {
        let plan = self.plan(&batch.columns, &batch.file_name)?;
        let input = input(&plan, batch);
        let mut out = Vec::with_capacity(input.num_rows());
        self.evaluate(&plan, &input, &mut out);
        Ok(out)
    }

    /// Evaluates the rows together; where that fails, in halves, so that the rows at fault are refused alone.
    fn evaluate(&self, plan: &Plan, input: &RecordBatch, out: &mut Vec<Result<Event, Fault>>) {
        let rows = input.num_rows();
        if rows == 0 {
            return;
        }
        match plan.evaluate(input).and_then(|output| Reader::new(&self.feed, &output).map_err(DataFusionError::from)) {
            Ok(reader) => out.extend((0..rows).map(|row| reader.event(row))),
            Err(error) if rows == 1 => {
                out.push(Err(Fault::new(Reason::FeedRule, "", format!("mapping.sql fails on this row: {}", error.strip_backtrace()))))
            }
            Err(_) => {
                let half = rows / 2;
                self.evaluate(plan, &input.slice(0, half), out);
                self.evaluate(plan, &input.slice(half, rows - half), out);
            }
        }
    }

    fn read_contract(&self, batch: &RawBatch) -> Vec<Result<Event, Fault>> {
        let now = self.clock.now();
        let sound = (0..batch.len()).filter(|index| batch.rows[*index].fault.is_none());
        let decode = |row: &[u8]| match self.feed.format {
            Format::CloudEvents => cloud_events::structured(row, now),
            _ => Event::from_json(row, now),
        };
        let read = |index: usize| match decode(batch.row_bytes(index)) {
            Ok(event) if event.source == self.feed.name => Ok(event),
            Ok(event) => {
                Err(Fault::new(Reason::FeedRule, "source", format!("is \"{}\", but the feed is \"{}\"", event.source, self.feed.name)))
            }
            Err(invalid) => Err(Fault { reason: invalid.reason, field: invalid.field, detail: invalid.detail }),
        };
        sound.map(read).collect()
    }

    fn plan(&self, columns: &Arc<[String]>, file: &str) -> Result<Arc<Plan>, MappingError> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(known, _)| known == columns) {
            return Ok(Arc::clone(plan));
        }
        let plan = Arc::new(Plan::compile(&self.feed, columns, file, mapping_functions(&self.key))?);
        if plans.len() == PLANS_MAX {
            plans.remove(0);
        }
        plans.push((Arc::clone(columns), Arc::clone(&plan)));
        Ok(plan)
    }
}

/// The columns the plan reads, as a batch.
fn input(plan: &Plan, batch: &RawBatch) -> RecordBatch {
    let sound = || batch.rows.iter().filter(|row| row.fault.is_none());
    let rows = sound().count();
    let array = |name: &str| -> ArrayRef {
        match batch.columns.iter().position(|column| column == name) {
            Some(index) => Arc::clone(&batch.values[index]),
            None if name == plan::ROW_NUMBER => {
                Arc::new(Int64Array::from_iter_values(sound().map(|row| i64::try_from(row.number).unwrap_or(i64::MAX))))
            }
            None => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&*batch.file_name, rows))),
        }
    };
    let arrays = plan.input.fields().iter().map(|field| array(field.name())).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(&plan.input), arrays, &options).expect("the plan was compiled for these columns")
}

/// The schema of table `raw` for an input with these columns.
fn raw_schema(columns: &[String]) -> SchemaRef {
    let own = [(plan::ROW_NUMBER, DataType::Int64), (plan::FILE_NAME, DataType::Utf8)];
    let given = columns.iter().map(|name| Field::new(name, DataType::Utf8, true));
    let added = own.into_iter().filter(|(name, _)| !columns.iter().any(|column| column == name));
    Arc::new(Schema::new(given.chain(added.map(|(name, data_type)| Field::new(name, data_type, false))).collect::<Vec<_>>()))
}

/// A rejection whose bytes the log takes: a payload too long for that is cut, and says so.
pub(crate) fn rejection(
    source: &str,
    fault: Fault,
    payload: String,
    origin: String,
    received_at: chrono::DateTime<chrono::Utc>,
) -> Rejection {
    // Half for the payload as JSON leaves room for the other fields, which are bounded far below the other half.
    const PAYLOAD_JSON_MAX: usize = RECORD_BYTES_MAX / 2;
    // As JSON a byte takes at most six.
    const CUT_PAYLOAD_BYTES: usize = PAYLOAD_JSON_MAX / 6;
    const DETAIL_BYTES_MAX: usize = 4096;
    let mut detail = fault.detail;
    cut(&mut detail, DETAIL_BYTES_MAX);
    let (mut payload, length) = (payload, payload_json_bytes);
    if length(&payload) > PAYLOAD_JSON_MAX {
        let whole = payload.len();
        cut(&mut payload, CUT_PAYLOAD_BYTES);
        detail = format!("{detail}; payload cut from {whole} to {} bytes", payload.len());
    }
    let mut field = fault.field;
    cut(&mut field, 256);
    Rejection { source: source.to_owned(), reason: fault.reason, field, detail, payload, origin, received_at }
}

fn payload_json_bytes(payload: &str) -> usize {
    payload
        .bytes()
        .map(|byte| {
            if byte < 0x20 {
                6
            } else if matches!(byte, b'"' | b'\\') {
                2
            } else {
                1
            }
        })
        .sum()
}

fn cut(text: &mut String, bytes_max: usize) {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    text.truncate(end);
}

impl Outcome {
    /// The outcome as a record of the log, with the reason where it is a refusal. An event too large for a record becomes one.
    pub fn into_record(self, rules: &contract::DeliveryRules, now: chrono::DateTime<chrono::Utc>) -> (Envelope, Option<Reason>) {
        let refused = match self {
            Self::Rejection(rejection) => *rejection,
            Self::Event(event) => {
                let envelope = Envelope::event(&event, rules);
                if envelope.record.bytes() <= RECORD_BYTES_MAX {
                    return (envelope, None);
                }
                let detail = format!("event is {} bytes, a record of the log at most {RECORD_BYTES_MAX}", envelope.record.bytes());
                let payload = String::from_utf8_lossy(&envelope.record.value).into_owned();
                rejection(&event.source, Fault::new(Reason::TooLong, "", detail), payload, event.event_id, now)
            }
        };
        let reason = refused.reason;
        (Envelope::rejection(&refused, rules), Some(reason))
    }
}

#[cfg(test)]
mod tests;
