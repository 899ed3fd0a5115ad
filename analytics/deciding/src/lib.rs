//! What becomes of each record of the log: read, located, compared with what stood before, laid out as a row of `records`, and counted
//! in a row of `cells`.
//!
//! Pure: no IO, no clock, nothing but the record, the grids and what the partition remembers, so it decides after a crash what it
//! decided before. A crate of its own because it runs for every record: here, away from the query engine's generic code, the
//! highest level of optimization costs seconds.

pub mod cells;
mod columns;
mod fingerprint;
mod memory;
mod names;
pub mod parts;
mod reading;
pub mod rows;
pub mod state;
