//! What did not get in or found no place has a second chance: a mended mapping, grids that come later.

use std::path::Path;

use crate::support::{Up, program, said};

const FEED: &str = "name = \"desk\"\nkind = \"hotline_call\"\nformat = \"csv\"\nencoding = \"big5\"\ntime_zone = \"Asia/Taipei\"\n\
    coordinate_system = \"none\"\ntransport = [\"file\"]\ndeduplication = \"unlimited\"\nlateness = \"unlimited\"\n\n\
    [description]\nzh = \"测试\"\nen = \"test\"\n";
/// Knows one way to write a time; the mended one knows both.
const NARROW: &str = "SELECT id AS event_id, at AS occurred_at, place AS address, 'noise' AS category, \
    CASE WHEN at NOT LIKE '%T%' THEN 'bad_time' END AS reject_reason FROM raw";
const MENDED: &str = "SELECT id AS event_id, replace(at, ' ', 'T') AS occurred_at, place AS address, 'noise' AS category, \
    CASE WHEN at NOT LIKE '%:%' THEN 'bad_time' END AS reject_reason FROM raw";

fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = program();
    command.args(arguments).arg("--data-dir").arg(folder.join("data")).arg("--feeds-dir").arg(folder.join("feeds"));
    said(&mut command)
}

fn write_feed(folder: &Path, mapping: &str) {
    let feed = folder.join("feeds/desk");
    std::fs::create_dir_all(&feed).unwrap();
    for (name, text) in [("feed.toml", FEED), ("mapping.sql", mapping), ("sample.csv", "id,at,place\n"), ("expected.ndjson", "")] {
        std::fs::write(feed.join(name), text).unwrap();
    }
}

/// Two districts side by side.
fn write_grids(folder: &Path) -> String {
    let square = |id: &str, name: &str, x: i32| {
        format!(
            r#"{{"type":"Feature","properties":{{"id":"{id}","name":"{name}"}},"geometry":{{"type":"Polygon","coordinates":[[[{x},0],[{},0],[{},1],[{x},1],[{x},0]]]}}}}"#,
            x + 1,
            x + 1
        )
    };
    let path = folder.join("grids.geojson");
    let text = format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, square("E", "東區", 0), square("W", "西區", 1));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn a_mended_mapping_and_later_grids_take_in_what_was_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_feed(folder, NARROW);
    let rows = "id,at,place\n1,2026-01-05T08:00:00,東區中正路1號\n2,2026-01-05 09:00:00,\"西區民生路2號\n後門\"\n3,soon,西區民生路3號\n";
    std::fs::write(folder.join("calls.csv"), encoding_rs::BIG5.encode(rows).0).unwrap();
    let file = folder.join("calls.csv").display().to_string();
    let outcome = run(folder, &["replay", "desk", &file, "--format", "csv"]);
    assert_eq!(outcome, "outcome,reason,rows\nread,,3\naccepted,,1\nduplicate,,0\nlate,,0\nquarantined,bad_time,2\n");
    write_feed(folder, MENDED);
    let again = run(folder, &["quarantine", "replay", "--feed", "desk", "--format", "csv"]);
    assert_eq!(again, "outcome,reason,rows\nread,,2\naccepted,,1\nduplicate,,0\nlate,,0\nrefused again,,1\n");
    let twice = run(folder, &["quarantine", "replay", "--feed", "desk", "--format", "csv"]);
    assert_eq!(twice, "outcome,reason,rows\nread,,2\naccepted,,0\nduplicate,,1\nlate,,0\nrefused again,,1\n");
    let grids = write_grids(folder);
    run(folder, &["grids", "load", &grids, "--level", "district", "--id", "id", "--name", "name"]);
    assert_eq!(run(folder, &["grids", "locate", "--format", "csv"]), "located,unlocated\n2,0\n");
    let cells = run(folder, &["sql", "SELECT grid_id, events FROM cells ORDER BY grid_id", "--format", "csv"]);
    assert_eq!(cells, "grid_id,events\nE,1\nW,1\n");
    run(folder, &["check"]);
    // The same on a folder where `up` runs: mapping again goes through it, locating again has to wait.
    let data = folder.join("data");
    let up = Up::start(&data, &["--city", "none", "--feeds-dir", &folder.join("feeds").display().to_string()]);
    assert_eq!(run(folder, &["quarantine", "replay", "--feed", "desk", "--format", "csv"]), twice);
    let refused = program().args(["grids", "locate", "--data-dir"]).arg(&data).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", String::from_utf8_lossy(&refused.stderr));
    assert_eq!(up.end("TERM"), Some(0));
}
