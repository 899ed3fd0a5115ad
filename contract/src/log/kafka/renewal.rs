//! A producer that fell out of step with a broker is replaced without a restart. The answers that do it are rare on a real
//! broker, so librdkafka's stand-in gives them; the client, its fatal error and the repeats are those of production.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::{KafkaLog, KafkaOptions};
use crate::log::{EventLog, LogError, Record, Remedy};

const TOPIC: &str = "renewed";
const PARTITIONS: u32 = 3;
/// How often the broker denies a sequence.
const DENIALS: usize = 5;

/// Appends rounds of one key until `rounds` stand, each again until it is acknowledged; how often that was needed.
async fn append_rounds(log: Arc<KafkaLog>, key: String, rounds: usize) -> usize {
    let mut again = 0;
    for round in 0..rounds {
        let records: Vec<_> = (round * 5..round * 5 + 5).map(|number| Record::new(key.clone(), format!("{number}"))).collect();
        while let Err(error) = log.append(TOPIC, records.clone()).await {
            assert_eq!(error.remedy(), Remedy::Retry, "{error:?}");
            again += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    again
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_out_of_step_is_replaced_and_each_key_keeps_its_order() {
    let brokers = MockCluster::new(1).unwrap();
    brokers.create_topic(TOPIC, PARTITIONS.cast_signed(), 1).unwrap();
    let log = Arc::new(KafkaLog::connect(KafkaOptions::new(brokers.bootstrap_servers())).await.unwrap());
    let rounds = 40;
    let keys: Vec<String> = (0..6).map(|key| format!("key/{key}")).collect();
    let mut again = 0;
    for _ in 0..DENIALS {
        brokers.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR, RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER],
        );
        let appending: Vec<_> = keys.iter().map(|key| tokio::spawn(append_rounds(Arc::clone(&log), key.clone(), rounds))).collect();
        for appended in appending {
            again += appended.await.unwrap();
        }
    }
    assert!(again >= DENIALS, "the broker denied {DENIALS} times, and {again} appends were repeated");
    // Each key: every round of each of the runs, in order, where repeats of what stands already are left out.
    let mut seen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        let (mut from, end) = log.watermarks(TOPIC, partition).await.unwrap();
        while from < end {
            let batch = match log.fetch(TOPIC, partition, from, 1 << 20, Duration::from_secs(1)).await {
                Err(LogError::Unavailable { .. }) => continue,
                fetched => fetched.unwrap(),
            };
            from = batch.next;
            for stored in batch.records {
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                seen.entry(text(&stored.record.key)).or_default().push(text(&stored.record.value).parse().unwrap());
            }
        }
    }
    let run: Vec<usize> = (0..rounds * 5).collect();
    for key in &keys {
        let (mut due, mut reached) = (run.iter().cycle().take(DENIALS * run.len()).copied().peekable(), 0);
        for &number in &seen[key] {
            if due.peek() == Some(&number) {
                due.next();
                reached = number;
            } else {
                assert!(number <= reached || reached == rounds * 5 - 1, "{key}: {number} came after {reached}");
            }
        }
        assert_eq!(due.next(), None, "{key}: what was acknowledged is missing from here on");
    }
}
