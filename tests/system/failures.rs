//! What stands in the way of a start, and what ends a run: each says what, where and what to do, and loses nothing acknowledged.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::load::{event, nothing_lost, under_load};
use crate::support::{Up, program, request, skipped, sql};

/// `up` that cannot start: its exit code and what it said.
fn refused(data: &Path, extra: &[&str]) -> (Option<i32>, String) {
    let free = ["--city", "none", "--page", "127.0.0.1:0", "--ingest", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--sql", "127.0.0.1:0"];
    let extra_names: Vec<&str> = extra.iter().step_by(2).copied().collect();
    let kept = free.chunks(2).filter(|pair| !extra_names.contains(&pair[0])).flatten();
    let Output { status, stderr, .. } = program().arg("up").arg("--data-dir").arg(data).args(kept).args(extra).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

fn says(said: &str, all: &[&str]) {
    for part in all {
        assert!(said.contains(part), "\"{part}\" is missing in: {said}");
    }
}

#[test]
fn a_taken_port_is_named_with_who_needs_it_and_the_option_that_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (option, who) in [("--page", "duty page"), ("--ingest", "ingest"), ("--metrics", "/metrics"), ("--sql", "SQL")] {
        let (code, said) = refused(folder.path(), &[option, &address]);
        assert_eq!(code, Some(78), "{said}");
        says(&said, &[&address, who, option]);
    }
}

#[test]
fn an_address_beyond_this_machine_is_refused_without_users_and_tls() {
    let (code, said) = refused(tempfile::tempdir().unwrap().path(), &["--page", "0.0.0.0:0"]);
    assert_eq!(code, Some(78), "{said}");
    says(&said, &["0.0.0.0", "--page", "TLS"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a-file");
    std::fs::write(&file, b"not a folder").unwrap();
    let (code, said) = refused(&file.join("data"), &[]);
    assert_eq!(code, Some(74), "{said}");
    says(&said, &["a-file", "--data-dir"]);
}

#[test]
fn a_second_up_on_the_same_folder_is_told_about_the_first_which_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--city", "none"]);
    let (code, said) = refused(folder.path(), &[]);
    assert_eq!(code, Some(78), "{said}");
    says(&said, &["log.redb", "--data-dir"]);
    assert_eq!(request(up.metrics, "GET", "/metrics", "text/plain", "").unwrap().0, 200);
    assert_eq!(up.end("TERM"), Some(0));
}

#[test]
fn ctrl_c_under_load_commits_what_was_acknowledged_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let acked = under_load(Up::start(&data, &["--city", "none"]), "c", |up| {
        std::thread::sleep(Duration::from_millis(1500));
        assert_eq!(up.end("INT"), Some(0), "Ctrl-C ends with exit code 0");
    });
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    // No start in between: what was acknowledged is in the lake already.
    nothing_lost(folder.path(), &data, &acked.into_iter().map(|id| ("load", id)).collect::<Vec<_>>());
}

#[test]
fn a_kept_folder_goes_on_and_knows_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let batch = |ids: std::ops::Range<u64>| ids.map(|id| event(&format!("k{id}"), id)).collect::<Vec<_>>().join("\n");
    let up = Up::start(folder.path(), &["--city", "none"]);
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/x-ndjson", &batch(0..30)).unwrap().0, 202);
    assert_eq!(up.end("TERM"), Some(0));
    let up = Up::start(folder.path(), &["--city", "none"]);
    assert_eq!(request(up.ingest, "POST", "/v1/events", "application/x-ndjson", &batch(20..40)).unwrap().0, 202);
    up.eventually("SELECT count(*) AS n FROM records", "n", 50);
    let rows = sql(up.page, "SELECT disposition, count(*) AS n FROM records GROUP BY disposition ORDER BY disposition");
    assert_eq!(serde_json::json!(rows), serde_json::json!([{"disposition": "accepted", "n": 40}, {"disposition": "duplicate", "n": 10}]));
    assert_eq!(up.end("TERM"), Some(0));
}

/// A file system of a few megabytes, taken away at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Some(Self(folder));
        }
        skipped("the full disk, which needs the right to mount a small file system; run the tests as root");
        None
    }

    fn grow(&self) {
        assert!(Command::new("mount").args(["-o", "remount,size=400m"]).arg(self.0.path()).status().unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[test]
fn a_full_disk_is_said_and_loses_nothing_acknowledged() {
    let Some(disk) = SmallDisk::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = disk.0.path().join("data");
    let mut said = String::new();
    let acked = under_load(Up::start(&data, &["--city", "none"]), "f", |up| {
        let (code, heard) = up.ends_by_itself(Duration::from_secs(60));
        assert_eq!(code, Some(74), "{heard}");
        said = heard;
    });
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    says(&said, &["No space left on device"]);
    let (code, again) = refused(&data, &[]);
    println!("full: {said}\nand started on the full disk: {code:?} {again}");
    disk.grow();
    let up = Up::start(&data, &["--city", "none"]);
    up.eventually("SELECT count(DISTINCT event_id) >= {n} AS n FROM events".replace("{n}", &acked.len().to_string()).as_str(), "n", true);
    assert_eq!(up.end("TERM"), Some(0));
    nothing_lost(folder.path(), &data, &acked.into_iter().map(|id| ("load", id)).collect::<Vec<_>>());
}
