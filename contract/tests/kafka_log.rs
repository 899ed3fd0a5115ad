//! The log on a real Kafka keeps the promises of `EventLog`, through crashes of its broker, and says what is wrong with a
//! connection that is refused. Needs Java 17 and Maven; without them it says so and passes.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod kafka_rig;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use contract::log::conformance::{Harness, run};
use contract::log::kafka::{GroupOptions, KafkaLog, KafkaOptions, Mechanism, Secret, Tls, User};
use contract::log::{EventLog, LogError, Position, Record, Remedy, Stored, TopicSpec};
use contract::{Offsets, TopicPartition};
use kafka_rig::Rig;
use tokio::time::{Instant, sleep, timeout};

fn topic(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec { name: name.to_owned(), partitions, retention_age: None, retention_bytes: None }
}

/// An error with its causes, as a person would see it.
fn told(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", told(source)))
}

fn numbered(key: &str, numbers: std::ops::Range<usize>) -> Vec<Record> {
    numbers.map(|number| Record::new(key.to_owned(), format!("{key}:{number}"))).collect()
}

async fn read_all(log: &dyn EventLog, topic: &str) -> Vec<(Position, Stored)> {
    let mut all = Vec::new();
    for partition in 0..log.partitions(topic).await.unwrap() {
        let (mut from, end) = log.watermarks(topic, partition).await.unwrap();
        while from < end {
            let batch = log.fetch(topic, partition, from, 1 << 20, Duration::from_secs(5)).await.unwrap();
            assert!(batch.next > from, "next stayed at {from} of {topic}/{partition} before the end {end}");
            from = batch.next;
            all.extend(batch.records.into_iter().map(|stored| (Position { partition, offset: stored.offset }, stored)));
        }
    }
    all
}

struct Broker(String);

#[async_trait]
impl Harness for Broker {
    async fn open(&self, _: &str) -> Result<Arc<dyn EventLog>, LogError> {
        Ok(Arc::new(KafkaLog::connect(KafkaOptions::new(&self.0)).await?))
    }

    fn topic_bytes_max(&self) -> Option<u64> {
        None
    }

    fn retains_on_call(&self) -> bool {
        false
    }
}

/// One broker for the checks that leave it in peace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_on_kafka_keeps_its_promises() {
    let Some(rig) = Rig::start(1, true) else { return };
    assert_eq!(run(&Broker(rig.bootstrap())).await, [""; 0]);
    records_outlive_their_log(&rig).await;
    topics_that_stand_otherwise_are_named(&rig).await;
    members_share_the_partitions(&rig).await;
    connections_that_are_refused_say_why(&rig).await;
}

/// What is large stays in the client's memory, which must then stay as well.
async fn records_outlive_their_log(rig: &Rig) {
    let log = KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap();
    log.ensure_topic(&topic("large", 1)).await.unwrap();
    let value = |number: u8| -> Vec<u8> { (0..500_000_u32).map(|at| at.to_le_bytes()[usize::from(number % 3)] ^ number).collect() };
    let records = (0..20).map(|number| Record::new(format!("k{number}"), if number % 2 == 0 { value(number) } else { vec![number] }));
    let records: Vec<Record> = records.collect();
    log.append("large", records.clone()).await.unwrap();
    let read = read_all(&log, "large").await;
    drop(log);
    sleep(Duration::from_millis(200)).await;
    let read: Vec<Record> = read.into_iter().map(|(_, stored)| stored.record).collect();
    assert!(read == records, "records differ once the log they were read from is gone");
}

async fn topics_that_stand_otherwise_are_named(rig: &Rig) {
    let log = KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap();
    let aged = TopicSpec { retention_age: Some(Duration::from_secs(3600)), retention_bytes: Some(1 << 30), ..topic("aged", 2) };
    log.ensure_topic(&aged).await.unwrap();
    log.ensure_topic(&aged).await.unwrap();
    let other = log.ensure_topic(&TopicSpec { partitions: 3, ..aged }).await;
    assert!(matches!(other, Err(LogError::TopicDiffers { found: 2, wanted: 3, .. })), "{other:?}");
}

