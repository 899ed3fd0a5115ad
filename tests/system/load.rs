//! Load over HTTP that remembers what was acknowledged, and the proof that all of it is in the lake, once.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Up, ledger, program, request};

/// A call of source `load`.
pub(crate) fn event(id: &str, minute: u64) -> String {
    format!(
        r#"{{"event_id":"{id}","source":"load","kind":"hotline_call","occurred_at":"2026-01-{:02}T{:02}:{:02}:00Z","category":"noise","address":"Mill Road {}"}}"#,
        1 + minute / 1440 % 28,
        minute / 60 % 24,
        minute % 60,
        minute % 40
    )
}

/// Sends batches until told to stop; keeps what was acknowledged.
fn send(address: SocketAddr, name: String, stop: Arc<AtomicBool>, acked: Arc<Mutex<Vec<String>>>) {
    for batch in 0..u64::MAX {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let ids: Vec<String> = (0..20).map(|n| format!("{name}-{batch}-{n}")).collect();
        let body: Vec<String> = ids.iter().enumerate().map(|(n, id)| event(id, batch * 20 + n as u64)).collect();
        match request(address, "POST", "/v1/events", "application/x-ndjson", &body.join("\n")) {
            Some((202, _)) => acked.lock().unwrap().extend(ids),
            Some((status, answer)) => assert!(status >= 500, "{status}: {answer}"),
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Sends from two threads until `ended` returns; the ids that were acknowledged.
pub(crate) fn under_load(up: Up, name: &str, ended: impl FnOnce(Up)) -> Vec<String> {
    under_load_at(up.ingest, name, || ended(up))
}

/// The same to an address.
pub(crate) fn under_load_at(address: SocketAddr, name: &str, ended: impl FnOnce()) -> Vec<String> {
    let (stop, acked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
    let senders: Vec<_> = (0..2)
        .map(|sender| {
            let (stop, acked, name) = (Arc::clone(&stop), Arc::clone(&acked), format!("{name}{sender}"));
            std::thread::spawn(move || send(address, name, stop, acked))
        })
        .collect();
    ended();
    stop.store(true, Ordering::SeqCst);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    std::mem::take(&mut acked.lock().unwrap())
}

/// Holds the lake against what was acknowledged (source and id), by readers that are not ours and by `check`.
pub(crate) fn nothing_lost(folder: &Path, data: &Path, acked: &[(&str, String)]) {
    in_lake(folder, data, acked);
    let check = program().args(["check", "--format", "csv", "--data-dir"]).arg(data).output().unwrap();
    assert!(check.status.success(), "{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
}

/// The same by readers that are not ours alone.
pub(crate) fn in_lake(folder: &Path, data: &Path, acked: &[(&str, String)]) {
    let lines: Vec<String> = acked.iter().map(|(source, id)| format!("{source}\t{id}")).collect();
    std::fs::write(folder.join("acked.tsv"), lines.join("\n")).unwrap();
    if let Some(said) = ledger(data, &["--acked", folder.join("acked.tsv").to_str().unwrap()]) {
        println!("{} acknowledged: {said}", acked.len());
        assert_eq!(said["broken"], serde_json::json!([]), "{said}");
    }
}
