//! The program's clock, made once and handed to everything.

use std::sync::Arc;

use contract::clock::{Clock, SystemClock};

/// The machine's clock.
pub(crate) fn system() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