/// Calls `assigned` on every member as their reading loops do, until each has as many partitions.
async fn share(members: &[&KafkaLog], wanted: usize) -> Vec<BTreeSet<TopicPartition>> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let mut shares = Vec::new();
        for member in members {
            shares.push(member.assigned(&["shared"]).await.unwrap());
        }
        if shares.iter().all(|share| share.len() == wanted) {
            return shares;
        }
        assert!(Instant::now() < end, "after 30 s the members have {shares:?}, due were {wanted} each");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn members_share_the_partitions(rig: &Rig) {
    let alone = KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap();
    alone.ensure_topic(&topic("shared", 4)).await.unwrap();
    assert_eq!(alone.assigned(&["shared"]).await.unwrap().len(), 4, "without a group all partitions are ours");
    let member = async |id: &str, instance: Option<&str>| {
        let group =
            GroupOptions { instance_id: instance.map(ToOwned::to_owned), session_timeout: Duration::from_secs(6), ..GroupOptions::new(id) };
        KafkaLog::connect(KafkaOptions { group: Some(group), ..KafkaOptions::new(rig.bootstrap()) }).await.unwrap()
    };
    for (group, instances) in [("dynamic", [None, None]), ("static", [Some("one"), Some("two")])] {
        let (one, two) = (member(group, instances[0]).await, member(group, instances[1]).await);
        share(&[&one], 4).await;
        let shares = share(&[&one, &two], 2).await;
        assert!(shares[0].is_disjoint(&shares[1]), "{shares:?} overlap");
        let offsets: Offsets = shares[0].iter().map(|partition| (partition.clone(), 1)).collect();
        one.report(&offsets).await.unwrap();
        drop(two);
        share(&[&one], 4).await;
    }
}

fn secured(rig: &Rig, listener: &str, ca: &str, password: &str) -> KafkaOptions {
    KafkaOptions {
        tls: Some(Tls { ca: Some(rig.certificate(ca)), ..Tls::default() }),
        user: Some(User { name: rig.fact("user").to_owned(), password: Secret::new(password), mechanism: Mechanism::ScramSha512 }),
        ..KafkaOptions::new(rig.address(listener))
    }
}

async fn connections_that_are_refused_say_why(rig: &Rig) {
    let password = rig.fact("password");
    let works = KafkaLog::connect(secured(rig, "scram", "ca.pem", password)).await.unwrap();
    works.ensure_topic(&topic("secured", 1)).await.unwrap();
    works.append("secured", numbered("k", 0..10)).await.unwrap();
    assert_eq!(read_all(&works, "secured").await.len(), 10);
    let mutual = Tls {
        ca: Some(rig.certificate("ca.pem")),
        certificate: Some(rig.certificate("client.pem")),
        key: Some(rig.certificate("client.key")),
        key_password: None,
    };
    let by_certificate = KafkaOptions { tls: Some(mutual), ..KafkaOptions::new(rig.address("mutual")) };
    let log = KafkaLog::connect(by_certificate.clone()).await.unwrap();
    assert_eq!(read_all(&log, "secured").await.len(), 10);

    let without = KafkaOptions { tls: Some(Tls { ca: Some(rig.certificate("ca.pem")), ..Tls::default() }), ..by_certificate.clone() };
    let nowhere = Tls { ca: Some(PathBuf::from("nowhere/ca.pem")), ..Tls::default() };
    let refusals = [
        (secured(rig, "scram", "ca.pem", "wrong"), "does not accept this user and password"),
        (secured(rig, "scram", "other-ca.pem", password), "other-ca.pem: give the right one with --kafka-ca"),
        (secured(rig, "elsewhere", "ca.pem", password), "is for kafka.elsewhere.example, not for 127.0.0.1"),
        (secured(rig, "expired", "ca.pem", password), "expired on Feb  1 00:00:00 2024 GMT: its owner has to renew it"),
        (without, "asks for a client certificate"),
        (KafkaOptions { user: None, ..secured(rig, "scram", "ca.pem", password) }, "does it want a user (--kafka-user)"),
        (KafkaOptions { tls: Some(nowhere), ..by_certificate.clone() }, "nowhere/ca.pem cannot be read: check --kafka-ca"),
        (KafkaOptions { tls: Some(Tls::default()), ..KafkaOptions::new(rig.address("plain")) }, "does not encrypt"),
        (KafkaOptions::new(rig.address("scram")), "wants TLS at this address"),
    ];
    for (options, due) in refusals {
        let hurried = KafkaOptions { connect_timeout: Duration::from_secs(3), ..options };
        let refusal = KafkaLog::connect(hurried).await.unwrap_err();
        let text = told(&refusal);
        eprintln!("{text}");
        assert!(refusal.remedy() == Remedy::Fix && refusal.to_string().contains(due), "{:?}: {text}", refusal.remedy());
        assert!(!text.contains("wrong\"") && !text.contains(password), "a password is printed: {text}");
    }
    let nobody = KafkaOptions { connect_timeout: Duration::from_millis(500), ..KafkaOptions::new("127.0.0.1:1") };
    assert_eq!(KafkaLog::connect(nobody).await.unwrap_err().remedy(), Remedy::Retry);
}

