//! On a real Kafka, everything on one topic in one run: the plain client and ours in turns, how soon events are seen, how soon a
//! killed member has caught up, what more members bring, and Flink's figure beside it.

use std::path::Path;
use std::process::Stdio;

use contract::log::Record;
use contract::{DeliveryRules, Envelope, Event};

use crate::kafka_rig::Rig;
use crate::support::program;
use crate::{Figure, Pace};

mod consume;
mod freshness;
mod peer;
mod produce;
mod restart;

/// The topic everything goes through: that of hotline calls.
const TOPIC: &str = contract::topic::ALL[0];
/// Its partitions, as `gridwatch` declares them.
const PARTITIONS: u32 = 4;

const CATEGORIES: [&str; 8] = ["noise", "parking", "rubbish", "smoke", "traffic", "wires", "stalls", "water"];

/// The demo city: its grids as a file, and a place in each.
struct City {
    folder: tempfile::TempDir,
    places: Vec<(f64, f64)>,
}

impl City {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = program();
        command.args(["city", "--seed", "7", "--days", "1", "--out"]).arg(folder.path());
        assert!(command.stdout(Stdio::null()).status().unwrap().success());
        let text = std::fs::read_to_string(folder.path().join("grids.geojson")).unwrap();
        let grids: serde_json::Value = serde_json::from_str(&text).unwrap();
        let places = grids["features"].as_array().unwrap().iter().map(|grid| middle(&grid["geometry"]["coordinates"])).collect();
        Self { folder, places }
    }

    /// Makes a folder with a lake that knows the grids.
    fn lake(&self, data: &Path) {
        let mut command = program();
        command.args(["grids", "load"]).arg(self.folder.path().join("grids.geojson"));
        command.args(["--level", "grid", "--id", "grid_id", "--name", "name_zh", "--data-dir"]).arg(data);
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    }

    /// Contract events of 400 bytes, one a line, over the last day, in every grid.
    fn calls(&self, source: &str, count: u64) -> Vec<String> {
        let from = chrono::Utc::now().timestamp_millis() - 25 * 3_600_000;
        let call = |id: u64| {
            // A whole second would be written without its fraction, and Flink's pattern asks for one.
            let at = (from + (id * 86_400_000 / count).cast_signed()) / 1000 * 1000 + 1 + (id % 999).cast_signed();
            let at = chrono::DateTime::from_timestamp_millis(at).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let (lon, lat) = self.places[(id * 7919 % self.places.len() as u64) as usize];
            format!(
                r#"{{"event_id":"{source}-{id}","source":"{source}","kind":"hotline_call","occurred_at":"{at}","case_id":"C{id:010}","channel":"phone","category":"{}","urgency":"normal","address":"Mill Road {}","caller":"h:{:016x}","lon":{lon:.6},"lat":{lat:.6},"attributes":{{"operator":"desk {}","summary":"resident reports the same trouble near the east gate since midnight, third time"}}}}"#,
                CATEGORIES[(id % 8) as usize],
                id % 4000,
                id % 90_000 * 2_654_435_761,
                id % 40
            )
        };
        (0..count).map(call).collect()
    }
}

/// A point of a polygon's or multipolygon's first ring: the mean of its corners.
fn middle(coordinates: &serde_json::Value) -> (f64, f64) {
    let mut ring = coordinates;
    while ring[0][0].is_array() {
        ring = &ring[0];
    }
    let corners: Vec<(f64, f64)> =
        ring.as_array().unwrap().iter().map(|corner| (corner[0].as_f64().unwrap(), corner[1].as_f64().unwrap())).collect();
    let mean = |axis: fn(&(f64, f64)) -> f64| corners.iter().map(axis).sum::<f64>() / corners.len() as f64;
    (mean(|corner| corner.0), mean(|corner| corner.1))
}

/// The records ingest makes of these lines.
fn records(lines: &[String]) -> Vec<Record> {
    let (now, rules) = (chrono::Utc::now(), DeliveryRules::default());
    let record = |line: &String| Envelope::event(&Event::from_json(line.as_bytes(), now).unwrap(), &rules).record;
    lines.iter().map(record).collect()
}

/// A floor and whether it holds.
fn floor(least: f64, found: f64) -> String {
    format!("floor {least}{}", if found >= least { "" } else { ", MISSED" })
}

/// A broker and a city of its own, or nothing where there is no Java or no Maven, which is then said.
fn prepared() -> Option<(Rig, City)> {
    let rig = Rig::start(1, false)?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("  {cores} cores for broker, load and gridwatch together; load average before: {}", load.trim());
    Some((rig, City::new()))
}

/// The plain client and ours in turns, over one topic; then more members, and the peer.
pub(crate) fn throughput(pace: Pace) -> Vec<Figure> {
    let Some((rig, city)) = prepared() else { return Vec::new() };
    let mut figures = produce::figures(&rig, &city, pace);
    figures.extend(consume::figures(&rig, &city, pace));
    figures
}

/// A deployment at a steady rate: freshness, and members that are killed.
pub(crate) fn live(pace: Pace) -> Vec<Figure> {
    let Some((rig, city)) = prepared() else { return Vec::new() };
    freshness::figures(&rig, &city, pace)
}
