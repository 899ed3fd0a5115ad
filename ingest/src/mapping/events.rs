//! The only place that reads a mapping's output columns as contract fields: which columns are legal, of which types, and what a value that does
//! not fit is refused for.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, MapArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, TimeUnit};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};
use contract::schema::{FIELDS, FieldType};
use contract::{Attributes, Event, Kind, Reason};

use super::{MappingError, coordinates, times};
use crate::feeds::{CoordinateSystem, Feed};
use crate::nearest::hint;
use crate::raw::Fault;

const REJECT_REASON: &str = "reject_reason";
const REJECT_DETAIL: &str = "reject_detail";
const ATTRIBUTES: &str = "attributes";
const ATTRIBUTE_PREFIX: &str = "attribute_";

/// Checks names and types of a mapping's output before any row is mapped.
pub(super) fn check_columns(feed: &Feed, schema: &Schema) -> Result<(), MappingError> {
    let refused = |column: &str, problem: String| MappingError::Column { feed: feed.name.clone(), column: column.to_owned(), problem };
    for field in schema.fields() {
        check_column(feed, field.name(), field.data_type()).map_err(|problem| refused(field.name(), problem))?;
    }
    for required in ["event_id", "occurred_at"] {
        if schema.index_of(required).is_err() {
            return Err(refused(required, "which is required, in no column: add it to the SELECT".to_owned()));
        }
    }
    match (schema.index_of("lon").is_ok(), schema.index_of("lat").is_ok()) {
        (true, false) => Err(refused("lon", "but no lat".to_owned())),
        (false, true) => Err(refused("lat", "but no lon".to_owned())),
        (true, true) if feed.coordinate_system == CoordinateSystem::Absent => {
            Err(refused("lon", "but feed.toml says coordinate_system = \"none\"; declare wgs84, gcj02 or bd09".to_owned()))
        }
        _ => Ok(()),
    }
}

fn check_column(feed: &Feed, name: &str, data_type: &DataType) -> Result<(), String> {
    if name == "source" {
        return Err(format!("which is always the feed's name (\"{}\"); leave it out", feed.name));
    }
    let own = [REJECT_REASON, REJECT_DETAIL].contains(&name) || name.strip_prefix(ATTRIBUTE_PREFIX).is_some_and(|rest| !rest.is_empty());
    let Some(field_type) = FIELDS.iter().find(|field| field.name == name).map(|field| field.field_type).or(own.then_some(FieldType::Text))
    else {
        let known = FIELDS.iter().map(|field| field.name).filter(|name| *name != "source").chain([REJECT_REASON, REJECT_DETAIL]);
        return Err(format!("which the contract does not have; {}, or call it attribute_{name}", hint(name, known)));
    };
    let fits = match field_type {
        FieldType::TextMap => matches!(data_type, DataType::Map(..) | DataType::Null),
        FieldType::Time => is_text(data_type) || matches!(data_type, DataType::Timestamp(..) | DataType::Date32 | DataType::Date64),
        FieldType::Number => is_text(data_type) || data_type.is_numeric() || *data_type == DataType::Null,
        FieldType::Text | FieldType::Name => is_text(data_type) || data_type.is_numeric() || *data_type == DataType::Boolean,
    };
    let wanted = match (field_type, data_type) {
        (_, DataType::Binary | DataType::BinaryView | DataType::LargeBinary) => "text; wrap it in encode(…, 'hex')",
        (FieldType::TextMap, _) => "a map of text; or give attribute_<name> columns",
        (FieldType::Time, _) => "a timestamp, a date or text",
        (FieldType::Number, _) => "a number or text",
        (FieldType::Text | FieldType::Name, _) => "text; wrap it in CAST(… AS text)",
    };
    if fits { Ok(()) } else { Err(format!("of type {data_type}, but it must be {wanted}")) }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => true,
        DataType::Dictionary(_, values) => is_text(values),
        _ => false,
    }
}

/// A column of text, if the mapping has it.
struct Texts(Option<StringArray>);

impl Texts {
    fn read(array: Option<&ArrayRef>) -> Result<Self, ArrowError> {
        array.map(as_texts).transpose().map(Self)
    }

    fn at(&self, row: usize) -> Option<String> {
        self.0.as_ref().filter(|array| array.is_valid(row)).map(|array| array.value(row).to_owned())
    }
}

