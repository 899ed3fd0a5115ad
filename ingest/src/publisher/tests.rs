//! Order, retries and giving up, against the memory log and one that pushes back.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use contract::Offsets;
use contract::clock::SystemClock;
use contract::log::memory::MemoryLog;
use contract::log::{Batch, LogLimits, Position};

use super::*;

/// A log that refuses the first `refusals` appends with Full, then takes all.
#[derive(Debug)]
struct Full {
    refusals: AtomicUsize,
    taken: Mutex<Vec<(String, Vec<Record>)>>,
}

impl Full {
    fn new(refusals: usize) -> Arc<Self> {
        Arc::new(Self { refusals: AtomicUsize::new(refusals), taken: Mutex::default() })
    }
}

#[async_trait]
impl EventLog for Full {
    async fn ensure_topic(&self, _: &TopicSpec) -> Result<(), LogError> {
        Ok(())
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(1)
    }

    async fn append(&self, topic: &str, records: Vec<Record>) -> Result<Vec<Position>, LogError> {
        if self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(LogError::Full { topic: topic.to_owned(), bytes: 2, bytes_max: 1 });
        }
        self.taken.lock().unwrap().push((topic.to_owned(), records));
        Ok(Vec::new())
    }

    async fn fetch(&self, _: &str, _: u32, _: u64, _: usize, _: Duration) -> Result<Batch, LogError> {
        Err(LogError::Closed)
    }

    async fn watermarks(&self, _: &str, _: u32) -> Result<(u64, u64), LogError> {
        Err(LogError::Closed)
    }

    async fn truncate_before(&self, _: &str, _: u32, _: u64) -> Result<(), LogError> {
        Err(LogError::Closed)
    }

    async fn retain(&self, _: i64, _: &Offsets) -> Result<u64, LogError> {
        Err(LogError::Closed)
    }
}

fn envelope(topic: &'static str, value: String) -> Envelope {
    Envelope { topic, record: Record::new("key", value) }
}

#[tokio::test]
async fn full_log_is_tried_again_and_nothing_is_doubled_or_overtaken() {
    let log = Full::new(3);
    let publisher = Publisher::new(Arc::<Full>::clone(&log));
    let large = "x".repeat(APPEND_BYTES_MAX / 3);
    publisher.publish((0..7).map(|index| envelope(topic::QUARANTINE, format!("{index}{large}"))).collect()).await.unwrap();
    let taken = log.taken.lock().unwrap();
    assert!(taken.len() > 1, "more than one append carries it");
    let order: String = taken.iter().flat_map(|(_, records)| records).map(|record| char::from(record.value[0])).collect();
    assert_eq!(order, "0123456");
}

#[tokio::test]
async fn log_that_stays_full_is_given_up_at_the_deadline_with_its_name() {
    let publisher = Publisher::new(Full::new(usize::MAX)).with_deadline(Duration::from_millis(200));
    let started = Instant::now();
    let error = publisher.publish(vec![envelope(topic::QUARANTINE, "x".into())]).await.unwrap_err();
    // Generous above, for a busy machine; what matters is that it waited for room and did not wait for ever.
    assert!(started.elapsed() >= PAUSE_MIN && started.elapsed() < Duration::from_secs(20));
    assert_eq!(error.remedy(), Remedy::Retry);
    assert!(error.to_string().starts_with("could not append 1 records to topic \"gridwatch.quarantine\" within "), "{error}");
}

#[tokio::test]
async fn topics_are_made_once_and_envelopes_land_in_theirs() {
    let log = Arc::new(MemoryLog::new(Arc::new(SystemClock), LogLimits::default()));
    let publisher = Publisher::new(Arc::<MemoryLog>::clone(&log));
    publisher.ensure_topics(2, Retention::default()).await.unwrap();
    publisher.ensure_topics(2, Retention::default()).await.unwrap();
    assert!(matches!(publisher.ensure_topics(3, Retention::default()).await, Err(LogError::TopicDiffers { .. })));
    publisher.publish(vec![envelope(topic::ALL[0], "call".into()), envelope(topic::QUARANTINE, "refused".into())]).await.unwrap();
    for topic in [topic::ALL[0], topic::QUARANTINE] {
        let mut records = 0;
        for partition in 0..2 {
            records += log.watermarks(topic, partition).await.unwrap().1;
        }
        assert_eq!(records, 1, "{topic}");
    }
}
