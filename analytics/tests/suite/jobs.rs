//! Every folder of `analytics/jobs/` is whole, its query answers its cases, and its alerts fire and stay quiet as its tests say.
//!
//! In a case file `job('2026-01-08T00:00:00Z')` where a table may stand is what the folder's query answers with that as `:as_of`; a second instant is `:now`, else they are the
//! same. It is answered first and alone, as a run does, so that what a case asks of it cannot change how it is planned.
//! The session has every function and no table: a case makes the few it needs.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use analytics::jobs::{Job, discover, find};
use analytics::session::syntax::complete_text;
use analytics::session::{SessionSettings, without_tables};
use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use crate::slt::{answer, cases};

const FILES: [&str; 5] = ["alerts.yml", "alerts_test.yml", "cases.slt", "job.toml", "query.sql"];

fn jobs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs")
}

fn folders() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(jobs()).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty(), "no job at all in {}", jobs().display());
    found
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn every_folder_has_its_five_files_and_no_other() {
    for folder in folders() {
        let names: BTreeSet<String> =
            std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        assert_eq!(names, FILES.map(str::to_owned).into(), "in {}", folder.display());
    }
    assert_eq!(discover(None).unwrap().len(), folders().len(), "each folder is a job of the binary");
}

#[tokio::test]
async fn cases_of_every_job_hold_at_any_batch_size_and_partition_count() {
    for folder in folders() {
        let job = find(&folder.display().to_string(), None).unwrap();
        let cases = cases(&folder.join("cases.slt"));
        assert!(cases.iter().any(|case| case.sql.contains("job('")), "{} never asks the job", folder.display());
        for (batch_rows, threads) in [(8_192, 1), (2, 3)] {
            let session = without_tables(&SessionSettings { threads, ..SessionSettings::default() }).unwrap();
            answer(&session, &format!("SET datafusion.execution.batch_size = {batch_rows}")).await.unwrap();
            for case in &cases {
                let statement = with_job(&session, &case.sql, &job).await;
                case.hold(&session, statement).await.unwrap_or_else(|why| {
                    panic!("{}:{} at batches of {batch_rows}, {threads} threads: {why}", folder.join("cases.slt").display(), case.line);
                });
            }
        }
    }
}

/// The statement with each `job('as_of')` and `job('as_of', 'now')` replaced by a table of the job's rows.
async fn with_job(session: &SessionContext, sql: &str, job: &Job) -> Result<String, String> {
    let mut asked = sql.split("job('");
    let mut replaced = asked.next().unwrap_or_default().to_owned();
    for (number, rest) in asked.enumerate() {
        let (arguments, after) = rest.split_once("')").ok_or("job(' has no end")?;
        let asked = statement(job, arguments)?;
        let statement = complete_text(&asked).map_err(|error| error.to_string())?;
        let rows = session.sql(&statement).await.map_err(|error| error.to_string())?;
        let rows = rows.cache().await.map_err(|error| error.to_string())?;
        let table = format!("rows_of_job_{number}");
        session.deregister_table(table.as_str()).map_err(|error| error.to_string())?;
        session.register_table(table.as_str(), rows.into_view()).map_err(|error| error.to_string())?;
        replaced += &table;
        replaced += after;
    }
    Ok(replaced)
}

fn statement(job: &Job, arguments: &str) -> Result<String, String> {
    let instants: Result<Vec<DateTime<Utc>>, _> = arguments.split("', '").map(str::parse).collect();
    match instants.map_err(|error| format!("job('{arguments}'): {error}"))?.as_slice() {
        [as_of] => Ok(job.statement(*as_of, *as_of)),
        [as_of, now] => Ok(job.statement(*as_of, *now)),
        _ => Err(format!("job('{arguments}') takes one or two instants")),
    }
}

#[test]
fn alerts_fire_and_stay_quiet_as_their_tests_say() {
    for folder in folders() {
        for arguments in [&["check", "rules", "--lint-fatal", "alerts.yml"][..], &["test", "rules", "alerts_test.yml"]] {
            let out = match Command::new("promtool").args(arguments).current_dir(&folder).output() {
                Ok(out) => out,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    // Past the test's capture: the line must be seen where the test passes.
                    writeln!(std::io::stderr(), "skipped: alerts of the jobs need promtool; get it with: apt-get install prometheus")
                        .unwrap();
                    return;
                }
                Err(error) => panic!("promtool: {error}"),
            };
            let said = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
            assert!(out.status.success(), "promtool {} in {}:\n{said}", arguments.join(" "), folder.display());
        }
    }
}

/// Words of a text that begin as our metrics do.
fn metrics(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| word.starts_with("gridwatch_")).collect()
}

#[test]
fn alerts_speak_only_of_metrics_there_are() {
    let declared: Vec<String> = ["src/metrics.rs", "src/jobs/gauges.rs"]
        .map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .into_iter()
        .chain(folders().into_iter().map(|folder| folder.join("job.toml")))
        .map(|file| read(&file))
        .collect();
    let declared: BTreeSet<&str> = declared.iter().flat_map(|text| metrics(text)).collect();
    for folder in folders() {
        let rules = read(&folder.join("alerts.yml"));
        let unknown: Vec<&str> = metrics(&rules).difference(&declared).copied().collect();
        assert!(unknown.is_empty(), "{} speaks of {unknown:?}, which nothing shows", folder.join("alerts.yml").display());
    }
}

#[test]
fn every_alert_says_in_both_languages_what_it_means_and_has_been_seen_quiet_and_firing() {
    for folder in folders() {
        let (rules, tests) = (read(&folder.join("alerts.yml")), read(&folder.join("alerts_test.yml")));
        let mut alerts = rules.split("- alert: ");
        alerts.next();
        let mut seen = 0;
        for alert in alerts {
            let name = alert.lines().next().unwrap_or_default();
            for word in ["for:", "severity:", "summary_zh:", "summary_en:", "action_zh:", "action_en:", "# "] {
                assert!(alert.contains(word), "alert {name} of {} lacks {word}", folder.display());
            }
            let looks: Vec<&str> = tests.split("alertname: ").skip(1).filter(|look| look.lines().next() == Some(name)).collect();
            let quiet = looks.iter().filter(|look| look.lines().nth(1).is_some_and(|line| line.trim() == "exp_alerts: []")).count();
            let firing = looks.len() - quiet;
            assert!(quiet > 0 && firing > 0, "alerts_test.yml of {} sees {name} firing {firing} times, quiet {quiet}", folder.display());
            seen += 1;
        }
        assert!(seen > 0, "{} has no alert", folder.display());
    }
}
