//! The space-time scan against SaTScan 10.3.2 on three data sets: clusters, their places and ratios exactly, what is simulated
//! within its error. The generators differ, so p-values can only agree in distribution.

#![expect(clippy::unwrap_used, reason = "a test stops at what it cannot read")]

mod reference;

use std::collections::HashMap;

use functions::recurrence_interval::recurrence_interval;
use functions::space_time_scan::{Cluster, Scan, gumbel_p, monte_carlo_p};
use reference::satscan::{OUTPUTS, Sample, day, kolmogorov_smirnov, new_york, number, of_output, plane, simulated, words};

/// The clusters SaTScan reports, one after the other; `replications` of ours against those it made.
fn check(sample: &Sample, output: &str, end: &str, replications: usize) {
    let scan = Scan::new(&sample.study, &sample.circles);
    let clusters = scan.clusters();
    let null = scan.null(replications, 1);
    let official = words(&format!("satscan_official/{output}.col.txt")).expect("both files come together");
    let members = words(&format!("satscan_official/{output}.gis.txt")).expect("both files come together");
    let theirs = simulated(output);
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
        let (interval, expected) = (recurrence_interval(expected, 1.0).unwrap().round(), number(&line[11]));
        assert_eq!(interval, expected, "recurrence interval of cluster {}", line[0]);
    }
    assert!(clusters.len() >= official.len() - 1, "SaTScan reports {} clusters", official.len() - 1);
    let places: Vec<u32> = clusters.iter().flat_map(|cluster| scan.places_of(cluster).to_vec()).collect();
    let different: std::collections::HashSet<u32> = places.iter().copied().collect();
    assert_eq!(different.len(), places.len(), "no place stands in two clusters");
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

/// The ratios of 9,999 replicates have the distribution of SaTScan's 999.
#[test]
fn simulated_ratios_have_the_distribution_of_satscan() {
    for output in OUTPUTS.into_iter().filter(|output| *output != "out_NYCSpaceTimePermutation") {
        let Some((sample, _)) = of_output(output) else { return };
        let null = Scan::new(&sample.study, &sample.circles).null(9999, 1);
        let p = kolmogorov_smirnov(&null, &simulated(output));
        eprintln!("{output}: Kolmogorov-Smirnov p {p:.3} of {} against {} ratios", null.len(), simulated(output).len());
        assert!(p > 0.01, "{output}: {p}");
    }
}

#[test]
fn the_distributions_of_two_other_cities_are_told_apart() {
    if let (Some(a), Some(b)) =
        (new_york().map(|_| simulated("out_NYCSpaceTimePermutation_full999")), words("satscan_official/out_stp_ties.llr.txt"))
    {
        assert!(kolmogorov_smirnov(&a, &b.iter().skip(1).map(|w| number(&w[0])).collect::<Vec<_>>()) < 1e-9);
    }
}

/// A cluster that ended on any day: each day in turn taken for the last, cases after it counted as cases of their places.
#[test]
fn the_best_past_circle_around_each_zip_code_of_new_york_matches() {
    let Some(sample) = new_york() else { return };
    let expected = reference::read("scan/nycfever_stp_retrospective_expected.csv").expect("both files come together");
    let cases = words("satscan_sample/NYCfever.cas").expect("both files come together");
    let index: HashMap<&str, usize> = sample.names.iter().enumerate().map(|(i, name)| (name.as_str(), i)).collect();
    let mut best: HashMap<String, Cluster> = HashMap::new();
    for last in day("2001/11/1")..=day("2001/11/24") {
        let mut study = sample.study.clone();
        study.recent.fill(0);
        for case in &cases {
            let lag = i64::from(last) - i64::from(day(&case[2]));
            if (0..study.windows as i64).contains(&lag) {
                study.recent[index[case[0].as_str()] * study.windows + lag as usize] += case[1].parse::<u32>().unwrap();
            }
        }
        for cluster in Scan::new(&study, &sample.circles).best_of_each_place() {
            let known = best.entry(sample.names[cluster.center].clone()).or_insert(cluster);
            if cluster.llr > known.llr {
                *known = cluster;
            }
        }
    }
    let columns = ["llr", "expected", "cases"].map(|name| expected.numbers(name));
    let mut compared = 0;
    for (row, zip) in expected.texts("centre").iter().enumerate().filter(|(row, _)| columns[2][*row] >= 2.0) {
        compared += 1;
        let cluster = best[zip];
        for (got, expected) in [cluster.llr, cluster.expected, f64::from(cluster.observed)].iter().zip(&columns) {
            assert!((got - expected[row]).abs() < 1e-6, "around {zip}: {got}, expected {}", expected[row]);
        }
    }
    assert!(compared > 30, "{compared} circles hold two cases");
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
