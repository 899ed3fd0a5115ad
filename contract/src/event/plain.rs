//! Reads the contract JSON that producers usually send, in place and in one pass: an object of known fields, each at most once, without
//! escapes and without nulls, in any order. Everything else is `None` and goes to serde, which reads it or says what is wrong with it.
//!
//! By hand because it is done for every event, twice: at the door and from the log. What it answers is what serde would answer.

use std::collections::BTreeMap;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};

use super::text::Text;
use super::{Event, Kind};

/// The event, where the bytes are plain.
pub(super) fn read(bytes: &[u8]) -> Option<Event<Text<'_>>> {
    let mut scan = Scan { text: std::str::from_utf8(bytes).ok()?, at: 0 };
    let mut fields = Fields::default();
    scan.object(|scan, name| fields.take(scan, name))?;
    scan.blanks();
    (scan.at == bytes.len()).then(|| fields.event()).flatten()
}

/// Fields found so far.
#[derive(Default)]
struct Fields<'a> {
    event_id: Option<Text<'a>>,
    source: Option<Text<'a>>,
    kind: Option<Kind>,
    occurred_at: Option<DateTime<Utc>>,
    received_at: Option<DateTime<Utc>>,
    case_id: Option<Text<'a>>,
    device_id: Option<Text<'a>>,
    stage: Option<Text<'a>>,
    channel: Option<Text<'a>>,
    request_kind: Option<Text<'a>>,
    category: Option<Text<'a>>,
    urgency: Option<Text<'a>>,
    unit_id: Option<Text<'a>>,
    observed_property: Option<Text<'a>>,
    value: Option<f64>,
    value_unit: Option<Text<'a>>,
    address: Option<Text<'a>>,
    address_id: Option<Text<'a>>,
    caller: Option<Text<'a>>,
    lon: Option<f64>,
    lat: Option<f64>,
    grid_id: Option<Text<'a>>,
    deadline_at: Option<DateTime<Utc>>,
    attributes: Option<BTreeMap<Text<'a>, Text<'a>>>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, scan: &mut Scan<'a>, name: &str) -> Option<()> {
        match name {
            "event_id" => once(&mut self.event_id, scan.held()),
            "source" => once(&mut self.source, scan.held()),
            "kind" => once(&mut self.kind, scan.string().and_then(Kind::from_name)),
            "occurred_at" => once(&mut self.occurred_at, scan.time()),
            "received_at" => once(&mut self.received_at, scan.time()),
            "case_id" => once(&mut self.case_id, scan.held()),
            "device_id" => once(&mut self.device_id, scan.held()),
            "stage" => once(&mut self.stage, scan.held()),
            "channel" => once(&mut self.channel, scan.held()),
            "request_kind" => once(&mut self.request_kind, scan.held()),
            "category" => once(&mut self.category, scan.held()),
            "urgency" => once(&mut self.urgency, scan.held()),
            "unit_id" => once(&mut self.unit_id, scan.held()),
            "observed_property" => once(&mut self.observed_property, scan.held()),
            "value" => once(&mut self.value, scan.number()),
            "value_unit" => once(&mut self.value_unit, scan.held()),
            "address" => once(&mut self.address, scan.held()),
            "address_id" => once(&mut self.address_id, scan.held()),
            "caller" => once(&mut self.caller, scan.held()),
            "lon" => once(&mut self.lon, scan.number()),
            "lat" => once(&mut self.lat, scan.number()),
            "grid_id" => once(&mut self.grid_id, scan.held()),
            "deadline_at" => once(&mut self.deadline_at, scan.time()),
            "attributes" => once(&mut self.attributes, scan.texts()),
            _ => None,
        }
    }

    fn event(self) -> Option<Event<Text<'a>>> {
        Some(Event {
            event_id: self.event_id?,
            source: self.source?,
            kind: self.kind?,
            occurred_at: self.occurred_at?,
            received_at: self.received_at,
            case_id: self.case_id,
            device_id: self.device_id,
            stage: self.stage,
            channel: self.channel,
            request_kind: self.request_kind,
            category: self.category,
            urgency: self.urgency,
            unit_id: self.unit_id,
            observed_property: self.observed_property,
            value: self.value,
            value_unit: self.value_unit,
            address: self.address,
            address_id: self.address_id,
            caller: self.caller,
            lon: self.lon,
            lat: self.lat,
            grid_id: self.grid_id,
            deadline_at: self.deadline_at,
            attributes: self.attributes.unwrap_or_default(),
        })
    }
}

/// Fills a field that was not there yet.
fn once<T>(field: &mut Option<T>, value: Option<T>) -> Option<()> {
    let free = field.is_none();
    *field = value;
    (free && field.is_some()).then_some(())
}

/// A text and how far it is read.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found.then_some(())
    }

    /// Goes through an object; `value` reads the value of each name.
    fn object(&mut self, mut value: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.blanks();
        self.expect(b'{')?;
        self.blanks();
        if self.expect(b'}').is_some() {
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.blanks();
            self.expect(b':')?;
            value(self, name)?;
            self.blanks();
            if self.expect(b'}').is_some() {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// A string without escapes.
    fn string(&mut self) -> Option<&'a str> {
        self.blanks();
        self.expect(b'"')?;
        let rest = &self.text.as_bytes()[self.at..];
        let length = plain_bytes(rest);
        let text = (*rest.get(length)? == b'"').then(|| &self.text[self.at..self.at + length])?;
        self.at += length + 1;
        Some(text)
    }

    fn held(&mut self) -> Option<Text<'a>> {
        self.string().map(Text::from)
    }

    fn texts(&mut self) -> Option<BTreeMap<Text<'a>, Text<'a>>> {
        let mut texts = BTreeMap::new();
        self.object(|scan, name| {
            // The last of a name counts, as in serde.
            texts.insert(Text::from(name), scan.held()?);
            Some(())
        })?;
        Some(texts)
    }

    /// A number, by serde's own rules and rounding.
    fn number(&mut self) -> Option<f64> {
        self.blanks();
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = serde_json::from_slice(&rest[..length]).ok()?;
        self.at += length;
        Some(number)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        self.string().and_then(time)
    }
}

