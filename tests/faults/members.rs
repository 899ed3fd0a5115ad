//! Members that are killed, come and go under load: what they had is taken over where the table stands, and no partition waits long.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::stream::{Stream, held};
use super::{Told, dice};
use crate::kafka_rig::Rig;
use crate::roles::{Deployment, Role};

/// Between two joins or leaves.
const BEAT: Duration = Duration::from_secs(3);
/// Longest a partition may stand while members come and go.
const STANDSTILL_MAX: Duration = Duration::from_secs(30);
/// Partitions that are written to: four of each kind.
const BUSY: usize = 16;

/// kill -9 of one of two members, started again at once under its name.
pub(crate) fn killed(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let stream = Stream::start(ingest.at("ingest"));
    let mut members: VecDeque<(String, Role)> = ["one", "two"].map(|name| (name.to_owned(), city.member(name))).into();
    let mut state = 17;
    for _ in 0..times {
        std::thread::sleep(Duration::from_millis(5 + dice(&mut state) % 1500));
        if let Some((name, member)) = members.pop_front() {
            member.kill();
            members.push_back((name.clone(), city.member(&name)));
        }
    }
    let acknowledged = stream.end();
    let said = held(folder.path(), &city, &acknowledged, members.into_iter().map(|(_, member)| member).collect());
    ingest.end();
    Some(said)
}

/// How long each partition stood at most, by the cut that readers see.
fn watch(city: &Deployment, stop: &AtomicBool) -> BTreeMap<String, Duration> {
    let mut moved: BTreeMap<String, (u64, Instant, Duration)> = BTreeMap::new();
    while !stop.load(Ordering::SeqCst) {
        let now = Instant::now();
        for (partition, next) in city.cut() {
            // From the first record on: what nobody has written to stands rightly.
            if next == 0 {
                continue;
            }
            let (reached, since, longest) = moved.entry(partition).or_insert((next, now, Duration::ZERO));
            *longest = (*longest).max(now - *since);
            if next > *reached {
                (*reached, *since) = (next, now);
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    moved.into_iter().map(|(partition, (_, _, longest))| (partition, longest)).collect()
}

/// Members join and leave every 3 s, by turns with a name and without: cooperative-sticky.
pub(crate) fn come_and_go(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Arc::new(Deployment::new(&rig, folder.path()));
    let ingest = city.ingest();
    let stream = Stream::start(ingest.at("ingest"));
    let unnamed = || city.start("analyze", &["--commit-interval-ms", "200"], 1);
    let mut members = VecDeque::from([unnamed(), city.member("first")]);
    let stop = Arc::new(AtomicBool::new(false));
    let watching = std::thread::spawn({
        let (city, stop) = (Arc::clone(&city), Arc::clone(&stop));
        move || watch(&city, &stop)
    });
    let (mut moves, mut next, mut heard) = (0, Instant::now() + BEAT, Vec::new());
    let moves_of = |member: &Role| member.times_said("partitions were assigned") + member.times_said("partitions were revoked");
    for turn in 0..times {
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        next += BEAT;
        match turn % 4 {
            0 => members.push_back(unnamed()),
            2 => members.push_back(city.member(&format!("guest-{turn}"))),
            // The longest there leaves: by turns one with a name and one without.
            _ => {
                if let Some(member) = members.pop_front() {
                    // One that has just begun on a busy machine does not listen for signals yet.
                    city.wait("who leaves has joined", &[&member], || member.times_said("partitions were assigned") > 0);
                    moves += moves_of(&member);
                    heard.push(Arc::clone(&member.said));
                    member.end();
                }
            }
        }
    }
    // The last leave is followed as well.
    stream.goes_on(1000);
    stop.store(true, Ordering::SeqCst);
    let stood = watching.join().unwrap();
    let acknowledged = stream.end();
    moves += members.iter().map(moves_of).sum::<usize>();
    heard.extend(members.iter().map(|member| Arc::clone(&member.said)));
    let said = held(folder.path(), &city, &acknowledged, members.into());
    ingest.end();
    assert!(stood.len() >= BUSY, "{stood:?}");
    let heard: Vec<String> = heard.iter().map(|said| said.lock().unwrap().clone()).collect();
    let (slowest, longest) = stood.iter().max_by_key(|(_, longest)| **longest).unwrap();
    assert!(
        *longest <= STANDSTILL_MAX,
        "{slowest} stood for {longest:?}: {stood:#?}; the members said, oldest first:\n{}",
        heard.join("\n--\n")
    );
    Some(format!(
        "{moves} assignments and revocations, {} partitions, longest standstill of one {:.1} s; {said}",
        stood.len(),
        longest.as_secs_f64()
    ))
}

/// A member with a name hangs for longer than its session lasts, comes back, and goes on by itself.
pub(crate) fn named_one_hangs(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let stream = Stream::start(ingest.at("ingest"));
    let mut members = vec![city.member("steady"), city.member("hangs")];
    // A rebalance that gives nothing is said as well, and is not meant.
    let assigned = |member: &Role| member.times_said("partitions were assigned partitions=\"gridwatch");
    city.wait("both members have partitions", &members.iter().collect::<Vec<_>>(), || members.iter().all(|member| assigned(member) > 0));
    for _ in 0..times {
        let before = (assigned(&members[0]), assigned(&members[1]));
        members[1].stop();
        city.wait("its partitions are taken over", &members.iter().collect::<Vec<_>>(), || assigned(&members[0]) > before.0);
        members[1].resume();
        city.wait("it has partitions again", &members.iter().collect::<Vec<_>>(), || assigned(&members[1]) > before.1);
        assert!(members[1].lives(), "{}", members[1].said());
        stream.goes_on(200);
    }
    let rejoined = members[1].times_said("joining again");
    let acknowledged = stream.end();
    let said = held(folder.path(), &city, &acknowledged, members);
    ingest.end();
    Some(format!("went on each time, {rejoined} times with a new client; {said}"))
}

/// Two live processes with one name: one of them says so and ends, the other goes on.
pub(crate) fn namesakes(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let stream = Stream::start(ingest.at("ingest"));
    let mut member = city.member("same");
    for _ in 0..times {
        stream.goes_on(200);
        let mut other = city.member("same");
        let mut lost = None;
        city.wait("one of two with one name ends", &[], || {
            lost = if !member.lives() {
                Some(true)
            } else if !other.lives() {
                Some(false)
            } else {
                None
            };
            lost.is_some()
        });
        let (ended, stays) = if lost == Some(true) { (member, other) } else { (other, member) };
        let (code, said) = ended.ends_by_itself();
        assert!(said.contains("another process uses this member's name"), "{code:?}: {said}");
        member = stays;
        city.wait("the one that stays has partitions", &[&member], || {
            member.times_said("partitions were assigned partitions=\"gridwatch") > 0
        });
    }
    let acknowledged = stream.end();
    let said = held(folder.path(), &city, &acknowledged, vec![member]);
    ingest.end();
    Some(format!("one of two said so and ended, each time; {said}"))
}
