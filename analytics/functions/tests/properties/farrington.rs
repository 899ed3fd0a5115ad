//! `farrington`: the model by a general solver, with a matrix of indicators, its hat matrix and Gauss elimination.

use arrow::array::ArrayRef;
use functions::farrington::{Bound, Setting, judge};
use functions::{Reason, quantile};
use proptest::prelude::*;

use crate::call::{flags, floats, integers, known, numbers, part, texts, thousand, window};
use crate::invariance::{near, null_has_a_reason, threads_hold};

type Matrix = Vec<Vec<f64>>;

/// The inverse of a small matrix.
fn inverse(matrix: &Matrix) -> Matrix {
    let n = matrix.len();
    let identity = |i: usize| (0..n).map(move |j| f64::from(u8::from(i == j)));
    let mut rows: Matrix = matrix.iter().enumerate().map(|(i, row)| row.iter().copied().chain(identity(i)).collect()).collect();
    for column in 0..n {
        let pivot = (column..n).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs())).unwrap();
        rows.swap(column, pivot);
        let scale = rows[column][column];
        rows[column].iter_mut().for_each(|x| *x /= scale);
        let fixed = rows[column].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(i, _)| *i != column) {
            let factor = row[column];
            row.iter_mut().zip(&fixed).for_each(|(x, f)| *x -= factor * f);
        }
    }
    rows.into_iter().map(|row| row[n..].to_vec()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Coefficients, and the inverse of the information, of a weighted Poisson model.
fn poisson(design: &Matrix, y: &[f64], weights: &[f64]) -> (Vec<f64>, Matrix) {
    let p = design[0].len();
    let mut eta: Vec<f64> = y.iter().map(|y| (y + 0.1).ln()).collect();
    let mut result = (vec![0.0; p], vec![]);
    for _ in 0..60 {
        let mut information = vec![vec![0.0; p]; p];
        let mut score = vec![0.0; p];
        for ((row, y), (eta, weight)) in design.iter().zip(y).zip(eta.iter().zip(weights)) {
            let (mean, z) = (eta.exp(), eta + (y - eta.exp()) / eta.exp());
            for a in 0..p {
                score[a] += weight * mean * row[a] * z;
                (0..p).for_each(|b| information[a][b] += weight * mean * row[a] * row[b]);
            }
        }
        let covariance = inverse(&information);
        let beta: Vec<f64> = covariance.iter().map(|row| dot(row, &score)).collect();
        eta = design.iter().map(|row| dot(row, &beta)).collect();
        result = (beta, covariance);
    }
    result
}

struct Model {
    expected: f64,
    error: f64,
    dispersion: f64,
}

/// Two fits, the second with past outbreaks weighted down. `new` is the week judged.
fn model(design: &Matrix, y: &[f64], new: &[f64]) -> Model {
    let n = y.len() as f64;
    let freedom = n - new.len() as f64;
    let mut weights = vec![1.0; y.len()];
    for round in 0..2 {
        let (beta, covariance) = poisson(design, y, &weights);
        let mean: Vec<f64> = design.iter().map(|row| dot(row, &beta).exp()).collect();
        let pearson: f64 = y.iter().zip(&mean).zip(&weights).map(|((y, m), w)| w * (y - m).powi(2) / m).sum::<f64>() / freedom;
        let relative: f64 = y.iter().zip(&mean).zip(&weights).map(|((y, m), w)| w * (y / m - 1.0).powi(2)).sum::<f64>() / freedom;
        let quadratic = |row: &[f64]| covariance.iter().zip(row).map(|(c, x)| x * dot(c, row)).sum::<f64>();
        if round == 1 {
            return Model { expected: dot(new, &beta).exp(), error: (relative * quadratic(new)).sqrt(), dispersion: pearson.max(1.0) };
        }
        let phi = pearson.max(1.0);
        for (((row, y), m), weight) in design.iter().zip(y).zip(&mean).zip(weights.iter_mut()) {
            let anscombe = 1.5 * (y.powf(2.0 / 3.0) * m.powf(-1.0 / 6.0) - m.sqrt()) / (phi * (1.0 - m * quadratic(row))).sqrt();
            *weight = if anscombe > 2.58 { anscombe.powi(-2) } else { 1.0 };
        }
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight *= n / total);
    }
    unreachable!("the second round returns")
}

const FREQUENCY: usize = 12;
const HALF: usize = 1;
const YEARS: usize = 2;
const EXCLUDED: usize = 3;

fn setting(periods: usize, bound: Bound) -> Setting {
    Setting {
        frequency: FREQUENCY,
        years: YEARS,
        half_window: HALF,
        periods,
        excluded: EXCLUDED,
        alpha: 0.05,
        bound,
        trend_threshold: 0.0,
        min_cases: 0.0,
    }
}

/// The season of a week before `t`: the last level around t − 12 k, the rest in blocks of equal length.
fn level(t: usize, week: usize, periods: usize) -> Option<usize> {
    let away = (t - week) % FREQUENCY;
    if away <= HALF || away >= FREQUENCY - HALF {
        return Some(periods - 1);
    }
    let position = FREQUENCY - HALF - 1 - away;
    let (stretch, blocks) = (FREQUENCY - 2 * HALF - 1, periods - 1);
    let ends = (0..blocks).scan(0, |end, block| {
        *end += stretch / blocks + usize::from(block < stretch % blocks);
        Some(*end)
    });
    ends.enumerate().find(|(_, end)| position < *end).map(|(block, _)| block)
}

