//! Local Moran's I of observed grids with its conditional moments: pure numbers.

use crate::Reason;
use crate::fixed_point::Deviations;
use crate::neighbours::Adjacency;

/// One grid's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalMoran {
    /// Iᵢ.
    pub i: f64,
    /// Its score under random labelling with the own value kept. None if the own value is the mean ([`Reason::AtMean`]) or all
    /// others are equal ([`Reason::ZeroVariance`]): however they are dealt, the neighbours are what they are.
    pub z: Result<f64, Reason>,
    /// `high_high`, `low_low`, `high_low` or `low_high`: the grid, then its neighbours, against the mean.
    pub quadrant: &'static str,
}

/// The result of each place.
pub fn local_moran(deviations: &Deviations, neighbours: &Adjacency) -> Vec<Result<LocalMoran, Reason>> {
    assert_eq!(deviations.each.len(), neighbours.len(), "one deviation for each place");
    neighbours.iter().enumerate().map(|(place, beside)| one(deviations, place, beside)).collect()
}

fn one(all: &Deviations, place: usize, beside: &[u32]) -> Result<LocalMoran, Reason> {
    if all.are_zero() {
        return Err(Reason::ZeroVariance);
    }
    if beside.is_empty() {
        return Err(Reason::NoNeighbours);
    }
    let (n, k) = (all.each.len() as f64, beside.len() as f64);
    let own = all.each[place] as f64 - all.remainder;
    // 128 bits: of more than 4,000 neighbours 64 might not hold the sum.
    let sum: i128 = beside.iter().map(|other| i128::from(all.each[*other as usize])).sum();
    let lag = sum as f64 / k - all.remainder;
    if k >= n - 1.0 {
        return Err(Reason::AllGrids);
    }
    let quadrant = match (own > 0.0, lag > 0.0) {
        (true, true) => "high_high",
        (true, false) => "high_low",
        (false, true) => "low_high",
        (false, false) => "low_low",
    };
    Ok(LocalMoran { i: own * lag / all.variance(), z: score(all, place, own, lag, k), quadrant })
}

