//! The rules of ARCHITECTURE.md about crates and files, read from `cargo metadata` and the sources themselves.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Direct dependencies (not for development) of each workspace crate.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let crates = metadata["packages"].as_array().unwrap().iter();
    crates
        .map(|package| {
            let normal = package["dependencies"].as_array().unwrap().iter().filter(|dependency| dependency["kind"].is_null());
            (
                package["name"].as_str().unwrap().to_owned(),
                normal.map(|dependency| dependency["name"].as_str().unwrap().to_owned()).collect(),
            )
        })
        .collect()
}

#[test]
fn crates_depend_only_downstream() {
    let all = dependencies();
    let own: BTreeSet<&str> = all.keys().map(String::as_str).collect();
    let allowed: BTreeMap<&str, &[&str]> = [
        ("fetched", &[][..]),
        ("contract", &["fetched"][..]),
        ("functions", &[][..]),
        ("ingest", &["contract"][..]),
        ("deciding", &["contract"][..]),
        ("analytics", &["contract", "deciding", "functions"][..]),
        ("dashboards", &[][..]),
        ("gridwatch", &["contract", "ingest", "analytics", "dashboards"][..]),
    ]
    .into();
    assert_eq!(own, allowed.keys().copied().collect(), "a crate came or went: say here what it may see");
    for (name, dependencies) in &all {
        let seen: BTreeSet<&str> = dependencies.iter().map(String::as_str).filter(|dependency| own.contains(dependency)).collect();
        let may: BTreeSet<&str> = allowed[name.as_str()].iter().copied().collect();
        assert!(seen.is_subset(&may), "{name} sees {seen:?}, it may see {may:?}");
    }
}

#[test]
fn statistics_and_deciding_know_no_io() {
    let all = dependencies();
    for (name, forbidden) in ["functions", "deciding"].into_iter().flat_map(|name| {
        ["tokio", "object_store", "deltalake-core", "datafusion", "redb", "axum"].into_iter().map(move |forbidden| (name, forbidden))
    }) {
        assert!(!all[name].contains(forbidden), "{name} depends on {forbidden}");
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(name.as_str(), "target" | "node_modules" | ".git" | "dist") {
            sources(&path, found);
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

fn rust_files() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    sources(&root(), &mut paths);
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(root()).unwrap().display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

#[test]
fn each_outside_system_is_named_in_one_place() {
    let places = [
        ("deltalake_core::", "analytics/src/lake/delta"),
        ("redb::", "contract/src/log/local"),
        ("datafusion_postgres::", "analytics/src/door/pgwire"),
        ("rdkafka::", "contract/src/log/kafka"),
    ];
    for (system, place) in places {
        for (file, text) in rust_files().iter().filter(|(file, _)| file != "tests/workspace.rs") {
            assert!(!text.contains(system) || file.starts_with(place), "{file} names {system}, which belongs to {place}");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> =
        rust_files().into_iter().filter(|(_, text)| !text.trim_start().starts_with("//!")).map(|(file, _)| file).collect();
    assert!(silent.is_empty(), "without `//!`: {silent:?}");
}

#[test]
fn paths_named_in_the_architecture_exist() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for path in text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains(['<', ' ', '*', '{'])) {
        if ["contract", "ingest", "analytics", "dashboards", "src", "tests"].iter().any(|top| path.starts_with(&format!("{top}/"))) {
            let at = root().join(path.trim_end_matches('/'));
            assert!(at.exists() || at.with_extension("rs").exists(), "ARCHITECTURE.md names `{path}`, which is not there");
        }
    }
}
