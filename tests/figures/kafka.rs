//! On a real Kafka, everything on one topic in one run: the plain client and ours in turns, how soon events are seen, how soon a
//! killed member has caught up, what more members bring, and Flink's figure beside it.

use std::ops::Range;
use std::path::Path;
use std::process::Stdio;

use contract::log::Record;
use contract::{DeliveryRules, Envelope, Event};

use crate::kafka_rig::Rig;
use crate::roles::{CALLS, PARTITIONS};
use crate::support::program;
use crate::{Figure, Pace};

mod consume;
mod freshness;
mod peer;
mod produce;
mod restart;

const CATEGORIES: [&str; 8] = ["noise", "parking", "rubbish", "smoke", "traffic", "wires", "stalls", "water"];

/// Grids along each side of the city, and how many degrees one is wide.
const SIDE: u64 = 100;
const DEGREES: f64 = 0.005;
/// The city's corner.
const CORNER: [f64; 2] = [121.0, 25.0];

/// A city of ten thousand square grids, few of which have most of the calls: with eight categories and a minute nearly every call is a
/// group of its own, as it was where Flink's figure was recorded.
struct City {
    folder: tempfile::TempDir,
}

impl City {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let square = |cell: u64| {
            let [west, south] = corner(cell);
            let [east, north] = [west + DEGREES, south + DEGREES];
            let ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
            serde_json::json!({
                "type": "Feature", "properties": { "grid_id": name(cell), "name": name(cell) },
                "geometry": { "type": "Polygon", "coordinates": [ring] },
            })
        };
        let grids = serde_json::json!({ "type": "FeatureCollection", "features": (0..SIDE * SIDE).map(square).collect::<Vec<_>>() });
        std::fs::write(folder.path().join("grids.geojson"), grids.to_string()).unwrap();
        Self { folder }
    }

    /// Makes a folder with a lake that knows the grids.
    fn lake(&self, data: &Path) {
        let mut command = program();
        command.args(["grids", "load"]).arg(self.folder.path().join("grids.geojson"));
        command.args(["--level", "grid", "--id", "grid_id", "--name", "name", "--data-dir"]).arg(data);
        assert!(command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    }
}

/// Milliseconds from one call to the next: 1,700 calls a minute.
const BETWEEN_CALLS: u64 = 36;

/// Contract events of 400 bytes, one a line: the calls of these numbers, which stand for their time, so that who produces the next numbers
/// after these has a topic in the order of time.
fn calls(source: &str, numbers: Range<u64>) -> Vec<String> {
    // Longer ago than all calls of a run take: one ahead of the clock is refused.
    let from = chrono::Utc::now().timestamp_millis() - 50 * 3_600_000;
    let call = |id: u64| {
        // A whole second would be written without its fraction, and Flink's pattern asks for one.
        let at = (from + (id * BETWEEN_CALLS).cast_signed()) / 1000 * 1000 + 1 + (id % 999).cast_signed();
        let at = chrono::DateTime::from_timestamp_millis(at).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let [place, category, within] = [1, 2, 3].map(|draw| drawn(3 * id + draw));
        let cell = ((SIDE * SIDE) as f64 * place.powf(2.5)) as u64;
        let [lon, lat] = corner(cell).map(|from| from + DEGREES * (0.1 + 0.8 * within));
        format!(
            r#"{{"event_id":"{source}-{id}","source":"{source}","kind":"hotline_call","occurred_at":"{at}","case_id":"C{id:010}","channel":"phone","category":"{}","urgency":"normal","address":"Mill Road {}","address_id":"{}","caller":"h:{:016x}","lon":{lon:.6},"lat":{lat:.6},"attributes":{{"operator":"desk {}","summary":"resident reports the same trouble near the gate since midnight"}}}}"#,
            CATEGORIES[(8.0 * category) as usize],
            id % 4000,
            name(cell),
            id % 90_000 * 2_654_435_761,
            id % 40
        )
    };
    numbers.map(call).collect()
}

fn name(cell: u64) -> String {
    format!("c{cell:05}")
}

fn corner(cell: u64) -> [f64; 2] {
    [CORNER[0] + (cell % SIDE) as f64 * DEGREES, CORNER[1] + (cell / SIDE) as f64 * DEGREES]
}

/// A number from 0 up to 1, always the same for the same `seed` (SplitMix64).
fn drawn(seed: u64) -> f64 {
    let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
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
    let mut figures = produce::figures(&rig, pace);
    figures.extend(consume::figures(&rig, &city, pace));
    figures
}

/// A deployment at a steady rate: freshness, and members that are killed.
pub(crate) fn live(pace: Pace) -> Vec<Figure> {
    let Some((rig, city)) = prepared() else { return Vec::new() };
    freshness::figures(&rig, &city, pace)
}
