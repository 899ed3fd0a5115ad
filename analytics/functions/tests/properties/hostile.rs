//! The numbers nobody expects, in every column of every function: each has an answer, and what has none has its reason or is
//! refused by a message that names the argument.

use std::sync::Arc;

use arrow::array::ArrayRef;
use proptest::prelude::*;

use crate::call::{aggregate, in_order, integers, known, number_lists, numbers, part, text_lists, texts, thousand, window};
use crate::invariance::{is_p, null_has_a_reason};

const EXTREMES: [f64; 16] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    0.0,
    -0.0,
    1.0,
    i64::MAX as f64,
    i64::MIN as f64,
    1e154,
    -1e-154,
    0.1,
];

fn value() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![1 => Just(None), 9 => prop::sample::select(EXTREMES.to_vec()).prop_map(Some)]
}

fn values(rows: usize) -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(value(), 0..rows)
}

fn column(values: &[Option<f64>]) -> ArrayRef {
    numbers(values.iter().copied())
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn maps_of_extremes_are_answered(values in values(12), beside in prop::collection::vec(prop::collection::vec(0_usize..14, 0..6), 12)) {
        let rows = values.len();
        let lists = beside.iter().take(rows).map(|list| Some(list.iter().map(|i| format!("g{i}")).collect()));
        let mut columns = vec![texts((0..rows).map(|i| Some(format!("g{i}")))), column(&values), text_lists(lists)];
        for name in ["gi_star", "local_moran"] {
            let answer = window(name, &columns, rows).unwrap();
            null_has_a_reason(&answer, &["z", "p"])?;
            is_p(&part(&answer, "p"))?;
        }
        columns.extend([integers(std::iter::repeat_n(9, rows)), integers(std::iter::repeat_n(i64::MIN, rows))]);
        let answer = window("gi_star_permutation", &columns, rows).unwrap();
        null_has_a_reason(&answer, &["z", "p"])?;
        is_p(&part(&answer, "p"))?;
    }

    #[test]
    fn series_of_extremes_are_answered(values in values(40), floor in prop::sample::select(vec![0.0, 5e-324, 0.5, f64::MAX])) {
        let rows = values.len();
        for name in ["ears_c1", "ears_c2", "ears_c3"] {
            let columns = [column(&values), known(std::iter::repeat_n(floor, rows)), known(std::iter::repeat_n(0.001, rows))];
            let answer = window(name, &columns, rows).unwrap();
            null_has_a_reason(&answer, &["score"])?;
        }
        for (bound, threshold) in [("nb_plugin", 0.0), ("delta", 1.0), ("muan", f64::NAN)] {
            let options = [4, 3, 0, 2, 0].map(|option| integers(std::iter::repeat_n(option, rows)));
            let mut columns = vec![column(&values)];
            columns.extend(options);
            columns.push(known(std::iter::repeat_n(5e-324, rows)));
            columns.push(texts(std::iter::repeat_n(Some(bound), rows)));
            columns.push(known(std::iter::repeat_n(threshold, rows)));
            null_has_a_reason(&window("farrington", &columns, rows).unwrap(), &["score"])?;
        }
        let answer = in_order("mann_kendall", &[column(&values)]).unwrap();
        null_has_a_reason(&answer, &["s", "variance", "z", "p"])?;
    }

    #[test]
    fn groups_of_extremes_are_answered(a in values(20), b in values(20)) {
        let rows = a.len().min(b.len());
        let (a, b) = (&a[..rows], &b[..rows]);
        null_has_a_reason(&in_order("emerging_hotspot", &[column(a), column(b)]).unwrap(), &["class"])?;
        let columns = [column(a), column(b), column(b), number_lists(&[5e-324, 1.0, f64::MAX], rows), number_lists(&[5e-324, f64::MAX], rows)];
        is_p(&part(&aggregate("knox", &columns).unwrap(), "p"))?;
        let places = texts((0..rows).map(|i| Some(format!("g{i}"))));
        let plane = texts(std::iter::repeat_n(Some("plane"), rows));
        let options = |columns: &mut Vec<ArrayRef>| {
            columns.extend([integers(std::iter::repeat_n(366, rows)), known(std::iter::repeat_n(1.0, rows)), integers(std::iter::repeat_n(9, rows))]);
            columns.extend([integers(std::iter::repeat_n(i64::MAX, rows)), Arc::clone(&plane)]);
        };
        // Extreme places and days with a case each; then extreme cases, which are refused unless they are whole and few.
        let mut columns = vec![Arc::clone(&places), column(a), column(b), column(a), known(std::iter::repeat_n(1.0, rows))];
        options(&mut columns);
        is_p(&part(&aggregate("space_time_scan", &columns).unwrap(), "p_value"))?;
        let mut columns = vec![places, known((0_u32..).take(rows).map(f64::from)), known(std::iter::repeat_n(0.0, rows)), known(std::iter::repeat_n(0.0, rows)), column(a)];
        options(&mut columns);
        let finite = a.iter().flatten().filter(|v| v.is_finite());
        let sound = finite.clone().all(|v| *v >= 0.0 && v.fract() == 0.0) && finite.sum::<f64>() <= 4e6;
        let answer = aggregate("space_time_scan", &columns);
        prop_assert_eq!(answer.is_ok(), sound, "{:?}", a);
        prop_assert!(answer.is_ok() || answer.unwrap_err().to_string().contains("cases"));
    }

    #[test]
    fn options_out_of_bounds_are_refused_by_name(option in any::<i64>(), extreme in prop::sample::select(vec![i64::MIN, i64::MAX, 0, -1, 1_000_000])) {
        for option in [option, extreme] {
            let map = [texts([Some("a")]), known([1.0]), text_lists([None]), integers([option])];
            let refused = window("gi_star_permutation", &map, 1);
            prop_assert_eq!(refused.is_ok(), (1..=999_999).contains(&option));
            prop_assert!(refused.is_ok() || refused.unwrap_err().to_string().contains("permutations of gi_star_permutation"));
            let scan = [texts([Some("a")]), known([1.0]), known([1.0]), known([1.0]), known([1.0]), integers([option])];
            let refused = aggregate("space_time_scan", &scan);
            prop_assert_eq!(refused.is_ok(), (1..=366).contains(&option));
            prop_assert!(refused.is_ok() || refused.unwrap_err().to_string().contains("max_days of space_time_scan"));
            let weeks = [known([1.0]), integers([option])];
            let refused = window("farrington", &weeks, 1);
            prop_assert!(refused.is_ok() == (27..=366).contains(&option) || refused.unwrap_err().to_string().contains("farrington"));
        }
    }

    #[test]
    fn shares_out_of_bounds_are_refused_by_name(value in value()) {
        let sound = value.is_none_or(|v| v > 0.0 && v < 1.0);
        for name in ["ears_c1", "ears_c2", "ears_c3"] {
            let refused = window(name, &[known([1.0]), known([0.5]), numbers([value])], 1);
            prop_assert_eq!(refused.is_ok(), sound);
            prop_assert!(refused.is_ok() || refused.unwrap_err().to_string().contains("alpha"));
            let refused = window(name, &[known([1.0]), numbers([value]), known([0.1])], 1);
            prop_assert_eq!(refused.is_ok(), value.is_none_or(|v| v >= 0.0 && v.is_finite()));
        }
        let scan = [texts([Some("a")]), known([1.0]), known([1.0]), known([1.0]), known([1.0]), integers([1]), numbers([value])];
        prop_assert_eq!(aggregate("space_time_scan", &scan).is_ok(), value.is_none_or(|v| v > 0.0 && v <= 1.0));
    }
}

#[test]
fn an_option_that_differs_between_rows_is_refused() {
    let refused = window("ears_c1", &[known([1.0, 2.0]), known([0.5, 0.6])], 2).unwrap_err().to_string();
    assert!(refused.contains("min_sigma of ears_c1 differs between rows"), "{refused}");
}

#[test]
fn an_impossible_neighbourhood_is_refused_before_it_is_drawn() {
    let everybody: Vec<String> = (0..5000).map(|i| format!("g{i}")).collect();
    let lists = (0..5000).map(|i| if i == 0 { Some(everybody.clone()) } else { None });
    let columns = [texts(everybody.iter().map(Some)), known((0_u32..5000).map(f64::from)), text_lists(lists)];
    let refused = window("gi_star_permutation", &columns, 5000).unwrap_err().to_string();
    assert!(refused.contains("4999 neighbours, more than 4096"), "{refused}");
    assert!(window("gi_star", &columns, 5000).is_ok());
}
