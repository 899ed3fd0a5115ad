//! The only place for where the SQL door listens. The door is a child process that may come back on another port, so its address is watched.

use std::net::SocketAddr;

use tokio::sync::watch;

/// The SQL door's internal HTTP address as it is at the moment; `None` while the door is away.
#[derive(Debug, Clone)]
pub struct DoorAddress(watch::Receiver<Option<SocketAddr>>);

impl DoorAddress {
    /// Follows `receiver`; its sender stays with whoever starts the door. A dropped sender leaves the last address standing.
    pub const fn watched(receiver: watch::Receiver<Option<SocketAddr>>) -> Self {
        Self(receiver)
    }

    /// A door that never moves, for a deployment where something else keeps it alive.
    pub fn fixed(address: SocketAddr) -> Self {
        Self(watch::channel(Some(address)).1)
    }

    /// The address to use for the next request.
    pub fn current(&self) -> Option<SocketAddr> {
        *self.0.borrow()
    }
}
