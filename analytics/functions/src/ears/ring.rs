//! EARS over a series that grows bin by bin: the last twelve bins are all any chart looks at, so they are all that is kept.
//!
//! The verdicts are those of [`super::shewhart`] and [`super::cumulative`] over the whole series, bit for bit: they are computed by
//! them from the bins of the ring. A new bin costs the same after ten bins and after ten years.

use crate::Reason;

use super::charts::{BASELINE, GUARD, Setting, Surge, cumulative, shewhart};

/// The longest any chart looks back: C3 wants C2 of two bins ago.
const BINS: usize = BASELINE + 2 * GUARD + 1;

/// The last bins of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ring {
    /// The newest last.
    bins: [Option<f64>; BINS],
    /// How many of them were ever pushed.
    known: usize,
}

impl Ring {
    /// A series without bins.
    pub const fn new() -> Self {
        Self { bins: [None; BINS], known: 0 }
    }

    /// The next bin; none if it is missing, which is not zero.
    pub fn push(&mut self, value: Option<f64>) {
        self.bins.rotate_left(1);
        self.bins[BINS - 1] = value;
        self.known = (self.known + 1).min(BINS);
    }

    /// Gives the bin `age` bins before the newest another value, for what comes late; nothing if it has left the ring.
    pub fn correct(&mut self, age: usize, value: Option<f64>) {
        if age < self.known {
            self.bins[BINS - 1 - age] = value;
        }
    }

    /// C1 of the newest bin.
    pub fn c1(&self, setting: Setting) -> Result<Surge, Reason> {
        newest(shewhart(self.last(BASELINE + 1), 0, setting))
    }

    /// C2 of the newest bin.
    pub fn c2(&self, setting: Setting) -> Result<Surge, Reason> {
        newest(shewhart(self.last(BASELINE + GUARD + 1), GUARD, setting))
    }

    /// C3 of the newest bin.
    pub fn c3(&self, setting: Setting) -> Result<Surge, Reason> {
        newest(cumulative(self.last(BINS), setting))
    }

    fn last(&self, bins: usize) -> &[Option<f64>] {
        &self.bins[BINS - bins.min(self.known)..]
    }
}

fn newest(mut surges: Vec<Result<Surge, Reason>>) -> Result<Surge, Reason> {
    surges.pop().unwrap_or(Err(Reason::ShortHistory))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTING: Setting = Setting { min_sigma: 0.5, threshold: 3.09 };

    #[test]
    fn each_bin_has_the_verdict_of_the_whole_series() {
        let series: Vec<Option<f64>> = (0..60_i32).map(|t| (t % 17 != 5).then(|| f64::from((t * 37) % 11))).collect();
        let all = [shewhart(&series, 0, SETTING), shewhart(&series, GUARD, SETTING), cumulative(&series, SETTING)];
        let mut ring = Ring::new();
        for (t, value) in series.iter().enumerate() {
            ring.push(*value);
            assert_eq!([ring.c1(SETTING), ring.c2(SETTING), ring.c3(SETTING)], [all[0][t], all[1][t], all[2][t]], "bin {t}");
        }
    }

    #[test]
    fn a_late_count_corrects_its_bin_and_an_empty_ring_has_no_history() {
        assert_eq!(Ring::new().c3(SETTING), Err(Reason::ShortHistory));
        let (mut late, mut whole) = (Ring::new(), Ring::new());
        for t in 0..20_i32 {
            late.push(Some(f64::from(t % 5)));
            whole.push(Some(f64::from(if t == 17 { 9 } else { t % 5 })));
        }
        late.correct(2, Some(9.0));
        late.correct(12, Some(1e9));
        assert_eq!(late, whole);
    }
}
