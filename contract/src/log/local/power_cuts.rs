//! The local log loses nothing it acknowledged when the power goes or the disk fails: seeded, each failure prints its seed.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::simulated_disk::{SimulatedDisk, Trouble};
use super::{LocalLog, LocalOptions, Store};
use crate::clock::ManualClock;
use crate::log::{EventLog, LogError, Record, Remedy, TopicSpec};

const TOPICS: [&str; 2] = ["calls", "sensors"];
const PARTITIONS: u32 = 2;

fn open(disk: &SimulatedDisk) -> Result<LocalLog, LogError> {
    let options = LocalOptions { cache_bytes: 256 * 1024, linger: Duration::ZERO, ..LocalOptions::default() };
    let clock = ManualClock::at(DateTime::from_timestamp(1_750_000_000, 0).unwrap());
    LocalLog::start(Store::open(disk.clone(), "simulated", options.cache_bytes)?, None, clock, options)
}

/// What is acknowledged of a partition: first offset, and the values by offset.
type Said = (u64, BTreeMap<u64, Vec<u8>>);

/// What the log has said to its caller, and what it was asked last without an answer.
#[derive(Debug, Default)]
struct Ledger {
    /// By topic and partition.
    acknowledged: BTreeMap<(usize, u32), Said>,
    /// The append that failed: it may stand as a whole or not at all.
    open_append: Option<(usize, Vec<Vec<u8>>)>,
    /// The truncation that failed.
    open_cut: Option<(usize, u32, u64)>,
    appended: u64,
}

impl Ledger {
    /// Works on the log until it fails or `steps` are done.
    async fn work(&mut self, log: &LocalLog, dice: &mut ChaCha8Rng, steps: usize) -> Result<(), LogError> {
        for topic in TOPICS {
            log.ensure_topic(&TopicSpec { name: topic.to_owned(), partitions: PARTITIONS, retention_age: None, retention_bytes: None })
                .await?;
        }
        for _ in 0..steps {
            let topic = dice.random_range(0..TOPICS.len());
            if dice.random_bool(0.15) {
                self.truncate(log, dice, topic).await?;
            } else {
                self.append(log, dice, topic).await?;
            }
        }
        Ok(())
    }

    async fn append(&mut self, log: &LocalLog, dice: &mut ChaCha8Rng, topic: usize) -> Result<(), LogError> {
        let count = dice.random_range(1..=40);
        let values: Vec<Vec<u8>> =
            (0..count).map(|index| format!("{}/{index}/{}", self.appended, "x".repeat(dice.random_range(0..600))).into_bytes()).collect();
        self.appended += 1;
        let records = values.iter().map(|value| Record::new(format!("k{}", value.len() % 7), value.clone())).collect();
        self.open_append = Some((topic, values.clone()));
        let positions = log.append(TOPICS[topic], records).await?;
        for (position, value) in positions.iter().zip(values) {
            self.acknowledged.entry((topic, position.partition)).or_default().1.insert(position.offset, value);
        }
        self.open_append = None;
        Ok(())
    }

    async fn truncate(&mut self, log: &LocalLog, dice: &mut ChaCha8Rng, topic: usize) -> Result<(), LogError> {
        let partition = dice.random_range(0..PARTITIONS);
        let (first, end) = log.watermarks(TOPICS[topic], partition).await?;
        let cut = dice.random_range(first..=end);
        self.open_cut = Some((topic, partition, cut));
        log.truncate_before(TOPICS[topic], partition, cut).await?;
        self.cut(topic, partition, cut);
        Ok(())
    }

    fn cut(&mut self, topic: usize, partition: u32, cut: u64) {
        let (first, records) = self.acknowledged.entry((topic, partition)).or_default();
        *first = cut;
        *records = records.split_off(&cut);
        self.open_cut = None;
    }

    /// Compares what stands with what was said. What was asked last and not answered is taken over if it stands.
    async fn check(&mut self, log: &LocalLog, seed: u64) {
        let mut extra = Vec::new();
        for (index, topic) in TOPICS.iter().enumerate() {
            if log.partitions(topic).await.is_err() {
                assert!(self.acknowledged.iter().all(|((of, _), _)| *of != index), "seed {seed}: topic {topic} is gone");
                continue;
            }
            for partition in 0..PARTITIONS {
                extra.extend(self.check_partition(log, (index, partition), seed).await);
            }
        }
        extra.sort();
        let mut open = self.open_append.take().map(|(_, values)| values).unwrap_or_default();
        open.sort();
        assert!(
            extra.is_empty() || extra == open,
            "seed {seed}: {} records nobody acknowledged stand, the open append had {}",
            extra.len(),
            open.len()
        );
        self.open_cut = None;
    }