fn series() -> impl Strategy<Value = Vec<u32>> {
    // From 1 up, so that no level is without cases and the matrix has an inverse.
    prop::collection::vec(prop_oneof![9 => 1_u32..12, 1 => 12_u32..60], FREQUENCY * YEARS + HALF + 1..36)
}

fn columns(y: &[u32], bound: &str, threshold: f64) -> Vec<ArrayRef> {
    let rows = y.len();
    let mut columns = vec![numbers(y.iter().map(|y| Some(f64::from(*y))))];
    columns.extend([FREQUENCY, YEARS, HALF, 4, EXCLUDED].map(|option| integers(std::iter::repeat_n(option as i64, rows))));
    columns.push(known(std::iter::repeat_n(0.05, rows)));
    columns.push(texts(std::iter::repeat_n(Some(bound), rows)));
    columns.push(known(std::iter::repeat_n(threshold, rows)));
    columns
}

proptest! {
    #![proptest_config(thousand())]
    #[test]
    fn the_newest_week_is_judged_as_by_a_general_solver(y in series(), periods in prop::sample::select(vec![1_usize, 2, 4, 5])) {
        let t = y.len() - 1;
        let values: Vec<Option<f64>> = y.iter().map(|y| Some(f64::from(*y))).collect();
        let start = t - FREQUENCY * YEARS - HALF;
        let used = (start..t - EXCLUDED).filter_map(|week| Some((week, level(t, week, periods)?)));
        let indicator = |level: usize| (0..periods).map(|l| f64::from(u8::from(l == level))).collect::<Vec<_>>();
        let (design, cases): (Matrix, Vec<f64>) = used.map(|(week, level)| (indicator(level), f64::from(y[week]))).unzip();
        let expected = model(&design, &cases, &indicator(periods - 1));
        let verdict = judge(&values, t, &setting(periods, Bound::Delta)).unwrap();
        prop_assert!(near(verdict.expected, expected.expected, 1e-7), "{}, expected {}", verdict.expected, expected.expected);
        prop_assert!(near(verdict.dispersion, expected.dispersion, 1e-7), "{}, expected {}", verdict.dispersion, expected.dispersion);
        let tau = expected.dispersion + expected.expected * expected.error.powi(2);
        let power = expected.expected.powf(2.0 / 3.0) + quantile(0.95) * (4.0 / 9.0 * expected.expected.cbrt() * tau).sqrt();
        prop_assert!(near(verdict.upper, power.powf(1.5), 1e-7), "{}, expected {}", verdict.upper, power.powf(1.5));
        prop_assert_eq!(verdict.alarm, f64::from(y[t]) > verdict.upper);
    }

    #[test]
    fn more_cases_never_silence_the_newest_week_and_leave_the_past_alone(y in series(), more in 1_u32..30, bound in 0_usize..3) {
        let bound = ["delta", "nb_plugin", "muan"][bound];
        let last = y.len() - 1;
        let mut higher = y.clone();
        higher[last] += more;
        let answer = |y: &[u32]| window("farrington", &columns(y, bound, 0.05), y.len()).unwrap();
        let (before, after) = (answer(&y), answer(&higher));
        null_has_a_reason(&before, &["score"])?;
        let alarm = |answer: &ArrayRef| flags(&part(answer, "alarm"))[last];
        prop_assert!(alarm(&before) != Some(true) || alarm(&after) == Some(true));
        prop_assert_eq!(&before.slice(0, last), &after.slice(0, last));
        threads_hold(|| answer(&y))?;
    }

    #[test]
    fn a_week_of_next_to_nothing_known_has_its_reason(y in prop::collection::vec(prop_oneof![2 => Just(None), 1 => Just(Some(f64::NAN)), 1 => Just(Some(-1.0)), 4 => (0_u32..4).prop_map(|v| Some(f64::from(v)))], 0..60)) {
        let mut columns = columns(&vec![1; y.len()], "nb_plugin", 0.05);
        columns[0] = numbers(y.iter().copied());
        let answer = window("farrington", &columns, y.len()).unwrap();
        null_has_a_reason(&answer, &["score"])?;
        prop_assert!(floats(&part(&answer, "dispersion")).iter().flatten().all(|phi| *phi >= 1.0));
        for (t, value) in y.iter().enumerate() {
            let verdict = judge(&y, t, &setting(4, Bound::NbPlugin));
            match value {
                None => prop_assert_eq!(verdict, Err(Reason::MissingValue)),
                Some(v) if v.is_nan() => prop_assert_eq!(verdict, Err(Reason::NotFinite)),
                Some(v) if *v < 0.0 => prop_assert_eq!(verdict, Err(Reason::OutOfRange)),
                Some(_) if t < FREQUENCY * YEARS + HALF => prop_assert_eq!(verdict, Err(Reason::ShortHistory)),
                Some(_) => {}
            }
        }
    }
}
