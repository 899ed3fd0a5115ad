//! What `why` says of grids of the demo city and of a month of Taipei adds up to what the jobs say of them, over the lake at rest.

use std::collections::HashMap;
use std::path::Path;

use crate::support::{Up, city_data, program, said, unpacked};

/// Rows of each job that are explained: the first that are hot or surging, and as many drawn evenly from all.
const EXPLAINED: usize = 6;

type Row = HashMap<String, String>;

/// Rows of a command that prints CSV. None of the columns asked for holds a comma or a quote.
fn rows(data: &Path, arguments: &[&str]) -> Vec<Row> {
    let text = said(program().args(arguments).args(["--format", "csv", "--data-dir"]).arg(data));
    let mut lines = text.lines();
    let heads: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    lines.map(|line| heads.iter().zip(line.split(',')).map(|(head, value)| ((*head).to_owned(), value.to_owned())).collect()).collect()
}

fn number(row: &Row, column: &str) -> Option<f64> {
    row[column].parse().ok()
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1.0)
}

/// Explains rows of a job and compares each sum; answers how many were compared.
fn explain(data: &Path, job: &str, telling: &str) -> usize {
    let all = rows(data, &["job", "run", job]);
    let told: Vec<&Row> = all.iter().filter(|row| row["reason"] != "incomplete_bin").collect();
    assert!(!told.is_empty(), "{job} says nothing");
    let hot = told.iter().filter(|row| row[telling] == "true").take(EXPLAINED);
    let drawn = told.iter().step_by((told.len() / EXPLAINED).max(1)).take(EXPLAINED);
    let mut compared = 0;
    for row in hot.chain(drawn) {
        let (grid, category) = (&row["grid_id"], &row["category"]);
        let statement = format!(
            "SELECT period, measure, aspect, sum(value) AS value, sum(expected) AS expected, sum(contribution) AS contribution, max(total) AS total, max(scale) AS scale \
             FROM why('{grid}', '{category}', '{}') WHERE detector = '{job}' GROUP BY period, measure, aspect",
            row["as_of"]
        );
        let same = |sums: &&Row| row.get("period").is_none_or(|period| *period == sums["period"] && row["measure"] == sums["measure"]);
        for sums in rows(data, &["sql", &statement]).iter().filter(same) {
            let (events, baseline) = (number(row, "events").unwrap(), number(row, "baseline"));
            let expected = match sums["aspect"].as_str() {
                "neighbour" => number(row, "z").map(|z| z * number(sums, "scale").unwrap()),
                "baseline" => baseline,
                "location" | "lateness" => Some(events),
                _ => Some(events - baseline.unwrap_or_default()),
            };
            let (sum, total) = (number(sums, "contribution").unwrap(), number(sums, "total").unwrap());
            assert!(close(sum, total) && expected.is_none_or(|expected| close(sum, expected)), "{job}: {row:?}\nagainst {sums:?}");
            if sums["aspect"] == "summary" {
                let usual = number(sums, "expected");
                assert!(number(sums, "value") == Some(events) && usual.is_some() == baseline.is_some(), "{row:?}\nagainst {sums:?}");
                assert!(usual.zip(baseline).is_none_or(|(one, other)| close(one, other)), "{row:?}\nagainst {sums:?}");
            }
            compared += 1;
        }
    }
    compared
}

fn explain_both(data: &Path) {
    let compared = explain(data, "hotspots", "hot") + explain(data, "surges", "surging");
    println!("{compared} sums compared");
    assert!(compared > 10 * EXPLAINED, "{compared} sums");
}

#[test]
fn what_is_hot_in_the_demo_city_is_explained_to_the_last_event() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &[]);
    up.eventually("SELECT count(*) > 0 AS told FROM system.jobs WHERE job = 'surges' AND rows > 100", "told", true);
    // By PostgreSQL's protocol and over HTTP alike, as of the newest run.
    up.eventually("SELECT count(*) > 0 AS told FROM why('*', '*') WHERE aspect = 'summary'", "told", true);
    let url = format!("postgres://{}/gridwatch", up.sql);
    let lines =
        said(program().args(["sql", "SELECT count(*) AS n FROM why('*', '*') WHERE aspect = 'summary'", "--format", "csv", "--url", &url]));
    assert_eq!(lines, "n\n1\n");
    assert_eq!(up.end("TERM"), Some(0));
    explain_both(folder.path());
}

#[test]
fn what_is_hot_in_a_month_of_taipei_is_explained_to_the_last_event() {
    let (Some(villages), Some(calls)) = (city_data("taipei/zones_village.geojson.zst"), city_data("taipei/hotline1999_2020.csv.zst"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    said(
        program()
            .args(["grids", "load"])
            .arg(villages)
            .args(["--level", "village", "--id", "CPTVID", "--name", "VNAME", "--data-dir"])
            .arg(&data),
    );
    // The nights of noise of December 2020, and the weeks before that say what is usual.
    let calls = unpacked(&calls);
    let of = |line: &&str| {
        ["202011", "202012"].iter().any(|month| line.contains(&format!(",{month}")))
            && !line.contains(",2020122")
            && !line.contains(",2020123")
    };
    let month: String = calls.lines().take(1).chain(calls.lines().skip(1).filter(of)).map(|line| line.to_owned() + "\n").collect();
    let file = folder.path().join("hotline.csv");
    std::fs::write(&file, month).unwrap();
    said(program().args(["replay", "taipei-hotline"]).arg(&file).arg("--data-dir").arg(&data));
    explain_both(&data);
}
