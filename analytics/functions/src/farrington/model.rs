//! The quasi-Poisson model of one week: log mean = level of the season + trend, fitted by weighted least squares.
//!
//! Each week belongs to one level and there is one slope, so the normal equations are an arrow: every step, every leverage and
//! the error of the prediction have a closed form in sums over levels. No matrix, no solver.

use crate::student::two_sided_p;

/// One week of the history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Week {
    /// Cases.
    pub cases: f64,
    /// Weeks before (negative) the week that is judged.
    pub time: f64,
    /// Its level of the season, from 0.
    pub level: usize,
}

/// A fitted model, read at the week that is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    /// The expected cases.
    pub expected: f64,
    /// The standard error of the logarithm of `expected`, by the relative dispersion.
    pub error: f64,
    /// max(1, φ).
    pub dispersion: f64,
    /// The slope of the trend a week and its two-sided p (Student's t); none if fitted without.
    pub slope: Option<(f64, f64)>,
}

/// Most steps of a fit. R stops at 25; a well-posed one needs 4 to 8.
const STEPS_MAX: usize = 50;

/// Residuals above this are past outbreaks and count less (Noufaily et al. 2013).
const OUTLIER: f64 = 2.58;

/// Fits twice, the second time with past outbreaks weighted down. `level` is that of the week judged, at time 0.
/// None if it does not converge or nothing identifies the trend.
pub fn fit(weeks: &[Week], levels: usize, level: usize, trend: bool) -> Option<Fit> {
    // A level without cases has mean 0 in the limit: its weeks add nothing to the likelihood, but count as weeks and as level.
    let mut cases = vec![0.0; levels];
    let mut present = vec![false; levels];
    for week in weeks {
        cases[week.level] += week.cases;
        present[week.level] = true;
    }
    let live: Vec<Week> = weeks.iter().copied().filter(|week| cases[week.level] > 0.0).collect();
    let parameters = present.iter().filter(|p| **p).count() + usize::from(trend);
    let freedom = weeks.len().checked_sub(parameters).filter(|df| *df > 0)? as f64;
    let mut weights = vec![1.0; live.len()];
    let first = solve(&live, &weights, levels, trend)?;
    let phi = first.dispersion(&live, &weights, freedom).max(1.0);
    reweigh(&live, &first, phi, weeks.len(), &mut weights);
    let second = solve(&live, &weights, levels, trend)?;
    let dispersion = second.dispersion(&live, &weights, freedom).max(1.0);
    let relative = second.relative_dispersion(&live, &weights, freedom);
    let error = (relative * second.variance(level, 0.0)).sqrt();
    let slope = trend.then(|| {
        let t = second.slope / (relative / second.slope_information).sqrt();
        (second.slope, two_sided_p(t, freedom))
    });
    Some(Fit { expected: second.eta(level, 0.0).exp(), error, dispersion, slope })
}

/// Weight γ s⁻² for residuals s above the threshold, γ for the rest, adding up to the number of weeks.
fn reweigh(live: &[Week], solution: &Solution, phi: f64, weeks: usize, weights: &mut [f64]) {
    for (week, weight) in live.iter().zip(weights.iter_mut()) {
        let mean = solution.eta(week.level, week.time).exp();
        let leverage = mean * solution.variance(week.level, week.time);
        let anscombe = 1.5 * (week.cases.powf(2.0 / 3.0) * mean.powf(-1.0 / 6.0) - mean.sqrt());
        let residual = anscombe / (phi * (1.0 - leverage)).sqrt();
        *weight = if residual > OUTLIER { residual.powi(-2) } else { 1.0 };
    }
    let total: f64 = weights.iter().sum::<f64>() + (weeks - live.len()) as f64;
    let gamma = weeks as f64 / total;
    weights.iter_mut().for_each(|weight| *weight *= gamma);
}

/// Coefficients and the sums their errors are made of.
struct Solution {
    intercepts: Vec<f64>,
    slope: f64,
    /// Σ of the weights of a level.
    mass: Vec<f64>,
    /// Weighted mean time of a level.
    center: Vec<f64>,
    /// 1 / variance of the slope at φ = 1; 0 without trend.
    slope_information: f64,
}

impl Solution {
    fn eta(&self, level: usize, time: f64) -> f64 {
        self.intercepts[level] + self.slope * time
    }

    /// Variance of `eta` at φ = 1.
    fn variance(&self, level: usize, time: f64) -> f64 {
        let slope = if self.slope_information > 0.0 { (time - self.center[level]).powi(2) / self.slope_information } else { 0.0 };
        1.0 / self.mass[level] + slope
    }

    /// Σ w ((y − μ)/μ)² / (n − p): what surveillance's errors are made of. Pearson's φ would have μ instead of μ² below, but
    /// its bounds and its choice of the trend, which everybody's alarms have followed since 2013, are made with this.
    fn relative_dispersion(&self, live: &[Week], weights: &[f64], freedom: f64) -> f64 {
        let term = |(week, weight): (&Week, &f64)| weight * (week.cases / self.eta(week.level, week.time).exp() - 1.0).powi(2);
        live.iter().zip(weights).map(term).sum::<f64>() / freedom
    }