/// The output columns of one batch, ready to be read row by row.
pub(super) struct Reader<'a> {
    feed: &'a Feed,
    event_id: Texts,
    kind: Texts,
    case_id: Texts,
    device_id: Texts,
    stage: Texts,
    channel: Texts,
    request_kind: Texts,
    category: Texts,
    urgency: Texts,
    unit_id: Texts,
    observed_property: Texts,
    value_unit: Texts,
    address: Texts,
    address_id: Texts,
    caller: Texts,
    grid_id: Texts,
    reject_reason: Texts,
    reject_detail: Texts,
    attributes: Vec<(String, StringArray)>,
    attribute_map: Option<MapArray>,
    occurred_at: Times,
    received_at: Times,
    deadline_at: Times,
    value: Numbers,
    lon: Numbers,
    lat: Numbers,
}

impl<'a> Reader<'a> {
    pub(super) fn new(feed: &'a Feed, output: &RecordBatch) -> Result<Self, ArrowError> {
        let column = |name: &str| output.column_by_name(name);
        let text = |name: &str| Texts::read(column(name));
        let mut attributes = Vec::new();
        for (field, array) in output.schema_ref().fields().iter().zip(output.columns()) {
            if let Some(name) = field.name().strip_prefix(ATTRIBUTE_PREFIX) {
                attributes.push((name.to_owned(), as_texts(array)?));
            }
        }
        Ok(Self {
            feed,
            event_id: text("event_id")?,
            kind: text("kind")?,
            case_id: text("case_id")?,
            device_id: text("device_id")?,
            stage: text("stage")?,
            channel: text("channel")?,
            request_kind: text("request_kind")?,
            category: text("category")?,
            urgency: text("urgency")?,
            unit_id: text("unit_id")?,
            observed_property: text("observed_property")?,
            value_unit: text("value_unit")?,
            address: text("address")?,
            address_id: text("address_id")?,
            caller: text("caller")?,
            grid_id: text("grid_id")?,
            reject_reason: text(REJECT_REASON)?,
            reject_detail: text(REJECT_DETAIL)?,
            attributes,
            attribute_map: column(ATTRIBUTES).and_then(|array| array.as_any().downcast_ref::<MapArray>().cloned()),
            occurred_at: Times::read(column("occurred_at"))?,
            received_at: Times::read(column("received_at"))?,
            deadline_at: Times::read(column("deadline_at"))?,
            value: Numbers::read(column("value"))?,
            lon: Numbers::read(column("lon"))?,
            lat: Numbers::read(column("lat"))?,
        })
    }

    /// The event of row `row`, or what it is refused for. The contract's own rules are checked afterwards, by `Event::validate`.
    pub(super) fn event(&self, row: usize) -> Result<Event, Fault> {
        self.refusal(row)?;
        let missing = |name| Fault::new(Reason::MissingField, name, format!("{name} is NULL after mapping.sql"));
        let time = |name, times: &Times| times.at(name, row, self.feed.time_zone);
        let (lon, lat) = self.place(row)?;
        Ok(Event {
            event_id: self.event_id.at(row).ok_or_else(|| missing("event_id"))?,
            source: self.feed.name.clone(),
            kind: self.kind_of(row)?,
            occurred_at: time("occurred_at", &self.occurred_at)?.ok_or_else(|| missing("occurred_at"))?,
            received_at: time("received_at", &self.received_at)?,
            case_id: self.case_id.at(row),
            device_id: self.device_id.at(row),
            stage: self.stage.at(row),
            channel: self.channel.at(row),
            request_kind: self.request_kind.at(row),
            category: self.category.at(row),
            urgency: self.urgency.at(row),
            unit_id: self.unit_id.at(row),
            observed_property: self.observed_property.at(row),
            value: self.value.at("value", row)?,
            value_unit: self.value_unit.at(row),
            address: self.address.at(row),
            address_id: self.address_id.at(row),
            caller: self.caller.at(row),
            lon,
            lat,
            grid_id: self.grid_id.at(row),
            deadline_at: time("deadline_at", &self.deadline_at)?,
            attributes: self.attributes(row),
        })
    }

    fn refusal(&self, row: usize) -> Result<(), Fault> {
        let Some(reason) = self.reject_reason.at(row) else {
            return Ok(());
        };
        let detail = self.reject_detail.at(row);
        Err(match Reason::from_name(&reason) {
            Some(reason) => Fault::new(reason, "", detail.unwrap_or_default()),
            None => Fault::new(Reason::FeedRule, "", detail.map_or(reason.clone(), |detail| format!("{reason}: {detail}"))),
        })
    }

    fn kind_of(&self, row: usize) -> Result<Kind, Fault> {
        let Some(name) = self.kind.at(row) else {
            return Ok(self.feed.kind);
        };
        Kind::from_name(&name).ok_or_else(|| {
            Fault::new(Reason::BadKind, "kind", format!("\"{name}\" is none of hotline_call, grid_report, sensor_event, case_step"))
        })
    }

