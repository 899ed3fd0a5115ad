//! The city's calendar: local days and hours, weekends, holidays and the monthly fair. Whole seconds, no clock.
//!
//! The city keeps the time of Asia/Shanghai, which has been eight hours ahead of UTC without summer time since 1992; a fixed
//! offset keeps every hour a whole hour, on which rates and episodes rely.

use chrono::{DateTime, Datelike, NaiveDate, Weekday};

/// Local time is this far ahead of UTC.
pub(super) const OFFSET_SECONDS: i64 = 8 * 3600;
pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 86_400;

/// First days of lunar years (Spring Festival), which no short rule gives. Outside this list a year has none.
const SPRING_FESTIVALS: [(i32, u32, u32); 16] = [
    (2020, 1, 25),
    (2021, 2, 12),
    (2022, 2, 1),
    (2023, 1, 22),
    (2024, 2, 10),
    (2025, 1, 29),
    (2026, 2, 17),
    (2027, 2, 6),
    (2028, 1, 26),
    (2029, 2, 13),
    (2030, 2, 3),
    (2031, 1, 23),
    (2032, 2, 11),
    (2033, 1, 31),
    (2034, 2, 19),
    (2035, 2, 8),
];

/// The local day of an instant, counted from 1970-01-01.
pub(super) fn day_of(at: i64) -> i64 {
    (at + OFFSET_SECONDS).div_euclid(DAY)
}

/// The instant a local day begins.
pub(super) fn day_start(day: i64) -> i64 {
    day * DAY - OFFSET_SECONDS
}

/// The hour of the local day, 0..=23.
pub(super) fn hour_of(at: i64) -> usize {
    ((at + OFFSET_SECONDS).rem_euclid(DAY) / HOUR) as usize
}

/// The date of a local day.
pub(super) fn date_of(day: i64) -> NaiveDate {
    let at = DateTime::from_timestamp(day * DAY, 0).unwrap_or_default();
    at.date_naive()
}

/// Whether most people are off work: weekends, holidays and the fair.
pub(super) fn is_off(day: i64) -> bool {
    let date = date_of(day);
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun) || holiday_position(date).is_some()
}

/// Whether a festive period (three days or more off, or the fair) ends with this day: rubbish follows.
pub(super) fn ends_festivity(day: i64) -> bool {
    let date = date_of(day);
    if is_fair(date) {
        return true;
    }
    let last = |date: NaiveDate| holiday_position(date).filter(|(position, length)| *length >= 3 && position + 1 == *length);
    last(date).is_some()
}

/// Factor on the whole city's activity: the days of Spring Festival are quiet, the week before is busy.
pub(super) fn mood(day: i64) -> f64 {
    match days_from_spring_festival(date_of(day)) {
        Some(-10..=-2) => 1.15,
        Some(-1..=6) => 0.6,
        _ => 1.0,
    }
}

/// The fair of Anlan (安澜大集): the first Saturday of the month.
fn is_fair(date: NaiveDate) -> bool {
    date.weekday() == Weekday::Sat && date.day() <= 7
}

/// Which day of a holiday it is, and how long that lasts.
fn holiday_position(date: NaiveDate) -> Option<(u32, u32)> {
    if let Some(day @ 0..=6) = days_from_spring_festival(date) {
        return Some((day.unsigned_abs(), 7));
    }
    match (date.month(), date.day()) {
        (1, 1) => Some((0, 1)),
        (5, day @ 1..=5) => Some((day - 1, 5)),
        (10, day @ 1..=7) => Some((day - 1, 7)),
        _ => None,
    }
}

fn days_from_spring_festival(date: NaiveDate) -> Option<i32> {
    let (year, month, day) = SPRING_FESTIVALS.iter().find(|(year, _, _)| *year == date.year())?;
    let first = NaiveDate::from_ymd_opt(*year, *month, *day)?;
    i32::try_from((date - first).num_days()).ok()
}

/// The share of the year that has passed, 0..1.
pub(super) fn season_of(day: i64) -> f64 {
    f64::from(date_of(day).ordinal0()) / 366.0
}

/// The local days that `[from, to)` touches.
pub(super) fn days(from: i64, to: i64) -> impl Iterator<Item = i64> {
    day_of(from)..=day_of(to - 1)
}

/// The default end of written cities: fixed, so that the same seed gives the same bytes on any day.
pub(super) fn default_until() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(year: i32, month: u32, day: u32) -> i64 {
        (NaiveDate::from_ymd_opt(year, month, day).unwrap() - NaiveDate::from_ymd_opt(1970, 1, 1).unwrap()).num_days()
    }

    #[test]
    fn a_local_day_begins_at_sixteen_hours_utc() {
        let start = DateTime::parse_from_rfc3339("2026-10-31T16:00:00Z").unwrap().timestamp();
        assert_eq!(day_start(day(2026, 11, 1)), start);
        assert_eq!((day_of(start), day_of(start - 1)), (day(2026, 11, 1), day(2026, 10, 31)));
        assert_eq!((hour_of(start), hour_of(start - 1)), (0, 23));
    }

    #[test]
    fn festivities_end_on_their_last_day_only() {
        assert!(ends_festivity(day(2026, 10, 7)) && !ends_festivity(day(2026, 10, 6)) && !ends_festivity(day(2026, 1, 1)));
        assert!(ends_festivity(day(2026, 2, 23)), "seventh day of Spring Festival 2026");
        assert!(ends_festivity(day(2026, 11, 7)) && !ends_festivity(day(2026, 11, 14)), "the fair is on the first Saturday");
    }

    #[test]
    fn spring_festival_is_quiet_and_the_week_before_is_busy() {
        assert!(mood(day(2026, 2, 18)) < 1.0 && mood(day(2026, 2, 10)) > 1.0);
        assert_eq!(mood(day(2026, 6, 10)), 1.0);
    }
}
