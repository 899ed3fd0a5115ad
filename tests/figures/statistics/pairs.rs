//! Two ways to one answer, timed in turn: the ratios of pairs hold whatever the machine does meanwhile.

use std::time::Instant;

/// Pairs of a comparison.
const PAIRS: usize = 5;

/// A run is repeated until so many seconds have passed: the system counts CPU time in hundredths.
const SECONDS_MIN: f64 = 0.5;

/// What one run costs, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    /// Of all threads.
    pub(crate) cpu: f64,
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: f64 = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().unwrap()).sum();
    // Linux counts them in hundredths for every program, whatever it counts in itself.
    ticks / 100.0
}

/// The mean cost of a run of ours.
pub(crate) fn cost(mut run: impl FnMut()) -> Cost {
    let (began, before, mut runs) = (Instant::now(), cpu(), 0.0);
    while runs == 0.0 || began.elapsed().as_secs_f64() < SECONDS_MIN {
        run();
        runs += 1.0;
    }
    Cost { wall: began.elapsed().as_secs_f64() / runs, cpu: (cpu() - before) / runs }
}

/// The median of some numbers, with the least and the greatest.
pub(crate) struct Spread {
    pub(crate) median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self { median: values[values.len() / 2], least: values[0], greatest: values[values.len() - 1] }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let digits = if self.median < 10.0 { 1 } else { 0 };
        write!(f, "{:.digits$} ({:.digits$}–{:.digits$})", self.median, self.least, self.greatest)
    }
}

/// Pairs of theirs and ours.
pub(crate) struct Pairs(Vec<(Cost, Cost)>);

impl Pairs {
    /// Runs theirs, then ours, in turn.
    pub(crate) fn run(mut theirs: impl FnMut() -> Cost, mut ours: impl FnMut() -> Cost) -> Self {
        Self((0..PAIRS).map(|_| (theirs(), ours())).collect())
    }

    /// A part of ours, run as often, against what theirs was measured to cost.
    pub(crate) fn part(&self, mut ours: impl FnMut()) -> Self {
        let theirs = Cost { wall: self.theirs(), cpu: self.theirs() };
        Self::run(|| theirs, || cost(&mut ours))
    }

    /// Theirs / ours, in CPU time.
    pub(crate) fn cpu(&self) -> Spread {
        self.spread(|(theirs, ours)| theirs.cpu / ours.cpu)
    }

    /// Theirs / ours, by the clock on the wall.
    pub(crate) fn wall(&self) -> Spread {
        self.spread(|(theirs, ours)| theirs.wall / ours.wall)
    }

    /// CPU seconds of a run of theirs.
    pub(crate) fn theirs(&self) -> f64 {
        self.spread(|(theirs, _)| theirs.cpu).median
    }

    /// CPU seconds of a run of ours.
    pub(crate) fn ours(&self) -> f64 {
        self.spread(|(_, ours)| ours.cpu).median
    }

    /// Seconds of a run of ours by the clock on the wall.
    pub(crate) fn ours_wall(&self) -> f64 {
        self.spread(|(_, ours)| ours.wall).median
    }

    fn spread(&self, read: impl Fn(&(Cost, Cost)) -> f64) -> Spread {
        Spread::of(self.0.iter().map(read).collect())
    }
}

/// How cost grows with n, from the CPU seconds at n, 4n and 16n: the slope of their logarithms.
pub(crate) fn exponent(costs: [f64; 3]) -> f64 {
    // With equal steps the least squares line does not see the middle.
    (costs[2] / costs[0]).ln() / 16_f64.ln()
}