    /// Pearson's estimate of φ.
    fn dispersion(&self, live: &[Week], weights: &[f64], freedom: f64) -> f64 {
        let term = |(week, weight): (&Week, &f64)| {
            let mean = self.eta(week.level, week.time).exp();
            weight * (week.cases - mean).powi(2) / mean
        };
        live.iter().zip(weights).map(term).sum::<f64>() / freedom
    }
}

fn solve(live: &[Week], weights: &[f64], levels: usize, trend: bool) -> Option<Solution> {
    // The logarithm of cases and the mean of each week are needed again and again, and cost more than all the rest.
    let logarithms: Vec<f64> = live.iter().map(|week| if week.cases > 0.0 { week.cases.ln() } else { 0.0 }).collect();
    let mut eta: Vec<f64> = live.iter().map(|week| (week.cases + 0.1).ln()).collect();
    let mut means: Vec<f64> = eta.iter().map(|eta| eta.exp()).collect();
    let mut deviance = f64::INFINITY;
    for _ in 0..STEPS_MAX {
        let solution = step(live, weights, &eta, &means, levels, trend)?;
        let mut next = 0.0;
        for (i, week) in live.iter().enumerate() {
            eta[i] = solution.eta(week.level, week.time);
            means[i] = eta[i].exp();
            next += weights[i] * 2.0 * (week.cases * (logarithms[i] - eta[i]) - week.cases + means[i]);
        }
        if !next.is_finite() {
            return None;
        }
        // One step more, so that the sums behind the errors stand at the final means too.
        if (next - deviance).abs() <= 1e-13 * (next.abs() + 0.1) {
            return step(live, weights, &eta, &means, levels, trend);
        }
        deviance = next;
    }
    None
}

/// One step of iteratively weighted least squares.
fn step(live: &[Week], weights: &[f64], eta: &[f64], means: &[f64], levels: usize, trend: bool) -> Option<Solution> {
    let (mut mass, mut time_sum, mut target_sum) = (vec![0.0; levels], vec![0.0; levels], vec![0.0; levels]);
    let working = |i: usize| (weights[i] * means[i], eta[i] + (live[i].cases - means[i]) / means[i]);
    for (i, week) in live.iter().enumerate() {
        let (weight, target) = working(i);
        mass[week.level] += weight;
        time_sum[week.level] += weight * week.time;
        target_sum[week.level] += weight * target;
    }
    let center: Vec<f64> = time_sum.iter().zip(&mass).map(|(s, m)| if *m > 0.0 { s / m } else { 0.0 }).collect();
    let target: Vec<f64> = target_sum.iter().zip(&mass).map(|(s, m)| if *m > 0.0 { s / m } else { f64::NEG_INFINITY }).collect();
    let (mut information, mut covariance) = (0.0, 0.0);
    for (i, week) in live.iter().enumerate().filter(|_| trend) {
        let (weight, z) = working(i);
        let time = week.time - center[week.level];
        information += weight * time * time;
        covariance += weight * time * (z - target[week.level]);
    }
    let slope = if trend { covariance / information } else { 0.0 };
    let intercepts = target.iter().zip(&center).map(|(t, c)| t - slope * c).collect();
    slope.is_finite().then_some(Solution { intercepts, slope, mass, center, slope_information: information })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked example: one level, no trend: the mean, and its error √(relative dispersion / Σ cases).
    #[test]
    fn one_level_is_the_plain_mean() {
        let weeks: Vec<Week> = (0..10).map(|i| Week { cases: f64::from(3 + i % 2), time: -f64::from(i), level: 0 }).collect();
        let fit = fit(&weeks, 1, 0, false).unwrap();
        assert!((fit.expected - 3.5).abs() < 1e-12);
        let relative = 10.0 * 0.25 / 3.5 / 3.5 / 9.0;
        assert!((fit.error - (relative / 35.0_f64).sqrt()).abs() < 1e-12);
        assert_eq!((fit.dispersion, fit.slope), (1.0, None));
    }

    #[test]
    fn an_exact_exponential_is_recovered() {
        let week =
            |i: i32| Week { cases: (2.0 + f64::from(i % 2) - 0.03 * f64::from(i)).exp(), time: -f64::from(i), level: (i % 2) as usize };
        let weeks: Vec<Week> = (0..40).map(week).collect();
        let fit = fit(&weeks, 2, 1, true).unwrap();
        assert!((fit.expected.ln() - 3.0).abs() < 1e-10 && (fit.slope.unwrap().0 - 0.03).abs() < 1e-10);
    }

    #[test]
    fn a_level_without_cases_is_the_limit() {
        let mut weeks: Vec<Week> = (0..10).map(|i| Week { cases: f64::from(i % 3), time: -f64::from(i), level: 0 }).collect();
        let alone = fit(&weeks, 1, 0, true).unwrap();
        weeks.extend((10..20).map(|i| Week { cases: 0.0, time: -f64::from(i), level: 1 }));
        let both = fit(&weeks, 2, 0, true).unwrap();
        assert!((alone.expected - both.expected).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_be_fitted_is_none() {
        let one = Week { cases: 1.0, time: -1.0, level: 0 };
        assert_eq!(fit(&[one], 1, 0, false), None);
        assert_eq!(fit(&[one, one, one], 1, 0, true), None, "one time has no slope");
        assert_eq!(fit(&[], 1, 0, false), None);
    }
}
