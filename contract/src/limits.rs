//! Bounds of the contract, each with its reason.

/// Longest identifier in bytes: ids are keys of the log and of the deduplication index.
pub const ID_BYTES_MAX: usize = 256;
/// Longest text field in bytes; addresses of the real feeds stay below 1 KiB.
pub const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most entries of `attributes`: more is a document, not an event.
pub const ATTRIBUTES_MAX: usize = 64;
/// How far `occurred_at` may lie ahead of the receiver's clock; beyond it is a wrong clock, not news.
pub const AHEAD_SECONDS_MAX: i64 = 300;
