//! The functions in words, for `system.functions` and the generated pages: from the lists, so never behind them.

use super::{Documentation, Language, Meaning, Unit};
use crate::elsewhere::{ELSEWHERE, Elsewhere};
use crate::function::{Argument, Function, Kind, Output, Returns, signature};
use crate::{FUNCTIONS, Reason};

/// One function in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// The name in SQL.
    pub name: &'static str,
    /// `scalar`, `aggregate`, `window` or `table`.
    pub kind: &'static str,
    /// The call with its arguments and defaults.
    pub signature: String,
    /// What comes out: `double`, or the named results and their types.
    pub returns: String,
    /// The file that defines it.
    pub source: &'static str,
    /// Its arguments in order.
    pub arguments: Vec<ArgumentDoc>,
    /// Its results in order.
    pub results: Vec<ResultDoc>,
    /// The rest.
    pub words: &'static Documentation,
}

/// One argument in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentDoc {
    /// Its name in `name => value`.
    pub name: &'static str,
    /// What it takes.
    pub accepts: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Its default as SQL; none if it must be given. A session may fill a skipped argument with it.
    pub default: Option<String>,
    /// Meaning, in English.
    pub meaning_en: &'static str,
    /// Meaning, in Chinese.
    pub meaning_zh: &'static str,
}

impl ArgumentDoc {
    /// Its meaning.
    pub const fn meaning(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.meaning_en,
            Language::Zh => self.meaning_zh,
        }
    }
}

/// One result in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultDoc {
    /// Its field name; none if the function gives one value.
    pub name: Option<&'static str>,
    /// Its type.
    pub data: &'static str,
    /// What it says.
    pub meaning: &'static Meaning,
}

/// All functions in words: those that compute here in the order of [`FUNCTIONS`], then those whose code stands elsewhere.
pub fn documentation() -> Vec<FunctionDoc> {
    FUNCTIONS.iter().map(|function| computed(function)).chain(ELSEWHERE.iter().map(|function| elsewhere(function))).collect()
}

fn computed(function: &Function) -> FunctionDoc {
    let Function { name, source, kind, arguments, returns, documentation, .. } = *function;
    describe(name, source, kind, arguments, returns, documentation)
}

fn elsewhere(function: &Elsewhere) -> FunctionDoc {
    let Elsewhere { name, source, kind, arguments, returns, documentation } = *function;
    describe(name, source, kind, arguments, returns, documentation)
}

fn describe(
    name: &'static str,
    source: &'static str,
    kind: Kind,
    arguments: &'static [Argument],
    returns: Returns,
    words: &'static Documentation,
) -> FunctionDoc {
    FunctionDoc {
        name,
        kind: kind.as_str(),
        signature: signature(name, kind, arguments),
        returns: returned(kind, returns),
        source,
        arguments: arguments.iter().map(argument).collect(),
        results: results(returns, words),
        words,
    }
}

fn argument(argument: &Argument) -> ArgumentDoc {
    ArgumentDoc {
        name: argument.name,
        accepts: argument.accepts.as_str(),
        unit: argument.unit,
        default: argument.default.map(|default| default.sql()),
        meaning_en: argument.meaning_en,
        meaning_zh: argument.meaning_zh,
    }
}

fn returned(kind: Kind, returns: Returns) -> String {
    match returns {
        Returns::One(data) => data.as_str().to_owned(),
        Returns::List(outputs) if kind == Kind::Table => format!("table({})", named(outputs)),
        Returns::Struct(outputs) => format!("struct({})", named(outputs)),
        Returns::List(outputs) => format!("struct({})[]", named(outputs)),
    }
}

fn named(outputs: &[Output]) -> String {
    let each: Vec<String> = outputs.iter().map(|o| format!("{} {}", o.name, o.data.as_str())).collect();
    each.join(", ")
}

/// The results with their meanings, which a test holds to be as many and in the same order.
fn results(returns: Returns, words: &'static Documentation) -> Vec<ResultDoc> {
    match returns {
        Returns::One(data) => words.results.iter().map(|meaning| ResultDoc { name: None, data: data.as_str(), meaning }).collect(),
        Returns::Struct(outputs) | Returns::List(outputs) => {
            let named = |(output, meaning): (&Output, _)| ResultDoc { name: Some(output.name), data: output.data.as_str(), meaning };
            outputs.iter().zip(words.results).map(named).collect()
        }
    }
}

impl FunctionDoc {
    /// A line an argument: name, type, unit, default, meaning.
    pub fn arguments_text(&self, language: Language) -> String {
        let line = |a: &ArgumentDoc| {
            let default = a.default.as_ref().map(|default| format!(", => {default}")).unwrap_or_default();
            format!("{}: {}, {}{default}: {}", a.name, a.accepts, a.unit.words().of(language), a.meaning(language))
        };
        lines(self.arguments.iter().map(line))
    }

    /// A line a result: name, type, unit, meaning.
    pub fn results_text(&self, language: Language) -> String {
        let line = |r: &ResultDoc| {
            let name = r.name.map(|name| format!("{name}: ")).unwrap_or_default();
            format!("{name}{}, {}: {}", r.data, r.meaning.unit.words().of(language), r.meaning.says.of(language))
        };
        lines(self.results.iter().map(line))
    }

    /// A line a cause of NULL: reason, when it happens.
    pub fn undefined_text(&self, language: Language) -> String {
        let line = |undefined: &super::Undefined| {
            let reason = undefined.reason.map(|reason| format!("{}: ", Reason::as_str(reason))).unwrap_or_default();
            format!("{reason}{}", undefined.when.of(language))
        };
        lines(self.words.undefined.iter().map(line))
    }

    /// A line a caution.
    pub fn cautions_text(&self, language: Language) -> String {
        lines(self.words.cautions.iter().map(|caution| caution.of(language).to_owned()))
    }
}

fn lines(each: impl Iterator<Item = String>) -> String {
    each.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
