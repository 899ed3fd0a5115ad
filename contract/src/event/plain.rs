//! Reads the contract JSON that producers usually send, in place and in one pass: an object of known fields, each at most once, without
//! escapes and without nulls, in any order. Everything else is `None` and goes to serde, which reads it or says what is wrong with it.
//!
//! By hand because it is done for every event, twice: at the door and from the log. What it answers is what serde would answer.

mod values;

use chrono::{DateTime, Utc};

use self::values::{decimal, plain_bytes, time};
use super::text::Text;
use super::{Attributes, Event, Kind};

/// Fills the event, which is a blank one, where the bytes are plain. It is filled where it stays: moved from function to function, five
/// hundred bytes cost as much as reading some of its fields.
pub(super) fn read<'a>(bytes: &'a [u8], event: &mut Event<Text<'a>>) -> Option<()> {
    let mut scan = Scan { text: std::str::from_utf8(bytes).ok()?, at: 0 };
    let mut fields = Fields { event, found: Found::default() };
    scan.fields(|scan, name| fields.take(scan, name))?;
    scan.blanks();
    let found = &fields.found;
    let whole = found.event_id && found.source && found.kind && found.occurred_at;
    (whole && scan.at == bytes.len()).then_some(())
}

/// Which of the fields were found that say nothing of it themselves.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each field")]
struct Found {
    event_id: bool,
    source: bool,
    kind: bool,
    occurred_at: bool,
    attributes: bool,
}

/// What was read so far.
struct Fields<'e, 'a> {
    event: &'e mut Event<Text<'a>>,
    found: Found,
}

impl<'a> Fields<'_, 'a> {
    fn take(&mut self, scan: &mut Scan<'a>, name: Name) -> Option<()> {
        let Self { event, found } = self;
        match name {
            Name::EventId => first(&mut found.event_id, &mut event.event_id, scan.held()),
            Name::Source => first(&mut found.source, &mut event.source, scan.held()),
            Name::Kind => first(&mut found.kind, &mut event.kind, scan.string().and_then(Kind::from_name)),
            Name::OccurredAt => first(&mut found.occurred_at, &mut event.occurred_at, scan.time()),
            Name::ReceivedAt => once(&mut event.received_at, scan.time()),
            Name::CaseId => once(&mut event.case_id, scan.held()),
            Name::DeviceId => once(&mut event.device_id, scan.held()),
            Name::Stage => once(&mut event.stage, scan.held()),
            Name::Channel => once(&mut event.channel, scan.held()),
            Name::RequestKind => once(&mut event.request_kind, scan.held()),
            Name::Category => once(&mut event.category, scan.held()),
            Name::Urgency => once(&mut event.urgency, scan.held()),
            Name::UnitId => once(&mut event.unit_id, scan.held()),
            Name::ObservedProperty => once(&mut event.observed_property, scan.held()),
            Name::Value => once(&mut event.value, scan.number()),
            Name::ValueUnit => once(&mut event.value_unit, scan.held()),
            Name::Address => once(&mut event.address, scan.held()),
            Name::AddressId => once(&mut event.address_id, scan.held()),
            Name::Caller => once(&mut event.caller, scan.held()),
            Name::Lon => once(&mut event.lon, scan.number()),
            Name::Lat => once(&mut event.lat, scan.number()),
            Name::GridId => once(&mut event.grid_id, scan.held()),
            Name::DeadlineAt => once(&mut event.deadline_at, scan.time()),
            Name::Attributes => {
                let room = event.attributes.cleared();
                first(&mut found.attributes, &mut event.attributes, scan.texts(room))
            }
        }
    }
}

