//! Every function is documented completely in both languages, and what its file promises is there.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use super::*;
use crate::documentation::Words;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn cases(function: &Function) -> String {
    read(&workspace().join(function.source.trim_end_matches(".rs")).join("cases.slt"))
}

/// Chinese says something in Chinese, English in nothing but Latin, Greek and mathematics.
fn said(words: Words, what: &str) {
    let chinese = |text: &str| text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
    assert!(words.en.len() > 2 && words.zh.len() > 2, "{what} is empty in one language: {words:?}");
    assert!(chinese(words.zh), "{what} is not said in Chinese: {}", words.zh);
    assert!(!words.en.contains(['，', '。', '：', '、']), "{what} mixes languages: {}", words.en);
    assert!(!words.zh.contains("  ") && !words.en.contains("  "), "{what} has two blanks: {words:?}");
}

#[test]
fn every_function_is_described_once_and_completely() {
    let mut names = HashSet::new();
    for function in documentation() {
        let (name, words) = (function.name, function.words);
        assert!(names.insert(name), "{name} stands in the lists twice");
        said(words.question, &format!("the question of {name}"));
        said(words.explanation, &format!("the explanation of {name}"));
        assert!(words.formula.lines().count() >= 1 && !words.formula.contains('\t'), "{name} has no formula");
        for argument in &function.arguments {
            said(Words::new(argument.meaning_en, argument.meaning_zh), &format!("argument {} of {name}", argument.name));
        }
        for result in &function.results {
            said(result.meaning.says, &format!("result {:?} of {name}", result.name));
        }
        assert!(!words.undefined.is_empty(), "{name} does not say when it is NULL");
        for undefined in words.undefined {
            said(undefined.when, &format!("a cause of NULL of {name}"));
        }
        assert!(!words.cautions.is_empty(), "{name} has no caution");
        for caution in words.cautions {
            said(*caution, &format!("a caution of {name}"));
        }
        said(words.example.asks, &format!("the question of the example of {name}"));
        said(words.example.reads, &format!("the reading of the example of {name}"));
        assert!(words.example.statement.contains(&format!("{name}(")), "the example of {name} never calls it");
        assert!(words.example.shown > 0, "the example of {name} shows nothing");
        if let Some(picture) = words.example.picture {
            said(picture.says, &format!("the picture of {name}"));
        }
        assert!(!words.literature.is_empty(), "{name} has no source");
        let arguments: HashSet<_> = function.arguments.iter().map(|a| a.name).collect();
        assert_eq!(arguments.len(), function.arguments.len(), "arguments of {name} repeat a name");
        for text in [Language::En, Language::Zh].map(|language| function.arguments_text(language)) {
            assert_eq!(text.lines().count(), function.arguments.len());
        }
    }
}

#[test]
fn every_statistic_has_a_picture() {
    for function in FUNCTIONS {
        assert!(function.documentation.example.picture.is_some(), "{} is not drawn", function.name);
    }
}

#[test]
fn meanings_are_those_of_the_results_in_their_order() {
    let all = FUNCTIONS
        .iter()
        .map(|f| (f.name, f.returns, f.documentation))
        .chain(ELSEWHERE.iter().map(|f| (f.name, f.returns, f.documentation)));
    for (name, returns, documentation) in all {
        let declared: Vec<&str> = match returns {
            Returns::One(_) => vec![""],
            Returns::Struct(outputs) | Returns::List(outputs) => outputs.iter().map(|output| output.name).collect(),
        };
        assert_eq!(documentation.results.iter().map(|meaning| meaning.name).collect::<Vec<_>>(), declared, "{name}");
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
    for function in FUNCTIONS {
        assert!(cases(function).contains(&format!("{}(", function.name)), "the cases of {} never call it", function.name);
    }
}

/// A reason of the page is one an analyst can meet, and one an analyst can meet is on the page.
#[test]
fn reasons_of_the_cases_are_those_of_the_documentation() {
    for function in FUNCTIONS {
        let documented: BTreeSet<&str> = function.documentation.undefined.iter().filter_map(|u| u.reason).map(Reason::as_str).collect();
        let has_reason = matches!(function.returns, Returns::Struct(outputs) if outputs.iter().any(|o| o.name == "reason"));
        assert_eq!(has_reason, !documented.is_empty(), "{} and its column `reason`", function.name);
        let text = cases(function);
        let seen: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).filter(|reason| text.contains(reason)).collect();
        assert_eq!(seen, documented, "reasons in the cases of {} against those of its documentation", function.name);
    }
}

/// The worked example is a test, in the file the definition names; definition, source and cautions stand at the top.
#[test]
fn the_worked_example_of_each_definition_is_a_test() {
    for function in FUNCTIONS {
        let text = read(&workspace().join(function.source));
        let header: String = text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("");
        assert!(header.contains("Source:") || header.contains("Sources:"), "{} names no source", function.source);
        assert!(header.contains("Cautions:"), "{} has no cautions", function.source);
        let example = header.split("Worked example: `").nth(1).unwrap_or_else(|| panic!("{} has no worked example", function.source));
        let (test, rest) = example.split_once('`').unwrap();
        let file = rest.strip_prefix(" in `").and_then(|rest| rest.split('`').next());
        let source = workspace().join(function.source);
        let file = file.map_or(source.clone(), |file| source.parent().unwrap().join(file));
        let text = read(&file);
        assert!(text.contains(&format!("#[test]\n    fn {test}()")), "{} has no test {test}", file.display());
    }
}
