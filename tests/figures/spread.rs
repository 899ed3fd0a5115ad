//! What a run took, and repeated runs in few words: the middle one and how far the others lie.

use std::time::Instant;

/// What runs of the same thing gave.
#[derive(Clone, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// The middle run; of an even number the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        let half = self.0.len() / 2;
        if self.0.is_empty() {
            f64::NAN
        } else if self.0.len() % 2 == 1 {
            self.0[half]
        } else {
            (self.0[half - 1] + self.0[half]) / 2.0
        }
    }

    /// `median (least–most)`.
    pub(crate) fn said(&self, number: impl Fn(f64) -> String) -> String {
        let (Some(least), Some(most)) = (self.0.first(), self.0.last()) else { return "not measured".to_owned() };
        if self.0.len() == 1 { number(*least) } else { format!("{} ({}–{})", number(self.median()), number(*least), number(*most)) }
    }
}

/// Thousands a second.
pub(crate) fn thousands(count: f64) -> String {
    format!("{:.0} k/s", count / 1e3)
}

/// A ratio.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.2}")
}

/// Seconds.
pub(crate) fn seconds(value: f64) -> String {
    format!("{value:.1} s")
}

/// What something took: by the clock, and of the processors.
pub(crate) struct Took {
    pub(crate) seconds: f64,
    pub(crate) processor: f64,
}

/// Takes the time of some processes.
pub(crate) struct Watch {
    began: Instant,
    processes: Vec<u32>,
    before: f64,
}

impl Watch {
    pub(crate) fn start(processes: &[u32]) -> Self {
        Self { began: Instant::now(), processes: processes.to_vec(), before: processes.iter().copied().map(processor_seconds).sum() }
    }

    /// What was taken since; it goes on.
    pub(crate) fn took(&self) -> Took {
        let now: f64 = self.processes.iter().copied().map(processor_seconds).sum();
        Took { seconds: self.began.elapsed().as_secs_f64(), processor: now - self.before }
    }
}

/// Seconds of processor time a process has taken, all its threads together; 0 where it has gone.
pub(crate) fn processor_seconds(process: u32) -> f64 {
    // The clock tick of `/proc` is 100 a second on every Linux architecture.
    const TICKS: f64 = 100.0;
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The second field, a name in parentheses, may hold spaces; user and system time are the 14th and 15th.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11).take(2);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / TICKS
}
