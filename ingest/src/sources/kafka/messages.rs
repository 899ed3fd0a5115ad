//! Messages of a topic as rows, and rows as records of the log. Every message is accounted for: what holds no row is refused as a whole.
//!
//! A message is a document of the feed's format: an object or several lines of them, an array, CSV with its header. To the mapping `file_name` is
//! `TOPIC/PARTITION` and `row_number` the message's offset, so a message that comes again becomes the same rows; the rows of one message share it.

use bytes::Bytes;
use contract::cloud_events::{self, Mode};
use contract::log::outside::Message;
use contract::{InvalidEvent, Reason};

use super::Mapped;
use crate::feeds::Format;
use crate::raw::{BATCH_ROWS, Fault, RawBatch};
use crate::{Mapper, MappingError};

/// What the messages of a turn become, in their order.
pub(super) fn map(mapper: &Mapper, topic: &str, messages: Vec<Message>) -> Result<Mapped, MappingError> {
    let mut mapped = Mapped { envelopes: Vec::with_capacity(messages.len()), published: 0, rejected: Default::default() };
    let batches = messages.into_iter().flat_map(|message| rows(mapper, topic, message)).collect();
    let (rules, now) = (mapper.feed().rules(), mapper.now());
    for batch in RawBatch::joined(batches) {
        let outcomes = match mapper.normalize(&batch) {
            Ok(outcomes) => outcomes,
            // Columns that do not fit are the sender's: the rows are kept, and can be mapped again when that is mended.
            Err(error @ MappingError::MissingColumn { .. }) => mapper.refuse(&batch, &Fault::new(Reason::BadFormat, "", error.to_string())),
            Err(error) => return Err(error),
        };
        for outcome in outcomes {
            let (envelope, reason) = outcome.into_record(&rules, now);
            mapped.envelopes.push(envelope);
            match reason {
                None => mapped.published += 1,
                Some(reason) => *mapped.rejected.entry(reason).or_default() += 1,
            }
        }
    }
    Ok(mapped)
}

/// The rows of a message, or the message as one row that is refused.
fn rows(mapper: &Mapper, topic: &str, message: Message) -> Vec<RawBatch> {
    let name = format!("{topic}/{}", message.partition);
    let number = message.offset;
    let refused = |fault: Fault, bytes: Vec<u8>| {
        vec![RawBatch::refused(mapper.columns(), &name, mapper.feed().encoding, fault, bytes).numbered(number)]
    };
    let batches = match document(mapper.feed().format, message) {
        Ok(bytes) => read(mapper, &name, bytes),
        Err(fault) => Err(fault),
    };
    match batches {
        Ok(batches) => batches.into_iter().map(|batch| batch.numbered(number)).collect(),
        Err((fault, bytes)) => refused(fault, bytes),
    }
}

type Refused = (Fault, Vec<u8>);

/// The bytes to be read as the feed's format.
fn document(format: Format, message: Message) -> Result<Vec<u8>, Refused> {
    let Some(value) = message.value else {
        return Err((Fault::new(not_of(format), "", "message has no value: it is a tombstone"), Vec::new()));
    };
    let headers = || message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if format == Format::CloudEvents && Mode::of(headers()) == Some(Mode::Binary) {
        return cloud_events::as_structured(headers(), &value)
            .map_err(|InvalidEvent { field, reason, detail }| (Fault { reason, field, detail }, value.to_vec()));
    }
    Ok(value.into())
}

fn read(mapper: &Mapper, name: &str, bytes: Vec<u8>) -> Result<Vec<RawBatch>, Refused> {
    let format = mapper.feed().format;
    let original = Bytes::from(bytes);
    let refused = |reason, detail: String| (Fault::new(reason, "", detail), original.to_vec());
    let reader = mapper.feed().rows_of_message(mapper.columns(), name, original.to_vec());
    let mut reader = reader.map_err(|error| refused(Reason::BadFormat, error.to_string()))?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next_batch(BATCH_ROWS).map_err(|error| refused(Reason::BadFormat, error.to_string()))? {
        batches.push(batch);
    }
    if batches.is_empty() && !is_empty_list(format, &original) {
        return Err(refused(not_of(format), "message holds no row".to_owned()));
    }
    Ok(batches)
}

/// An array without elements says that there is nothing, and is no message gone wrong.
fn is_empty_list(format: Format, bytes: &[u8]) -> bool {
    let inside = bytes.trim_ascii().strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    matches!(format, Format::Json | Format::CloudEvents) && inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

/// The reason of bytes that are not of the format at all.
const fn not_of(format: Format) -> Reason {
    match format {
        Format::Csv => Reason::BadFormat,
        Format::Ndjson | Format::Json | Format::CloudEvents => Reason::BadJson,
    }
}
