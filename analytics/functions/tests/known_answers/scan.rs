//! The space-time scan: the toy with all its orders, and SaTScan's outputs.

use functions::recurrence_interval::recurrence_interval;
use functions::space_time_scan::{Circles, Cluster, Limits, Metric, Place, Scan, Study, gumbel_p, log_likelihood_ratio, monte_carlo_p};

use super::ledger::Ledger;
use super::reference::satscan::{OUTPUTS, day, kolmogorov_smirnov, new_york, number, of_output, simulated, words};

const PLACES: [f64; 4] = [0.0, 1.0, 2.0, 10.0];
const CASES: [usize; 8] = [0, 2, 3, 3, 3, 0, 0, 1];
const DAYS: [usize; 8] = [1, 2, 2, 3, 4, 5, 6, 6];

/// The toy with these days of its cases.
fn toy(days: &[usize]) -> Study {
    let mut study = Study::of(PLACES.iter().map(|x| Place { x: *x, y: 0.0, cases: 0 }).collect(), 3);
    CASES.iter().zip(days).for_each(|(place, day)| study.add(*place, 6 - day, 1));
    study
}

fn highest(study: &Study) -> f64 {
    let circles = Circles::around(&study.places, Metric::Plane, Limits { cases: 4.0, radius: 1.5 }).unwrap();
    Scan::new(study, &circles).clusters().first().map_or(0.0, |cluster| cluster.llr)
}

/// Each different order of the days once.
fn orders(days: &mut [usize], start: usize, visit: &mut impl FnMut(&[usize])) {
    if start == days.len() {
        return visit(days);
    }
    for i in start..days.len() {
        if !days[start..i].contains(&days[i]) {
            days.swap(start, i);
            orders(days, start + 1, visit);
            days.swap(start, i);
        }
    }
}

pub(crate) fn goldens(ledger: &mut Ledger) {
    const F: &str = "golden F: four places, all orders";
    let study = toy(&DAYS);
    let circles = Circles::around(&study.places, Metric::Plane, Limits { cases: 4.0, radius: 1.5 }).unwrap();
    let scan = Scan::new(&study, &circles);
    let best = scan.clusters()[0];
    ledger.same(F, "space_time_scan places of the cluster", scan.places_of(&best), &[0, 1]);
    let numbers = [(best.days as f64, 2.0), (f64::from(best.observed), 3.0), (best.expected, 1.5)];
    ledger.absolute(F, "space_time_scan days, observed, expected", 0.0, &numbers);
    let cylinders = [(3.0, 1.5, 0.7676202193), (2.0, 1.0, 0.4613902822), (2.0, 1.125, 0.3339352439), (3.0, 2.0, 0.3047875404)];
    let ratios = cylinders.map(|(observed, expected, llr)| (log_likelihood_ratio(observed, expected, 8.0), llr));
    ledger.absolute(F, "space_time_scan llr of four cylinders", 5e-11, &ratios);
    let (mut all, mut at_least) = (0_u32, 0_u32);
    orders(&mut DAYS.to_vec(), 0, &mut |days| {
        all += 1;
        at_least += u32::from(highest(&toy(days)) >= best.llr - 1e-12);
    });
    ledger.same(F, "space_time_scan orders at least as high, of all", &[at_least, all], &[4248, 10_080]);
    let exact = 4248.0 / 10_080.0;
    let p = monte_carlo_p(best.llr, &scan.null(40_000, 1));
    ledger.absolute(F, "space_time_scan p_value of 40,000 replicates", 0.01, &[(p, exact)]);
    new_york_fever(ledger);
}

