//! The data sets of the scan as the scan takes them: SaTScan's sample of New York and two made-up cities.

use std::collections::HashMap;

use functions::space_time_scan::{Circles, Limits, Metric, Place, Study};

use super::text;

/// A data set as the scan takes it, with the names of its places.
pub(crate) struct Sample {
    pub(crate) names: Vec<String>,
    pub(crate) study: Study,
    pub(crate) circles: Circles,
}

/// Words of each line of a file.
pub(crate) fn words(file: &str) -> Option<Vec<Vec<String>>> {
    let text = text(file)?;
    Some(text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).filter(|line: &Vec<_>| !line.is_empty()).collect())
}

pub(crate) fn number(word: &str) -> f64 {
    word.parse().unwrap()
}

/// Days since March of year 0, of a date as 2001/11/24.
pub(crate) fn day(date: &str) -> u32 {
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

pub(crate) fn new_york() -> Option<Sample> {
    let places = words("satscan_sample/NYCfever.geo")?.into_iter().map(|w| (w[0].clone(), number(&w[2]), number(&w[1])));
    let cases = words("satscan_sample/NYCfever.cas").expect("both files come together");
    Some(sample(places.collect(), &cases, Metric::Wgs84, "2001/11/24", 7, 3.0))
}

pub(crate) fn plane(name: &str, end: &str) -> Option<Sample> {
    let places = words(&format!("satscan_official/{name}.geo"))?.into_iter().map(|w| (w[0].clone(), number(&w[1]), number(&w[2])));
    let cases = words(&format!("satscan_official/{name}.cas")).expect("both files come together");
    Some(sample(places.collect(), &cases, Metric::Plane, end, 14, f64::INFINITY))
}

/// The windows, the distances and the last day of a data set, by the name of SaTScan's output of it.
pub(crate) fn of_output(output: &str) -> Option<(Sample, &'static str)> {
    match output {
        "out_stp_s_1t" => Some((plane("stp_s", "2024/03/30")?, "2024/03/30")),
        "out_stp_ties" => Some((plane("stp_ties", "2024/02/29")?, "2024/02/29")),
        _ => Some((new_york()?, "2001/11/24")),
    }
}

/// Every output of SaTScan that is a space-time permutation scan.
pub(crate) const OUTPUTS: [&str; 4] =
    ["out_NYCSpaceTimePermutation_full999", "out_NYCSpaceTimePermutation", "out_stp_s_1t", "out_stp_ties"];

/// The ratios SaTScan simulated.
pub(crate) fn simulated(output: &str) -> Vec<f64> {
    let lines = words(&format!("satscan_official/{output}.llr.txt")).expect("both files come together");
    lines.iter().skip(1).map(|line| number(&line[0])).collect()
}

/// The p of Kolmogorov and Smirnov that two samples are of one distribution (Press et al., Numerical Recipes, 14.3).
pub(crate) fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> f64 {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    let (a, b) = (sorted(a), sorted(b));
    let share = |sample: &[f64], x: f64| sample.partition_point(|y| *y <= x) as f64 / sample.len() as f64;
    // SaTScan prints six decimals: ratios that differ by less are one.
    let apart = a.iter().chain(&b).map(|x| (share(&a, x + 1e-6) - share(&b, x + 1e-6)).abs()).fold(0.0, f64::max);
    let size = (a.len() as f64 * b.len() as f64 / (a.len() + b.len()) as f64).sqrt();
    let lambda = (size + 0.12 + 0.11 / size) * apart;
    let term = |k: i32| (-1.0_f64).powi(k - 1) * (-2.0 * f64::from(k * k) * lambda * lambda).exp();
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}