/// How many bytes come before the first quote, backslash or control character: what ends a plain string or is not in one.
fn plain_bytes(bytes: &[u8]) -> usize {
    // Eight at a time. In a word of bytes, those below n have their high bit set in (word − n…n) & !word, and no byte before the first
    // such one does; with n = 1 those that are zero.
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & HIGH;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let stops = below(word, 0x20) | below(word ^ (ONES * u64::from(b'"')), 1) | below(word ^ (ONES * u64::from(b'\\')), 1);
        if stops != 0 {
            return index * 8 + stops.trailing_zeros() as usize / 8;
        }
    }
    let stop = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    words.len() * 8 + rest.iter().position(stop).unwrap_or(rest.len())
}

/// `2026-01-02T03:04:05`, a fraction of up to nine digits or none, and `Z` or an offset such as `+08:00`.
fn time(text: &str) -> Option<DateTime<Utc>> {
    let bytes = text.as_bytes();
    let (clock, mut rest) = bytes.split_at_checked(19)?;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if marks.iter().any(|(at, mark)| clock[*at] != *mark) {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(digits(&clock[..4])?.cast_signed(), digits(&clock[5..7])?, digits(&clock[8..10])?)?;
    let mut nanos = 0;
    if let [b'.', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if !(1..=9).contains(&length) {
            return None;
        }
        nanos = digits(&fraction[..length])? * 10_u32.pow(9 - u32::try_from(length).ok()?);
        rest = &fraction[length..];
    }
    let local = date.and_hms_nano_opt(digits(&clock[11..13])?, digits(&clock[14..16])?, digits(&clock[17..19])?, nanos)?;
    let (sign, hours, minutes) = match rest {
        b"Z" => return Some(local.and_utc()),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (*sign, digits(&[*h1, *h2])?, digits(&[*m1, *m2])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let east = ((hours * 60 + minutes) * 60).cast_signed();
    let offset = FixedOffset::east_opt(if sign == b'-' { -east } else { east })?;
    Some(local.and_local_timezone(offset).single()?.to_utc())
}

/// Up to nine digits as a number.
fn digits(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::tests::event;
    use super::*;

    fn by_serde(bytes: &[u8]) -> Option<Event<Text<'_>>> {
        serde_json::from_slice(bytes).ok()
    }

    #[test]
    fn what_producers_send_is_read_here() {
        let json = br#" {"event_id": "1", "source":"hotline", "kind":"hotline_call","occurred_at":"2026-01-01T08:00:00.5+08:00",
            "lon": 121.5, "lat":25e0, "address":"Mill Road 7","attributes": {"desk": "3", "note" :""} } "#;
        let event = read(json).unwrap();
        assert_eq!(Some(&event), by_serde(json).as_ref());
        assert_eq!(event.occurred_at.to_rfc3339(), "2026-01-01T00:00:00.500+00:00");
    }

    #[test]
    fn what_is_not_plain_is_left_to_serde() {
        let with = |more: &str| format!(r#"{{"event_id":"1","source":"a","kind":"case_step","occurred_at":"2026-01-01T00:00:00Z"{more}}}"#);
        assert!(read(with("").as_bytes()).is_some());
        let left = [
            r#","event_id":"2""#,
            r#","address":"a\nb""#,
            ",\"address\":\"a\nb\"",
            r#","address":null"#,
            r#","address":7"#,
            r#","value":01"#,
            r#","value":1e999"#,
            r#","colour":"red""#,
            r#","received_at":"2026-02-30T00:00:00Z""#,
            r#","received_at":"2026-01-01T00:00:60Z""#,
            r#","attributes":{"a":1}"#,
            "}",
            ",",
        ];
        for more in left {
            assert_eq!(read(with(more).as_bytes()), None, "{more}");
        }
        assert_eq!((read(b""), read(b"{}"), read(b"[]"), read(b"{\"event_id\":\"\xff\"}")), (None, None, None, None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_read_is_what_serde_reads(event in event(), at in any::<prop::sample::Index>(), byte in any::<u8>(), what in 0..3) {
            let mut json = event.to_json();
            prop_assert!(read(&json).is_none_or(|read| Some(read) == by_serde(&json)));
            // One byte changed, put in or taken out: what is no event any more is not read as one.
            let at = at.index(json.len());
            match what {
                0 => json[at] = byte,
                1 => json.insert(at, byte),
                _ => drop(json.remove(at)),
            }
            prop_assert!(read(&json).is_none_or(|read| Some(read) == by_serde(&json)));
        }

        #[test]
        fn a_time_is_what_the_standard_reads(
            text in "(000[0-9]|19[0-9]{2}|20[0-9]{2})-(0[0-9]|1[0-3])-[0-3][0-9][T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,11})?(Z|z|[+-][0-2][0-9]:[0-6][0-9])"
        ) {
            let standard = DateTime::parse_from_rfc3339(&text).ok().map(|at| at.to_utc());
            prop_assert!(time(&text).is_none_or(|at| Some(at) == standard), "{text}");
        }
    }
}
