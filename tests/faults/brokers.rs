//! Brokers that are killed, or take packets and give none, under load: the only one, one of three, the leader of a partition.

use std::time::Duration;

use super::stream::{Stream, held};
use super::{Told, dice};
use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment, Role};

/// A partition that is written to all the time.
const BUSY: (&str, u32) = (CALLS, 0);
/// Events that have to be acknowledged between one fault and the next.
const BETWEEN: u64 = 200;

/// Runs a deployment of two members on so many brokers under load, while something is done to the brokers.
fn under_load(brokers: usize, hurt: impl FnOnce(&mut Rig, &Stream)) -> Option<String> {
    let mut rig = Rig::start(brokers, false)?;
    let folder = tempfile::tempdir().unwrap();
    let city = Deployment::new(&rig, folder.path());
    let ingest = city.ingest();
    let members: Vec<Role> = ["one", "two"].map(|name| city.member(name)).into();
    let stream = Stream::start(ingest.at("ingest"));
    stream.goes_on(BETWEEN);
    hurt(&mut rig, &stream);
    let acknowledged = stream.end();
    let said = held(folder.path(), &city, &acknowledged, members);
    ingest.end();
    Some(said)
}

fn rest(state: &mut u64, millis: u64) {
    std::thread::sleep(Duration::from_millis(dice(state) % millis));
}

/// kill -9 and restart of the only broker.
pub(crate) fn only(times: u32) -> Told {
    under_load(1, |rig, stream| {
        let mut state = 11;
        for _ in 0..times {
            rest(&mut state, 3000);
            rig.kill(1);
            rest(&mut state, 2000);
            rig.restart(1);
            stream.goes_on(BETWEEN);
        }
    })
}

/// kill -9 of one of three brokers, each in its turn.
pub(crate) fn one_of_three(times: u32) -> Told {
    under_load(3, |rig, stream| {
        let mut state = 13;
        for nth in 0..times as usize {
            let broker = 1 + nth % 3;
            rest(&mut state, 2000);
            rig.kill(broker);
            stream.goes_on(BETWEEN);
            rest(&mut state, 4000);
            rig.restart(broker);
            stream.goes_on(BETWEEN);
        }
    })
}

/// kill -9 of whichever of three brokers leads a partition.
pub(crate) fn leader(times: u32) -> Told {
    under_load(3, |rig, stream| {
        for _ in 0..times {
            let leader = rig.leader(BUSY.0, BUSY.1);
            rig.kill(leader);
            stream.goes_on(BETWEEN);
            assert_ne!(rig.leader(BUSY.0, BUSY.1), leader, "another broker leads now");
            rig.restart(leader);
            stream.goes_on(BETWEEN);
        }
    })
}

/// Lengths of silence, in seconds: below and above the timeouts of requests, sessions and of HTTP; each in its turn.
const SILENCES: [u64; 7] = [1, 10, 20, 2, 40, 5, 60];

/// SIGSTOP of the only broker for 1 to 60 s.
pub(crate) fn only_is_silent(times: u32) -> Told {
    silent(1, times)
}

/// SIGSTOP of the one of three brokers that leads a partition, for 1 to 60 s.
pub(crate) fn leader_is_silent(times: u32) -> Told {
    silent(3, times)
}

fn silent(brokers: usize, times: u32) -> Told {
    under_load(brokers, |rig, stream| {
        for seconds in SILENCES.into_iter().cycle().take(times as usize) {
            let broker = if brokers == 1 { 1 } else { rig.leader(BUSY.0, BUSY.1) };
            rig.stop(broker);
            std::thread::sleep(Duration::from_secs(seconds));
            rig.resume(broker);
            stream.goes_on(BETWEEN);
        }
    })
}
