//! The fingerprint of an event's body: what tells a repeat from a revision. Stable across versions, because the lake keeps it.
//!
//! It guards against accidents, not against senders: who wants a revision taken for a repeat can send the repeat. So it is a quick hash
//! (XXH3); the fingerprints of the first builds, of SHA-256, are still known where the lake holds them.

use contract::Event;
use sha2::Digest;
use twox_hash::XxHash3_64;

/// Fingerprint of an event: XXH3 over its fields. `body` is where they are put together; what it held is gone.
///
/// Each field that is there counts with its number and length, so no two events share a fingerprint by how their texts meet.
pub(crate) fn of<S: AsRef<str>>(event: &Event<S>, body: &mut Vec<u8>) -> i64 {
    body.clear();
    // Room for most events at once: asked for part by part it costs more than the copying.
    body.reserve(2 * 1024);
    let mut field = |number: u8, value: &[u8]| {
        let mut head = [number; 1 + size_of::<u64>()];
        head[1..].copy_from_slice(&(value.len() as u64).to_le_bytes());
        body.extend_from_slice(&head);
        body.extend_from_slice(value);
    };
    for (number, (_, text)) in (0..).zip(texts(event)) {
        if let Some(text) = text {
            field(number, text.as_ref().as_bytes());
        }
    }
    field(32, event.kind.as_str().as_bytes());
    for (number, (_, at)) in (40..).zip(times(event)) {
        if let Some(at) = at {
            field(number, &at.to_le_bytes());
        }
    }
    for (number, (_, value)) in (48..).zip(numbers(event)) {
        if let Some(value) = value {
            field(number, &value.to_bits().to_le_bytes());
        }
    }
    for (name, text) in event.attributes.iter() {
        field(56, name.as_ref().as_bytes());
        field(57, text.as_ref().as_bytes());
    }
    XxHash3_64::oneshot(body).cast_signed()
}

/// The fingerprint the first builds gave: the first 64 bits of a SHA-256 over the fields with their names.
pub(crate) fn formerly<S: AsRef<str>>(event: &Event<S>) -> i64 {
    let mut body = Vec::new();
    let mut field = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), value] {
            body.extend_from_slice(&(part.len() as u64).to_le_bytes());
            body.extend_from_slice(part);
        }
    };
    for (name, text) in texts(event) {
        if let Some(text) = text {
            field(name, text.as_ref().as_bytes());
        }
    }
    field("kind", event.kind.as_str().as_bytes());
    for (name, at) in times(event) {
        if let Some(at) = at {
            field(name, &at.to_le_bytes());
        }
    }
    for (name, value) in numbers(event) {
        if let Some(value) = value {
            field(name, &value.to_bits().to_le_bytes());
        }
    }
    for (name, text) in event.attributes.iter() {
        field("attributes", name.as_ref().as_bytes());
        field(name.as_ref(), text.as_ref().as_bytes());
    }
    let digest = sha2::Sha256::digest(&body);
    i64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

fn texts<S>(event: &Event<S>) -> [(&'static str, Option<&S>); 16] {
    [
        ("event_id", Some(&event.event_id)),
        ("source", Some(&event.source)),
        ("case_id", event.case_id.as_ref()),
        ("device_id", event.device_id.as_ref()),
        ("stage", event.stage.as_ref()),
        ("channel", event.channel.as_ref()),
        ("request_kind", event.request_kind.as_ref()),
        ("category", event.category.as_ref()),
        ("urgency", event.urgency.as_ref()),
        ("unit_id", event.unit_id.as_ref()),
        ("observed_property", event.observed_property.as_ref()),
        ("value_unit", event.value_unit.as_ref()),
        ("address", event.address.as_ref()),
        ("address_id", event.address_id.as_ref()),
        ("caller", event.caller.as_ref()),
        ("grid_id", event.grid_id.as_ref()),
    ]
}

/// Microseconds since 1970.
fn times<S>(event: &Event<S>) -> [(&'static str, Option<i64>); 3] {
    let micros = |at: chrono::DateTime<chrono::Utc>| at.timestamp_micros();
    [
        ("occurred_at", Some(micros(event.occurred_at))),
        ("received_at", event.received_at.map(micros)),
        ("deadline_at", event.deadline_at.map(micros)),
    ]
}

fn numbers<S>(event: &Event<S>) -> [(&'static str, Option<f64>); 3] {
    [("value", event.value), ("lon", event.lon), ("lat", event.lat)]
}

#[cfg(test)]
mod tests {
    use contract::schema::{self, FieldType};
    use serde_json::{Value, json};

    use super::*;

    /// Both, so that what holds of the one holds of the other.
    fn of(event: &Event) -> [i64; 2] {
        [super::of(event, &mut Vec::new()), formerly(event)]
    }

    fn event(fields: &Value) -> Event {
        serde_json::from_value(fields.clone()).unwrap()
    }

    /// Every field of the contract with a value, from the list of fields, so that a field added there is asked for here.
    fn whole() -> Value {
        let value = |field: &schema::ContractField| match (field.name, field.field_type) {
            ("kind", _) => json!("hotline_call"),
            (_, FieldType::Time) => json!("2026-01-01T00:00:00Z"),
            (_, FieldType::Number) => json!(1.5),
            (_, FieldType::TextMap) => json!({"a": "b"}),
            (name, _) => json!(name),
        };
        schema::FIELDS.iter().map(|field| (field.name.to_owned(), value(field))).collect::<serde_json::Map<_, _>>().into()
    }

    #[test]
    fn every_field_counts() {
        let base = of(&event(&whole()));
        for field in &schema::FIELDS {
            let mut other = whole();
            other[field.name] = match (field.name, field.field_type) {
                ("kind", _) => json!("grid_report"),
                (_, FieldType::Time) => json!("2026-01-01T00:00:00.000001Z"),
                (_, FieldType::Number) => json!(1.25),
                (_, FieldType::TextMap) => json!({"a": "c"}),
                _ => json!("another"),
            };
            let other = of(&event(&other));
            assert!(other[0] != base[0] && other[1] != base[1], "{}", field.name);
        }
    }

    #[test]
    fn texts_that_meet_differently_differ() {
        let (mut one, mut two) = (whole(), whole());
        (one["attributes"], two["attributes"]) = (json!({"a": "bc"}), json!({"ab": "c"}));
        let (one, two) = (of(&event(&one)), of(&event(&two)));
        assert!(one[0] != two[0] && one[1] != two[1]);
    }

    #[test]
    fn the_lake_keeps_it_so_it_stays() {
        assert_eq!(of(&event(&whole())), [-4_730_107_847_772_974_093, 750_477_657_688_483_979]);
    }
}