    fn place(&self, row: usize) -> Result<(Option<f64>, Option<f64>), Fault> {
        match (self.lon.at("lon", row)?, self.lat.at("lat", row)?) {
            (Some(lon), Some(lat)) => {
                let (lon, lat) = coordinates::to_wgs84(self.feed.coordinate_system, lon, lat);
                Ok((Some(lon), Some(lat)))
            }
            other => Ok(other),
        }
    }

    fn attributes(&self, row: usize) -> Attributes {
        let given = |(name, array): &(String, StringArray)| array.is_valid(row).then(|| (name.clone(), array.value(row).to_owned()));
        let mut all: Vec<(String, String)> = self.attributes.iter().filter_map(given).collect();
        if let Some(map) = self.attribute_map.as_ref().filter(|map| map.is_valid(row)) {
            let entries = map.value(row);
            let column = |index: usize| as_texts(entries.column(index)).unwrap_or_else(|_| StringArray::new_null(entries.len()));
            let (keys, values) = (column(0), column(1));
            let both = |entry: &usize| keys.is_valid(*entry) && values.is_valid(*entry);
            all.extend((0..entries.len()).filter(both).map(|entry| (keys.value(entry).to_owned(), values.value(entry).to_owned())));
        }
        all.into_iter().collect()
    }
}

fn as_texts(array: &ArrayRef) -> Result<StringArray, ArrowError> {
    let texts = cast(array, &DataType::Utf8)?;
    Ok(texts.as_any().downcast_ref::<StringArray>().expect("cast to Utf8 gives a StringArray").clone())
}

/// A column of instants: read as written, or local to the feed's time zone where no offset is given.
enum Times {
    Absent,
    Instants(TimestampMicrosecondArray),
    Local(TimestampMicrosecondArray),
    Texts(StringArray),
}

impl Times {
    fn read(array: Option<&ArrayRef>) -> Result<Self, ArrowError> {
        let Some(array) = array else {
            return Ok(Self::Absent);
        };
        if is_text(array.data_type()) {
            return Ok(Self::Texts(as_texts(array)?));
        }
        let (zone, wrap): (_, fn(TimestampMicrosecondArray) -> Self) = match array.data_type() {
            DataType::Timestamp(_, Some(zone)) => (Some(Arc::clone(zone)), Self::Instants),
            _ => (None, Self::Local),
        };
        let micros = cast(array, &DataType::Timestamp(TimeUnit::Microsecond, zone))?;
        Ok(wrap(micros.as_any().downcast_ref::<TimestampMicrosecondArray>().expect("cast to microseconds gives that array").clone()))
    }

    fn at(&self, name: &str, row: usize, zone: chrono_tz::Tz) -> Result<Option<DateTime<Utc>>, Fault> {
        let refused = |detail| Fault::new(Reason::BadTime, name, detail);
        let beyond = || refused("is beyond the calendar".to_owned());
        match self {
            Self::Instants(array) if array.is_valid(row) => DateTime::from_timestamp_micros(array.value(row)).map(Some).ok_or_else(beyond),
            Self::Local(array) if array.is_valid(row) => {
                let local = DateTime::from_timestamp_micros(array.value(row)).ok_or_else(beyond)?.naive_utc();
                times::to_utc(local, zone).map(Some).map_err(refused)
            }
            Self::Texts(array) if array.is_valid(row) => times::read(array.value(row), zone).map(Some).map_err(refused),
            _ => Ok(None),
        }
    }
}

/// A column of numbers, as such or written as text.
enum Numbers {
    Absent,
    Values(Float64Array),
    Texts(StringArray),
}

impl Numbers {
    fn read(array: Option<&ArrayRef>) -> Result<Self, ArrowError> {
        let Some(array) = array else {
            return Ok(Self::Absent);
        };
        if is_text(array.data_type()) {
            return Ok(Self::Texts(as_texts(array)?));
        }
        let numbers = cast(array, &DataType::Float64)?;
        Ok(Self::Values(numbers.as_any().downcast_ref::<Float64Array>().expect("cast to Float64 gives that array").clone()))
    }

    fn at(&self, name: &str, row: usize) -> Result<Option<f64>, Fault> {
        let (number, written) = match self {
            Self::Values(array) if array.is_valid(row) => (Some(array.value(row)), String::new()),
            Self::Texts(array) if array.is_valid(row) => (array.value(row).trim().parse().ok(), array.value(row).to_owned()),
            _ => return Ok(None),
        };
        match number {
            Some(number) if number.is_finite() => Ok(Some(number)),
            Some(number) => Err(Fault::new(Reason::BadNumber, name, format!("{number} is not finite"))),
            None => Err(Fault::new(Reason::BadNumber, name, format!("\"{written}\" is not a number"))),
        }
    }
}
