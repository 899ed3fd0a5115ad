//! The only place that reads a written time: year, month, day and time of day as feeds write them, with or without an offset.
//!
//! Read are `2024-03-01 09:05[:07[.5]]` with `-`, `/` or `.` between, `T` or a blank before the time, one or two digits for each but the year, a
//! 12-hour clock with AM/PM, `Z` or `±hh[:]mm` behind; `20240301` and `20240301090507`; a date alone is its midnight.

use chrono::{DateTime, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// The instant `text` means; without an offset it is local to `zone`.
pub(super) fn read(text: &str, zone: Tz) -> Result<DateTime<Utc>, String> {
    let refused = || format!("\"{text}\" is not a time; give it as 2024-03-01 09:05:07, 20240301090507 or RFC 3339");
    let written = parse(text.trim()).ok_or_else(refused)?;
    match written.offset {
        Some(offset) => offset.from_local_datetime(&written.local).single().map(|time| time.with_timezone(&Utc)).ok_or_else(refused),
        None => to_utc(written.local, zone),
    }
}

/// The instant a local time means. Of the two an autumn night has, the first; one that a spring night skips is none.
pub(super) fn to_utc(local: NaiveDateTime, zone: Tz) -> Result<DateTime<Utc>, String> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(time) | MappedLocalTime::Ambiguous(time, _) => Ok(time.with_timezone(&Utc)),
        MappedLocalTime::None => Err(format!("{local} does not exist in {zone}: clocks skip it; check time_zone")),
    }
}

struct Written {
    local: NaiveDateTime,
    offset: Option<FixedOffset>,
}

fn parse(text: &str) -> Option<Written> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return compact(text);
    }
    let mut rest = Rest(text.as_bytes());
    let year = rest.number(4, 4)?;
    let between = rest.one_of(b"-/.")?;
    let month = rest.number(1, 2)?;
    rest.one_of(&[between])?;
    let date = day(year, month, rest.number(1, 2)?)?;
    if rest.0.is_empty() {
        return Some(Written { local: date.and_time(NaiveTime::MIN), offset: None });
    }
    rest.one_of(b"Tt ")?;
    rest.blanks();
    let time = time_of_day(&mut rest)?;
    rest.blanks();
    let offset = if rest.0.is_empty() { None } else { Some(rest.offset()?) };
    rest.0.is_empty().then_some(Written { local: date.and_time(time), offset })
}

fn compact(text: &str) -> Option<Written> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let date = day(part(0, 4)?, part(4, 6)?, part(6, 8)?)?;
    let time = match text.len() {
        8 => NaiveTime::MIN,
        14 => NaiveTime::from_hms_opt(part(8, 10)?, part(10, 12)?, part(12, 14)?)?,
        _ => return None,
    };
    Some(Written { local: date.and_time(time), offset: None })
}

fn day(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

fn time_of_day(rest: &mut Rest<'_>) -> Option<NaiveTime> {
    let hour = rest.number(1, 2)?;
    rest.one_of(b":")?;
    let minute = rest.number(2, 2)?;
    let second = if rest.one_of(b":").is_some() { rest.number(2, 2)? } else { 0 };
    let micros = if rest.one_of(b".,").is_some() { rest.micros()? } else { 0 };
    let hour = match rest.half_of_day() {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
    };
    NaiveTime::from_hms_micro_opt(hour, minute, second, micros)
}

/// What has not been read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn number(&mut self, digits_min: usize, digits_max: usize) -> Option<u32> {
        let digits = self.0.iter().take(digits_max).take_while(|byte| byte.is_ascii_digit()).count();
        if digits < digits_min {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        Some(number.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        wanted.contains(first).then(|| {
            self.0 = rest;
            *first
        })
    }

    fn blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// A fraction of a second; digits beyond the microsecond are read over.
    fn micros(&mut self) -> Option<u32> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at(digits);
        self.0 = rest;
        let padded = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(6);
        (digits > 0).then(|| padded.fold(0, |value, digit| value * 10 + u32::from(digit - b'0')))
    }

    /// `Some(true)` for PM, `Some(false)` for AM.
    fn half_of_day(&mut self) -> Option<bool> {
        let trimmed = self.0.trim_ascii_start();
        let (mark, rest) = trimmed.split_at_checked(2)?;
        let afternoon = match mark.to_ascii_uppercase().as_slice() {
            b"AM" => false,
            b"PM" => true,
            _ => return None,
        };
        self.0 = rest;
        Some(afternoon)
    }

    fn offset(&mut self) -> Option<FixedOffset> {
        let sign = match self.one_of(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return FixedOffset::east_opt(0),
        };
        let hours = self.number(2, 2)?;
        self.one_of(b":");
        let minutes = if self.0.is_empty() { 0 } else { self.number(2, 2)? };
        let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
        if minutes > 59 { None } else { FixedOffset::east_opt(sign * seconds) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, utc: &str) {
        let read = read(text, chrono_tz::Asia::Taipei).map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
        assert_eq!(read.as_deref(), Ok(utc), "{text}");
    }

    #[test]
    fn written_times_of_real_feeds_are_read() {
        check("20170101001800", "2016-12-31T16:18:00Z");
        check("20170101", "2016-12-31T16:00:00Z");
        check("2024-01-01T05:58:00", "2023-12-31T21:58:00Z");
        check("2025-04-09 01:18:14", "2025-04-08T17:18:14Z");
        check("2019/2/28 11:25:05", "2019-02-28T03:25:05Z");
        check("2019-01-06 12:09:38.25", "2019-01-06T04:09:38.250Z");
        check("2024-01-01 12:05 AM", "2023-12-31T16:05:00Z");
        check("2024-01-01 12:05:00 pm", "2024-01-01T04:05:00Z");
        check("2024-01-01T05:58:00+08:00", "2023-12-31T21:58:00Z");
        check("2024-01-01T05:58:00.123456789-0330", "2024-01-01T09:28:00.123456Z");
        check("2024-01-01T05:58:00Z", "2024-01-01T05:58:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_text() {
        for text in [
            "",
            "nan",
            "20240230",
            "2024-13-01",
            "2024-01-01 24:00",
            "5/12/2020 9:22",
            "2024-01-01 13:00 PM",
            "2024-01-01Tx",
            "2024-01-01T00:00:00+99:99",
            "202401011",
            "２０２４-01-01",
        ] {
            assert!(read(text, chrono_tz::Asia::Taipei).unwrap_err().contains(text), "{text}");
        }
    }

    #[test]
    fn local_time_follows_the_zones_summer_time() {
        let at = |text| read(text, chrono_tz::Europe::Berlin).map(|time| time.to_rfc3339());
        assert_eq!(at("2024-07-01 12:00").unwrap(), "2024-07-01T10:00:00+00:00");
        assert_eq!(at("2024-10-27 02:30").unwrap(), "2024-10-27T00:30:00+00:00", "the first of the two");
        assert!(at("2024-03-31 02:30").unwrap_err().contains("does not exist in Europe/Berlin"));
    }
}
