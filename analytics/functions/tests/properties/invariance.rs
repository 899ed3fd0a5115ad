//! What may not matter: the order of rows, batches, partitions, threads.

use arrow::array::{Array, ArrayRef};
use functions::Reason;
use proptest::prelude::*;

use crate::call::{Group, behind_others, floats, part, scalar, strings, taken, window};

type Outcome = Result<(), TestCaseError>;

/// A random order of `n` rows.
pub(crate) fn order(n: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0_u32..).take(n).collect();
    let mut state = seed | 1;
    for i in (1..n).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(i, (state >> 33) as usize % (i + 1));
    }
    order
}

/// Rows in another order have the same answers, also where they are a slice of a larger batch.
pub(crate) fn window_holds(name: &str, columns: &[ArrayRef], seed: u64) -> Outcome {
    let rows = columns[0].len();
    let answer = window(name, columns, rows).unwrap();
    let turned = order(rows, seed);
    prop_assert_eq!(&taken(&[ArrayRef::clone(&answer)], &turned)[0], &window(name, &taken(columns, &turned), rows).unwrap());
    prop_assert_eq!(&answer, &window(name, &behind_others(columns), rows).unwrap());
    Ok(())
}

/// Rows in another order, in batches of another size, dealt to other partitions, have the same answer. Of an ordered aggregate
/// the last column is its order.
pub(crate) fn aggregate_holds(name: &str, columns: &[ArrayRef], ordered: bool, seed: u64) -> Outcome {
    let rows = columns[0].len();
    let answer = Group { name, columns, ordered }.whole().unwrap();
    let turned = taken(columns, &order(rows, seed));
    prop_assert_eq!(&answer, &Group { name, columns: &turned, ordered }.whole().unwrap());
    let (partitions, batch) = (1 + seed as usize % 4, 1 + (seed >> 8) as usize % 9);
    prop_assert_eq!(&answer, &Group { name, columns: &turned, ordered }.dealt(partitions, batch).unwrap(), "{} of {}", partitions, batch);
    prop_assert_eq!(&answer, &Group { name, columns: &behind_others(columns), ordered }.whole().unwrap());
    Ok(())
}

/// Each row has its answer whatever the rows around it.
pub(crate) fn scalar_holds(name: &str, columns: &[ArrayRef], seed: u64) -> Outcome {
    let rows = columns[0].len();
    let answer = scalar(name, columns).unwrap();
    let turned = order(rows, seed);
    prop_assert_eq!(&taken(&[ArrayRef::clone(&answer)], &turned)[0], &scalar(name, &taken(columns, &turned)).unwrap());
    let cut = seed as usize % (rows + 1);
    let rest: Vec<ArrayRef> = columns.iter().map(|column| column.slice(cut, rows - cut)).collect();
    prop_assert_eq!(&answer.slice(cut, rows - cut), &scalar(name, &rest).unwrap());
    Ok(())
}

/// Four threads at once get what one alone got.
pub(crate) fn threads_hold(compute: impl Fn() -> ArrayRef + Sync) -> Outcome {
    let alone = compute();
    let crowd = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(&compute)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for answer in crowd {
        prop_assert_eq!(&alone, &answer);
    }
    Ok(())
}

/// A result is NULL exactly where there is a reason, and the reason is one of the closed list.
pub(crate) fn null_has_a_reason(answer: &ArrayRef, results: &[&str]) -> Outcome {
    let reasons = strings(&part(answer, "reason"));
    for reason in reasons.iter().flatten() {
        prop_assert!(Reason::ALL.iter().any(|known| known.as_str() == reason), "{} is no reason", reason);
    }
    for result in results {
        let column = part(answer, result);
        for (row, reason) in reasons.iter().enumerate() {
            prop_assert_eq!(column.is_null(row), reason.is_some(), "{} of row {}: {:?}", result, row, reason);
        }
    }
    Ok(())
}

/// Every p there is lies above 0 and is at most 1.
pub(crate) fn is_p(column: &ArrayRef) -> Outcome {
    for p in floats(column).into_iter().flatten() {
        prop_assert!(p > 0.0 && p <= 1.0, "p {}", p);
    }
    Ok(())
}

pub(crate) fn near(got: f64, expected: f64, within: f64) -> bool {
    (got - expected).abs() <= within * (1.0 + expected.abs())
}
