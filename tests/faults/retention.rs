//! Records that retention removed before they were read: the member stops and names exactly what is lost. It never jumps over it,
//! and started again it says the same.

use super::Told;
use super::stream::Stream;
use crate::kafka_rig::Rig;
use crate::roles::{CALLS, Deployment};
use contract::log::EventLog;
use contract::log::kafka::{KafkaLog, KafkaOptions};

/// The lost range that was named, `first lost..first kept`, of partition 0.
fn lost(said: &str) -> Option<(u64, u64)> {
    let (before, _) = said.split_once(&format!(" of {CALLS}/0 are gone by retention"))?;
    let (asked, first) = before.rsplit_once("records ")?.1.split_once("..")?;
    Some((asked.parse().ok()?, first.parse().ok()?))
}

/// By turns a member that is down meanwhile, and one that hangs, each on a lake of its own.
pub(crate) fn passed(times: u32) -> Told {
    let rig = Rig::start(1, false)?;
    let folder = tempfile::tempdir().unwrap();
    let ingest = Deployment::new(&rig, folder.path()).ingest();
    let stream = Stream::start(ingest.at("ingest"));
    stream.goes_on(400);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let log = runtime.block_on(KafkaLog::connect(KafkaOptions::new(rig.bootstrap()))).unwrap();
    let mut ranges = Vec::new();
    for nth in 0..times {
        let city = Deployment { data: folder.path().join(format!("city-{nth}")), ..Deployment::new(&rig, folder.path()) };
        let group = format!("g{nth}");
        let start = || city.start("analyze", &["--group", &group, "--commit-interval-ms", "50"], 1);
        let member = start();
        city.wait("the member commits", &[&member], || city.position(&format!("{CALLS}/0")) > 0 && city.version() > Some(10));
        let hangs = nth % 2 == 1;
        let hanging = if hangs {
            member.stop();
            Some(member)
        } else {
            member.end();
            None
        };
        // More than was on its way to the member.
        stream.goes_on(1000);
        let (_, end) = runtime.block_on(log.watermarks(CALLS, 0)).unwrap();
        let position = city.position(&format!("{CALLS}/0"));
        assert!(position < end, "{position} of {end}: nothing is left to lose");
        runtime.block_on(log.truncate_before(CALLS, 0, end)).unwrap();
        let member = hanging.unwrap_or_else(start);
        member.resume();
        let (code, said) = member.ends_by_itself();
        let Some((asked, first)) = lost(&said) else { panic!("the lost range is not named: {said}") };
        assert!(code.is_some_and(|code| code != 0), "{code:?}");
        assert_eq!(first, end, "{said}");
        let stands = city.position(&format!("{CALLS}/0"));
        assert!(asked >= position && stands <= asked, "stopped at {position}, asked for {asked}, stands at {stands}");
        assert!(hangs || asked == position, "{asked} is not {position}");
        let (code, again) = start().ends_by_itself();
        assert_eq!(lost(&again), Some((stands, end)), "{code:?}: {again}");
        let beyond = city.count(&format!("records WHERE log_topic = '{CALLS}' AND log_partition = 0 AND log_offset >= {stands}"));
        assert_eq!(beyond, 0, "it jumped over what was lost");
        ranges.push(end - stands);
    }
    stream.end();
    ingest.end();
    let total: u64 = ranges.iter().sum();
    Some(format!("stopped each time, and again when started again; {total} lost records named exactly, none jumped over"))
}
