//! Replays end to end into a memory log, with authored files and with the real ones.

use std::io::Write;
use std::sync::Mutex;

use contract::clock::SystemClock;
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogLimits};
use contract::{Event, topic};

use super::*;
use crate::{PseudonymKey, Unobserved, feeds};

struct World {
    log: Arc<MemoryLog>,
    publisher: Publisher,
    mapper: Arc<Mapper>,
}

impl World {
    async fn new(feed: &str) -> Self {
        let log = Arc::new(MemoryLog::new(Arc::new(SystemClock), LogLimits::default()));
        let publisher = Publisher::new(Arc::<MemoryLog>::clone(&log));
        publisher.ensure_topics(3, crate::Retention::default()).await.unwrap();
        let feed = feeds::discover(None).unwrap().into_iter().find(|found| found.name == feed).unwrap();
        let mapper = Arc::new(Mapper::new(&feed, Arc::new(SystemClock), PseudonymKey::new("k1", &[1; 32]).unwrap()).unwrap());
        Self { log, publisher, mapper }
    }

    async fn replay(&self, files: &[PathBuf], options: ReplayOptions) -> Result<ReplaySummary, ReplayError> {
        replay(Arc::clone(&self.mapper), files, options, &self.publisher, &Silent, &Unobserved).await
    }

    /// All records of a topic, partition by partition in offset order.
    async fn records(&self, topic: &str) -> Vec<contract::log::Record> {
        let mut all = Vec::new();
        for partition in 0..3 {
            let (mut from, end) = self.log.watermarks(topic, partition).await.unwrap();
            while from < end {
                let batch = self.log.fetch(topic, partition, from, 64 << 20, std::time::Duration::ZERO).await.unwrap();
                from = batch.next;
                all.extend(batch.records.into_iter().map(|stored| stored.record));
            }
        }
        all
    }

    async fn events(&self) -> Vec<Event> {
        let read = |record: &contract::log::Record| serde_json::from_slice(&record.value).unwrap();
        self.records(topic::ALL[0]).await.iter().map(read).collect()
    }
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("feeds/taipei-hotline/sample.csv")
}

#[tokio::test]
async fn replay_balances_and_every_row_is_in_the_log() {
    let world = World::new("taipei-hotline").await;
    let dir = tempfile::tempdir().unwrap();
    let packed = dir.path().join("again.csv.zst");
    std::fs::write(&packed, zstd::encode_all(std::fs::File::open(sample()).unwrap(), 3).unwrap()).unwrap();
    let summary = world.replay(&[sample(), packed], ReplayOptions::default()).await.unwrap();
    let [first, second] = [&summary.files[0].1, &summary.files[1].1];
    assert_eq!(first, second);
    assert_eq!(summary.total.read, 2 * first.read);
    assert_eq!(summary.total.read, summary.total.published + summary.total.rejected_rows());
    assert_eq!(world.events().await.len() as u64, summary.total.published);
    assert_eq!(world.records(topic::QUARANTINE).await.len() as u64, summary.total.rejected_rows());
    let headers = world.records(topic::ALL[0]).await[0].headers.clone();
    assert_eq!(headers, [("mapping_version".to_owned(), world.mapper.feed().mapping_version.clone())], "unlimited horizons need no header");
}

#[tokio::test]
async fn limit_counts_rows_over_all_files() {
    let world = World::new("taipei-hotline").await;
    let options = ReplayOptions { limit: Some(19), ..Default::default() };
    let summary = world.replay(&[sample(), sample()], options).await.unwrap();
    assert_eq!((summary.total.read, summary.files[0].1.read, summary.files[1].1.read), (19, 17, 2));
}

#[tokio::test]
async fn paced_replay_goes_in_order_of_time_whatever_the_files_order() {
    let world = World::new("taipei-hotline").await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("newest_first.csv");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "案件編號,派工項目,案件地址,立案日期,立案時間").unwrap();
    for minute in (0..5).rev() {
        writeln!(file, "202403010000{minute},動物救援,大安區示範街{minute}號,20240301,120{minute}00").unwrap();
    }
    let started = std::time::Instant::now();
    // Four minutes of event time at 480x are half a second.
    let options = ReplayOptions { speed: "480x".parse().unwrap(), ..Default::default() };
    let heard = Heard::default();
    let summary = replay(Arc::clone(&world.mapper), &[path], options, &world.publisher, &heard, &Unobserved).await.unwrap();
    assert_eq!(summary.total.published, 5);
    assert!(started.elapsed() >= std::time::Duration::from_millis(450), "{:?}", started.elapsed());
    let heard = heard.0.into_inner().unwrap();
    assert!(heard.len() >= 3 && heard.windows(2).all(|pair| pair[0].0 < pair[1].0), "rows come as their time comes: {heard:?}");
}

#[derive(Default)]
struct Heard(Mutex<Vec<(u64, u64, u64)>>);

impl Progress for Heard {
    fn advanced(&self, rows: u64, bytes: u64, total_bytes: u64) {
        self.0.lock().unwrap().push((rows, bytes, total_bytes));
    }
}

