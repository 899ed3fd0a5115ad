//! The memory log and the local log keep the promises of `EventLog`: the suite of `contract::log::conformance` on each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use contract::clock::SystemClock;
use contract::log::conformance::{Harness, run};
use contract::log::local::{LocalLog, LocalOptions};
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogError, LogLimits};

const TOPIC_BYTES_MAX: u64 = 3 * 1024 * 1024;

fn limits() -> LogLimits {
    LogLimits { topic_bytes_max: TOPIC_BYTES_MAX, ..LogLimits::default() }
}

/// Memory logs stay as they were left because the harness keeps them.
struct Memory {
    logs: Mutex<HashMap<String, Arc<MemoryLog>>>,
    gaps: Option<u64>,
}

#[async_trait]
impl Harness for Memory {
    async fn open(&self, name: &str) -> Result<Arc<dyn EventLog>, LogError> {
        let mut logs = self.logs.lock().expect("no check panics with the lock held");
        let log = logs.entry(name.to_owned()).or_insert_with(|| {
            let log = MemoryLog::new(Arc::new(SystemClock), limits());
            Arc::new(match self.gaps {
                Some(seed) => log.with_gaps(seed),
                None => log,
            })
        });
        Ok(Arc::<MemoryLog>::clone(log))
    }

    fn topic_bytes_max(&self) -> Option<u64> {
        Some(TOPIC_BYTES_MAX)
    }
}

struct Local {
    folder: PathBuf,
}

#[async_trait]
impl Harness for Local {
    async fn open(&self, name: &str) -> Result<Arc<dyn EventLog>, LogError> {
        let options = LocalOptions { limits: limits(), ..LocalOptions::default() };
        Ok(Arc::new(LocalLog::open(&self.folder.join(name), Arc::new(SystemClock), options)?))
    }

    fn topic_bytes_max(&self) -> Option<u64> {
        Some(TOPIC_BYTES_MAX)
    }
}

#[tokio::test]
async fn the_memory_log_keeps_its_promises() {
    assert_eq!(run(&Memory { logs: Mutex::default(), gaps: None }).await, [""; 0]);
}

#[tokio::test]
async fn the_memory_log_keeps_its_promises_with_gaps_in_its_offsets() {
    for seed in 0..20 {
        assert_eq!(run(&Memory { logs: Mutex::default(), gaps: Some(seed) }).await, [""; 0], "seed {seed}");
    }
}

#[tokio::test]
async fn the_local_log_keeps_its_promises_on_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&Local { folder: folder.path().to_owned() }).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_local_log_keeps_its_promises_on_many_threads() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(run(&Local { folder: folder.path().to_owned() }).await, [""; 0]);
}
