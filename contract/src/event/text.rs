//! Text read where it stands.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::Event;

/// Text that stays in the bytes it was read from, unless an escape had to be undone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text<'a>(Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<Event> for Event<Text<'_>> {
    fn from(event: Event) -> Self {
        let text = |text: String| Text(Cow::Owned(text));
        Self {
            event_id: text(event.event_id),
            source: text(event.source),
            kind: event.kind,
            occurred_at: event.occurred_at,
            received_at: event.received_at,
            case_id: event.case_id.map(text),
            device_id: event.device_id.map(text),
            stage: event.stage.map(text),
            channel: event.channel.map(text),
            request_kind: event.request_kind.map(text),
            category: event.category.map(text),
            urgency: event.urgency.map(text),
            unit_id: event.unit_id.map(text),
            observed_property: event.observed_property.map(text),
            value: event.value,
            value_unit: event.value_unit.map(text),
            address: event.address.map(text),
            address_id: event.address_id.map(text),
            caller: event.caller.map(text),
            lon: event.lon,
            lat: event.lat,
            grid_id: event.grid_id.map(text),
            deadline_at: event.deadline_at,
            attributes: event.attributes.into_iter().map(|(name, value)| (text(name), text(value))).collect(),
        }
    }
}

// serde borrows for a field that is a `Cow` itself, not for an optional one.
impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InPlace;

        impl<'de> Visitor<'de> for InPlace {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(InPlace)
    }
}