#[tokio::test]
async fn progress_ends_with_all_rows_and_all_bytes() {
    let world = World::new("taipei-hotline").await;
    let heard = Heard::default();
    let summary =
        replay(Arc::clone(&world.mapper), &[sample()], ReplayOptions::default(), &world.publisher, &heard, &Unobserved).await.unwrap();
    let bytes = std::fs::metadata(sample()).unwrap().len();
    assert_eq!(heard.0.into_inner().unwrap().last(), Some(&(summary.total.read, bytes, bytes)));
}

#[tokio::test]
async fn stopped_replay_says_so_and_balances() {
    let world = World::new("taipei-hotline").await;
    let options = ReplayOptions { speed: Speed::Times(0.001), ..Default::default() };
    let stop = options.stop.clone();
    let stopping = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        stop.cancel();
    };
    let files = [sample()];
    let (summary, ()) = tokio::join!(world.replay(&files, options), stopping);
    let summary = summary.unwrap();
    assert!(summary.stopped && summary.total.read < 17);
    assert_eq!(summary.total.read, summary.total.published + summary.total.rejected_rows());
}

#[tokio::test]
async fn file_that_cannot_be_read_or_does_not_fit_is_named() {
    let world = World::new("taipei-hotline").await;
    let error = world.replay(&["/nowhere/calls.csv".into()], ReplayOptions::default()).await.unwrap_err();
    assert_eq!(error.to_string(), "could not open \"/nowhere/calls.csv\" for replay");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.csv");
    std::fs::write(&path, "案件編號,派工項目,案件地址,立案日期\n1,2,3,4\n").unwrap();
    let error = world.replay(&[path], ReplayOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains("names column \"立案時間\", which \"other.csv\" does not have"), "{error}");
    assert_eq!(error.remedy(), contract::log::Remedy::Fix);
}

#[test]
fn speeds_are_read_and_nonsense_is_refused() {
    assert_eq!("max".parse(), Ok(Speed::Max));
    assert_eq!("60x".parse(), Ok(Speed::Times(60.0)));
    assert_eq!("0.5".parse(), Ok(Speed::Times(0.5)));
    for text in ["", "x", "-1x", "0x", "NaNx", "infx", "fast"] {
        assert!(text.parse::<Speed>().unwrap_err().contains(text), "{text}");
    }
}

/// The folder of real data, or `None` with a loud word.
fn real(file: &str) -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "tests find their data by it; the program has no such variable")]
    let named = std::env::var("GRIDWATCH_TEST_DATA").map(PathBuf::from);
    let path = named.unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data")).join(file);
    if !path.exists() {
        // Past the test's capture, which hides what a test that passes prints.
        let said = format!("skipped: {file} is not in the folder GRIDWATCH_TEST_DATA names\n");
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return None;
    }
    Some(path)
}

/// What an independent reading of a file (Python's csv module, a regular expression for eight digits of date) counts.
struct Counted {
    read: u64,
    shifted: u64,
    distinct_ids: usize,
    cases: usize,
    renamed: usize,
}

async fn check_hotline(file: &str, expected: Counted) {
    let Some(path) = real(file) else {
        return;
    };
    let world = World::new("taipei-hotline").await;
    let started = std::time::Instant::now();
    let summary = world.replay(&[path], ReplayOptions::default()).await.unwrap();
    eprintln!("{file}: {} rows in {:?}", summary.total.read, started.elapsed());
    let rejected = if expected.shifted == 0 { BTreeMap::new() } else { BTreeMap::from([(Reason::ShiftedRow, expected.shifted)]) };
    assert_eq!(summary.total, Counts { read: expected.read, published: expected.read - expected.shifted, rejected });
    let events = world.events().await;
    assert_eq!(events.len() as u64, summary.total.published);
    let ids: std::collections::HashSet<&str> = events.iter().map(|event| event.event_id.as_str()).collect();
    assert_eq!(ids.len(), expected.distinct_ids);
    assert_eq!(events.iter().filter(|event| event.case_id.is_some()).count(), expected.cases);
    assert_eq!(events.iter().filter(|event| event.attributes.get("type").is_some()).count(), expected.renamed);
    assert!(events.iter().all(|event| event.address.is_some() && event.channel.as_deref() == Some("phone")));
    assert!(
        events
            .iter()
            .all(|event| event.category.as_ref().is_some_and(|category| !category.contains('?') && category != "路燈故障或設施損壞"))
    );
    let refused = world.records(topic::QUARANTINE).await;
    assert!(refused.iter().all(|record| String::from_utf8_lossy(&record.value).contains("案件編號,派工項目,案件地址,立案日期,立案時間")));
}

#[tokio::test]
async fn hotline_of_2020_with_decimal_times_and_a_broken_record_becomes_events() {
    check_hotline(
        "taipei/hotline1999_2020.csv.zst",
        Counted { read: 148_333, shifted: 2, distinct_ids: 148_331, cases: 148_331, renamed: 7_988 },
    )
    .await;
}

#[tokio::test]
async fn hotline_of_2025_without_serial_numbers_and_with_shifted_rows_becomes_events() {
    check_hotline("taipei/hotline1999_2025H1.csv.zst", Counted { read: 77_961, shifted: 591, distinct_ids: 77_369, cases: 0, renamed: 15 })
        .await;
}
