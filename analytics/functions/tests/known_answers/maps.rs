//! Gi*, false discovery rate, local Moran, Mann–Kendall and the classes of hot spots.

use functions::emerging_hotspot::classify;
use functions::fdr::q_values;
use functions::mann_kendall::trend;
use functions::{Adjacency, Deviations, Observations, gi_star, local_moran, two_sided_p};

use super::ledger::Ledger;
use super::reference::{self, Table};

fn z_scores(values: &[f64], beside: &dyn Fn(u32, u32) -> bool) -> Vec<f64> {
    let n = values.len() as u32;
    let lists = (0..n).map(|a| (0..n).filter(move |b| beside(a, *b)));
    gi_star::z_scores(&Deviations::of(values), &Adjacency::from_lists(lists))
}

fn zip(got: &[f64], expected: &[f64]) -> Vec<(f64, f64)> {
    assert_eq!(got.len(), expected.len());
    got.iter().copied().zip(expected.iter().copied()).collect()
}

pub(crate) fn goldens(ledger: &mut Ledger) {
    let points: [(f64, f64); 6] = [(10.0, 10.0), (20.0, 10.0), (40.0, 10.0), (15.0, 20.0), (30.0, 20.0), (30.0, 30.0)];
    let near = |a: u32, b: u32| {
        let (a, b) = (points[a as usize], points[b as usize]);
        (a.0 - b.0).hypot(a.1 - b.1) <= 15.0
    };
    let expected = [-1.39727626, -0.28917762, 0.65064964, -0.28917762, 1.23452088, 2.02424331];
    let z = z_scores(&[2.0, 3.0, 3.2, 5.0, 8.0, 7.0], &near);
    ledger.absolute("golden 1: six points", "gi_star z", 5e-9, &zip(&z, &expected));
    grid(ledger);
    trends(ledger);
    classes(ledger);
}

/// Five by five grids, as spdep has them.
fn grid(ledger: &mut Ledger) {
    const GOLDEN: &str = "golden 2: 5 x 5 grids, spdep 1.2.7";
    let x = [1, 2, 1, 0, 3, 2, 8, 9, 1, 0, 1, 9, 12, 2, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 1].map(f64::from);
    let z = z_scores(&x, &|a, b| (a % 5).abs_diff(b % 5) <= 1 && (a / 5).abs_diff(b / 5) <= 1);
    let expected = [
        0.536860, 1.189075, 0.904607, -0.091030, -0.954417, 1.189075, 2.915792, 2.789239, 0.890937, -1.086667, 0.904607, 2.789239,
        2.915792, 0.764383, -1.371134, -0.375497, 0.637830, 1.017490, 0.005062, -1.086667, -1.285812, -1.371134, -1.086667, -1.086667,
        -0.954417,
    ];
    ledger.absolute(GOLDEN, "gi_star z", 5e-7, &zip(&z, &expected));
    let p: Vec<f64> = z.iter().map(|z| two_sided_p(*z)).collect();
    let q = q_values(&p);
    ledger.absolute(GOLDEN, "gi_star p of cell 13", 5e-10, &[(p[12], 0.003547865)]);
    ledger.absolute(GOLDEN, "fdr q of cell 13", 5e-9, &[(q[12], 0.03302005)]);
    let below = |values: &[f64]| (1..).zip(values).filter(|(_, v)| **v < 0.05).map(|(cell, _)| cell).collect::<Vec<_>>();
    ledger.same(GOLDEN, "fdr cells with p, and with q, below 0.05", &[below(&p), below(&q)], &[vec![7, 8, 12, 13], vec![7, 8, 12, 13]]);
}

fn trends(ledger: &mut Ledger) {
    let series: [(&[f64], [f64; 4]); 2] = [
        (&[0.2, 0.5, 0.1, 0.9, 1.2, 1.1, 1.9, 2.2, 2.0, 2.6], [37.0, 125.0, 3.219938, 0.001282184]),
        (&[3.0, 3.0, 2.0, 4.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0, 2.0, 8.0], [38.0, 206.0, 2.577912, 0.009939926]),
    ];
    for (values, [s, variance, z, p]) in series {
        let found = trend(values).unwrap();
        ledger.absolute(
            "golden of 4.3: two series",
            "mann_kendall S and variance",
            0.0,
            &[(found.s as f64, s), (found.variance, variance)],
        );
        ledger.absolute("golden of 4.3: two series", "mann_kendall Z", 5e-7, &[(found.z, z)]);
        ledger.absolute("golden of 4.3: two series", "mann_kendall p", 5e-10, &[(two_sided_p(found.z), p)]);
    }
}

