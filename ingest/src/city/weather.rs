//! The weather of a day: rain, warmth and air, shared by the whole city, so that counts of different grids swing together.
//! A pure function of seed and day.

use super::calendar::season_of;
use super::dice::{Dice, Purpose};

/// One day's weather.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Weather {
    /// Millimeters of rain.
    pub(super) rain: f64,
    /// Degrees Celsius, mean of the day.
    pub(super) warmth: f64,
    /// PM2.5 in µg/m³, mean of the day.
    pub(super) dust: f64,
}

/// How much rain the ground keeps from one day to the next.
const WETNESS_KEPT: f64 = 0.45;

impl Weather {
    /// The weather of a local day.
    pub(super) fn of(dice: &Dice, day: i64) -> Self {
        // Fronts last: today's pressure is today's and the last two days' noise together.
        let front = |channel: u64| {
            let noise = |back: i64| dice.normal(Purpose::Weather, (day - back) as u64, channel);
            0.75 * noise(0) + 0.5 * noise(1) + 0.43 * noise(2)
        };
        let summer = libm::cos((season_of(day) - 0.54) * std::f64::consts::TAU);
        // About one day in four is wet in summer, one in seven in winter.
        let wet = front(1) - (0.85 - 0.2 * summer);
        let rain = if wet > 0.0 { 4.0 + wet * (16.0 + 10.0 * summer) } else { 0.0 };
        let warmth = 17.0 + 12.5 * summer + 3.0 * front(2) - rain.min(40.0) * 0.05;
        let dust = (38.0 - 14.0 * summer) * libm::exp(0.35 * front(3)) * libm::exp(-rain / 40.0);
        Self { rain, warmth, dust }
    }

    /// Millimeters of water standing in the ground: today's rain and what is left of the days before.
    pub(super) fn wetness(dice: &Dice, day: i64) -> f64 {
        (0..4).map(|back| Self::of(dice, day - back).rain * libm::pow(WETNESS_KEPT, back as f64)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summers_are_warm_and_a_plausible_share_of_days_is_wet() {
        let dice = Dice::new(1);
        let year: Vec<Weather> = (20_454..20_454 + 365).map(|day| Weather::of(&dice, day)).collect();
        let wet = year.iter().filter(|weather| weather.rain > 0.0).count();
        assert!((50..150).contains(&wet), "{wet} wet days");
        let mean = |from: usize| year[from..from + 30].iter().map(|weather| weather.warmth).sum::<f64>() / 30.0;
        assert!(mean(190) > mean(10) + 15.0);
        assert!(year.iter().all(|weather| weather.dust > 0.0 && weather.rain < 150.0));
    }
}
