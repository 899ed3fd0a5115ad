//! The contract JSON of an event, byte for byte what serde would write. By hand because it is written for every event, and serde's
//! writer, which goes from byte to byte and formats times by a general routine, took a tenth of what publishing an event costs.

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::Serialize;

use super::Event;

/// What the usual event takes.
pub(super) const USUAL_BYTES: usize = 512;

impl<S: AsRef<str>> Event<S> {
    /// Appends the contract JSON of the event.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"event_id\":");
        text(out, self.event_id.as_ref());
        out.extend_from_slice(b",\"source\":");
        text(out, self.source.as_ref());
        out.extend_from_slice(b",\"kind\":");
        text(out, self.kind.as_str());
        out.extend_from_slice(b",\"occurred_at\":");
        time(out, &self.occurred_at);
        optional(out, ",\"received_at\":", self.received_at.as_ref(), time);
        let texts = |out: &mut Vec<u8>, fields: &[(&str, &Option<S>)]| {
            for &(name, value) in fields {
                optional(out, name, value.as_ref(), |out, value| text(out, value.as_ref()));
            }
        };
        texts(
            out,
            &[
                (",\"case_id\":", &self.case_id),
                (",\"device_id\":", &self.device_id),
                (",\"stage\":", &self.stage),
                (",\"channel\":", &self.channel),
                (",\"request_kind\":", &self.request_kind),
                (",\"category\":", &self.category),
                (",\"urgency\":", &self.urgency),
                (",\"unit_id\":", &self.unit_id),
                (",\"observed_property\":", &self.observed_property),
            ],
        );
        optional(out, ",\"value\":", self.value.as_ref(), by_serde);
        texts(
            out,
            &[
                (",\"value_unit\":", &self.value_unit),
                (",\"address\":", &self.address),
                (",\"address_id\":", &self.address_id),
                (",\"caller\":", &self.caller),
            ],
        );
        optional(out, ",\"lon\":", self.lon.as_ref(), by_serde);
        optional(out, ",\"lat\":", self.lat.as_ref(), by_serde);
        texts(out, &[(",\"grid_id\":", &self.grid_id)]);
        optional(out, ",\"deadline_at\":", self.deadline_at.as_ref(), time);
        let mut before: &[u8] = b",\"attributes\":{";
        for (name, value) in self.attributes.iter() {
            out.extend_from_slice(before);
            text(out, name.as_ref());
            out.push(b':');
            text(out, value.as_ref());
            before = b",";
        }
        out.extend_from_slice(if self.attributes.is_empty() { b"}" } else { b"}}" });
    }
}

fn optional<T>(out: &mut Vec<u8>, name: &str, value: Option<&T>, write: impl Fn(&mut Vec<u8>, &T)) {
    if let Some(value) = value {
        out.extend_from_slice(name.as_bytes());
        write(out, value);
    }
}

fn by_serde<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("memory takes every text, number and time");
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Over the whole text without leaving early: sixteen bytes at a time, where a search for the first would take one.
    let escaped = text.bytes().fold(false, |found, byte| found | (byte < 0x20) | (byte == b'"') | (byte == b'\\'));
    if escaped {
        return by_serde(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// `"2026-01-02T03:04:05.678Z"`: the fraction in as many groups of three digits as it needs.
fn time(out: &mut Vec<u8>, at: &DateTime<Utc>) {
    let (date, of_day, nanos) = (at.date_naive(), at.time(), at.nanosecond());
    let year = u32::try_from(date.year()).ok().filter(|year| *year <= 9999);
    // Years of five digits and leap seconds.
    let Some(year) = year.filter(|_| nanos < 1_000_000_000) else { return by_serde(out, at) };
    let mut written = *b"\"0000-00-00T00:00:00.000000000Z\"";
    let mut put = |at: usize, digits: usize, mut number: u32| {
        for place in written[at..at + digits].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(1, 4, year);
    put(6, 2, date.month());
    put(9, 2, date.day());
    put(12, 2, of_day.hour());
    put(15, 2, of_day.minute());
    put(18, 2, of_day.second());
    put(21, 9, nanos);
    let end = match nanos {
        0 => 20,
        _ if nanos % 1_000_000 == 0 => 24,
        _ if nanos % 1_000 == 0 => 27,
        _ => 30,
    };
    out.extend_from_slice(&written[..end]);
    out.extend_from_slice(b"Z\"");
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Kind, Text};

    fn at() -> impl Strategy<Value = DateTime<Utc>> {
        let fraction = prop_oneof![
            Just(0),
            (0..1000_u32).prop_map(|ms| ms * 1_000_000),
            (0..1_000_000_u32).prop_map(|us| us * 1000),
            0..2_000_000_000_u32
        ];
        // From before the year 0 to beyond 9999; a leap second where the second is the last of a minute.
        (-70_000_000_000..300_000_000_000_i64, fraction)
            .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).or_else(|| DateTime::from_timestamp(seconds, 0)).unwrap())
    }

    fn words() -> impl Strategy<Value = String> {
        prop_oneof![".{0,40}", "[ -~]{0,40}", "[\"\\\\\n\t\u{7f}\u{1}a路]{0,20}"]
    }

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("JSON has finite numbers only", |number| number.is_finite()),
            (-180..180_i32).prop_map(f64::from)
        ]
    }

    prop_compose! {
        pub(in super::super) fn event()(
            ids in (words(), words()),
            kind in prop::sample::select(Kind::ALL.to_vec()),
            times in (at(), prop::option::of(at()), prop::option::of(at())),
            texts in prop::collection::vec(prop::option::of(words()), 14),
            numbers in prop::collection::vec(prop::option::of(number()), 3),
            attributes in prop::collection::btree_map(words(), words(), 0..4),
        ) -> Event {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().flatten();
            Event {
                event_id: ids.0, source: ids.1, kind, occurred_at: times.0, received_at: times.1, deadline_at: times.2,
                case_id: text(), device_id: text(), stage: text(), channel: text(), request_kind: text(), category: text(),
                urgency: text(), unit_id: text(), observed_property: text(), value_unit: text(), address: text(), address_id: text(),
                caller: text(), grid_id: text(), value: numbers[0], lon: numbers[1], lat: numbers[2], attributes: attributes.into_iter().collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_byte_for_byte_what_serde_writes(event in event()) {
            prop_assert_eq!(String::from_utf8(event.to_json()).unwrap(), serde_json::to_string(&event).unwrap());
        }

        #[test]
        fn read_in_place_it_is_the_same_event(event in event()) {
            let json = event.to_json();
            let (owned, in_place): (Event, Event<Text<'_>>) = (serde_json::from_slice(&json).unwrap(), serde_json::from_slice(&json).unwrap());
            let mut again = Vec::new();
            in_place.write_json(&mut again);
            prop_assert_eq!(String::from_utf8(again), String::from_utf8(owned.to_json()));
            let now = event.occurred_at;
            prop_assert_eq!(Event::from_json(&json, now).err(), Event::<Text<'_>>::default().refill(&json, now).err());
        }

        #[test]
        fn read_in_the_place_of_another_nothing_of_that_is_left(former in event(), event in event(), cut in any::<prop::sample::Index>()) {
            let (former, json, now) = (former.to_json(), event.to_json(), event.occurred_at);
            let broken = &json[..cut.index(json.len())];
            let mut place = Event::default();
            for bytes in [&*former, broken, &json] {
                let (mut new, read) = (Event::default(), place.refill(bytes, now));
                prop_assert_eq!(&read, &new.refill(bytes, now));
                prop_assert!(read.is_err() || place == new);
            }
        }
    }
}
