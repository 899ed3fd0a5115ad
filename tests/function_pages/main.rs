//! The pages of the SQL functions, made from their words and from what the demo city answers to their examples.
//!
//! The test holds that `analytics/functions/docs/` is what comes out; `UPDATE=1` (`make docs`) writes it instead. So a page never
//! shows a result the function does not give, and a changed function shows in the diff of its page.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(clippy::large_futures, reason = "how large a commit of the lake is, is not said here")]

mod answer;
mod city;
mod page;
mod picture;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use functions::Language::{En, Zh};
use functions::{DemoCity, FunctionDoc, documentation};

use answer::Answer;
use city::Lake;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("analytics/functions/docs")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_tells_what_the_demo_city_answers() {
    let (weeks, years) = (Lake::of(DemoCity::Weeks).await, Lake::of(DemoCity::Years).await);
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    let all = documentation();
    for function in &all {
        let example = &function.words.example;
        let lake = if example.city == DemoCity::Weeks { &weeks } else { &years };
        let answer =
            Answer::of(&lake.world, example.statement).await.unwrap_or_else(|why| panic!("the example of {}: {why}", function.name));
        assert!(!answer.rows.is_empty(), "the example of {} has no row", function.name);
        if let Some(drawn) = example.picture {
            files.insert(format!("{}.svg", function.name), picture::draw(&drawn.drawing, &answer, &lake.outlines));
        }
        for language in [En, Zh] {
            files.insert(page::file(function.name, language), page::page(function, &answer, language));
        }
    }
    files.insert("README.md".to_owned(), page::index(&all));
    holds_the_same_text(&weeks, &all, &files).await;
    compare(&files);
}

/// What `system.functions` says stands on the pages, word for word.
async fn holds_the_same_text(lake: &Lake, all: &[FunctionDoc], pages: &BTreeMap<String, String>) {
    let table = Answer::of(&lake.world, "SELECT * FROM system.functions").await.unwrap();
    assert_eq!(table.rows.len(), all.len());
    for row in &table.rows {
        let name = row[0].as_deref().unwrap();
        for (column, cell) in table.columns.iter().zip(row) {
            let cell = cell.as_deref().unwrap_or_else(|| panic!("{column} of {name} is NULL"));
            let languages = [("_en", En), ("_zh", Zh)].into_iter().filter(|(ending, _)| column.ends_with(ending) || !column.contains('_'));
            for (_, language) in languages {
                let page = page::plain(&pages[&page::file(name, language)]);
                // A line of the table is a row or an item of the page, whose parts stand between other marks.
                for part in cell.lines().flat_map(|line| line.split(": ")).filter(|part| !part.trim().is_empty()) {
                    let part = page::plain(part);
                    let found = part.split(", ").all(|piece| page.contains(piece.trim_start_matches("=> ")));
                    assert!(found, "{column} of {name} says \"{part}\", its page in {language:?} does not");
                }
            }
        }
    }
}

fn compare(files: &BTreeMap<String, String>) {
    let folder = folder();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let there: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(there, files.keys().cloned().collect(), "files of {}; `make docs` writes them", folder.display());
    for (name, text) in files {
        let committed = std::fs::read_to_string(folder.join(name)).unwrap();
        let line = committed.lines().zip(text.lines()).position(|(old, new)| old != new);
        assert!(
            committed == *text,
            "{name} is not what its function says and answers (line {:?}: {:?}): `make docs` writes it anew",
            line.map(|line| line + 1),
            line.map(|line| text.lines().nth(line).unwrap())
        );
    }
}
