//! Decided records as columns of [`contract::schema::record_schema`], a block of rows at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, ArrowPrimitiveType, AsArray, MapBuilder, MapFieldNames, PrimitiveBuilder, RecordBatch, StringArray,
    StringBuilder,
};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::{DateTime, Datelike, Utc};
use contract::{Event, Kind, Rejection, Text, TopicPartition, headers, schema};

use crate::names::Names;
use crate::reading::{Payload, Row};
use crate::rows::BLOCK;

/// Rows of a batch: few enough to stay near the processor, enough for what is paid a batch and column not to count.
const BATCH_ROWS: usize = 4 * 1024;

/// Bytes of refused records that end a batch: their column would be moved to grow.
const BATCH_PAYLOAD_BYTES: usize = 1024 * 1024;

/// Columns that are being filled.
pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<Box<dyn Column>>,
    /// Rows since the last batch, and the bytes of the refused records among them.
    rows: usize,
    payload_bytes: usize,
    /// Rows that are still to come, at most.
    due: usize,
    done: Vec<RecordBatch>,
}

impl Columns {
    /// For so many rows of a partition, at most.
    pub(crate) fn new(partition: &TopicPartition, rows: usize) -> Self {
        let schema = schema::record_schema();
        // Mostly none is refused, and no room is asked for what does not come.
        let columns = schema.fields().iter().filter(|_| rows > 0).map(|field| column(field.name(), partition)).collect();
        Self { schema, columns, rows: 0, payload_bytes: 0, due: rows, done: Vec::new() }
    }

