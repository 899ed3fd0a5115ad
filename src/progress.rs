//! How long work shows how far it has come: a bar on a terminal, a line every ten seconds elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Pause between lines where there is no terminal.
const LINE_PAUSE: Duration = Duration::from_secs(10);

/// Progress of a replay.
#[derive(Debug)]
pub(crate) struct Shown {
    bar: Option<ProgressBar>,
    said: Mutex<Instant>,
}

impl Shown {
    /// A bar where standard error is a terminal.
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:40} {bytes}/{total_bytes} {msg}");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, said: Mutex::new(Instant::now()) }
    }

    /// Ends the bar.
    pub(crate) fn done(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl ingest::sources::file::Progress for Shown {
    fn advanced(&self, rows: u64, bytes: u64, total_bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total_bytes);
            bar.set_position(bytes);
            bar.set_message(format!("{rows} rows"));
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() >= LINE_PAUSE {
            *said = Instant::now();
            tracing::info!(rows, bytes, total_bytes, "replaying");
        }
    }
}