/// Declares [`Name`] with the names as they stand in JSON.
macro_rules! names {
    ($($name:ident $text:literal)*) => {
        /// The names of the fields, in the order of the contract, in which most producers write them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Name {
            $($name,)*
        }

        impl Name {
            const ALL: &[(Self, Quoted)] = &[$((Self::$name, Quoted::new(concat!("\"", $text, "\":").as_bytes())),)*];

            fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

names! {
    EventId "event_id"
    Source "source"
    Kind "kind"
    OccurredAt "occurred_at"
    ReceivedAt "received_at"
    CaseId "case_id"
    DeviceId "device_id"
    Stage "stage"
    Channel "channel"
    RequestKind "request_kind"
    Category "category"
    Urgency "urgency"
    UnitId "unit_id"
    ObservedProperty "observed_property"
    Value "value"
    ValueUnit "value_unit"
    Address "address"
    AddressId "address_id"
    Caller "caller"
    Lon "lon"
    Lat "lat"
    GridId "grid_id"
    DeadlineAt "deadline_at"
    Attributes "attributes"
}

/// How much of a name in quotes is compared at once.
const START_BYTES: usize = size_of::<u128>();

/// A name in quotes and with its colon, and its beginning as a number: few names are longer than that, and what differs there is not compared
/// any further.
struct Quoted {
    text: &'static [u8],
    start: u128,
    mask: u128,
}

impl Quoted {
    const fn new(text: &'static [u8]) -> Self {
        let (mut start, mut mask, mut at) = (0, 0, 0);
        while at < text.len() && at < START_BYTES {
            start |= (text[at] as u128) << (8 * at);
            mask |= 0xff << (8 * at);
            at += 1;
        }
        Self { text, start, mask }
    }

    fn begins(&self, start: u128, bytes: &[u8]) -> bool {
        start & self.mask == self.start && (self.text.len() <= START_BYTES || bytes.starts_with(self.text))
    }
}

/// Fills a field that was not found yet.
fn first<T>(found: &mut bool, field: &mut T, value: Option<T>) -> Option<()> {
    *field = value?;
    (!std::mem::replace(found, true)).then_some(())
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

    /// Goes through an object of any names; `value` reads the value of each.
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

    /// Goes through an object of known fields.
    fn fields(&mut self, mut value: impl FnMut(&mut Self, Name) -> Option<()>) -> Option<()> {
        self.blanks();
        self.expect(b'{')?;
        let mut after = 0;
        loop {
            let name = self.name(after)?;
            after = name as usize + 1;
            value(self, name)?;
            self.blanks();
            if self.expect(b'}').is_some() {
                return Some(());
            }
            self.expect(b',')?;
        }
    }

    /// The name of a field and its colon: looked for among those from place `after` on, as it is written without blanks, then in general.
    fn name(&mut self, after: usize) -> Option<Name> {
        let rest = &self.text.as_bytes()[self.at..];
        if let Some(start) = rest.first_chunk::<START_BYTES>() {
            let start = u128::from_le_bytes(*start);
            if let Some((name, quoted)) = Name::ALL[after..].iter().find(|(_, quoted)| quoted.begins(start, rest)) {
                self.at += quoted.text.len();
                return Some(*name);
            }
        }
        let name = self.string().and_then(Name::from_text)?;
        self.blanks();
        self.expect(b':')?;
        Some(name)
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

    /// Texts by name, in a vector that is empty.
    fn texts(&mut self, mut texts: Vec<(Text<'a>, Text<'a>)>) -> Option<Attributes<Text<'a>>> {
        self.object(|scan, name| {
            texts.push((Text::from(name), scan.held()?));
            Some(())
        })?;
        Some(Attributes::of(texts))
    }

    /// A number, by serde's own rules and rounding.
    fn number(&mut self) -> Option<f64> {
        self.blanks();
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).count();
        let number = decimal(&rest[..length]).or_else(|| serde_json::from_slice(&rest[..length]).ok())?;
        self.at += length;
        Some(number)
    }

    fn time(&mut self) -> Option<DateTime<Utc>> {
        self.string().and_then(time)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::tests::event;
    use super::*;

    fn read(bytes: &[u8]) -> Option<Box<Event<Text<'_>>>> {
        let mut event = Box::default();
        super::read(bytes, &mut event).map(|()| event)
    }

    fn by_serde(bytes: &[u8]) -> Option<Event<Text<'_>>> {
        serde_json::from_slice(bytes).ok()
    }

    #[test]
    fn what_producers_send_is_read_here() {
        let json = br#" {"event_id": "1", "source":"hotline", "kind":"hotline_call","occurred_at":"2026-01-01T08:00:00.5+08:00",
            "lon": 121.5, "lat":25e0, "address":"Mill Road 7","attributes": {"desk": "3", "note" :""} } "#;
        let event = read(json).unwrap();
        assert_eq!(Some(&*event), by_serde(json).as_ref());
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
            prop_assert!(read(&json).is_none_or(|read| Some(*read) == by_serde(&json)));
            // One byte changed, put in or taken out: what is no event any more is not read as one.
            let at = at.index(json.len());
            match what {
                0 => json[at] = byte,
                1 => json.insert(at, byte),
                _ => drop(json.remove(at)),
            }
            prop_assert!(read(&json).is_none_or(|read| Some(*read) == by_serde(&json)));
        }
    }
}
