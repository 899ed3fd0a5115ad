//! The Benjamini–Hochberg step-up: p-values to q-values. Pure numbers.

/// For each p of [0, 1] its q; NaN for what is no p-value (NaN, or outside), which also does not count in n.
pub fn q_values(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<u32> = (0_u32..).zip(p).filter(|(_, p)| (0.0..=1.0).contains(*p)).map(|(i, _)| i).collect();
    order.sort_unstable_by(|a, b| p[*a as usize].total_cmp(&p[*b as usize]));
    let n = order.len() as f64;
    let mut q = vec![f64::NAN; p.len()];
    let mut least = 1.0_f64;
    for (rank, i) in order.iter().enumerate().rev() {
        // n p / n may round to below p, which no q is.
        least = least.min((n * p[*i as usize] / (rank + 1) as f64).max(p[*i as usize]));
        q[*i as usize] = least;
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked example: with four tests, the third smallest p of 0.03 is held by the fourth, 0.035 · 4/4.
    #[test]
    fn a_larger_p_can_hold_a_smaller_one_down() {
        let q = q_values(&[0.035, 0.01, 0.03, 0.02]);
        for (got, expected) in q.iter().zip([0.035, 0.035, 0.035, 0.035]) {
            assert!((got - expected).abs() < 1e-15, "{q:?}");
        }
    }

    #[test]
    fn what_is_no_p_value_is_left_out_of_n() {
        let q = q_values(&[0.01, f64::NAN, 0.5, 1.5, -0.1]);
        assert_eq!((q[0], q[2]), (0.02, 0.5));
        assert!(q[1].is_nan() && q[3].is_nan() && q[4].is_nan());
    }

    #[test]
    fn equal_p_values_have_equal_q() {
        assert_eq!(q_values(&[0.5, 0.5, 0.01]), [0.5, 0.5, 0.03]);
    }

    #[test]
    fn ends_and_emptiness_are_answered() {
        assert_eq!(q_values(&[0.0, 1.0]), [0.0, 1.0]);
        assert!(q_values(&[]).is_empty());
    }

    #[test]
    fn the_definition_is_met_for_every_rank() {
        let p: Vec<f64> = (0..200).map(|i| (f64::from((i * 7919) % 1009) / 1009.0).powi(3)).collect();
        let n = p.len();
        let mut sorted = p.clone();
        sorted.sort_by(f64::total_cmp);
        for (got, own) in q_values(&p).iter().zip(&p) {
            let expected = (0..n).filter(|j| sorted[*j] >= *own).map(|j| (n as f64 * sorted[j] / (j + 1) as f64).min(1.0));
            assert!((got - expected.fold(1.0, f64::min)).abs() < 1e-15);
        }
    }
}
