//! The files of a deployment are understood by the programs that read them, and name what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use crate::support::{root, skipped};

#[test]
fn the_compose_file_is_valid_and_its_commands_are_ours() {
    let Ok(out) = Command::new("docker-compose").args(["config"]).current_dir(root()).output() else {
        skipped("docker-compose.yml; get docker-compose with: apt-get install docker-compose");
        return;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let resolved = String::from_utf8(out.stdout).unwrap();
    for role in ["ingest", "analyze", "serve", "dashboard"] {
        assert!(resolved.contains(&format!("- {role}\n")), "no container runs {role}");
        let help = crate::support::program().args([role, "--help"]).output().unwrap();
        assert!(help.status.success(), "gridwatch {role} is no command");
    }
    // Nothing is reached from beyond this machine.
    let ports: Vec<&str> = resolved.lines().filter(|line| line.ends_with("/tcp")).collect();
    assert!(ports.len() >= 6 && ports.iter().all(|line| line.contains("127.0.0.1:")), "{ports:?}");
}

#[test]
fn prometheus_evaluates_the_rules_of_every_job() {
    let file = root().join("dashboards/prometheus/prometheus.yml");
    let text = std::fs::read_to_string(&file).unwrap();
    for job in std::fs::read_dir(root().join("analytics/jobs")).unwrap() {
        let rules = format!("/jobs/{}/alerts.yml", job.unwrap().file_name().to_string_lossy());
        assert!(text.contains(&rules), "{rules} is not in dashboards/prometheus/prometheus.yml");
    }
    let Ok(out) = Command::new("promtool").args(["check", "config", "--syntax-only"]).arg(&file).output() else {
        skipped("dashboards/prometheus; get promtool with: apt-get install prometheus");
        return;
    };
    assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
}

/// Labels by metric, of the golden lists; histograms under the names they are asked by.
fn labels_of_metrics() -> BTreeMap<String, BTreeSet<String>> {
    let lists = ["metrics.txt", "kafka_metrics.txt"].map(|list| std::fs::read_to_string(root().join("tests/system").join(list)).unwrap());
    let mut all = BTreeMap::new();
    for line in lists.iter().flat_map(|list| list.lines()) {
        let (name, rest) = line.split_once(' ').unwrap();
        let (kind, rest) = rest.split_once(" {").unwrap();
        let labels: BTreeSet<String> = rest.split_once('}').unwrap().0.split(',').map(str::to_owned).collect();
        let asked: &[&str] = if kind == "histogram" { &["", "_bucket", "_sum", "_count"] } else { &[""] };
        all.extend(asked.iter().map(|part| (format!("{name}{part}"), labels.clone())));
    }
    all
}

/// Our metrics an expression asks for, each with the labels it picks series by.
fn asked(expression: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for (start, _) in expression.match_indices("gridwatch_") {
        let rest = &expression[start..];
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        let picked = rest[end..].strip_prefix('{').and_then(|inside| inside.split_once('}')).map_or("", |(inside, _)| inside);
        let labels =
            picked.split(',').filter_map(|pair| pair.split_once('=')).map(|(label, _)| label.trim().trim_end_matches('!').to_owned());
        found.push((rest[..end].to_owned(), labels.collect()));
    }
    found
}

#[test]
fn grafana_and_the_rules_about_the_log_ask_for_metrics_there_are() {
    let known = labels_of_metrics();
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let board: serde_json::Value = serde_json::from_str(&read("dashboards/grafana/dashboards/gridwatch.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let mut expressions: Vec<String> = targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect();
    assert!(expressions.len() > 10, "{expressions:?}");
    expressions.push(read("dashboards/prometheus/rules/log.yml"));
    for (metric, labels) in expressions.iter().flat_map(|expression| asked(expression)) {
        let has = known.get(&metric).unwrap_or_else(|| panic!("nothing shows {metric}"));
        assert!(labels.iter().all(|label| has.contains(label)), "{metric} has {has:?}, not {labels:?}");
    }
}

#[test]
fn alerts_about_the_log_fire_and_stay_quiet_as_their_test_says() {
    for arguments in [&["check", "rules", "--lint-fatal", "log.yml"][..], &["test", "rules", "log_test.yml"]] {
        let Ok(out) = Command::new("promtool").args(arguments).current_dir(root().join("dashboards/prometheus/rules")).output() else {
            skipped("dashboards/prometheus/rules; get promtool with: apt-get install prometheus");
            return;
        };
        assert!(out.status.success(), "{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
}
