//! The table of known answers and how far ours are from them.

use std::fmt;

/// One answer compared.
struct Line {
    answer: &'static str,
    what: &'static str,
    values: usize,
    deviation: f64,
    tolerance: f64,
}

/// All answers compared.
#[derive(Default)]
pub(crate) struct Ledger {
    lines: Vec<Line>,
}

impl Ledger {
    /// Notes the largest |got − expected| of `what` (function and quantity).
    pub(crate) fn absolute(&mut self, answer: &'static str, what: &'static str, tolerance: f64, pairs: &[(f64, f64)]) {
        self.note(answer, what, tolerance, pairs.iter().map(|(got, expected)| (got - expected).abs()));
    }

    /// Notes the largest |got / expected − 1|.
    pub(crate) fn relative(&mut self, answer: &'static str, what: &'static str, tolerance: f64, pairs: &[(f64, f64)]) {
        let apart = |(got, expected): &(f64, f64)| if expected == got { 0.0 } else { (got / expected - 1.0).abs() };
        self.note(answer, what, tolerance, pairs.iter().map(apart));
    }

    /// Notes how many of some answers that have no digits differ: none may.
    pub(crate) fn same<T: PartialEq + fmt::Debug>(&mut self, answer: &'static str, what: &'static str, got: &[T], expected: &[T]) {
        assert_eq!(got.len(), expected.len(), "{what} of {answer}: {got:?}, expected {expected:?}");
        self.note(answer, what, 0.0, got.iter().zip(expected).map(|(a, b)| f64::from(u8::from(a != b))));
    }

    fn note(&mut self, answer: &'static str, what: &'static str, tolerance: f64, apart: impl Iterator<Item = f64>) {
        let mut line = Line { answer, what, values: 0, deviation: 0.0, tolerance };
        for apart in apart {
            line.values += 1;
            // NaN must not pass for small.
            line.deviation = if apart.is_nan() { f64::INFINITY } else { line.deviation.max(apart) };
        }
        assert!(line.values > 0, "{what} of {answer} compares nothing");
        self.lines.push(line);
    }

    /// Every deviation is within its tolerance.
    pub(crate) fn hold(&self) {
        let beyond: Vec<String> = self.lines.iter().filter(|line| line.deviation > line.tolerance).map(Line::to_string).collect();
        assert!(beyond.is_empty(), "{}", beyond.join("\n"));
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answer, what, values, deviation, tolerance } = self;
        write!(f, "| {answer} | {what} | {values} | {deviation:.1e} | {tolerance:.1e} |")
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| known answer | function, quantity | values | largest deviation | tolerance |\n| --- | --- | ---: | ---: | ---: |")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
