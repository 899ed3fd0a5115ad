//! What an event is, and the seams every other crate meets at. The only crate both `ingest` and `analytics` know.
//!
//! Words, one meaning each, in code, configuration, metrics, SQL and prose:
//!
//! - **feed** (column `source`): one supplier of records, named by its folder in `ingest/feeds/`.
//! - **raw record**: a row as the supplier sent it. **event**: a raw record mapped into this contract.
//! - **rejection**: a raw record that could not become an event, with its payload and a [`Reason`].
//! - **record**: an entry of the log (an event or a rejection); after analytics one row of table `records`.
//! - **disposition**: what became of a record: accepted, duplicate, late or quarantined.
//! - **grid**: a polygon of the city's own division (a village, a duty grid), of a **level**.
//! - **watermark**: the newest accepted `occurred_at` of a source; the city's clock is the newest of them.
//! - **cell**: a grid × category × source × hour of table `cells`.
//!
//! Verbs of the flow: *poll, normalize, publish, consume, append, scan, run, serve, reject*.

pub mod address;
pub mod clock;
pub mod cloud_events;
mod event;
pub mod grids;
pub mod limits;
pub mod log;
mod offsets;
mod pieces;
mod record;
mod rejection;
pub mod schema;
pub mod topic;

pub use event::{Attributes, Event, InvalidEvent, Kind, Text};
pub use offsets::{Offsets, TopicPartition};
pub use record::{DeliveryRules, Disposition, Envelope, Room, headers};
pub use rejection::{Reason, Rejection};
