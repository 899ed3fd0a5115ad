//! The seam through which `/readyz` asks the composition root whether the product is ready. It decides nothing itself.

use std::fmt;
use std::sync::Arc;

type Ask = dyn Fn() -> Result<(), String> + Send + Sync;

/// Asks whether the product is ready, and if not, why.
#[derive(Clone)]
pub struct Readiness(Arc<Ask>);

impl Readiness {
    /// Asks `ask` at every request, so it must be quick and must not block; its error is the sentence shown to the caller.
    pub fn new(ask: impl Fn() -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    /// A product that is ready as soon as it listens.
    pub fn always() -> Self {
        Self::new(|| Ok(()))
    }

    /// The answer of this moment.
    pub(crate) fn ask(&self) -> Result<(), String> {
        (self.0)()
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Readiness").finish()
    }
}
