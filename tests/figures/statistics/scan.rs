//! `space_time_scan` beside SaTScan, which cannot be shipped: beside a program that was timed with SaTScan on one machine on the
//! same input, and is timed here again. What SaTScan would take here is that program's time × the ratio on that machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::datatypes::{Float64Type, Int64Type};

use super::pairs::{Cost, Pairs, cost, exponent};
use super::peer::{python, scan_scripts};
use super::{Sql, time};
use crate::Figure;

/// A city of the generator: `side`² places, and cases over days.
#[derive(Clone, Copy)]
struct City {
    name: &'static str,
    side: usize,
    days: usize,
    cases: usize,
}

const MEDIUM: City = City { name: "stp_m", side: 64, days: 180, cases: 50_000 };

/// SaTScan 10.3.2's CPU seconds on that city with 999 replicates, one thread.
const SATSCAN_RECORDED: f64 = 516.6;

/// The prototype's CPU seconds at the same time on that machine; it needs AVX-512.
const PROTOTYPE_RECORDED: f64 = 15.6;

/// The oracle's, which looks for the observed cluster alone, there.
const ORACLE_RECORDED: f64 = 7.72;

const REPLICATES: usize = 999;

/// Its rows as the generator writes them.
fn rows(folder: &Path, city: City) -> RecordBatch {
    let read = |kind: &str| std::fs::read_to_string(folder.join(format!("{}.{kind}", city.name))).unwrap();
    let words = |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let places: std::collections::HashMap<String, (f64, f64)> =
        read("geo").lines().map(words).map(|w| (w[0].clone(), (w[1].parse().unwrap(), w[2].parse().unwrap()))).collect();
    let first = chrono::NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
    let day = |text: &str| (chrono::NaiveDate::parse_from_str(text, "%Y/%m/%d").unwrap() - first).num_days() as f64;
    let mut rows: Vec<(String, f64, f64)> =
        read("cas").lines().map(words).map(|w| (w[0].clone(), day(&w[2]), w[1].parse().unwrap())).collect();
    // A place without cases has a row too, or circles would pass over it.
    rows.extend(places.keys().map(|place| (place.clone(), 0.0, 0.0)));
    let number = |read: &dyn Fn(&(String, f64, f64)) -> f64| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(read(row))).collect::<Float64Array>())
    };
    let columns: [(&str, ArrayRef); 5] = [
        ("grid_id", Arc::new(rows.iter().map(|row| Some(row.0.as_str())).collect::<StringArray>())),
        ("x", number(&|row| places[&row.0].0)),
        ("y", number(&|row| places[&row.0].1)),
        ("day", number(&|row| row.1)),
        ("cases", number(&|row| row.2)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn generate(python: &Path, scripts: &Path, folder: &Path, city: City) {
    let numbers = [city.side, city.days, city.cases, 1].map(|number| number.to_string());
    let mut command = Command::new(python);
    command.arg(scripts.join("gen_stp.py")).arg(city.name).args(numbers).current_dir(folder).stdout(Stdio::null());
    assert!(command.status().unwrap().success());
}

fn register(sql: &Sql, folder: &Path, city: City) {
    sql.world.session.deregister_table("scanned").unwrap();
    sql.register("scanned", rows(folder, city));
}

/// What was found: center, grids, days, observed, ratio, p of the best cluster.
#[derive(Debug)]
struct Best {
    center: String,
    grids: usize,
    days: f64,
    observed: i64,
    ratio: f64,
    p: f64,
}

fn scan(sql: &Sql, replicates: usize) -> Best {
    let statement =
        format!("SELECT space_time_scan(grid_id, x, y, day, cases, 14, 0.5, {replicates}, 1, 'plane') AS clusters FROM scanned");
    let answer = sql.query(&statement).remove(0);
    let lists: &ListArray = answer.column(0).as_list();
    let rows = lists.value(0);
    let rows: &StructArray = rows.as_struct();
    let column = |name: &str| Arc::clone(rows.column_by_name(name).unwrap());
    let number = |name: &str| column(name).as_primitive::<Float64Type>().value(0);
    Best {
        center: column("center").as_string::<i32>().value(0).to_owned(),
        grids: column("grids").as_list::<i32>().value(0).len(),
        days: number("end_day") - number("start_day") + 1.0,
        observed: column("observed").as_primitive::<Int64Type>().value(0),
        ratio: number("llr"),
        p: number("p_value"),
    }
}

/// The recorded answer to a city.
fn recorded(scripts: &Path, city: City) -> serde_json::Value {
    let text = std::fs::read_to_string(scripts.join("expected.jsonl")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.find(|line| line["data"] == city.name).unwrap()
}

/// The oracle's CPU seconds, by its own clock; it wants a line of SaTScan's to print beside its own.
fn oracle(python: &Path, scripts: &Path, folder: &Path, city: City, expected: &serde_json::Value) -> Cost {
    let theirs = &expected["satscan"];
    let names = ["TEST_STAT", "LOC_ID", "NUMBER_LOC", "START_DATE", "OBSERVED", "EXPECTED", "RADIUS", "P_VALUE"];
    let keys = ["stat", "centre", "cells_in_cluster", "start", "obs", "exp", "radius", "p"];
    let values = keys.map(|key| theirs[key].to_string().trim_matches('"').to_owned());
    std::fs::write(folder.join("recorded.col.txt"), format!("{}\n{}\n", names.join(" "), values.join(" "))).unwrap();
    let mut command = Command::new(python);
    command.arg(scripts.join("oracle_stp.py")).arg(city.name).args([&city.days.to_string(), "14", "50", "recorded"]).current_dir(folder);
    let output = command.output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let seconds = answer["oracle_cpu_s"].as_f64().unwrap() * SATSCAN_RECORDED / ORACLE_RECORDED;
    Cost { wall: seconds, cpu: seconds }
}

/// The prototype, where a compiler and AVX-512 are at hand.
fn prototype(scripts: &Path, folder: &Path) -> bool {
    #[cfg(target_arch = "x86_64")]
    let able = std::arch::is_x86_feature_detected!("avx512bw");
    #[cfg(not(target_arch = "x86_64"))]
    let able = false;
    let mut compiler = Command::new("gcc");
    compiler.args(["-O3", "-march=native", "-o"]).arg(folder.join("prototype")).arg(scripts.join("scanlimit.c")).arg("-lm");
    able && compiler.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn run_prototype(folder: &Path, city: City) -> Cost {
    let mut command = Command::new(folder.join("prototype"));
    command.arg(city.name).args([&city.days.to_string(), "14", "50", &REPLICATES.to_string(), "null.txt"]).current_dir(folder);
    let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let after = text.split("total ").nth(1).unwrap();
    let seconds = after.split('s').next().unwrap().parse::<f64>().unwrap() * SATSCAN_RECORDED / PROTOTYPE_RECORDED;
    Cost { wall: seconds, cpu: seconds }
}

pub(super) fn figures(sql: &Sql) -> Vec<Figure> {
    let (Some(python), Some(scripts)) = (python(), scan_scripts()) else { return Vec::new() };
    let folder = tempfile::tempdir().unwrap();
    let grown = [16, 32, 64].map(|side| {
        let city = City { name: "grown", side, days: 180, cases: 50_000 * side * side / (64 * 64) };
        generate(&python, &scripts, folder.path(), city);
        register(sql, folder.path(), city);
        cost(|| drop(scan(sql, 99))).cpu
    });
    generate(&python, &scripts, folder.path(), MEDIUM);
    register(sql, folder.path(), MEDIUM);
    let expected = recorded(&scripts, MEDIUM);
    let best = scan(sql, 9);
    let theirs = &expected["satscan"];
    assert_eq!(
        (best.center.as_str(), best.grids as u64),
        (theirs["centre"].as_str().unwrap(), theirs["cells_in_cluster"].as_u64().unwrap())
    );
    assert_eq!((best.observed, best.days), (theirs["obs"].as_i64().unwrap(), expected["oracle"]["days"].as_f64().unwrap()));
    assert!((best.ratio - theirs["stat"].as_f64().unwrap()).abs() < 5e-7, "{best:?}");
    let with_prototype = prototype(&scripts, folder.path());
    let satscan = || match with_prototype {
        true => run_prototype(folder.path(), MEDIUM),
        false => oracle(&python, &scripts, folder.path(), MEDIUM, &expected),
    };
    let ours = || cost(|| assert!((scan(sql, REPLICATES).p - theirs["p"].as_f64().unwrap()).abs() < 1e-9));
    let pairs = Pairs::run(satscan, ours);
    let by = if with_prototype { "our prototype" } else { "our oracle" };
    let (of, took) = (if with_prototype { PROTOTYPE_RECORDED } else { ORACLE_RECORDED }, pairs.theirs());
    vec![Figure::new(
        format!("`space_time_scan` of {} grids, {} cases in SQL, {REPLICATES} replicates", MEDIUM.side * MEDIUM.side, MEDIUM.cases),
        format!(
            "{} CPU, {} × SaTScan; {} by the clock, {} ×; cost grows with (grids, cases)^{:.2}",
            time(pairs.ours()),
            pairs.cpu(),
            time(pairs.ours_wall()),
            pairs.wall(),
            exponent(grown)
        ),
        format!(
            "SaTScan, not run: {SATSCAN_RECORDED} s CPU where {by} took {of} s, so {took:.0} s here, where that took {:.1} s; same cluster; floor 10 ×",
            took * of / SATSCAN_RECORDED
        ),
    )]
}
