//! Gi* and local Moran against R's spdep on real maps: 456 villages of Taipei in four cuts and the counties of North Carolina.

mod reference;

use functions::{Deviations, Observations, gi_star, local_moran};
use reference::Table;

/// The z of gi_star for each row of a table of zones, in row order.
fn z_scores(table: &Table, zone: &str, value: &str, neighbours: &Table) -> Vec<f64> {
    let observed = observe(table, zone, value, neighbours);
    gi_star::z_scores(&Deviations::of(&observed.values), &observed.neighbours)
}

fn observe(table: &Table, zone: &str, value: &str, neighbours: &Table) -> Observations {
    let beside = neighbours.groups("zone", "neighbour");
    let zones = table.texts(zone);
    let grids: Vec<Option<&str>> = zones.iter().map(|z| Some(z.as_str())).collect();
    let values: Vec<Option<f64>> = table.numbers(value).into_iter().map(Some).collect();
    let lists = zones.iter().map(|z| beside.get(z).into_iter().flatten().map(String::as_str));
    Observations::new(&grids, &values, lists)
}

fn largest_difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn taipei_villages_match_spdep() {
    let Some(expected) = reference::read("gistar/taipei_village_expected_localstats.csv.zst") else { return };
    let neighbours = reference::read("gistar/taipei_village_queen_neighbours.csv").expect("both files come together");
    let cuts = expected.split(&["month", "type"]);
    assert_eq!(cuts.len(), 4);
    for cut in cuts {
        let z = z_scores(&cut, "zone", "count", &neighbours);
        for column in ["gistar_w", "gistar_b"] {
            let difference = largest_difference(&z, &cut.numbers(column));
            assert!(difference < 1e-9, "{column} differs by {difference}");
        }
    }
}

#[test]
fn counties_of_north_carolina_match_spdep() {
    let Some(expected) = reference::read("gistar/nc_sids_expected.csv") else { return };
    let neighbours = reference::read("gistar/nc_sids_queen_neighbours.csv").expect("both files come together");
    let z = z_scores(&expected, "zone", "SID74", &neighbours);
    let difference = largest_difference(&z, &expected.numbers("gistar_b"));
    assert!(difference < 1e-9, "gistar_b differs by {difference}");
}

#[test]
fn local_moran_of_taipei_villages_matches_spdep() {
    let Some(expected) = reference::read("gistar/taipei_village_expected_localstats.csv.zst") else { return };
    let neighbours = reference::read("gistar/taipei_village_queen_neighbours.csv").expect("both files come together");
    for cut in expected.split(&["month", "type"]) {
        let observed = observe(&cut, "zone", "count", &neighbours);
        let results = local_moran::local_moran(&Deviations::of(&observed.values), &observed.neighbours);
        let results: Vec<_> = results.into_iter().map(|r| r.unwrap()).collect();
        let i: Vec<f64> = results.iter().map(|r| r.i).collect();
        let z: Vec<f64> = results.iter().map(|r| r.z.unwrap()).collect();
        let difference = largest_difference(&i, &cut.numbers("local_moran_i"));
        assert!(difference < 1e-9, "I differs by {difference}");
        let difference = largest_difference(&z, &cut.numbers("local_moran_z"));
        assert!(difference < 1e-9, "z differs by {difference}");
    }
}
