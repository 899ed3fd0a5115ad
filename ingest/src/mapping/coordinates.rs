//! The only place that knows the shifted coordinates of maps published in mainland China.
//!
//! GCJ-02 adds to WGS 84 a published smooth shift of some hundred metres; BD-09 turns GCJ-02 a little further. Neither has a closed inverse, so
//! the inverse is found by iterating the shift (it changes by less than a percent over its own length, so each round gains two digits).
//! The shift applies inside the usual box around the country; outside, coordinates are the same in both systems.

use std::f64::consts::PI;

use crate::feeds::CoordinateSystem;

/// Semi-major axis of the Krasovsky 1940 ellipsoid in metres, which the shift is defined on.
const SEMI_MAJOR: f64 = 6_378_245.0;
/// Its eccentricity squared.
const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;
/// BD-09's turning frequency.
const BD_PI: f64 = PI * 3000.0 / 180.0;
/// Rounds of the inverse: ten reach the last bit of a double.
const ROUNDS: usize = 10;

/// `lon`, `lat` of a coordinate system as WGS 84.
pub(super) fn to_wgs84(system: CoordinateSystem, lon: f64, lat: f64) -> (f64, f64) {
    match system {
        CoordinateSystem::Wgs84 | CoordinateSystem::Absent => (lon, lat),
        CoordinateSystem::Gcj02 => gcj02_to_wgs84(lon, lat),
        CoordinateSystem::Bd09 => bd09_to_wgs84(lon, lat),
    }
}

/// GCJ-02 as WGS 84.
pub(super) fn gcj02_to_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    let (mut x, mut y) = (lon, lat);
    for _ in 0..ROUNDS {
        let (shifted_x, shifted_y) = wgs84_to_gcj02(x, y);
        (x, y) = (x + lon - shifted_x, y + lat - shifted_y);
    }
    (x, y)
}

/// BD-09 as WGS 84.
pub(super) fn bd09_to_wgs84(lon: f64, lat: f64) -> (f64, f64) {
    let (x, y) = (lon - 0.0065, lat - 0.006);
    let z = x.hypot(y) - 0.000_02 * (y * BD_PI).sin();
    let theta = y.atan2(x) - 0.000_003 * (x * BD_PI).cos();
    gcj02_to_wgs84(z * theta.cos(), z * theta.sin())
}

fn wgs84_to_gcj02(lon: f64, lat: f64) -> (f64, f64) {
    if !((72.004..=137.8347).contains(&lon) && (0.8293..=55.8271).contains(&lat)) {
        return (lon, lat);
    }
    let (x, y) = (lon - 105.0, lat - 35.0);
    let radians = lat / 180.0 * PI;
    let magic = 1.0 - ECCENTRICITY_SQUARED * radians.sin().powi(2);
    let north = shift_north(x, y) * 180.0 / (SEMI_MAJOR * (1.0 - ECCENTRICITY_SQUARED) / (magic * magic.sqrt()) * PI);
    let east = shift_east(x, y) * 180.0 / (SEMI_MAJOR / magic.sqrt() * radians.cos() * PI);
    (lon + east, lat + north)
}

fn ripple(x: f64) -> f64 {
    (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0
}

fn shift_north(x: f64, y: f64) -> f64 {
    -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * x.abs().sqrt()
        + ripple(x)
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0
}

fn shift_east(x: f64, y: f64) -> f64 {
    300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * x.abs().sqrt()
        + ripple(x)
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shift_agrees_with_the_published_examples() {
        // The examples of the widely used coordtransform library: (116.404, 39.915) in each system.
        let near = |(lon, lat): (f64, f64), expected: (f64, f64)| {
            assert!((lon - expected.0).abs() < 2e-6 && (lat - expected.1).abs() < 2e-6, "{lon} {lat}")
        };
        near(wgs84_to_gcj02(116.404, 39.915), (116.410_244_499_169_38, 39.916_404_281_501_64));
        near(gcj02_to_wgs84(116.410_244_499_169_38, 39.916_404_281_501_64), (116.404, 39.915));
    }

    #[test]
    fn inverse_undoes_the_shift_everywhere_in_the_box() {
        for step in 0..500 {
            let (lon, lat) = (75.0 + f64::from(step % 60), 5.0 + f64::from(step % 47) + f64::from(step) / 1000.0);
            let (shifted_lon, shifted_lat) = wgs84_to_gcj02(lon, lat);
            assert!((shifted_lon - lon).abs() > 1e-5 || (shifted_lat - lat).abs() > 1e-5, "the shift is not nothing");
            let (back_lon, back_lat) = gcj02_to_wgs84(shifted_lon, shifted_lat);
            assert!((back_lon - lon).abs() < 1e-9 && (back_lat - lat).abs() < 1e-9, "{lon} {lat} came back as {back_lon} {back_lat}");
        }
    }

    #[test]
    fn baidu_point_lands_within_a_metre_of_its_gps_point() {
        let (lon, lat) = bd09_to_wgs84(116.416_627_243_787_8, 39.922_699_552_216_216);
        assert!((lon - 116.404).abs() < 1e-5 && (lat - 39.915).abs() < 1e-5, "{lon} {lat}");
    }

    #[test]
    fn point_abroad_stays_where_it_is() {
        assert_eq!(gcj02_to_wgs84(9.18, 48.78), (9.18, 48.78));
    }
}
