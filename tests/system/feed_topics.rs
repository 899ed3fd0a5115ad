//! Topics of a city's own, in its own JSON, through a feed's mapping: shared by several processes, from where feed.toml says, across kill -9, and
//! never past a position that is lost.

use std::path::Path;
use std::time::{Duration, Instant};

use contract::log::kafka::{KafkaLog, KafkaOptions};
use contract::log::{EventLog, TopicSpec};

use crate::kafka_rig::Rig;
use crate::outside_producers::{kcat, kcat_is_here};
use crate::roles::{Deployment, PATIENCE, Role};
use crate::support::program;

/// A feed folder that reads a topic.
fn feed(feeds: &Path, name: &str, format: &str, kafka: &str, mapping: Option<&str>) {
    let folder = feeds.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = format!(
        "name = \"{name}\"\nkind = \"hotline_call\"\nformat = \"{format}\"\nencoding = \"utf-8\"\ntime_zone = \"Asia/Taipei\"\n\
         coordinate_system = \"none\"\ntransport = [\"kafka\"]\ndeduplication = \"unlimited\"\nlateness = \"unlimited\"\n\
         description = {{ zh = \"測試\", en = \"a test\" }}\n[kafka]\n{kafka}\n"
    );
    std::fs::write(folder.join("feed.toml"), manifest).unwrap();
    if let Some(sql) = mapping {
        std::fs::write(folder.join("mapping.sql"), sql).unwrap();
    }
}

const MAPPING: &str = "SELECT no AS event_id, \"when\" AS occurred_at, \"where.street\" AS address, what AS category FROM raw";

fn calls(ids: std::ops::Range<u64>) -> String {
    ids.map(|id| {
        format!("{id}\t{{\"no\":\"{id}\",\"when\":\"2026-01-01 08:00\",\"what\":\"噪音\",\"where\":{{\"street\":\"磨坊路 {id}\"}}}}\n")
    })
    .collect()
}

/// The brokers as the owner of the city's topics uses them.
struct Owner {
    log: KafkaLog,
    runtime: tokio::runtime::Runtime,
}

impl Owner {
    fn new(rig: &Rig) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let log = runtime.block_on(KafkaLog::connect(KafkaOptions::new(rig.bootstrap()))).unwrap();
        Self { log, runtime }
    }

    fn topic(&self, name: &str, partitions: u32) {
        let spec = TopicSpec { name: name.to_owned(), partitions, retention_age: None, retention_bytes: None };
        self.runtime.block_on(self.log.ensure_topic(&spec)).unwrap();
    }

    /// Records in the log's topics.
    fn in_log(&self) -> u64 {
        let ends = async {
            let mut ends = 0;
            for topic in contract::topic::ALL {
                for partition in 0..self.log.partitions(topic).await.unwrap() {
                    ends += self.log.watermarks(topic, partition).await.unwrap().1;
                }
            }
            ends
        };
        self.runtime.block_on(ends)
    }

    fn cut(&self, topic: &str, offset: u64) {
        self.runtime.block_on(self.log.truncate_before(topic, 0, offset)).unwrap();
    }
}

fn ingest(city: &Deployment, feeds: &Path) -> Role {
    city.start("ingest", &["--ingest", "127.0.0.1:0", "--feeds-dir", feeds.to_str().unwrap()], 2)
}