/// The lag is the mean of k of the n − 1 other values, drawn without replacement.
fn score(all: &Deviations, place: usize, own: f64, lag: f64, k: f64) -> Result<f64, Reason> {
    if own == 0.0 {
        return Err(Reason::AtMean);
    }
    let others = all.each.len() as f64 - 1.0;
    let spread = all.variance_without(place);
    if spread == 0.0 {
        return Err(Reason::ZeroVariance);
    }
    let expected = -own / others;
    let variance = spread / k * (others - k) / (others - 1.0);
    Ok(own.signum() * (lag - expected) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moran(values: &[f64], lists: &[&[u32]]) -> Vec<Result<LocalMoran, Reason>> {
        local_moran(&Deviations::of(values), &Adjacency::from_lists(lists.iter().map(|l| l.iter().copied())))
    }

    /// Worked example: a line of four, 1 2 3 6, mean 3, m₂ 3.5. The first: (−2)(−1)/3.5. Its neighbour could be any of 2, 3, 6:
    /// 2/3 above the mean, with variance 26/9. It is 1 below, on the side of the grid: z = (1 + 2/3)/√(26/9).
    #[test]
    fn a_line_of_four() {
        let results = moran(&[1.0, 2.0, 3.0, 6.0], &[&[1], &[0, 2], &[1, 3], &[2]]);
        let first = results[0].unwrap();
        assert!((first.i - 2.0 / 3.5).abs() < 1e-12);
        assert!((first.z.unwrap() - (1.0 + 2.0 / 3.0) / (26.0_f64 / 9.0).sqrt()).abs() < 1e-12);
        assert_eq!(first.quadrant, "low_low");
        let third = results[2].unwrap();
        assert_eq!((third.i, third.z), (0.0, Err(Reason::AtMean)), "3 is the mean");
    }

    #[test]
    fn conditional_moments_are_those_of_all_rearrangements() {
        let values = [4.0, 1.0, 7.0, 2.0, 9.0, 5.0];
        let result = moran(&values, &[&[1, 2], &[0], &[0], &[4], &[3], &[4]])[0].unwrap();
        let mut lags = Vec::new();
        for a in 1..6 {
            for b in (1..6).filter(|b| *b != a) {
                lags.push((values[a] + values[b]) / 2.0);
            }
        }
        let mean = lags.iter().sum::<f64>() / lags.len() as f64;
        let variance = lags.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / lags.len() as f64;
        let own_below_mean = -1.0;
        let expected = own_below_mean * (f64::midpoint(values[1], values[2]) - mean) / variance.sqrt();
        assert!((result.z.unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn undefined_has_its_reason() {
        assert_eq!(moran(&[1.0, 1.0, 1.0], &[&[1], &[0], &[1]])[0], Err(Reason::ZeroVariance));
        assert_eq!(moran(&[1.0, 2.0, 3.0], &[&[], &[0], &[0, 1]])[0], Err(Reason::NoNeighbours));
        assert_eq!(moran(&[1.0, 2.0, 3.0], &[&[], &[0], &[0, 1]])[2], Err(Reason::AllGrids));
    }

    /// One grid with calls among grids without: dealing zeros over its neighbours changes nothing, so nothing can be likely or
    /// not. Its neighbours are scored: the one call may fall beside them or not.
    #[test]
    fn one_value_among_equal_ones_has_no_score() {
        for lonely in [1.0, 26.0, 44.249_789_458_009_69, -0.1] {
            let results = moran(&[3.0, lonely, 3.0, 3.0], &[&[1], &[0, 2], &[1, 3], &[2]]);
            let lonely = results[1].unwrap();
            assert!((lonely.i + 1.0).abs() < 1e-12, "{lonely:?}");
            assert_eq!(lonely.z, Err(Reason::ZeroVariance));
            assert!(results[0].unwrap().z.unwrap() < -1.0);
        }
    }

    #[test]
    fn an_outlier_takes_nothing_from_the_precision_of_its_score() {
        let near = moran(&[1.0, 2.0, 4.0, 100.0], &[&[1], &[0], &[1], &[1]])[3].unwrap().z.unwrap();
        let far = moran(&[1.0, 2.0, 4.0, 1e12], &[&[1], &[0], &[1], &[1]])[3].unwrap().z.unwrap();
        let expected = (2.0 - 7.0 / 3.0) / (14.0_f64 / 9.0).sqrt();
        assert!((near - expected).abs() < 1e-12 && (far - expected).abs() < 1e-3, "{near}, {far}, expected {expected}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_definition_is_met(values in prop::collection::vec(-50_i32..50, 4..20), seed in 0_u32..1000) {
            let x: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
            let n = x.len();
            let lists: Vec<Vec<u32>> = (0..n as u32).map(|i| (0..n as u32).filter(|j| *j != i && (i * 7 + j * 13 + seed) % 4 == 0).collect()).collect();
            let borrowed: Vec<&[u32]> = lists.iter().map(Vec::as_slice).collect();
            let mean = x.iter().sum::<f64>() / n as f64;
            let m2 = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
            for (i, result) in moran(&x, &borrowed).into_iter().enumerate() {
                let Ok(result) = result else { continue };
                let k = lists[i].len() as f64;
                let own = x[i] - mean;
                let lag = lists[i].iter().map(|j| x[*j as usize] - mean).sum::<f64>() / k;
                prop_assert!((result.i - own / m2 * lag).abs() < 1e-9);
                let Ok(z) = result.z else { continue };
                let (n, expected) = (n as f64, -own * own / m2 / (n as f64 - 1.0));
                let variance = (own / m2).powi(2) * n / (n - 2.0) * (1.0 / k - 1.0 / (n - 1.0)) * (m2 - own * own / (n - 1.0));
                prop_assert!((z - (result.i - expected) / variance.sqrt()).abs() < 1e-6 * (1.0 + z.abs()));
            }
        }
    }
}
