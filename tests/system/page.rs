//! The duty page of the demo city, looked at by a real browser: it shows what SQL says, whole, in both languages, and turns grey with
//! its data. What it is held to stands in `tests/page/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Up, exchange, request, skipped};

/// The city publishes a month of history first: 20 s on two idle cores, and a machine that builds beside the test is slower.
const READY_MAX: Duration = Duration::from_secs(180);
/// Jobs whose rows the page shows.
const JOBS: [&str; 4] = ["feed_health", "hotspots", "recurrence", "volume"];

/// The page's own test, or nothing (said loudly) where what it needs is not installed.
fn check() -> Option<Command> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/page");
    #[expect(clippy::disallowed_methods, reason = "the browser is named as the page's own test names it")]
    let browser = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    if !Path::new(&browser).exists() {
        skipped("the page needs Chromium; get it with: apt-get install chromium, or name one in CHROMIUM");
    } else if !Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success()) {
        skipped("the page needs Node 20 or newer; get it with: apt-get install nodejs npm");
    } else if !folder.join("node_modules/playwright-core").exists() {
        skipped("the page needs what tests/page/package.json names; get it with: make tools");
    } else {
        let mut check = Command::new("node");
        check.arg(folder.join("check.mjs"));
        return Some(check);
    }
    None
}

/// Whether every job the page shows has rows.
fn shows(up: &Up) -> bool {
    let rows = |job: &&str| -> bool {
        let body = serde_json::json!({"sql": format!("SELECT count(*) AS rows FROM jobs.{job}")}).to_string();
        let answer = request(up.page, "POST", "/v1/sql", "application/json", &body);
        answer.is_some_and(|(status, body)| status == 200 && !body.contains(r#""rows":[{"rows":0}]"#))
    };
    JOBS.iter().all(rows)
}

fn wait_until_it_shows(up: &Up) {
    let begun = Instant::now();
    while !shows(up) {
        assert!(begun.elapsed() < READY_MAX, "the jobs have no rows after {READY_MAX:?}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Runs the page's test and answers what it said.
fn look(mut check: Command, up: &Up, arguments: &[&str]) -> String {
    let out = check.arg(format!("http://{}/", up.page)).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{said}");
    said
}

#[test]
fn page_of_the_demo_city_says_what_sql_says() {
    let Some(check) = check() else { return };
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), &[]);
    wait_until_it_shows(&up);
    let picture = folder.path().join("page.png");
    let said = look(check, &up, &["--lang", "zh", "--size", "1920x1080", "--screenshot", picture.to_str().unwrap()]);
    println!("{said}");
    assert!(said.contains("numbers on the page are those of SQL"), "{said}");
    assert_eq!(&std::fs::read(&picture).unwrap()[1..4], b"PNG");
    assert_eq!(up.end("TERM"), Some(0));
}

#[test]
fn page_of_an_empty_lake_says_that_nothing_came_in() {
    let Some(check) = check() else { return };
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--city", "none"]);
    let said = look(check, &up, &["--lang", "en", "--quick"]);
    assert!(said.contains("a lake without data is told as such, never calm"), "{said}");
    assert_eq!(up.end("TERM"), Some(0));
}

#[test]
fn polygons_are_sent_once() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--city", "none"]);
    let ask = |header: &str| exchange(up.page, "GET", "/v1/grids.geojson", header, "").unwrap();
    let begun = Instant::now();
    // Until the door is up its absence is a 503.
    while ask("").0 == 503 && begun.elapsed() < READY_MAX {
        std::thread::sleep(Duration::from_millis(100));
    }
    let (status, head, body) = ask("");
    let header = |name: &str| {
        let found = head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
        found.unwrap_or_else(|| panic!("no {name} in {head}")).1.to_owned()
    };
    assert_eq!((status, header("cache-control").as_str()), (200, "no-cache"));
    assert!(body.contains("FeatureCollection"), "{body}");
    assert_eq!(ask(&format!("if-none-match: {}\r\n", header("etag"))).0, 304);
    assert_eq!(ask("if-none-match: \"another\"\r\n").0, 200);
    assert_eq!(up.end("TERM"), Some(0));
}