fn new_york_fever(ledger: &mut Ledger) {
    const G: &str = "golden G: fever of New York";
    // A sample of two values has the mean and deviation the golden gives.
    let offset = 0.8658 * 2.0_f64.sqrt() / 2.0;
    let p = gumbel_p(3.845418, &[3.2845 - offset, 3.2845 + offset]).unwrap();
    ledger.absolute(G, "space_time_scan p_gumbel", 5e-5, &[(p, 0.216983)]);
    ledger.absolute(G, "recurrence_interval of it", 0.05, &[(recurrence_interval(p, 1.0).unwrap(), 4.6)]);
    ledger.absolute("4.7: a year between alarms", "recurrence_interval", 0.5, &[(recurrence_interval(0.002740, 1.0).unwrap(), 365.0)]);
    let Some(sample) = new_york() else { return };
    let scan = Scan::new(&sample.study, &sample.circles);
    let best = scan.clusters()[0];
    let zips: Vec<&str> = scan.places_of(&best).iter().map(|place| sample.names[*place as usize].as_str()).collect();
    let golden = ["11418", "11415", "11419", "11435", "11416", "11421", "11451", "11375", "11417"];
    ledger.same(G, "space_time_scan places", &zips, &golden);
    ledger.absolute(G, "space_time_scan observed, days", 0.0, &[(f64::from(best.observed), 4.0), (best.days as f64, 3.0)]);
    ledger.absolute(G, "space_time_scan expected, llr", 6e-7, &[(best.expected, 0.670103), (best.llr, 3.845418)]);
    let null = scan.null(9999, 1);
    let mean = null.iter().sum::<f64>() / null.len() as f64;
    let deviation = (null.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (null.len() - 1) as f64).sqrt();
    // Four standard errors of a mean and of a deviation of 999 simulated there.
    ledger.absolute(G, "space_time_scan simulated mean and deviation", 0.12, &[(mean, 3.2845), (deviation, 0.8658)]);
    ledger.absolute(G, "space_time_scan p_gumbel of 9,999 replicates", 0.03, &[(gumbel_p(best.llr, &null).unwrap(), 0.216983)]);
}

pub(crate) fn references(ledger: &mut Ledger) {
    for output in OUTPUTS {
        let Some((sample, end)) = of_output(output) else { return };
        let scan = Scan::new(&sample.study, &sample.circles);
        let clusters = scan.clusters();
        let official: Vec<Vec<String>> = words(&format!("satscan_official/{output}.col.txt")).unwrap().into_iter().skip(1).collect();
        let members = words(&format!("satscan_official/{output}.gis.txt")).unwrap();
        let pairs: Vec<(&Vec<String>, &Cluster)> = official.iter().zip(&clusters).collect();
        assert_eq!(pairs.len(), official.len(), "every cluster of {output} is found");
        let ours = |cluster: &Cluster| scan.places_of(cluster).iter().map(|p| sample.names[*p as usize].clone()).collect::<Vec<_>>();
        let theirs = |line: &[String]| members.iter().skip(1).filter(|w| w[1] == line[0]).map(|w| w[0].clone()).collect::<Vec<_>>();
        let got: Vec<_> = pairs.iter().map(|(_, cluster)| ours(cluster)).collect();
        let wanted: Vec<_> = pairs.iter().map(|(line, _)| theirs(line)).collect();
        ledger.same(output, "space_time_scan places, nearest first", &got, &wanted);
        let windows = pairs
            .iter()
            .flat_map(|(line, c)| [(c.days as f64, f64::from(day(end) - day(&line[6]) + 1)), (f64::from(c.observed), number(&line[12]))]);
        ledger.absolute(output, "space_time_scan days, observed", 0.0, &windows.collect::<Vec<_>>());
        let printed = pairs.iter().flat_map(|(line, c)| [(c.expected, number(&line[13])), (c.radius, number(&line[4]))]);
        ledger.absolute(output, "space_time_scan expected, radius (2 decimals)", 5.1e-3, &printed.collect::<Vec<_>>());
        let ratios: Vec<_> = pairs.iter().map(|(line, c)| (c.llr, number(&line[9]))).collect();
        ledger.absolute(output, "space_time_scan llr (6 decimals)", 5.1e-7, &ratios);
        let intervals: Vec<_> =
            pairs.iter().map(|(line, _)| (recurrence_interval(number(&line[10]), 1.0).unwrap().round(), number(&line[11]))).collect();
        ledger.absolute(output, "recurrence_interval of SaTScan's p", 0.0, &intervals);
        let (null, reference) = (scan.null(9999, 1), simulated(output));
        let p: Vec<_> = pairs.iter().map(|(line, c)| (monte_carlo_p(c.llr, &null), number(&line[10]))).collect();
        // Four standard errors of a share near a half, of as many replicates as SaTScan ran.
        ledger.absolute(output, "space_time_scan p_value of 9,999 replicates", 2.0 * (1.0 / reference.len() as f64 + 1e-4).sqrt(), &p);
        if reference.len() >= 999 {
            let p = kolmogorov_smirnov(&null, &reference);
            ledger.absolute(output, "space_time_scan 1 - p of Kolmogorov-Smirnov, ratios", 0.99, &[(1.0 - p, 0.0)]);
        }
    }
}