fn until_said(role: &Role, text: &str) {
    let began = Instant::now();
    while !role.said.lock().unwrap().contains(text) {
        assert!(began.elapsed() < PATIENCE, "\"{text}\" was not said: {}", role.said.lock().unwrap());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_topic_of_a_citys_own_goes_through_its_feeds_mapping() {
    if !kcat_is_here() {
        return;
    }
    let Some(rig) = Rig::start(1, false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner::new(&rig);
    shared_by_processes_that_die(&rig, &owner, &folder.path().join("shared"));
    begins_where_the_feed_says(&rig, &owner, &folder.path().join("starts"));
    cloud_events_and_lost_positions(&rig, &owner, &folder.path().join("lost"));
}

fn shared_by_processes_that_die(rig: &Rig, owner: &Owner, folder: &Path) {
    let (city, feeds) = (Deployment::new(rig, folder), folder.join("feeds"));
    feed(&feeds, "own", "ndjson", "topic = \"city.calls\"", Some(MAPPING));
    owner.topic("city.calls", 6);
    kcat(rig, "city.calls", &[], calls(0..2000).as_bytes());
    let (one, two) = (ingest(&city, &feeds), ingest(&city, &feeds));
    let member = city.member("m");
    city.until("events WHERE source = 'own'", 2000, &[&one, &two, &member]);
    // While messages come one of the two is killed; the other takes its partitions, or nobody until one is started again.
    for round in 1..4 {
        kcat(rig, "city.calls", &[], calls(round * 2000..round * 2000 + 2000).as_bytes());
        let killed = ingest(&city, &feeds);
        std::thread::sleep(Duration::from_millis(700));
        killed.kill();
    }
    city.until("events WHERE source = 'own'", 8000, &[&one, &two, &member]);
    for text in [&one, &two].map(|role| role.said.lock().unwrap().clone()) {
        assert!(text.contains("partitions of a feed's topic were assigned"), "{text}");
    }
    kcat(rig, "city.calls", &["-Z"], b"gone\t\n");
    kcat(rig, "city.calls", &[], b"bytes\t{\"no\":\"\xff\xfe\"}\nhalf\t{\"no\":\nplace\t{\"no\":\"x\",\"when\":\"2026-01-01 08:00\"}\n");
    let deep = format!("deep\t{}\n", "[".repeat(100_000));
    kcat(rig, "city.calls", &[], deep.as_bytes());
    city.until("quarantine WHERE source = 'own'", 5, &[&one, &two, &member]);
    let refused = city.rows("SELECT reason, octet_length(payload) AS bytes FROM quarantine WHERE source = 'own' ORDER BY reason, bytes");
    assert_eq!(refused, "reason,bytes\nbad_json,0\nbad_json,6\nbad_json,100000\nbad_text,15\nmissing_place,36\n");
    // What a killed process had published and not yet noted is read once more, as late as its session ends; a call behind it in each partition
    // says when that is over.
    for partition in 0..6 {
        kcat(rig, "city.calls", &["-p", &partition.to_string()], calls(8000 + partition..8001 + partition).as_bytes());
    }
    city.until("events WHERE source = 'own'", 8006, &[&one, &two, &member]);
    // Stopped in peace, started again: not one message is read twice.
    one.end();
    two.end();
    let before = owner.in_log();
    let again = ingest(&city, &feeds);
    kcat(rig, "city.calls", &[], calls(9000..9100).as_bytes());
    city.until("events WHERE source = 'own'", 8106, &[&again, &member]);
    assert_eq!(owner.in_log(), before + 100);
    again.end();
    member.end();
    city.check();
    let out = program().args(["feeds", "--format", "csv", "--feeds-dir"]).arg(&feeds).arg("--data-dir").arg(&city.data).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("own,hotline_call,kafka,\"city.calls, group gridwatch-feed-own, from earliest\""), "{text}");
}

fn begins_where_the_feed_says(rig: &Rig, owner: &Owner, folder: &Path) {
    let (city, feeds) = (Deployment::new(rig, folder), folder.join("feeds"));
    owner.topic("city.starts", 2);
    kcat(rig, "city.starts", &[], calls(0..10).as_bytes());
    std::thread::sleep(Duration::from_millis(1100));
    let between = this_instant();
    std::thread::sleep(Duration::from_millis(1100));
    kcat(rig, "city.starts", &[], calls(10..15).as_bytes());
    feed(&feeds, "first", "json", "topic = \"city.starts\"", Some(MAPPING));
    feed(&feeds, "at", "json", &format!("topic = \"city.starts\"\nstart = \"{between}\""), Some(MAPPING));
    feed(&feeds, "new", "json", "topic = \"city.starts\"\nstart = \"latest\"\ngroup = \"night-watch\"", Some(MAPPING));
    let (role, member) = (ingest(&city, &feeds), city.start("analyze", &["--group", "starts", "--commit-interval-ms", "200"], 1));
    until_said(&role, "group=\"night-watch\"");
    city.until("events WHERE source = 'first'", 15, &[&role, &member]);
    city.until("events WHERE source = 'at'", 5, &[&role, &member]);
    role.end();
    // What came while nobody read is read: the start was decided once, and the group's position counts from then on.
    kcat(rig, "city.starts", &[], calls(15..18).as_bytes());
    let role = ingest(&city, &feeds);
    for (source, count) in [("first", 18), ("at", 8), ("new", 3)] {
        city.until(&format!("events WHERE source = '{source}'"), count, &[&role, &member]);
    }
    role.end();
    member.end();
}

/// This instant, as feed.toml writes it.
#[expect(clippy::disallowed_methods, reason = "messages have the broker's times, which are those of this machine")]
fn this_instant() -> String {
    chrono::Utc::now().to_rfc3339()
}

fn cloud_events_and_lost_positions(rig: &Rig, owner: &Owner, folder: &Path) {
    let (city, feeds) = (Deployment::new(rig, folder), folder.join("feeds"));
    owner.topic("city.lost", 1);
    owner.topic("city.events", 1);
    feed(&feeds, "lost", "ndjson", "topic = \"city.lost\"", Some(MAPPING));
    feed(&feeds, "clouds", "cloudevents", "topic = \"city.events\"", None);
    kcat(rig, "city.lost", &[], calls(0..10).as_bytes());
    let (role, member) = (ingest(&city, &feeds), city.start("analyze", &["--group", "lost", "--commit-interval-ms", "200"], 1));
    city.until("events WHERE source = 'lost'", 10, &[&role, &member]);
    role.end();
    kcat(rig, "city.lost", &[], calls(10..20).as_bytes());
    owner.cut("city.lost", 15);
    let role = ingest(&city, &feeds);
    until_said(&role, "records 10..15 of city.lost/0 are gone by retention");
    until_said(&role, "--group gridwatch-feed-lost --topic city.lost --reset-offsets");
    // The other feed goes on, in both modes of CloudEvents.
    let binary = ["-H", "ce_specversion=1.0", "-H", "ce_id=e1", "-H", "ce_source=clouds", "-H", "ce_type=city.hotline_call"];
    kcat(rig, "city.events", &[&binary[..], &["-H", "ce_time=2026-01-01T00:00:00Z"]].concat(), "k\t{\"address\":\"磨坊路\"}\n".as_bytes());
    let whole = "k\t{\"specversion\":\"1.0\",\"id\":\"e2\",\"source\":\"clouds\",\"type\":\"city.hotline_call\",\"time\":\"2026-01-01T00:00:00Z\",\"data\":{\"address\":\"磨坊路\"}}\n";
    kcat(rig, "city.events", &["-H", "content-type=application/cloudevents+json"], whole.as_bytes());
    kcat(rig, "city.events", &binary, b"k\t<call/>\n");
    city.until("events WHERE source = 'clouds'", 2, &[&role, &member]);
    city.until("quarantine WHERE source = 'clouds'", 1, &[&role, &member]);
    assert_eq!(city.count("events WHERE source = 'lost'"), 10, "nothing was read beyond the lost range");
    role.end();
    member.end();
}
