//! The fingerprint of an event's body: what tells a repeat from a revision.

use contract::Event;
use sha2::Digest;

/// Fingerprint of an event (the first 64 bits of a SHA-256 over its fields): stable across versions, because the lake keeps it.
///
/// Each field that is there counts with its name and length, so no two events share a fingerprint by how their texts meet.
/// `body` is where they are put together; what it held is gone.
pub(crate) fn of<S: AsRef<str>>(event: &Event<S>, body: &mut Vec<u8>) -> i64 {
    body.clear();
    let mut field = |name: &str, value: &[u8]| {
        // Room for the field at once: asked for part by part it costs more than the copying.
        body.reserve(2 * size_of::<u64>() + name.len() + value.len());
        for part in [name.as_bytes(), value] {
            body.extend_from_slice(&(part.len() as u64).to_le_bytes());
            body.extend_from_slice(part);
        }
    };
    let texts = [
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
    ];
    let present = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    present.for_each(|(name, text)| field(name, text.as_ref().as_bytes()));
    field("kind", event.kind.as_str().as_bytes());
    for (name, at) in [("occurred_at", Some(event.occurred_at)), ("received_at", event.received_at), ("deadline_at", event.deadline_at)] {
        if let Some(at) = at {
            field(name, &at.timestamp_micros().to_le_bytes());
        }
    }
    for (name, number) in [("value", event.value), ("lon", event.lon), ("lat", event.lat)] {
        if let Some(number) = number {
            field(name, &number.to_bits().to_le_bytes());
        }
    }
    for (name, text) in &event.attributes {
        field("attributes", name.as_ref().as_bytes());
        field(name.as_ref(), text.as_ref().as_bytes());
    }
    let digest = sha2::Sha256::digest(body);
    i64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use contract::schema::{self, FieldType};
    use serde_json::{Value, json};

    use super::*;

    fn of(event: &Event) -> i64 {
        super::of(event, &mut Vec::new())
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
            assert_ne!(of(&event(&other)), base, "{}", field.name);
        }
    }

    #[test]
    fn texts_that_meet_differently_differ() {
        let (mut one, mut two) = (whole(), whole());
        (one["attributes"], two["attributes"]) = (json!({"a": "bc"}), json!({"ab": "c"}));
        assert_ne!(of(&event(&one)), of(&event(&two)));
    }

    #[test]
    fn the_lake_keeps_it_so_it_stays() {
        assert_eq!(of(&event(&whole())), 750_477_657_688_483_979);
    }
}
