//! Load whose every event says where it stands among those of its key: of all kinds, over HTTP, sent again until acknowledged, as
//! a careful sender does. What was acknowledged is kept, and held against the lake afterwards.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::roles::{Deployment, Role};
use crate::support::{ledger, request};

/// Senders side by side; a key belongs to one of them.
const SENDERS: u64 = 2;
/// Cases and devices of a sender.
const KEYS: u64 = 12;
/// Events of a request.
const BATCH: u64 = 20;
/// Rest between requests: two senders then make some hundred to a thousand events a second, and leave the machine to the fault.
const PAUSE: Duration = Duration::from_millis(25);
/// How long a sender tries one batch: a broker that hangs for a minute, and what comes after.
const PATIENCE: Duration = Duration::from_secs(240);

/// The kinds in turn, each with what it needs to have a place.
const KINDS: [(&str, &str); 4] = [
    ("hotline_call", r#""case_id":"KEY","category":"noise","address":"Mill Road PLACE""#),
    ("grid_report", r#""case_id":"KEY","category":"rubbish","address":"Quay PLACE""#),
    ("sensor_event", r#""device_id":"KEY","observed_property":"noise_level""#),
    ("case_step", r#""case_id":"KEY","stage":"dispatch""#),
];

/// An event of a sender: `value` counts the sender's events, so it grows within each key.
fn event(sender: u64, number: u64) -> String {
    let (kind, rest) = KINDS[(number % 4) as usize];
    let key = format!("s{sender}-{}", number / 4 % KEYS);
    let rest = rest.replace("KEY", &key).replace("PLACE", &(number % 40).to_string());
    let (day, hour, minute) = (1 + number / 1440 % 28, number / 60 % 24, number % 60);
    format!(
        r#"{{"event_id":"s{sender}-{number}","source":"stream","kind":"{kind}","occurred_at":"2026-01-{day:02}T{hour:02}:{minute:02}:00Z","value":{number},{rest}}}"#
    )
}

/// The `nth` call of the first sender, with its key in the log: for producers that write to the log themselves.
pub(crate) fn call(nth: u64) -> (String, String) {
    let number = nth * KINDS.len() as u64;
    (format!("stream/s0-{}", nth % KEYS), event(0, number))
}

/// Source and id of what [`call`] makes.
pub(crate) fn id(nth: u64) -> (&'static str, String) {
    ("stream", format!("s0-{}", nth * KINDS.len() as u64))
}

/// Senders at work.
pub(crate) struct Stream {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    senders: Vec<JoinHandle<u64>>,
}

impl Stream {
    /// Starts sending to an address.
    pub(crate) fn start(address: SocketAddr) -> Self {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let senders = (0..SENDERS)
            .map(|sender| {
                let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
                std::thread::spawn(move || send(address, sender, &stop, &acknowledged))
            })
            .collect();
        Self { stop, acknowledged, senders }
    }

    /// Events acknowledged so far.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::SeqCst)
    }

    /// Waits until that many more are acknowledged.
    pub(crate) fn goes_on(&self, more: u64) {
        let (due, began) = (self.acknowledged() + more, Instant::now());
        while self.acknowledged() < due {
            assert!(began.elapsed() < PATIENCE, "nothing is acknowledged any more");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops after what is under way is acknowledged; source and id of everything that was.
    pub(crate) fn end(self) -> Vec<(&'static str, String)> {
        self.stop.store(true, Ordering::SeqCst);
        let sent: Vec<u64> = self.senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        let ids = |(sender, count): (u64, u64)| (0..count).map(move |number| ("stream", format!("s{sender}-{number}")));
        (0..).zip(sent).flat_map(ids).collect()
    }
}

fn send(address: SocketAddr, sender: u64, stop: &AtomicBool, acknowledged: &AtomicU64) -> u64 {
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        let body: Vec<String> = (sent..sent + BATCH).map(|number| event(sender, number)).collect();
        let (body, began) = (body.join("\n"), Instant::now());
        loop {
            match request(address, "POST", "/v1/events", "application/x-ndjson", &body) {
                Some((202, _)) => break,
                Some((status, answer)) => assert!(status >= 500, "{status}: {answer}"),
                None => {}
            }
            assert!(began.elapsed() < PATIENCE, "a batch was not acknowledged within {PATIENCE:?}");
            std::thread::sleep(PAUSE);
        }
        sent += BATCH;
        acknowledged.fetch_add(BATCH, Ordering::SeqCst);
        std::thread::sleep(PAUSE);
    }
    sent
}

/// Waits until the lake holds what was acknowledged, ends the members, and holds the lake against it: by readers that are not
/// ours (acknowledged ⊆ lake, no id twice, cells = recomputation, order per key, gaps as said) and by `gridwatch check`.
pub(crate) fn held(folder: &Path, city: &Deployment, acknowledged: &[(&str, String)], members: Vec<Role>) -> String {
    assert!(acknowledged.len() > 100, "the load was acknowledged at all: {}", acknowledged.len());
    let all = acknowledged.len() as u64;
    city.wait("everything acknowledged is in the lake", &members.iter().collect::<Vec<_>>(), || {
        city.data.join("lake/cut.json").exists() && city.count("records WHERE source = 'stream' AND disposition = 'accepted'") >= all
    });
    members.into_iter().for_each(Role::end);
    told(folder, city, acknowledged)
}

/// What the two checkers say of a lake whose members have ended.
pub(crate) fn told(folder: &Path, city: &Deployment, acknowledged: &[(&str, String)]) -> String {
    let rules = city.check();
    let lines: Vec<String> = acknowledged.iter().map(|(source, id)| format!("{source}\t{id}")).collect();
    let file = folder.join("acked.tsv");
    std::fs::write(&file, lines.join("\n")).unwrap();
    let Some(said) = ledger(&city.data, &["--acked", file.to_str().unwrap(), "--order", "stream"]) else {
        return format!("the independent checker is not installed; check: {rules} rules hold");
    };
    assert_eq!(said["broken"], serde_json::json!([]), "{said}");
    format!(
        "{} acknowledged ⊆ {} rows ({}), {} keys in order, {} gaps, broken: none; check: {rules} rules hold",
        acknowledged.len(),
        said["rows"],
        said["dispositions"].to_string().replace(['{', '}', '"'], "").replace(':', " ").replace(',', ", "),
        said["keys"],
        said["gaps"],
    )
}
