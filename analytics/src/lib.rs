//! From the log to tables, metrics and SQL. Knows the contract and the statistics; never the feeds.

pub mod backtest;
pub mod cells;
pub mod check;
pub mod consume;
pub mod cut;
pub mod derive;
mod detectors;
pub mod door;
pub mod engine;
pub mod grid_store;
pub mod jobs;
pub mod lake;
pub mod member;
pub mod metrics;
pub mod records;
pub mod recover;
pub mod relocate;
pub mod session;
