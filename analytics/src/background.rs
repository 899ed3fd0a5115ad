//! Threads for what is in no hurry: jobs and upkeep may take a core for seconds, and the stream beside them should not wait for it.
//!
//! They are threads of a runtime of their own with a lower priority, so that they have the whole machine while the stream is at rest and
//! the little it leaves them while it is not. What they start with `tokio::spawn` stays there, DataFusion's tasks included.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// How nice the threads are: a tenth of the processor against a thread of the stream that wants all of it.
const NICENESS: i32 = 10;

/// A runtime whose threads yield to others; ends with this value.
#[derive(Debug)]
pub(crate) struct Background(Option<Runtime>);

impl Background {
    /// Starts its threads.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn start() -> io::Result<Self> {
        let yielding = || {
            // Of this thread alone. A system that does not do it runs it at the priority of all.
            if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
                tracing::debug!(%error, "a thread in the background runs at the usual priority");
            }
        };
        Builder::new_multi_thread().thread_name("background").on_thread_start(yielding).enable_all().build().map(Some).map(Self)
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        self.0.as_ref().expect("there until it is dropped").handle()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Waits for nobody: what runs there is of no use any more, and this may be a task itself.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