    async fn check_partition(&mut self, log: &LocalLog, at: (usize, u32), seed: u64) -> Vec<Vec<u8>> {
        let (topic, partition) = (TOPICS[at.0], at.1);
        let (first, end) = log.watermarks(topic, partition).await.unwrap();
        if let Some((_, _, cut)) =
            self.open_cut.filter(|(cut_topic, cut_partition, cut)| (*cut_topic, *cut_partition) == at && first == *cut)
        {
            self.cut(at.0, partition, cut);
        }
        let (said_first, said) = self.acknowledged.entry(at).or_default();
        assert_eq!(first, *said_first, "seed {seed}: first offset of {topic}/{partition}");
        let mut stands = BTreeMap::new();
        let mut from = first;
        while from < end {
            let batch = log.fetch(topic, partition, from, 100_000, Duration::ZERO).await.unwrap();
            stands.extend(batch.records.into_iter().map(|stored| (stored.offset, stored.record.value.to_vec())));
            from = batch.next;
        }
        for (offset, value) in said.iter() {
            assert_eq!(stands.get(offset), Some(value), "seed {seed}: acknowledged record {topic}/{partition}/{offset}");
        }
        let newest = said.last_key_value().map_or(first, |(offset, _)| offset + 1);
        let extra: Vec<_> = stands.iter().filter(|(offset, _)| !said.contains_key(offset)).map(|(_, value)| value.clone()).collect();
        assert!(
            stands.keys().all(|offset| said.contains_key(offset) || *offset >= newest),
            "seed {seed}: a record stands before acknowledged ones"
        );
        *said = stands;
        extra
    }
}

/// One life of a log: up to four power cuts on the same disk, some of them while the last one is being repaired.
async fn survive_cuts(seed: u64) -> u64 {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut image = Vec::new();
    let mut ledger = Ledger::default();
    let mut cuts = 0;
    for _ in 0..dice.random_range(1..=4) {
        // The first operations make or repair the file, the later ones append; 250 are some fifteen appends.
        let disk = SimulatedDisk::new(image, Trouble::PowerCut(dice.random_range(0..250)));
        if let Ok(log) = open(&disk) {
            assert!(ledger.work(&log, &mut dice, 40).await.is_err(), "seed {seed}: the power never went");
        }
        cuts += 1;
        image = disk.image_after_cut(&mut dice);
        let copy = SimulatedDisk::new(image.clone(), Trouble::None);
        let log = open(&copy).unwrap_or_else(|error| panic!("seed {seed}: {error}: {:?}", std::error::Error::source(&error)));
        ledger.check(&log, seed).await;
        drop(log);
        // Half of the lives go on from the repaired file, half from the file as the power left it.
        if dice.random_bool(0.5) {
            image = copy.image();
        }
    }
    cuts
}

#[tokio::test]
async fn five_hundred_power_cuts_lose_nothing_acknowledged() {
    let (mut cuts, mut seed) = (0, 0);
    while cuts < 500 {
        cuts += survive_cuts(seed).await;
        seed += 1;
    }
}

/// Works through trouble; after the first failure nothing is acknowledged until the log is opened again, and then all is there.
async fn survive_trouble(trouble: Trouble, seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let disk = SimulatedDisk::new(Vec::new(), trouble);
    let mut ledger = Ledger::default();
    if let Ok(log) = open(&disk)
        && let Err(error) = ledger.work(&log, &mut dice, 12).await
    {
        assert!(matches!(error, LogError::Storage { .. }) && error.remedy() == Remedy::Fix, "{trouble:?}: {error}");
        for _ in 0..5 {
            let answer = log.append(TOPICS[0], vec![Record::new("k", "after the failure")]).await;
            assert!(answer.is_err(), "{trouble:?}: acknowledged after a failure: {answer:?}");
        }
    }
    for image in [disk.image(), disk.image_after_cut(&mut dice)] {
        let mut said = Ledger { acknowledged: ledger.acknowledged.clone(), open_append: ledger.open_append.clone(), ..Ledger::default() };
        said.open_cut = ledger.open_cut;
        let log = open(&SimulatedDisk::new(image, Trouble::None)).unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        said.check(&log, seed).await;
        log.ensure_topic(&TopicSpec { name: TOPICS[0].to_owned(), partitions: PARTITIONS, retention_age: None, retention_bytes: None })
            .await
            .unwrap();
        log.append(TOPICS[0], vec![Record::new("k", "works again")]).await.unwrap();
    }
}

/// Operations a trouble-free life takes, so that trouble is tried at each of them.
async fn operations_of_a_life() -> u64 {
    let disk = SimulatedDisk::new(Vec::new(), Trouble::None);
    let log = open(&disk).unwrap();
    Ledger::default().work(&log, &mut ChaCha8Rng::seed_from_u64(1), 12).await.unwrap();
    drop(log);
    disk.operations()
}

#[tokio::test]
async fn nothing_is_acknowledged_after_an_input_output_error() {
    for at in 0..operations_of_a_life().await {
        survive_trouble(Trouble::FailOnce(at), 1).await;
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_on_a_full_disk() {
    for at in 0..operations_of_a_life().await {
        survive_trouble(Trouble::Full(at), 1).await;
    }
}
