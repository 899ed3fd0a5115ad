//! A million rows in one partition or group: answered, and right where the answer is known.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, IntervalMonthDayNanoArray, TimestampMicrosecondArray};
use arrow::datatypes::IntervalMonthDayNano;

use crate::call::{
    aggregate, booleans, floats, in_order, integers, known, number_lists, part, scalar, strings, text_lists, texts, wholes, window,
};

const ROWS: usize = 1_000_000;

fn values() -> ArrayRef {
    known((0..ROWS).map(|i| ((i * 7919) % 13) as f64))
}

/// A ring on which everybody knows the next two.
fn ring() -> Vec<ArrayRef> {
    let name = |i: usize| format!("g{}", i % ROWS);
    vec![texts((0..ROWS).map(|i| Some(name(i)))), values(), text_lists((0..ROWS).map(|i| Some(vec![name(i + 1), name(i + 2)])))]
}

#[test]
fn maps() {
    let ring = ring();
    let z = floats(&part(&window("gi_star", &ring, ROWS).unwrap(), "z"));
    // The values go round every thirteen grids but where the ring closes.
    assert!((13..ROWS - 3).all(|i| z[i] == z[i - 13]));
    let moran = part(&window("local_moran", &ring, ROWS).unwrap(), "reason");
    assert!(strings(&moran).iter().flatten().all(|reason| reason == "at_mean"));
    let mut ring = ring;
    ring.push(integers(std::iter::repeat_n(19, ROWS)));
    let p = floats(&part(&window("gi_star_permutation", &ring, ROWS).unwrap(), "p"));
    assert!(p.iter().all(|p| p.is_some_and(|p| p >= 0.05)));
}

#[test]
fn the_same_grid_a_million_times_is_doubled() {
    let columns = [texts(std::iter::repeat_n(Some("a"), ROWS)), values(), text_lists(std::iter::repeat_n(None, ROWS))];
    let reasons = strings(&part(&window("gi_star", &columns, ROWS).unwrap(), "reason"));
    assert!(reasons.iter().all(|reason| reason.as_deref() == Some("duplicate_grid")));
}

#[test]
fn series() {
    for name in ["ears_c1", "ears_c2", "ears_c3"] {
        let score = floats(&part(&window(name, &[values()], ROWS).unwrap(), "score"));
        assert!((40..ROWS).all(|t| score[t] == score[t - 13]), "{name}");
    }
    // Weeks without a case in the last four are not fitted: a million fits would take an hour, and are as many small ones.
    let few: ArrayRef = known((0..ROWS).map(|i| if i + 500 < ROWS { 0.0 } else { 2.0 + (i % 3) as f64 }));
    let judged = floats(&part(&window("farrington", &[few], ROWS).unwrap(), "upper"));
    assert_eq!((judged[ROWS - 501], judged[ROWS - 400].is_some()), (None, true));
    let trend = in_order("mann_kendall", &[values()]).unwrap();
    assert!(wholes(&part(&trend, "s"))[0].is_some());
    let steps = [known((0..ROWS).map(|i| (i % 7) as f64 + 2.0)), known(std::iter::repeat_n(0.01, ROWS))];
    assert_eq!(strings(&part(&in_order("emerging_hotspot", &steps).unwrap(), "class"))[0].as_deref(), Some("persistent_hot"));
}

#[test]
fn groups() {
    let curve = aggregate("kaplan_meier", &[values(), booleans((0..ROWS).map(|i| Some(i % 3 > 0)))]).unwrap();
    assert_eq!(wholes(&part(&curve, "at_risk"))[0], Some(ROWS as i64));
    let far = known((0..ROWS).map(|i| (i % 1000) as f64 * 10.0));
    let deep = known((0..ROWS).map(|i| (i / 1000) as f64 * 10.0));
    let lists = || number_lists(&[1.0], ROWS);
    let cells =
        aggregate("knox", &[Arc::clone(&far), Arc::clone(&deep), values(), lists(), lists(), integers(std::iter::repeat_n(1, ROWS))])
            .unwrap();
    assert_eq!(wholes(&part(&cells, "pairs")), [Some(0)], "a lattice wider than the band");
    let crowd = [known(std::iter::repeat_n(0.0, ROWS)), known(std::iter::repeat_n(0.0, ROWS)), values(), lists(), lists()];
    assert!(aggregate("knox", &crowd).unwrap_err().to_string().contains("pairs"));
    let q = floats(&window("fdr", &[known((0..ROWS).map(|i| (i as f64 + 1.0) / ROWS as f64))], ROWS).unwrap());
    assert!(q.iter().all(|q| (q.unwrap() - 1.0).abs() < 1e-9), "evenly spread p are no discovery");
}

#[test]
fn a_scan_of_a_million_rows() {
    let place = |i: usize| i % 100;
    let columns = [
        texts((0..ROWS).map(|i| Some(format!("g{}", place(i))))),
        known((0..ROWS).map(|i| (place(i) % 10) as f64)),
        known((0..ROWS).map(|i| (place(i) / 10) as f64)),
        known((0..ROWS).map(|i| (i / 100 % 60) as f64)),
        known((0..ROWS).map(|i| f64::from(u8::from(place(i) == 44 && i / 100 % 60 > 56)))),
        integers(std::iter::repeat_n(7, ROWS)),
        known(std::iter::repeat_n(1.0, ROWS)),
        integers(std::iter::repeat_n(9, ROWS)),
    ];
    // All cases are in one place, so none of its circles holds more than its share: nowhere else to compare with.
    assert_eq!(part(&aggregate("space_time_scan", &columns).unwrap(), "llr").len(), 0);
    let mut everywhere = columns;
    everywhere[4] = known((0..ROWS).map(|i| f64::from(u8::from(i % 7 == 0 || place(i) == 44 && i / 100 % 60 > 56))));
    let found = aggregate("space_time_scan", &everywhere).unwrap();
    assert_eq!(strings(&part(&found, "center"))[0].as_deref(), Some("g44"));
}

#[test]
fn contacts_and_single_rows() {
    let at: TimestampMicrosecondArray = (0..ROWS as i64).rev().map(Some).collect();
    let within = IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(0, 1, 0); ROWS]);
    let columns: [ArrayRef; 2] = [Arc::new(at.with_timezone("UTC")), Arc::new(within)];
    let nth = wholes(&part(&window("repeats", &columns, ROWS).unwrap(), "nth"));
    assert!(nth.iter().enumerate().all(|(row, nth)| *nth == Some((ROWS - row) as i64)));
    let interval = floats(&part(&scalar("wilson", &[values(), known(std::iter::repeat_n(13.0, ROWS))]).unwrap(), "high"));
    assert!(interval.iter().all(Option::is_some));
    assert!(floats(&scalar("poisson_upper", &[values()]).unwrap()).iter().all(Option::is_some));
}
