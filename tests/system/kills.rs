//! What was acknowledged is in the lake, once, however often the process is killed: told by readers that are not ours.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::load::{nothing_lost, under_load};
use crate::support::{Up, program};

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

/// Kills `up` at a random moment under load; what was acknowledged until then.
fn kill_under_http_load(data: &Path, cycle: u64, state: &mut u64) -> Vec<String> {
    let up = Up::start(data, &["--city", "none", "--commit-interval-ms", "50"]);
    under_load(up, &format!("k{cycle}-"), |up| {
        std::thread::sleep(Duration::from_millis(5 + dice(state) % 800));
        up.kill();
    })
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
    let mut acked = Vec::new();
    let mut state = 7;
    own_feed(folder.path());
    for cycle in 0..HTTP_KILLS {
        acked.extend(kill_under_http_load(&data, cycle, &mut state));
    }
    for _ in 0..REPLAY_KILLS {
        let mut running = replay(folder.path(), &data).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + dice(&mut state) % 900));
        running.kill().unwrap();
        running.wait().unwrap();
    }
    assert!(replay(folder.path(), &data).status().unwrap().success(), "the replay that is left alone ends well");
    println!("{} kills", HTTP_KILLS + REPLAY_KILLS);
    assert!(acked.len() > 500, "the load was acknowledged at all: {}", acked.len());
    let mut all: Vec<(&str, String)> = acked.into_iter().map(|id| ("load", id)).collect();
    all.extend((0..ROWS).map(|row| ("load-file", format!("r{row}"))));
    nothing_lost(folder.path(), &data, &all);
}
