//! From a city's bytes to contract events in the log: `sources` poll, `raw` splits and decodes, `mapping` normalizes, `publisher` publishes.
//!
//! A feed is data (`feeds/<feed>/`), a transport is one file (`sources/<kind>.rs`); the two never know each other.
//! This crate sees the log only through [`contract::log::EventLog`] and knows nothing of lakes, jobs or grids.

pub mod city;
pub mod feeds;
mod mapping;
mod nearest;
mod observer;
mod publisher;
pub mod raw;
pub mod sources;

pub use feeds::{Feed, FeedError};
pub use mapping::pseudonym::{KeyError, PseudonymKey};
pub use mapping::{Mapper, MappingError, Outcome, mapping_functions};
pub use observer::{Observer, Unobserved};
pub use publisher::{PublishError, Publisher, Retention};
