//! The Kaplan–Meier curve: pure numbers.

/// The curve at one time with events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The time.
    pub time: f64,
    /// How many were still under watch just before it.
    pub at_risk: u64,
    /// How many events happened then.
    pub events: u64,
    /// The share without event so far.
    pub survival: f64,
    /// 95 % bounds; none where nobody is left.
    pub bounds: Option<(f64, f64)>,
}

/// The steps of the curve from (time, event seen?) in any order. Times are finite and not negative.
pub fn curve(watched: &mut [(f64, bool)]) -> Vec<Step> {
    watched.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut survival, mut hazard) = (1.0, 0.0);
    let mut at_risk = watched.len() as u64;
    let mut steps = Vec::new();
    for group in watched.chunk_by(|a, b| a.0 == b.0) {
        let events = group.iter().filter(|(_, seen)| *seen).count() as u64;
        if events > 0 {
            let (n, d) = (at_risk as f64, events as f64);
            survival *= (n - d) / n;
            hazard += d / (n * (n - d));
            steps.push(Step { time: group[0].0, at_risk, events, survival, bounds: bounds(survival, hazard) });
        }
        at_risk -= group.len() as u64;
    }
    steps
}

/// z of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Greenwood's variance on the log scale.
fn bounds(survival: f64, hazard: f64) -> Option<(f64, f64)> {
    let half = Z * hazard.sqrt();
    (survival > 0.0).then(|| (survival * (-half).exp(), (survival * half.exp()).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked example: the maintained group of Miller's leukaemia data, as in Kaplan–Meier tables everywhere.
    #[test]
    fn maintained_leukaemia_patients() {
        let times = [9.0, 13.0, 13.0, 18.0, 23.0, 28.0, 31.0, 34.0, 45.0, 48.0, 161.0];
        let seen = [true, true, false, true, true, false, true, true, false, true, false];
        let mut watched: Vec<_> = times.into_iter().zip(seen).rev().collect();
        let expected = [
            (9.0, 11, 0.909, 0.7541, 1.000),
            (13.0, 10, 0.818, 0.6192, 1.000),
            (18.0, 8, 0.716, 0.4884, 1.000),
            (23.0, 7, 0.614, 0.3769, 0.999),
            (31.0, 5, 0.491, 0.2549, 0.946),
            (34.0, 4, 0.368, 0.1549, 0.875),
            (48.0, 2, 0.184, 0.0359, 0.944),
        ];
        let steps = curve(&mut watched);
        assert_eq!(steps.len(), expected.len());
        for (step, (time, at_risk, survival, low, high)) in steps.iter().zip(expected) {
            assert_eq!((step.time, step.at_risk, step.events), (time, at_risk, 1));
            let bounds = step.bounds.unwrap();
            assert!((step.survival - survival).abs() <= 5e-4, "{step:?}");
            assert!((bounds.0 - low).abs() <= 6e-5 && (bounds.1 - high).abs() <= 6e-4, "{step:?}");
        }
    }

    #[test]
    fn without_censoring_it_is_the_share_still_waiting() {
        let steps = curve(&mut [(1.0, true), (2.0, true), (2.0, true), (5.0, true)]);
        let survival: Vec<f64> = steps.iter().map(|s| s.survival).collect();
        assert_eq!(survival, [0.75, 0.25, 0.0]);
        assert_eq!(steps[2].bounds, None);
    }

    #[test]
    fn nobody_or_no_event_is_an_empty_curve() {
        assert!(curve(&mut []).is_empty());
        assert!(curve(&mut [(3.0, false)]).is_empty());
    }
}
