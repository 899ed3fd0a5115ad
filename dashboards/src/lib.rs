//! The duty page, an ordinary SQL client: the only crate that serves a screen, and it knows nothing of the pipeline but the SQL door.
//!
//! - [`router`] puts the addresses of the page together: the embedded page, `/livez`, `/readyz`, `POST /v1/sql`, `GET /v1/grids.geojson`.
//! - [`serve`] is the accept loop with its limits on time, size and connections.
//! - [`DoorAddress`] says where the SQL door listens at the moment, [`Readiness`] whether the product is ready.
//!
//! It deliberately runs no SQL itself: every number on the screen comes from a query anyone can repeat at the same door.

mod address;
mod assets;
mod forward;
mod problem;
mod readiness;
mod router;
mod security;
mod serve;
mod settings;

pub use address::DoorAddress;
pub use readiness::Readiness;
pub use router::router;
pub use serve::{ServeError, serve};
pub use settings::PageSettings;
