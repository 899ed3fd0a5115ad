//! The seam to whoever counts: ingest says what happened, the composition root decides which metric that is.

use std::fmt::Debug;

use contract::Reason;

/// Hears what ingest did. Called once a batch or request, never once a row.
///
/// `source` is text a sender chose; an implementation that makes labels of it bounds them.
pub trait Observer: Send + Sync + Debug {
    /// `events` of `source` are durable in the log.
    fn published(&self, source: &str, events: u64);

    /// `rows` of `source` were refused for `reason` and are durable in the quarantine topic.
    fn rejected(&self, source: &str, reason: Reason, rows: u64);

    /// A request or connection was refused or failed with this HTTP status (4xx, 5xx).
    fn refused(&self, status: u16);
}

/// Hears and forgets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn published(&self, _: &str, _: u64) {}
    fn rejected(&self, _: &str, _: Reason, _: u64) {}
    fn refused(&self, _: u16) {}
}
