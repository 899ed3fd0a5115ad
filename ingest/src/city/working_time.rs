//! How long offices take: a clock that runs fast in working hours and slowly at night, and the lag of every step of a case
//! on it.
//!
//! A step happens at `shift(opened)`, and `shift` never decreases: so the steps of one lane (see `lanes`) stand in the order
//! of its cases, and any hour's steps can be made from the cases some days before, without remembering open cases.
//! Everything is whole numbers: no rounding can turn the order around.

use super::calendar::{HOUR, OFFSET_SECONDS};

const WEEK_HOURS: usize = 168;
/// Speed of the working clock in units a second, by hour of the week from Monday 00:00; 20 = full speed.
const SPEEDS: [i64; WEEK_HOURS] = speeds();
/// Units passed at the start of each hour of the week.
const PASSED: [i64; WEEK_HOURS + 1] = passed();
const WEEK_UNITS: i64 = PASSED[WEEK_HOURS];
const WEEK_SECONDS: i64 = 604_800;
/// 1970-01-01 was a Thursday.
const MONDAY_SECONDS: i64 = 3 * 86_400;
/// Units of one hour at full speed.
pub(super) const HOUR_UNITS: i64 = 20 * HOUR;

const fn speeds() -> [i64; WEEK_HOURS] {
    let mut all = [1; WEEK_HOURS];
    let mut index = 0;
    while index < WEEK_HOURS {
        let (weekend, hour) = (index / 24 >= 5, index % 24);
        all[index] = match (weekend, hour) {
            (false, 8..=11 | 13..=17) => 20,
            (false, 12) => 10,
            (true, 9..=16) => 8,
            (_, 7 | 18..=21) => 5,
            _ => 1,
        };
        index += 1;
    }
    all
}

const fn passed() -> [i64; WEEK_HOURS + 1] {
    let mut all = [0; WEEK_HOURS + 1];
    let mut index = 0;
    while index < WEEK_HOURS {
        all[index + 1] = all[index] + SPEEDS[index] * HOUR;
        index += 1;
    }
    all
}

/// Units the working clock shows at an instant.
fn units_at(at: i64) -> i64 {
    let local = at + OFFSET_SECONDS + MONDAY_SECONDS;
    let (week, second) = (local.div_euclid(WEEK_SECONDS), local.rem_euclid(WEEK_SECONDS));
    let hour = (second / HOUR) as usize;
    week * WEEK_UNITS + PASSED[hour] + SPEEDS[hour] * (second % HOUR)
}

/// The instant the working clock shows these units.
fn instant_of(units: i64) -> i64 {
    let (week, rest) = (units.div_euclid(WEEK_UNITS), units.rem_euclid(WEEK_UNITS));
    let hour = PASSED.partition_point(|passed| *passed <= rest) - 1;
    week * WEEK_SECONDS + hour as i64 * HOUR + (rest - PASSED[hour]) / SPEEDS[hour] - MONDAY_SECONDS - OFFSET_SECONDS
}

/// How late a step comes after its case was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lag {
    units: i64,
    period: i64,
    phase: i64,
}

impl Lag {
    /// A lag of `units` that swells and shrinks by 35 % with `period` (at least four times the lag, so that `shift` never
    /// decreases); lags of one case share period and phase, so that its steps keep their order.
    pub(super) fn new(units: i64, period: i64, phase: i64) -> Self {
        assert!(units >= 0 && period >= 4 * units.max(1), "the swell of a lag stays slower than time");
        Self { units, period, phase }
    }

    /// When the step of a case opened at `at` happens.
    pub(super) fn shift(&self, at: i64) -> i64 {
        if self.units == 0 {
            return at;
        }
        let units = units_at(at);
        // A triangle wave from -period to +period.
        let wave = 4 * ((units + self.phase).rem_euclid(self.period) - self.period / 2).abs() - self.period;
        instant_of(units + self.units + (self.units * 35 * wave).div_euclid(100 * self.period))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_clock_and_its_inverse_agree() {
        for at in (0..3_000_000_i64).step_by(977).map(|step| 1_700_000_000 + step) {
            assert_eq!(instant_of(units_at(at)), at);
        }
    }

    #[test]
    fn later_cases_never_have_earlier_steps() {
        for (units, factor) in [(HOUR_UNITS / 4, 4), (9 * HOUR_UNITS, 4), (300 * HOUR_UNITS, 5)] {
            let lag = Lag::new(units, units * factor, 12_345);
            let mut last = i64::MIN;
            for at in (1_790_000_000..1_790_700_000).step_by(7) {
                let step = lag.shift(at);
                assert!(step >= last && step > at, "{at}");
                last = step;
            }
        }
    }

    #[test]
    fn the_same_work_takes_longer_over_a_weekend() {
        let hours = |text: &str| {
            let opened = chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp();
            (Lag::new(8 * HOUR_UNITS, 640 * HOUR_UNITS, 0).shift(opened) - opened) / HOUR
        };
        // 2026-11-06 is a Friday.
        let (tuesday, friday) = (hours("2026-11-03T08:00:00+08:00"), hours("2026-11-06T22:00:00+08:00"));
        assert!((6..=12).contains(&tuesday) && friday > 30, "{tuesday} h, {friday} h");
    }
}