/// The histories of 4.3, hot, cold or neither, with a trend of their own or none.
fn classes(ledger: &mut Ledger) {
    let histories = [
        (".........H", 0.0, "new_hot"),
        ("........HH", 0.0, "consecutive_hot"),
        (".H..H....H", 0.0, "sporadic_hot"),
        ("CC..H....H", 0.0, "oscillating_hot"),
        ("CC.......H", 0.0, "new_hot"),
        ("HHHHHHHHH.", 0.0, "historical_hot"),
        ("..HH...H..", 0.0, "none"),
        ("HHHHHHHHHH", 1.0, "intensifying_hot"),
        ("HHHHHHHHHH", 0.0, "persistent_hot"),
        ("HHHHHHHHHH", -1.0, "diminishing_hot"),
        (".HHHHHHHHH", 0.0, "persistent_hot"),
    ];
    let class = |(history, slope, _): &(&str, f64, &str)| {
        let step = |(t, letter): (usize, char)| {
            let along = slope * t as f64 + if t.is_multiple_of(2) { 0.1 } else { -0.1 };
            match letter {
                'H' => (20.0 + along, 0.01),
                'C' => (-20.0 + along, 0.01),
                _ => (along, 0.6),
            }
        };
        classify(&history.chars().enumerate().map(step).collect::<Vec<_>>()).unwrap().name
    };
    let got: Vec<&str> = histories.iter().map(class).collect();
    ledger.same("fixtures of 4.3: eleven histories", "emerging_hotspot class", &got, &histories.map(|history| history.2));
}

fn observe(table: &Table, value: &str, neighbours: &Table) -> Observations {
    let beside = neighbours.groups("zone", "neighbour");
    let zones = table.texts("zone");
    let grids: Vec<Option<&str>> = zones.iter().map(|z| Some(z.as_str())).collect();
    let values: Vec<Option<f64>> = table.numbers(value).into_iter().map(Some).collect();
    Observations::new(&grids, &values, zones.iter().map(|z| beside.get(z).into_iter().flatten().map(String::as_str)))
}

pub(crate) fn references(ledger: &mut Ledger) {
    let Some(villages) = reference::read("gistar/taipei_village_expected_localstats.csv.zst") else { return };
    let beside = reference::read("gistar/taipei_village_queen_neighbours.csv").unwrap();
    let globals = reference::read("gistar/taipei_village_expected_globalstats.csv").unwrap();
    for cut in villages.split(&["month", "type"]) {
        let observed = observe(&cut, "count", &beside);
        let deviations = Deviations::of(&observed.values);
        let z = gi_star::z_scores(&deviations, &observed.neighbours);
        for column in ["gistar_w", "gistar_b"] {
            ledger.absolute("gistar/taipei_village, spdep", "gi_star z", 1e-9, &zip(&z, &cut.numbers(column)));
        }
        let local: Vec<_> = local_moran::local_moran(&deviations, &observed.neighbours).into_iter().map(Result::unwrap).collect();
        let i: Vec<f64> = local.iter().map(|village| village.i).collect();
        let score: Vec<f64> = local.iter().map(|village| village.z.unwrap()).collect();
        ledger.absolute("gistar/taipei_village, spdep", "local_moran I", 1e-9, &zip(&i, &cut.numbers("local_moran_i")));
        ledger.absolute("gistar/taipei_village, spdep", "local_moran z", 1e-9, &zip(&score, &cut.numbers("local_moran_z")));
        // The mean of the local I is the I of the whole map.
        let key = |table: &Table| (table.texts("month")[0].clone(), table.texts("type")[0].clone());
        let whole = globals.split(&["month", "type"]).into_iter().find(|row| key(row) == key(&cut)).unwrap();
        let mean = i.iter().sum::<f64>() / i.len() as f64;
        ledger.absolute("gistar/taipei_village globalstats", "local_moran mean of I", 1e-9, &[(mean, whole.numbers("moran_i")[0])]);
    }
    let counties = reference::read("gistar/nc_sids_expected.csv").unwrap();
    let observed = observe(&counties, "SID74", &reference::read("gistar/nc_sids_queen_neighbours.csv").unwrap());
    let deviations = Deviations::of(&observed.values);
    let z = gi_star::z_scores(&deviations, &observed.neighbours);
    for column in ["gistar_w", "gistar_b"] {
        ledger.absolute("gistar/nc_sids, spdep", "gi_star z", 1e-9, &zip(&z, &counties.numbers(column)));
    }
    let local = local_moran::local_moran(&deviations, &observed.neighbours).into_iter().map(|county| county.unwrap().i);
    ledger.absolute("gistar/nc_sids, spdep", "local_moran I", 1e-9, &zip(&local.collect::<Vec<_>>(), &counties.numbers("local_moran_i")));
}
