//! The space-time scan against SaTScan 10.3.2 on three data sets: clusters, their places and ratios exactly, what is simulated
//! within its error. The generators differ, so p-values can only agree in distribution.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

mod reference;

use std::collections::HashMap;

use functions::space_time_scan::{Circles, Cluster, Limits, Metric, Place, Scan, Study, gumbel_p, monte_carlo_p};

/// A data set as the scan takes it, with the names of its places.
struct Sample {
    names: Vec<String>,
    study: Study,
    circles: Circles,
}

/// Words of each line of a file.
fn words(file: &str) -> Option<Vec<Vec<String>>> {
    let text = reference::text(file)?;
    Some(text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).filter(|line: &Vec<_>| !line.is_empty()).collect())
}

fn number(word: &str) -> f64 {
    word.parse().unwrap()
}

/// Days since March of year 0, of a date as 2001/11/24.
fn day(date: &str) -> u32 {
    let parts: Vec<u32> = date.split('/').map(|part| part.parse().unwrap()).collect();
    let (year, month) = if parts[1] > 2 { (parts[0], parts[1] - 3) } else { (parts[0] - 1, parts[1] + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + parts[2]
}

/// Reads places (name, x, y in that order) and cases (name, number, date); the study ends on `end`.
fn sample(places: Vec<(String, f64, f64)>, cases: &[Vec<String>], metric: Metric, end: &str, windows: usize, radius: f64) -> Sample {
    let mut places = places;
    places.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)));
    let names: Vec<String> = places.iter().map(|place| place.0.clone()).collect();
    let index: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let mut study = Study {
        places: places.iter().map(|(_, x, y)| Place { x: *x, y: *y, cases: 0 }).collect(),
        windows,
        recent: vec![0; places.len() * windows],
    };
    for case in cases {
        let (place, count) = (index[case[0].as_str()], case[1].parse::<u32>().unwrap());
        let lag = (day(end) - day(&case[2])) as usize;
        study.places[place].cases += count;
        if lag < windows {
            study.recent[place * windows + lag] += count;
        }
    }
    let total: u32 = study.places.iter().map(|place| place.cases).sum();
    let circles = Circles::around(&study.places, metric, Limits { cases: f64::from(total) / 2.0, radius }).unwrap();
    Sample { names, study, circles }
}

fn new_york() -> Option<Sample> {
    let places = words("satscan_sample/NYCfever.geo")?.into_iter().map(|w| (w[0].clone(), number(&w[2]), number(&w[1])));
    let cases = words("satscan_sample/NYCfever.cas").expect("both files come together");
    Some(sample(places.collect(), &cases, Metric::Wgs84, "2001/11/24", 7, 3.0))
}

fn plane(name: &str, end: &str) -> Option<Sample> {
    let places = words(&format!("satscan_official/{name}.geo"))?.into_iter().map(|w| (w[0].clone(), number(&w[1]), number(&w[2])));
    let cases = words(&format!("satscan_official/{name}.cas")).expect("both files come together");
    Some(sample(places.collect(), &cases, Metric::Plane, end, 14, f64::INFINITY))
}

