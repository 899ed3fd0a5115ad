//! What was acknowledged is in the lake, once, however often the process is killed: told by readers that are not ours.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Up, ledger, program, request};

/// Kills of `up` under load over HTTP, and kills of `replay`.
const HTTP_KILLS: u64 = 15;
const REPLAY_KILLS: u64 = 10;

/// A step of SplitMix64: when to kill is random but the same in every run.
fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) fn event(id: &str, minute: u64) -> String {
    format!(
        r#"{{"event_id":"{id}","source":"load","kind":"hotline_call","occurred_at":"2026-01-{:02}T{:02}:{:02}:00Z","category":"noise","address":"Mill Road {}"}}"#,
        1 + minute / 1440 % 28,
        minute / 60 % 24,
        minute % 60,
        minute % 40
    )
}

/// Sends batches until told to stop; keeps what was acknowledged.
pub(crate) fn send(address: std::net::SocketAddr, name: String, stop: Arc<AtomicBool>, acked: Arc<Mutex<Vec<String>>>) {
    for batch in 0..u64::MAX {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let ids: Vec<String> = (0..20).map(|n| format!("{name}-{batch}-{n}")).collect();
        let body: Vec<String> = ids.iter().enumerate().map(|(n, id)| event(id, batch * 20 + n as u64)).collect();
        match request(address, "POST", "/v1/events", "application/x-ndjson", &body.join("\n")) {
            Some((202, _)) => acked.lock().unwrap().extend(ids),
            Some((status, answer)) => assert!(status >= 500, "{status}: {answer}"),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn kill_under_http_load(data: &Path, cycle: u64, state: &mut u64, acked: &Arc<Mutex<Vec<String>>>) {
    let up = Up::start(data, &["--city", "none", "--commit-interval-ms", "50"]);
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let (address, stop, acked) = (up.ingest, Arc::clone(&stop), Arc::clone(acked));
            std::thread::spawn(move || send(address, format!("k{cycle}-{sender}"), stop, acked))
        })
        .collect();
    std::thread::sleep(Duration::from_millis(5 + dice(state) % 800));
    up.kill();
    stop.store(true, Ordering::SeqCst);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

const ROWS: usize = 20_000;

/// A feed of our own and a file for it.
fn own_feed(folder: &Path) {
    let feed = folder.join("feeds/load-file");
    std::fs::create_dir_all(&feed).unwrap();
    let toml = "name = \"load-file\"\nkind = \"grid_report\"\nformat = \"csv\"\nencoding = \"utf-8\"\ntime_zone = \"UTC\"\ncoordinate_system = \"none\"\n\
        transport = [\"file\"]\ndeduplication = \"unlimited\"\nlateness = \"unlimited\"\n\n[description]\nzh = \"负载测试\"\nen = \"load test\"\n";
    std::fs::write(feed.join("feed.toml"), toml).unwrap();
    std::fs::write(feed.join("mapping.sql"), "SELECT id AS event_id, at AS occurred_at, place AS address, 'rubbish' AS category FROM raw")
        .unwrap();
    std::fs::write(feed.join("sample.csv"), "id,at,place\n").unwrap();
    std::fs::write(feed.join("expected.ndjson"), "").unwrap();
    let mut rows = std::io::BufWriter::new(std::fs::File::create(folder.join("rows.csv")).unwrap());
    writeln!(rows, "id,at,place").unwrap();
    for row in 0..ROWS {
        writeln!(rows, "r{row},2026-02-{:02}T{:02}:00:00Z,Quay {}", 1 + row % 28, row % 24, row % 300).unwrap();
    }
}

fn replay(folder: &Path, data: &Path) -> std::process::Command {
    let mut command = program();
    command
        .arg("replay")
        .arg("load-file")
        .arg(folder.join("rows.csv"))
        .arg("--data-dir")
        .arg(data)
        .arg("--feeds-dir")
        .arg(folder.join("feeds"));
    command
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_doubled_by_kills_at_random_moments() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let acked = Arc::new(Mutex::new(Vec::new()));
    let mut state = 7;
    own_feed(folder.path());
    for cycle in 0..HTTP_KILLS {
        kill_under_http_load(&data, cycle, &mut state, &acked);
    }
    for _ in 0..REPLAY_KILLS {
        let mut running = replay(folder.path(), &data).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + dice(&mut state) % 900));
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert!(replay(folder.path(), &data).status().unwrap().success(), "the replay that is left alone ends well");
    let acked = acked.lock().unwrap().clone();
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    let mut lines: Vec<String> = acked.iter().map(|id| format!("load\t{id}")).collect();
    lines.extend((0..ROWS).map(|row| format!("load-file\tr{row}")));
    std::fs::write(folder.path().join("acked.tsv"), lines.join("\n")).unwrap();
    if let Some(said) = ledger(&data, &["--acked", folder.path().join("acked.tsv").to_str().unwrap()]) {
        println!("{} kills, {} acknowledged: {said}", HTTP_KILLS + REPLAY_KILLS, acked.len());
        assert_eq!(said["broken"], serde_json::json!([]), "{said}");
    }
    let check = program().args(["check", "--format", "csv", "--data-dir"]).arg(&data).output().unwrap();
    assert!(check.status.success(), "{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
}
