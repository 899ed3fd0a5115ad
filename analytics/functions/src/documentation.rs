//! What an analyst reads about a function, in both languages: the one source of `system.functions` and of the pages in `docs/`.
//!
//! Each function writes one [`Documentation`] beside its definition. Names, types and defaults of arguments and results are
//! not repeated there: they come from the entry that computes. `documentation/listing.rs` puts both together.

mod listing;

pub use listing::{ArgumentDoc, FunctionDoc, ResultDoc, documentation};

use crate::Reason;

/// The languages of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// The same said in English and in Chinese; each is written for its readers, not translated word for word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

impl Words {
    /// Both.
    pub const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }

    /// In one of the languages.
    pub const fn of(self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

/// A function in an analyst's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Documentation {
    /// The question it answers.
    pub question: Words,
    /// How it answers it, and how its answer is read.
    pub explanation: Words,
    /// The formula: plain text with Unicode letters, one equation a line.
    pub formula: &'static str,
    /// Each result: its name, what it is counted in, what it says. One without a name where the answer is a single value.
    pub results: &'static [Meaning],
    /// When the answer is NULL.
    pub undefined: &'static [Undefined],
    /// Where it misleads.
    pub cautions: &'static [Words],
    /// A question to the demo city.
    pub example: Example,
    /// Where the method comes from.
    pub literature: &'static [&'static str],
}

/// What a result says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Its field name.
    pub name: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// What it says.
    pub says: Words,
}

impl Meaning {
    /// The meaning of a result.
    pub const fn new(name: &'static str, unit: Unit, en: &'static str, zh: &'static str) -> Self {
        Self { name, unit, says: Words::new(en, zh) }
    }
}

/// A cause of NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undefined {
    /// What stands in `reason`; none where the function has no such result.
    pub reason: Option<Reason>,
    /// When it happens.
    pub when: Words,
}

impl Undefined {
    /// NULL with a reason.
    pub const fn because(reason: Reason, en: &'static str, zh: &'static str) -> Self {
        Self { reason: Some(reason), when: Words::new(en, zh) }
    }

    /// NULL without one.
    pub const fn when(en: &'static str, zh: &'static str) -> Self {
        Self { reason: None, when: Words::new(en, zh) }
    }
}

/// What an argument or a result is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: names, scores, truth values.
    None,
    /// Cases, calls, events.
    Cases,
    /// A share from 0 to 1.
    Share,
    /// Whole steps of the series.
    Bins,
    /// Days.
    Days,
    /// As the caller's values.
    Own,
    /// The caller's unit of time.
    Time,
    /// Degrees of WGS 84, or the unit of the plane.
    Place,
    /// The unit of x and y.
    Plane,
    /// Kilometres, or the unit of the plane.
    Radius,
    /// Degrees.
    Degrees,
    /// Random rearrangements.
    Rearrangements,
}

impl Unit {
    /// Its name.
    pub const fn words(self) -> Words {
        match self {
            Self::None => Words::new("–", "–"),
            Self::Cases => Words::new("cases", "件"),
            Self::Share => Words::new("share, 0 to 1", "比例（0–1）"),
            Self::Bins => Words::new("bins", "时段"),
            Self::Days => Words::new("days", "天"),
            Self::Own => Words::new("that of the values", "与数值相同"),
            Self::Time => Words::new("that of duration", "与 duration 相同"),
            Self::Place => Words::new("degrees, or unit of the plane", "度，或平面单位"),
            Self::Plane => Words::new("unit of the plane, e.g. metres", "平面单位（如米）"),
            Self::Radius => Words::new("kilometres, or unit of the plane", "公里，或平面单位"),
            Self::Degrees => Words::new("degrees", "度"),
            Self::Rearrangements => Words::new("rearrangements", "次"),
        }
    }
}

/// A query on the shipped tables, answered by the demo city.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// What is asked.
    pub asks: Words,
    /// Which city answers.
    pub city: DemoCity,
    /// The statement, as one types it.
    pub statement: &'static str,
    /// How many of its rows are printed.
    pub shown: usize,
    /// How the answer is read.
    pub reads: Words,
    /// How its rows are drawn.
    pub picture: Option<Picture>,
}

/// The demo city whose tables answer an example; both end with 31 October 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DemoCity {
    /// Its last 42 days.
    Weeks,
    /// Four years of it, with a fiftieth of its calls.
    Years,
}

/// A small picture of an answer: columns by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// What is drawn.
    pub drawing: Drawing,
    /// What one sees.
    pub says: Words,
}

/// How rows become a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawing {
    /// A map of grids by a number; hot and cold where it has both signs.
    Map {
        /// Column of the grid.
        grid: &'static str,
        /// Column of the number.
        value: &'static str,
    },
    /// A map of grids by a name; grids without a row stay pale.
    Classes {
        /// Column of the grid, or of several with blanks between.
        grid: &'static str,
        /// Column of the name.
        class: &'static str,
    },
    /// Bars of a count in order of rows, lines over them, and marks where a column is true.
    Series {
        /// Column of the bars.
        bars: &'static str,
        /// Columns of the lines.
        lines: &'static [&'static str],
        /// Column of the marks.
        marked: Option<&'static str>,
    },
    /// Lines over a number.
    Lines {
        /// Column of the number.
        x: &'static str,
        /// Columns of the lines.
        lines: &'static [&'static str],
    },
    /// A falling staircase with its bounds.
    Stairs {
        /// Column of the time.
        x: &'static str,
        /// Column of the share.
        y: &'static str,
        /// Column of the lower bound.
        low: &'static str,
        /// Column of the upper bound.
        high: &'static str,
    },
    /// A bar a row, with its interval and a line to compare with.
    Bars {
        /// Columns of the label.
        labels: &'static [&'static str],
        /// Column of the bar.
        value: &'static str,
        /// Columns of the lower and upper bound.
        bounds: Option<(&'static str, &'static str)>,
        /// The value to compare with, as text.
        against: Option<&'static str>,
    },
}