    /// Adds rows; `names` are those of their partition.
    pub(crate) fn add(&mut self, rows: &[Row<'_>], names: &Names) {
        for column in &mut self.columns {
            column.fill(rows, names);
        }
        self.rows += rows.len();
        self.due -= rows.len();
        self.payload_bytes += rows.iter().filter_map(Row::payload).map(Payload::len).sum::<usize>();
        // The first rows are a batch of their own: they tell what room the next ones need, and a builder that grows moves what it holds.
        if self.done.is_empty() || self.rows >= BATCH_ROWS || self.payload_bytes >= BATCH_PAYLOAD_BYTES {
            self.end_batch();
        }
    }

    /// Adds rows of refused records, each large one as a batch of its own.
    pub(crate) fn add_refused(&mut self, rows: &[Row<'_>], names: &Names) {
        let large = |row: &Row<'_>| matches!(row.payload(), Some(Payload::Large(_)));
        for rows in rows.chunk_by(|one, next| !large(one) && !large(next)) {
            let alone = large(&rows[0]);
            if alone {
                self.end_batch();
            }
            for block in rows.chunks(BLOCK) {
                self.add(block, names);
            }
            if alone {
                self.end_batch();
            }
        }
    }

    /// All that was added, in its order.
    pub(crate) fn finish(mut self) -> Vec<RecordBatch> {
        self.end_batch();
        self.done
    }

    fn end_batch(&mut self) {
        if self.rows == 0 {
            return;
        }
        let next = self.due.min(BATCH_ROWS);
        let columns = self.columns.iter_mut().map(|column| column.finish(next)).collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        self.done.push(batch.expect("each column is built for its field of the record schema"));
        (self.rows, self.payload_bytes) = (0, 0);
    }
}

/// A column that is being filled. One call a block, so that the loop over its rows is compiled for what it reads of them.
trait Column {
    fn fill(&mut self, rows: &[Row<'_>], names: &Names);
    /// What was filled; then there is room for so many rows like these.
    fn finish(&mut self, next: usize) -> ArrayRef;
}

struct Filled<B, F> {
    builder: B,
    fill: F,
}

impl<B: Builder, F: Fn(&mut B, &[Row<'_>], &Names)> Column for Filled<B, F> {
    fn fill(&mut self, rows: &[Row<'_>], names: &Names) {
        (self.fill)(&mut self.builder, rows, names);
    }

    fn finish(&mut self, next: usize) -> ArrayRef {
        self.builder.end(next)
    }
}

fn filled<B: Builder + 'static>(builder: B, fill: impl Fn(&mut B, &[Row<'_>], &Names) + 'static) -> Box<dyn Column> {
    Box::new(Filled { builder, fill })
}

/// A builder that is used again.
trait Builder {
    /// What was built; then there is room for so many rows like these.
    fn end(&mut self, next: usize) -> ArrayRef;
}

impl Builder for StringBuilder {
    fn end(&mut self, next: usize) -> ArrayRef {
        let built = self.finish();
        *self = like(&built, next, built.len());
        Arc::new(built)
    }
}

/// Room for `next` rows where `built` are the texts of `rows`.
fn like(built: &StringArray, next: usize, rows: usize) -> StringBuilder {
    let scaled = |count: usize| count * next / rows.max(1);
    StringBuilder::with_capacity(scaled(built.len()), scaled(built.value_data().len() * 9 / 8))
}

impl<T: ArrowPrimitiveType> Builder for PrimitiveBuilder<T> {
    fn end(&mut self, next: usize) -> ArrayRef {
        let built = self.finish();
        *self = Self::with_capacity(next).with_data_type(built.data_type().clone());
        Arc::new(built)
    }
}

impl Builder for MapBuilder<StringBuilder, StringBuilder> {
    fn end(&mut self, next: usize) -> ArrayRef {
        let built = self.finish();
        let [names, texts] = [built.keys(), built.values()].map(|texts| like(texts.as_string(), next, built.len()));
        *self = Self::with_capacity(Some(map_names()), names, texts, next);
        Arc::new(built)
    }
}

fn map_names() -> MapFieldNames {
    MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() }
}

/// A column of text.
fn texts(of: impl for<'e> Fn(&'e Row<'_>, &'e Names) -> Option<&'e str> + 'static) -> Box<dyn Column> {
    filled(StringBuilder::new(), move |builder, rows, names| {
        // A source leaves many fields out always.
        if rows.iter().all(|row| of(row, names).is_none()) {
            builder.append_nulls(rows.len());
            return;
        }
        for row in rows {
            builder.append_option(of(row, names));
        }
    })
}

/// A column of text that is mostly that of the row before: which of few it is says `of`.
fn runs<K: PartialEq>(of: impl Fn(&Row<'_>) -> K + 'static, text: impl Fn(K) -> Option<&'static str> + 'static) -> Box<dyn Column> {
    filled(StringBuilder::new(), move |builder, rows, _| {
        for run in rows.chunk_by(|one, next| of(one) == of(next)) {
            match text(of(&run[0])) {
                Some(text) => builder.append_value_n(text, run.len()),
                None => builder.append_nulls(run.len()),
            }
        }
    })
}

/// A column of an event's field.
fn field(of: impl for<'e> Fn(&'e Event<Text<'_>>) -> Option<&'e str> + 'static) -> Box<dyn Column> {
    texts(move |row, _| row.event().and_then(&of))
}

/// A column of what is said of a refused record.
fn refused(of: impl for<'e> Fn(&'e Rejection) -> &'e str + 'static) -> Box<dyn Column> {
    texts(move |row, _| row.rejection().map(&of))
}

/// A column of numbers.
fn numbers<T: ArrowPrimitiveType>(data_type: DataType, of: impl Fn(&Row<'_>) -> Option<T::Native> + 'static) -> Box<dyn Column> {
    filled(PrimitiveBuilder::<T>::new().with_data_type(data_type), move |builder, rows, _| {
        // As with texts.
        if rows.iter().all(|row| of(row).is_none()) {
            builder.append_nulls(rows.len());
            return;
        }
        for row in rows {
            builder.append_option(of(row));
        }
    })
}

fn instants(of: impl Fn(&Row<'_>) -> Option<DateTime<Utc>> + 'static) -> Box<dyn Column> {
    numbers::<TimestampMicrosecondType>(schema::time_type(), move |row| of(row).map(|at| at.timestamp_micros()))
}

fn reals(of: impl Fn(&Event<Text<'_>>) -> Option<f64> + 'static) -> Box<dyn Column> {
    numbers::<Float64Type>(DataType::Float64, move |row| row.event().and_then(&of))
}

fn column(name: &str, partition: &TopicPartition) -> Box<dyn Column> {
    let (topic, number) = (partition.topic.clone(), partition.partition.cast_signed());
    match name {
        "event_id" => field(|event| Some(&event.event_id)),
        "source" => texts(|row, _| Some(row.source())),
        "kind" => runs(|row| row.event().map(|event| event.kind), |kind| kind.map(Kind::as_str)),
        "occurred_at" => instants(|row| row.event().map(|event| event.occurred_at)),
        "received_at" => {
            instants(|row| row.event().map_or_else(|| row.rejection().map(|rejection| rejection.received_at), |event| event.received_at))
        }
        "case_id" => field(|event| event.case_id.as_deref()),
        "device_id" => field(|event| event.device_id.as_deref()),
        "stage" => field(|event| event.stage.as_deref()),
        "channel" => field(|event| event.channel.as_deref()),
        "request_kind" => field(|event| event.request_kind.as_deref()),
        "category" => field(|event| event.category.as_deref()),
        "urgency" => field(|event| event.urgency.as_deref()),
        "unit_id" => field(|event| event.unit_id.as_deref()),
        "observed_property" => field(|event| event.observed_property.as_deref()),
        "value" => reals(|event| event.value),
        "value_unit" => field(|event| event.value_unit.as_deref()),
        "address" => field(|event| event.address.as_deref()),
        "address_id" => field(|event| event.address_id.as_deref()),
        "caller" => field(|event| event.caller.as_deref()),
        "lon" => reals(|event| event.lon),
        "lat" => reals(|event| event.lat),
        "grid_id" => texts(|row, names| row.judgement().and_then(|judgement| judgement.grid).map(|grid| &**names.text(grid))),
        "deadline_at" => instants(|row| row.event().and_then(|event| event.deadline_at)),
        "attributes" => attributes(),
        "ingested_at" => numbers::<TimestampMicrosecondType>(schema::time_type(), |row| Some(row.stored.appended_at)),
        "log_topic" => filled(StringBuilder::new(), move |builder, rows, _| builder.append_value_n(&topic, rows.len())),
        "log_partition" => numbers::<Int32Type>(DataType::Int32, move |_| Some(number)),
        "log_offset" => numbers::<Int64Type>(DataType::Int64, |row| Some(row.stored.offset.cast_signed())),
        "mapping_version" => texts(|row, _| row.stored.record.header(headers::MAPPING_VERSION).filter(|version| !version.is_empty())),
        "revision" => numbers::<Int32Type>(DataType::Int32, |row| row.judgement().map(|judgement| judgement.revision)),
        "body_hash" => numbers::<Int64Type>(DataType::Int64, |row| row.judgement().map(|judgement| judgement.body_hash)),
        "located_by" => runs(|row| row.judgement().and_then(|judgement| judgement.located_by), |located_by| located_by),
        "reason" => refused(|rejection| rejection.reason.as_str()),
        "reason_field" => refused(|rejection| &rejection.field),
        "detail" => refused(|rejection| &rejection.detail),
        "payload" => Box::new(Payloads { builder: StringBuilder::new(), alone: None }),
        "disposition" => runs(|row| row.disposition(), |disposition| Some(disposition.as_str())),
        "month" => months(),
        other => unreachable!("column {other} is not of the record schema"),
    }
}

/// The refused records as they came.
struct Payloads {
    builder: StringBuilder,
    /// One that is a batch of its own.
    alone: Option<StringArray>,
}

impl Column for Payloads {
    fn fill(&mut self, rows: &[Row<'_>], _: &Names) {
        if let [row] = rows
            && let Some(Payload::Large(bytes)) = row.payload()
            && self.builder.is_empty()
        {
            self.alone = Some(where_it_lies(bytes));
            return;
        }
        if self.builder.is_empty() {
            // Refused records differ in length by thousands of times, so those before say nothing of the room these need.
            self.builder = StringBuilder::with_capacity(rows.len(), rows.iter().filter_map(Row::payload).map(Payload::len).sum());
        }
        for row in rows {
            match row.payload() {
                None => self.builder.append_null(),
                Some(Payload::Small(text)) => self.builder.append_value(text),
                Some(Payload::Large(bytes)) => self.builder.append_value(String::from_utf8_lossy(bytes)),
            }
        }
    }

    fn finish(&mut self, next: usize) -> ArrayRef {
        match self.alone.take() {
            Some(alone) => Arc::new(alone),
            None => self.builder.end(next),
        }
    }
}

/// One text as a column, not copied where it is text.
fn where_it_lies(bytes: &Bytes) -> StringArray {
    let text = StringArray::try_new(OffsetBuffer::from_lengths([bytes.len()]), Buffer::from(bytes.clone()), None);
    text.unwrap_or_else(|_| StringArray::from_iter_values([String::from_utf8_lossy(bytes)]))
}

fn months() -> Box<dyn Column> {
    filled(StringBuilder::new(), |builder, rows, _| {
        let mut rest = rows;
        while let Some(first) = rest.first() {
            // Most rows are of the month of the one before, and to know the month of one is slow.
            let at = |row: &Row<'_>| row.event().map(|event| event.occurred_at);
            let of_first = at(first).map(days_of_month);
            let same = |row: &Row<'_>| match (at(row), &of_first) {
                (Some(at), Some(days)) => days.contains(&day(at)),
                (at, days) => at.is_none() && days.is_none(),
            };
            let (run, others) = rest.split_at(rest.iter().position(|row| !same(row)).unwrap_or(rest.len()));
            builder.append_value_n(at(first).map_or_else(|| "none".to_owned(), month_of), run.len());
            rest = others;
        }
    })
}

/// The day of an instant, UTC, from 1970 on.
fn day(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(86_400)
}

/// The days of its month.
fn days_of_month(at: DateTime<Utc>) -> Range<i64> {
    let first = day(at) - i64::from(at.day0());
    first..first + i64::from(at.num_days_in_month())
}

/// Month of an instant, UTC: the partition value.
pub fn month_of(at: DateTime<Utc>) -> String {
    at.format("%Y-%m").to_string()
}

fn attributes() -> Box<dyn Column> {
    filled(MapBuilder::new(Some(map_names()), StringBuilder::new(), StringBuilder::new()), |builder, rows, _| {
        for row in rows {
            for (name, value) in row.event().into_iter().flat_map(|event| event.attributes.iter()) {
                builder.keys().append_value(name);
                builder.values().append_value(value);
            }
            builder.append(true).expect("keys and values are appended in pairs");
        }
    })
}
