//! Offsets at which no record stands: Kafka's own producer writes in transactions beside the load, and is killed in the middle of
//! some. Markers and aborted records leave gaps; every record is read, and every gap is counted.

use std::process::Stdio;
use std::time::Duration;

use super::stream::{Stream, held};
use super::{Told, dice};
use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment};

/// Records the outside producer chooses from. They have no key, so they stand in any partition; were they events, a repeat of one
/// could stand in another partition, where nobody knows it. So they are no events, and each ends in quarantine.
const PAYLOADS: u64 = 5000;

/// Runs of a transactional producer, every other one killed.
pub(crate) fn transactions(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let members = vec![city.member("one"), city.member("two")];
    let stream = Stream::start(ingest.at("ingest"));
    let payloads: Vec<String> = (0..PAYLOADS).map(|number| format!("{{\"outside\": {number}}}")).collect();
    let file = folder.path().join("payloads");
    std::fs::write(&file, payloads.join("\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    let outside = || {
        let arguments = ["--topic", CALLS, "--num-records", "4000", "--throughput", "2000", "--payload-file", &file];
        let in_transactions = ["--transactional-id", "outside", "--transaction-duration-ms", "50"];
        let mut command = rig.tool("org.apache.kafka.tools.ProducerPerformance", &[&arguments[..], &in_transactions].concat());
        command.stdout(Stdio::null()).spawn().unwrap()
    };
    let mut state = 19;
    for nth in 0..times {
        let mut producer = outside();
        if nth % 2 == 1 {
            // It writes from about its second second on.
            std::thread::sleep(Duration::from_millis(1500 + dice(&mut state) % 2500));
            producer.kill().unwrap();
            producer.wait().unwrap();
        } else {
            assert!(producer.wait().unwrap().success());
        }
    }
    // The next one of that name ends what the last one left open, which nobody may read beyond.
    assert!(outside().wait().unwrap().success());
    let acknowledged = stream.end();
    let said = held(folder.path(), &city, &acknowledged, members);
    ingest.end();
    assert!(!said.contains(" 0 gaps"), "transactions leave gaps: {said}");
    Some(said)
}