/// The clusters SaTScan reports, one after the other; `replications` of ours against those it made.
fn check(sample: &Sample, output: &str, end: &str, replications: usize) {
    let scan = Scan::new(&sample.study, &sample.circles);
    let clusters = scan.clusters();
    let null = scan.null(replications, 1);
    let official = words(&format!("satscan_official/{output}.col.txt")).expect("both files come together");
    let members = words(&format!("satscan_official/{output}.gis.txt")).expect("both files come together");
    let simulated = words(&format!("satscan_official/{output}.llr.txt")).expect("both files come together");
    let theirs: Vec<f64> = simulated.iter().skip(1).map(|w| number(&w[0])).collect();
    let spread = (1.0 / replications as f64 + 1.0 / theirs.len() as f64).sqrt();
    for (line, cluster) in official.iter().skip(1).zip(&clusters) {
        let places = scan.places_of(cluster);
        let names: Vec<&str> = places.iter().map(|place| sample.names[*place as usize].as_str()).collect();
        let reported: Vec<&str> = members.iter().skip(1).filter(|w| w[1] == line[0]).map(|w| w[0].as_str()).collect();
        assert_eq!(names, reported, "places of cluster {}", line[0]);
        assert_eq!(sample.names[cluster.center], line[1]);
        let days = day(end) - day(&line[6]) + 1;
        assert_eq!((cluster.days, f64::from(cluster.observed)), (days as usize, number(&line[12])));
        for (what, got, expected, digits) in [
            ("radius", cluster.radius, number(&line[4]), 2),
            ("test statistic", cluster.llr, number(&line[9]), 6),
            ("expected", cluster.expected, number(&line[13]), 2),
        ] {
            assert!((got - expected).abs() < 0.51 * 0.1_f64.powi(digits), "{what} of cluster {}: {got}, SaTScan {expected}", line[0]);
        }
        let (p, expected) = (monte_carlo_p(cluster.llr, &null), number(&line[10]));
        let error = 4.0 * (expected * (1.0 - expected)).sqrt() * spread + 1.0 / replications as f64;
        assert!((p - expected).abs() < error, "p of cluster {}: {p}, SaTScan {expected}", line[0]);
    }
    assert!(clusters.len() >= official.len() - 1, "SaTScan reports {} clusters", official.len() - 1);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let deviation = (theirs.iter().map(|x| (x - mean(&theirs)).powi(2)).sum::<f64>() / theirs.len() as f64).sqrt();
    let difference = (mean(&null) - mean(&theirs)).abs();
    assert!(difference < 4.0 * deviation * spread, "the simulated ratios differ by {difference} in the mean");
}

#[test]
fn fever_of_new_york_matches() {
    let Some(sample) = new_york() else { return };
    check(&sample, "out_NYCSpaceTimePermutation_full999", "2001/11/24", 4999);
    check(&sample, "out_NYCSpaceTimePermutation", "2001/11/24", 999);
    let scan = Scan::new(&sample.study, &sample.circles);
    let p = gumbel_p(scan.clusters()[0].llr, &scan.null(4999, 1)).unwrap();
    assert!((p - 0.216983).abs() < 0.03, "{p}");
}

#[test]
fn the_best_circle_around_each_zip_code_of_new_york_matches() {
    let Some(sample) = new_york() else { return };
    let expected = reference::read("scan/nycfever_stp_prospective_expected.csv").expect("both files come together");
    let scan = Scan::new(&sample.study, &sample.circles);
    let best: HashMap<String, _> = scan.best_of_each_place().into_iter().map(|c| (sample.names[c.center].clone(), c)).collect();
    let columns = ["llr", "expected", "cases", "locations", "radius_km"].map(|name| expected.numbers(name));
    let mut compared = 0;
    for (row, zip) in expected.texts("centre").iter().enumerate() {
        // It counts one case as a cluster, and takes the earth for 4 km larger than SaTScan does.
        if columns[2][row] < 2.0 {
            continue;
        }
        compared += 1;
        let cluster: Cluster = best[zip];
        let arc = cluster.radius * 6371.0 / 6367.0;
        let got = [cluster.llr, cluster.expected, f64::from(cluster.observed), cluster.size as f64, arc];
        for (got, expected) in got.iter().zip(&columns) {
            assert!((got - expected[row]).abs() < 1e-6, "around {zip}: {got}, expected {}", expected[row]);
        }
    }
    assert!(compared > 15, "{compared} circles hold two cases");
}

#[test]
fn a_city_of_1024_places_matches() {
    let Some(sample) = plane("stp_s", "2024/03/30") else { return };
    check(&sample, "out_stp_s_1t", "2024/03/30", 199);
}

/// Its places stand on a square grid, where many are equally far.
#[test]
fn a_city_of_equal_distances_matches() {
    let Some(sample) = plane("stp_ties", "2024/02/29") else { return };
    check(&sample, "out_stp_ties", "2024/02/29", 999);
}