/// Appends rounds for many keys until told to stop; what a call leaves unsure is appended again, as callers do.
async fn append_until(log: Arc<KafkaLog>, end: Instant) -> BTreeMap<Position, Record> {
    let mut acknowledged = BTreeMap::new();
    for round in 0.. {
        let records: Vec<_> = (0..40).flat_map(|key| numbered(&format!("k/{key}"), round * 5..round * 5 + 5)).collect();
        let positions = loop {
            match log.append("faults", records.clone()).await {
                Ok(positions) => break positions,
                Err(error) => assert_eq!(error.remedy(), Remedy::Retry, "{}", told(&error)),
            }
        };
        acknowledged.extend(positions.into_iter().zip(records));
        if Instant::now() >= end {
            break;
        }
    }
    acknowledged
}

/// Every acknowledged record stands where it was said to stand, and each key's records are in order; repeats are allowed.
fn check_kept(acknowledged: &BTreeMap<Position, Record>, all: &[(Position, Stored)]) {
    let kept: BTreeMap<_, _> = all.iter().map(|(position, stored)| (*position, &stored.record)).collect();
    for (position, record) in acknowledged {
        assert_eq!(kept.get(position), Some(&record), "lost at {position:?}");
    }
    let mut newest = BTreeMap::new();
    let number = |record: &Record| std::str::from_utf8(&record.value).unwrap().rsplit(':').next().unwrap().parse::<usize>().unwrap();
    for record in acknowledged.values() {
        let before = newest.insert(record.key.clone(), number(record));
        assert!(before.is_none_or(|before| before < number(record)), "{record:?} came after {before:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_broker_that_is_killed_and_one_that_is_stopped() {
    let Some(mut rig) = Rig::start(1, false) else { return };
    let log = Arc::new(KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap());
    log.ensure_topic(&topic("faults", 3)).await.unwrap();
    let appending = tokio::spawn(append_until(Arc::clone(&log), Instant::now() + Duration::from_secs(6)));
    sleep(Duration::from_secs(2)).await;
    rig.stop(1);
    sleep(Duration::from_secs(2)).await;
    rig.resume(1);
    sleep(Duration::from_secs(1)).await;
    rig.kill(1);
    tokio::task::block_in_place(|| rig.restart(1));
    let acknowledged = timeout(Duration::from_secs(60), appending).await.expect("appends go on after the restart").unwrap();
    assert!(acknowledged.len() > 1000, "only {} records were acknowledged", acknowledged.len());
    // A reader that stood before goes on, and one that comes anew finds the same.
    let fresh = KafkaLog::connect(KafkaOptions::new(rig.bootstrap())).await.unwrap();
    let (kept, again) = (read_all(&*log, "faults").await, read_all(&fresh, "faults").await);
    assert_eq!(kept, again);
    check_kept(&acknowledged, &kept);
}
