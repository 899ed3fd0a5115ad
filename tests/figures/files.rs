//! Files to log, log to lake, and the eight files of a real hotline into a checked lake by one command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use analytics::consume::Consumer;
use analytics::session::{SessionSettings, Worlds};
use contract::clock::{Clock, SystemClock};
use contract::log::EventLog;
use contract::log::local::{LocalLog, LocalOptions};
use ingest::sources::file::{self, ReplayOptions, Silent};
use ingest::{Mapper, PseudonymKey, Publisher, Retention, Unobserved};

use crate::support::{program, root};
use crate::{Figure, Pace, limits, per_second};

/// The city's files, or nothing where the data is not at hand.
fn hotline() -> Option<(PathBuf, Vec<PathBuf>)> {
    #[expect(clippy::disallowed_methods, reason = "the data's place is given by the environment")]
    let folder = std::env::var("GRIDWATCH_TEST_DATA").map_or_else(|_| root().join("../shared/data"), PathBuf::from).join("taipei");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .ok()?
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("hotline1999_")))
        .collect();
    files.sort();
    (!files.is_empty()).then_some((folder, files))
}

fn load_grids(folder: &Path, data: &Path) {
    for arguments in [
        ["zones_district.geojson.zst", "district", "CPTID", "TNAME", ""],
        ["zones_village.geojson.zst", "village", "CPTVID", "VNAME", "TNAME"],
    ] {
        let [file, level, id, name, parent] = arguments;
        let mut command = program();
        command.args(["grids", "load"]).arg(folder.join(file)).args(["--level", level, "--id", id, "--name", name]);
        if !parent.is_empty() {
            command.args(["--parent", parent]);
        }
        assert!(command.arg("--data-dir").arg(data).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success());
    }
}

/// Runs to its end; the time and the most memory it held.
fn measured(command: &mut Command) -> (Duration, f64) {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    loop {
        if let Ok(text) = std::fs::read_to_string(&status)
            && let Some(line) = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))
        {
            peak = peak.max(line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or_default() / 1024.0 / 1024.0);
        }
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "{command:?}");
            return (began.elapsed(), peak);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn through_the_log(folder: &Path, file: &Path) -> [Figure; 2] {
    let data = tempfile::tempdir().unwrap();
    load_grids(folder, data.path());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = LocalLog::open(&data.path().join("log.redb"), Arc::clone(&clock), LocalOptions::default()).unwrap();
    let log: Arc<dyn EventLog> = Arc::new(log);
    let publisher = Publisher::new(Arc::clone(&log));
    publisher.ensure_topics(4, Retention::default()).await.unwrap();
    let feeds = ingest::feeds::discover(None).unwrap();
    let feed = feeds.iter().find(|feed| feed.name == "taipei-hotline").unwrap();
    let mapper = Arc::new(Mapper::new(feed, Arc::clone(&clock), PseudonymKey::new("bench", &[7; 32]).unwrap()).unwrap());
    let began = Instant::now();
    let read = file::replay(mapper, &[file.to_owned()], ReplayOptions::default(), &publisher, &Silent, &Unobserved).await.unwrap();
    let rows = read.total.read as f64;
    let to_log = rows / began.elapsed().as_secs_f64();
    let lake = data.path().join("lake");
    let began = Instant::now();
    let mut consumer = Consumer::open(Arc::clone(&log), &lake, clock).await.unwrap();
    let committed = consumer.drain(|_| ()).await.unwrap() as f64;
    let to_lake = committed / began.elapsed().as_secs_f64();
    assert!((committed - rows).abs() < 0.5, "{rows} rows read, {committed} committed");
    let split = limits::rows_split_per_second(file);
    let world = Worlds::open(&lake, SessionSettings::default()).await.unwrap().newest().await.unwrap();
    let written = limits::rows_written_per_second(&world.query("SELECT * FROM records").await.unwrap());
    let name = file.file_name().unwrap().to_string_lossy();
    [
        Figure::new(
            format!("file → log, {name}, {rows:.0} rows, mapped by SQL"),
            format!("{} events", per_second(to_log)),
            format!("{} rows only unpacked and split: 1/{:.0}", per_second(split), split / to_log),
        ),
        Figure::new(
            format!("log → lake, the same {committed:.0} records, decided, located, committed"),
            format!("{} events", per_second(to_lake)),
            format!("{} of these rows only written as Parquet by one thread: 1/{:.1}", per_second(written), written / to_lake),
        ),
    ]
}

pub(crate) fn figures(_pace: Pace) -> Vec<Figure> {
    let Some((folder, files)) = hotline() else {
        println!("skipped: the hotline's files; GRIDWATCH_TEST_DATA names the folder that holds taipei/hotline1999_*");
        return Vec::new();
    };
    let largest = files.iter().max_by_key(|path| std::fs::metadata(path).unwrap().len()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut figures: Vec<Figure> = runtime.block_on(through_the_log(&folder, largest)).into();
    let data = tempfile::tempdir().unwrap();
    load_grids(&folder, data.path());
    let (took, peak) = measured(program().args(["replay", "taipei-hotline"]).args(&files).arg("--data-dir").arg(data.path()));
    let (checked, _) = measured(program().arg("check").arg("--data-dir").arg(data.path()));
    figures.push(Figure::new(
        format!("{} hotline files into the lake, jobs run", files.len()),
        format!("{:.1} s, {peak:.2} GiB at most; `check` in {:.1} s more", took.as_secs_f64(), checked.as_secs_f64()),
        "floors: 60 s and 1.5 GiB on 2 cores",
    ));
    figures
}
