//! `repeats`: the contact before each contact, looked for among all.

use std::sync::Arc;

use arrow::array::{ArrayRef, IntervalMonthDayNanoArray, TimestampMicrosecondArray};
use arrow::datatypes::IntervalMonthDayNano;
use proptest::prelude::*;

use crate::call::{flags, floats, part, thousand, wholes, window};
use crate::invariance::{order, threads_hold};

const DAY: i64 = 86_400_000_000;

fn columns(at: &[Option<i64>], days: i32) -> Vec<ArrayRef> {
    let at: TimestampMicrosecondArray = at.iter().copied().collect();
    let within = vec![IntervalMonthDayNano::new(0, days, 0); at.len()];
    vec![Arc::new(at.with_timezone("UTC")), Arc::new(IntervalMonthDayNanoArray::from(within))]
}

fn times() -> impl Strategy<Value = Vec<Option<i64>>> {
    let at = prop_oneof![
        1 => Just(None),
        1 => prop::sample::select(vec![i64::MIN, i64::MAX, 0]).prop_map(Some),
        20 => (0_i64..200).prop_map(|day| Some(day * DAY / 2)),
    ];
    prop::collection::vec(at, 0..30)
}

type Answer = (Option<bool>, Option<f64>, Option<i64>);

fn answers(at: &[Option<i64>], days: i32) -> Vec<Answer> {
    let answer = window("repeats", &columns(at, days), at.len()).unwrap();
    let rows = flags(&part(&answer, "repeat")).into_iter().zip(floats(&part(&answer, "gap_days"))).zip(wholes(&part(&answer, "nth")));
    rows.map(|((repeat, gap), nth)| (repeat, gap, nth)).collect()
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn the_contact_before_is_the_latest_not_after(at in times(), days in prop::sample::select(vec![0, 1, 30, i32::MAX])) {
        for (row, (repeat, gap, nth)) in answers(&at, days).into_iter().enumerate() {
            let Some(own) = at[row] else {
                prop_assert_eq!((repeat, gap, nth), (None, None, None));
                continue;
            };
            // Of contacts at one moment the earlier row comes first.
            let before: Vec<i64> = at.iter().enumerate().filter_map(|(other, at)| (*at)?.lt(&own).then_some((*at)?).or((*at == Some(own) && other < row).then_some(own))).collect();
            prop_assert_eq!(nth, Some(before.len() as i64 + 1));
            let apart = before.iter().max().map(|last| own.saturating_sub(*last));
            prop_assert_eq!(gap, apart.map(|apart| apart as f64 / DAY as f64));
            prop_assert_eq!(repeat, Some(apart.is_some_and(|apart| apart <= i64::from(days).saturating_mul(DAY))));
        }
    }

    #[test]
    fn rows_in_another_order_and_threads_change_nothing_together(at in times(), seed in any::<u64>()) {
        let turned: Vec<Option<i64>> = order(at.len(), seed).into_iter().map(|row| at[row as usize]).collect();
        let sorted = |at: &[Option<i64>]| {
            let mut rows: Vec<String> = at.iter().zip(answers(at, 30)).map(|row| format!("{row:?}")).collect();
            rows.sort_unstable();
            rows
        };
        prop_assert_eq!(sorted(&at), sorted(&turned));
        threads_hold(|| window("repeats", &columns(&at, 30), at.len()).unwrap())?;
    }
}
