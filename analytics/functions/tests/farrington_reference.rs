//! EARS and Farrington against R's surveillance 1.20.3 on its Salmonella Agona series (weeks 261 to 312).

mod reference;

use functions::ears::{self, GUARD};
use functions::farrington::{Bound, Setting, judge};
use functions::quantile;

fn series() -> Option<Vec<Option<f64>>> {
    Some(reference::read("farrington/salmonella_agona_weekly.csv")?.numbers("observed").into_iter().map(Some).collect())
}

/// The reference of each week where R gives one: (index from 0, value).
fn expected(column: &str) -> Vec<(usize, f64)> {
    let table = reference::read("farrington/salmonella_agona_expected.csv").expect("both files come together");
    let weeks = table.numbers("index").into_iter().map(|week| week as usize - 1);
    weeks.zip(table.numbers(column)).filter(|(_, value)| !value.is_nan()).collect()
}

fn close(name: &str, week: usize, got: f64, expected: f64) {
    assert!((got - expected).abs() <= 1e-4 * expected.abs(), "{name} of week {}: {got}, expected {expected}", week + 1);
}

#[test]
fn ears_bounds_match_surveillance() {
    let Some(y) = series() else { return };
    let setting = ears::Setting { min_sigma: 0.0, threshold: quantile(0.999) };
    for (column, guard) in [("ears_c1_ub", 0), ("ears_c2_ub", GUARD)] {
        let surges = ears::shewhart(&y, guard, setting);
        for (week, upper) in expected(column) {
            assert!((surges[week].unwrap().upper - upper).abs() < 1e-9, "{column} of week {}", week + 1);
        }
    }
}

/// The reference keeps the trend always for ten levels, as its manual advises.
fn flexible(periods: usize, excluded: usize, bound: Bound, trend_threshold: f64) -> Setting {
    Setting { frequency: 52, years: 3, half_window: 3, periods, excluded, alpha: 0.01, bound, trend_threshold, min_cases: 5.0 }
}

#[test]
fn flexible_farrington_with_ten_levels_matches_surveillance() {
    let Some(y) = series() else { return };
    let setting = flexible(10, 26, Bound::NbPlugin, 1.0);
    for (week, mean) in expected("flexible_nb_expected") {
        let Ok(verdict) = judge(&y, week, &setting) else { continue };
        close("expected", week, verdict.expected, mean);
    }
    let mut judged = 0;
    for (week, upper) in expected("flexible_nb_ub") {
        let Ok(verdict) = judge(&y, week, &setting) else { continue };
        close("upper", week, verdict.upper, upper);
        judged += 1;
    }
    assert!(judged > 30, "{judged} weeks have enough cases");
}

#[test]
fn flexible_farrington_with_one_level_matches_surveillance() {
    let Some(y) = series() else { return };
    let setting = flexible(1, 3, Bound::Delta, 0.05);
    let mut judged = 0;
    for (week, upper) in expected("flexible_delta_ub") {
        let Ok(verdict) = judge(&y, week, &setting) else { continue };
        close("upper", week, verdict.upper, upper);
        judged += 1;
    }
    assert!(judged > 30, "{judged} weeks have enough cases");
}

#[test]
fn alarms_match_surveillance() {
    let Some(y) = series() else { return };
    let settings =
        [("flexible_nb_alarm", flexible(10, 26, Bound::NbPlugin, 1.0)), ("flexible_delta_alarm", flexible(1, 3, Bound::Delta, 0.05))];
    for (column, setting) in settings {
        for (week, alarm) in expected(column) {
            let got = judge(&y, week, &setting).is_ok_and(|verdict| verdict.alarm);
            assert_eq!(got, alarm == 1.0, "{column} of week {}", week + 1);
        }
    }
}

/// The example of the package's manual: four years, ten levels, alpha 0.1.
#[test]
fn the_manual_of_surveillance_is_reproduced() {
    let Some(y) = series() else { return };
    let setting = Setting { years: 4, alpha: 0.1, ..flexible(10, 26, Bound::Delta, 1.0) };
    let printed = [
        (282, 3.652629, 1.380939, 1.549396),
        (283, 3.692198, 1.437270, 1.483186),
        (284, 4.121130, 1.723899, 1.438454),
        (297, 8.483078, 4.640546, 1.500370),
        (312, 6.192156, 3.204258, 1.272890),
    ];
    for (week, upper, expected, dispersion) in printed {
        let verdict = judge(&y, week - 1, &setting).unwrap();
        close("upper", week - 1, verdict.upper, upper);
        close("expected", week - 1, verdict.expected, expected);
        close("dispersion", week - 1, verdict.dispersion, dispersion);
    }
    let alarms: Vec<usize> = (282..=312).filter(|week| judge(&y, week - 1, &setting).is_ok_and(|v| v.alarm)).collect();
    assert_eq!(alarms, [283, 284, 285, 288, 294, 295]);
}
