//! The functions in words, for `system.functions` and the generated pages: from the list, so never behind it.

use crate::FUNCTIONS;
use crate::function::{Argument, Function, Output, Returns};

/// One function in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDoc {
    /// The name in SQL.
    pub name: &'static str,
    /// `scalar`, `aggregate` or `window`.
    pub kind: &'static str,
    /// The call with its arguments and defaults.
    pub signature: String,
    /// What comes out: `double`, or the named results and their types.
    pub returns: String,
    /// The question it answers, in English.
    pub question_en: &'static str,
    /// The question it answers, in Chinese.
    pub question_zh: &'static str,
    /// Its arguments in order.
    pub arguments: Vec<ArgumentDoc>,
    /// Where the method comes from.
    pub literature: &'static str,
}

/// One argument in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArgumentDoc {
    /// Its name in `name => value`.
    pub name: &'static str,
    /// What it takes.
    pub accepts: &'static str,
    /// Its default as SQL; none if it must be given. A session may fill a skipped argument with it.
    pub default: Option<String>,
    /// Meaning and unit, in English.
    pub meaning_en: &'static str,
    /// Meaning and unit, in Chinese.
    pub meaning_zh: &'static str,
}

/// All functions in words, in the order of [`FUNCTIONS`].
pub fn documentation() -> Vec<FunctionDoc> {
    FUNCTIONS.iter().map(|function| describe(function)).collect()
}

fn describe(function: &Function) -> FunctionDoc {
    FunctionDoc {
        name: function.name,
        kind: function.kind.as_str(),
        signature: function.signature(),
        returns: returns(function.returns),
        question_en: function.question_en,
        question_zh: function.question_zh,
        arguments: function.arguments.iter().map(argument).collect(),
        literature: function.literature,
    }
}

fn argument(argument: &Argument) -> ArgumentDoc {
    ArgumentDoc {
        name: argument.name,
        accepts: argument.accepts.as_str(),
        default: argument.default.map(|default| default.sql()),
        meaning_en: argument.meaning_en,
        meaning_zh: argument.meaning_zh,
    }
}

fn returns(returns: Returns) -> String {
    match returns {
        Returns::Number => "double".to_owned(),
        Returns::Struct(outputs) => format!("struct({})", named(outputs)),
        Returns::List(outputs) => format!("struct({})[]", named(outputs)),
    }
}

fn named(outputs: &[Output]) -> String {
    let each: Vec<String> = outputs.iter().map(|o| format!("{} {}", o.name, o.data.as_str())).collect();
    each.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_function_is_described_once_and_completely() {
        let mut names = HashSet::new();
        for function in documentation() {
            assert!(names.insert(function.name), "{} stands in the list twice", function.name);
            assert!(!function.question_en.is_empty() && !function.question_zh.is_empty() && !function.literature.is_empty());
            let arguments: HashSet<_> = function.arguments.iter().map(|a| a.name).collect();
            assert_eq!(arguments.len(), function.arguments.len(), "arguments of {} repeat a name", function.name);
        }
    }

    #[test]
    fn arguments_with_a_default_come_last() {
        for function in documentation() {
            let optional: Vec<bool> = function.arguments.iter().map(|a| a.default.is_some()).collect();
            assert!(optional.is_sorted(), "{}: {optional:?}", function.name);
        }
    }

    #[test]
    fn every_statistic_of_several_results_says_why_it_is_undefined() {
        for function in FUNCTIONS {
            // These are undefined for one plain cause each, named in their file.
            let plain = ["wilson", "repeats"].contains(&function.name);
            if let Returns::Struct(outputs) = function.returns {
                assert_eq!(outputs.iter().any(|o| o.name == "reason"), !plain, "{}", function.name);
            }
        }
    }

    #[test]
    fn each_function_has_a_file_and_sql_cases() {
        let workspace = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for function in FUNCTIONS {
            let cases = workspace.join(function.source.trim_end_matches(".rs")).join("cases.slt");
            let text = std::fs::read_to_string(&cases).unwrap_or_else(|e| panic!("{}: {e}", cases.display()));
            assert!(text.contains(&format!("{}(", function.name)), "{} never calls {}", cases.display(), function.name);
        }
    }
}
