//! What producers that are not ours leave on a topic, read from a real Kafka: transactions, committed and aborted, tombstones,
//! records without a key, headers that are no text, records larger than a log takes. Needs Java 17 and Maven; without them it says
//! so and passes.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{KafkaLog, KafkaOptions};
use crate::log::{EventLog, LogError, RECORD_BYTES_MAX, Record, Stored, TopicSpec};
use crate::topic;

#[path = "../../../tests/kafka_rig/mod.rs"]
pub(super) mod kafka_rig;
use kafka_rig::Rig;

const PATIENCE: Duration = Duration::from_secs(20);

fn declared(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, retention_age: None, retention_bytes: None }
}

fn producer(rig: &Rig, settings: &[(&str, &str)]) -> Arc<BaseProducer> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", rig.bootstrap());
    for (name, value) in settings {
        config.set(*name, *value);
    }
    Arc::new(config.create().unwrap())
}

fn send(producer: &BaseProducer, topic: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let (key, value) = ("k".to_owned(), format!("{number}"));
        producer.send(BaseRecord::to(topic).partition(0).key(&key).payload(&value)).map_err(|(error, _)| error).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_other_producers_write_is_read_as_it_stands() {
    let Some(rig) = Rig::start(1, false) else { return };
    let log = Arc::new(KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap());
    committed_is_read_and_aborted_is_a_gap(&rig, &log).await;
    tombstones_and_missing_keys_are_empty(&rig, &log).await;
    of_what_is_too_large_the_beginning_is_kept(&rig, &log).await;
    what_comes_unpacked_stands_packed(&rig, "large");
    the_partition_is_the_one_java_would_take(&rig, &log).await;
    reading_at_the_end_costs_nothing(&log).await;
}

async fn committed_is_read_and_aborted_is_a_gap(rig: &Rig, log: &Arc<KafkaLog>) {
    const NAME: &str = "transactions";
    log.ensure_topic(&declared(NAME, 1)).await.unwrap();
    let outside = producer(rig, &[("transactional.id", "outside")]);
    let begin = Arc::clone(&outside);
    spawn_blocking(move || begin.init_transactions(PATIENCE)).await.unwrap().unwrap();
    let mut from = 0;
    let mut read = Vec::new();
    for round in 0..6 {
        let (transaction, committed) = (Arc::clone(&outside), round % 3 != 1);
        spawn_blocking(move || {
            transaction.begin_transaction().unwrap();
            send(&transaction, NAME, round * 10..round * 10 + 10);
            transaction.flush(PATIENCE).unwrap();
        })
        .await
        .unwrap();
        // While it is open nothing of it is read, and nothing is skipped.
        let open = log.fetch(NAME, 0, from, 1 << 20, Duration::from_millis(100)).await.unwrap();
        assert!(open.records.is_empty(), "{open:?}");
        from = open.next;
        let transaction = Arc::clone(&outside);
        spawn_blocking(move || if committed { transaction.commit_transaction(PATIENCE) } else { transaction.abort_transaction(PATIENCE) })
            .await
            .unwrap()
            .unwrap();
        let end = Instant::now() + PATIENCE;
        // Ten records and the marker, which the broker writes some time after it has answered: the position comes to the end
        // over both, and over what was aborted.
        let due = (round as u64 + 1) * 11;
        while from < due {
            let batch = log.fetch(NAME, 0, from, 1 << 20, Duration::from_millis(500)).await.unwrap();
            from = batch.next;
            read.extend(batch.records);
            assert!(Instant::now() < end, "the position stays at {from}, the end is {due}");
        }
    }
    let values: Vec<usize> = read.iter().map(|stored| std::str::from_utf8(&stored.record.value).unwrap().parse().unwrap()).collect();
    let due: Vec<usize> = (0..60).filter(|number| (number / 10) % 3 != 1).collect();
    assert_eq!(values, due);
    assert_eq!(log.watermarks(NAME, 0).await.unwrap(), (0, from));
    // Anew from the beginning, and from each position.
    let fresh = KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap();
    for start in 0..from {
        let batch = fresh.fetch(NAME, 0, start, 1 << 20, Duration::ZERO).await.unwrap();
        let due = read.iter().find(|stored| stored.offset >= start);
        assert_eq!(batch.records.first(), due, "from {start}");
        assert!(batch.next > start, "from {start} the position stays");
    }
}

/// The first records of a topic of one partition.
async fn first(log: &KafkaLog, topic: &str, records: usize) -> Vec<Stored> {
    let mut read = Vec::new();
    while read.len() < records {
        let batch = log.fetch(topic, 0, read.len() as u64, 1 << 20, Duration::from_secs(5)).await.unwrap();
        read.extend(batch.records);
    }
    read
}

async fn tombstones_and_missing_keys_are_empty(rig: &Rig, log: &KafkaLog) {
    log.ensure_topic(&declared("outside", 1)).await.unwrap();
    let outside = producer(rig, &[]);
    let headers = OwnedHeaders::new()
        .insert(Header { key: "latin", value: Some(&b"caf\xe9"[..]) })
        .insert(Header::<&[u8]> { key: "none", value: None });
    spawn_blocking(move || {
        outside.send(BaseRecord::<str, str>::to("outside").key("deleted")).map_err(|(error, _)| error).unwrap();
        outside.send(BaseRecord::<str, str>::to("outside").payload("keyless")).map_err(|(error, _)| error).unwrap();
        outside.send(BaseRecord::<str, str>::to("outside").headers(headers)).map_err(|(error, _)| error).unwrap();
        outside.flush(PATIENCE).unwrap();
    })
    .await
    .unwrap();
    let read: Vec<Record> = first(log, "outside", 3).await.into_iter().map(|stored| stored.record).collect();
    let latin = vec![("latin".to_owned(), "caf\u{fffd}".to_owned()), ("none".to_owned(), String::new())];
    assert_eq!(read, [Record::new("deleted", ""), Record::new("", "keyless"), Record::new("", "").with_headers(latin)]);
}

async fn of_what_is_too_large_the_beginning_is_kept(rig: &Rig, log: &KafkaLog) {
    log.ensure_topic(&declared("large", 1)).await.unwrap();
    let outside = producer(rig, &[("message.max.bytes", "3000000")]);
    let (fits, larger) = ("x".repeat(RECORD_BYTES_MAX - 1), "x".repeat(RECORD_BYTES_MAX));
    // Of two bytes each, and the first of one: a cut at 4 KiB would be within a character.
    let accented = format!("x{}", "\u{e9}".repeat(RECORD_BYTES_MAX / 2));
    let sent = [fits.clone(), larger.clone(), accented.clone()];
    spawn_blocking(move || {
        sent.iter().for_each(|value| outside.send(BaseRecord::to("large").key("k").payload(value)).map_err(|(error, _)| error).unwrap());
        outside.flush(PATIENCE).unwrap();
    })
    .await
    .unwrap();
    let due = [(&fits, fits.len()), (&larger, 4096), (&accented, 4095)];
    for (stored, (value, kept)) in first(log, "large", 3).await.iter().zip(due) {
        assert_eq!(stored.bytes(), value.len() + 1);
        assert!(stored.record.value == value.as_bytes()[..kept], "{} bytes of {} kept", stored.record.value.len(), value.len());
    }
}

/// Three megabytes of few letters, sent unpacked.
fn what_comes_unpacked_stands_packed(rig: &Rig, topic: &str) {
    let segment = format!("{}/1/data/{topic}-0/00000000000000000000.log", rig.fact("folder"));
    let bytes = std::fs::metadata(&segment).unwrap().len();
    assert!((1_000..100_000).contains(&bytes), "{segment} has {bytes} bytes");
}

async fn the_partition_is_the_one_java_would_take(rig: &Rig, log: &KafkaLog) {
    log.ensure_topic(&declared("placed", 7)).await.unwrap();
    let outside = producer(rig, &[("partitioner", "murmur2_random")]);
    let keys: Vec<String> = (0..100).map(|key| format!("source/{key}")).collect();
    let sent = keys.clone();
    spawn_blocking(move || {
        for key in &sent {
            outside.send(BaseRecord::to("placed").key(key).payload(key)).map_err(|(error, _)| error).unwrap();
        }
        outside.flush(PATIENCE).unwrap();
    })
    .await
    .unwrap();
    for partition in 0..7 {
        let batch = log.fetch("placed", partition, 0, 1 << 20, Duration::from_secs(5)).await.unwrap();
        let due: Vec<_> = keys.iter().filter(|key| topic::partition(key.as_bytes(), 7) == partition).cloned().collect();
        let found: Vec<_> = batch.records.iter().map(|stored| String::from_utf8(stored.record.key.to_vec()).unwrap()).collect();
        assert_eq!(found, due);
    }
}

/// The reading loop asks each partition each turn: where nothing has come that must not cost a round trip. And what this
/// process appends is there at the next question.
async fn reading_at_the_end_costs_nothing(log: &KafkaLog) {
    log.ensure_topic(&declared("quiet", 1)).await.unwrap();
    let mut from = 0;
    for round in 0..20 {
        let positions = log.append("quiet", vec![Record::new("k", format!("{round}"))]).await.unwrap();
        let batch = log.fetch("quiet", 0, from, 1 << 20, Duration::ZERO).await.unwrap();
        assert_eq!(batch.records.iter().map(|stored| stored.offset).collect::<Vec<_>>(), [positions[0].offset]);
        from = batch.next;
    }
    let start = Instant::now();
    for _ in 0..10_000 {
        let batch = log.fetch("quiet", 0, from, 1 << 20, Duration::ZERO).await.unwrap();
        assert!(batch.records.is_empty() && batch.next == from);
    }
    let spent = start.elapsed();
    assert!(spent < Duration::from_secs(2), "10,000 questions at the end took {spent:?}: each goes to the broker");
    let refusal = log.fetch("quiet", 0, from + 1, 1, Duration::ZERO).await;
    assert!(matches!(refusal, Err(LogError::BeyondEnd { .. })), "{refusal:?}");
}
