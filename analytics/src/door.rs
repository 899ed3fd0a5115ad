//! The SQL door: one child process that serves analysts, apart from the process that must not stop.
//!
//! One statement can take a SQL engine down (a long chain of operators overflows its stack; a large literal its memory), so the
//! door runs under limits of the operating system and its parent starts it again. It reads the lake and holds nothing: ending it
//! loses no event and costs a client one reconnect. Its listeners belong to the parent and outlive it, so connections made while
//! it is away wait instead of being refused.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Mutex;

use crate::session::{SessionError, SessionSettings, World, Worlds};

mod http;
mod pgwire;
mod read_only;

/// What went wrong with the door.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The lake.
    #[error("could not open the lake")]
    Session(#[from] SessionError),
    /// A listener.
    #[error("could not serve SQL")]
    Io(#[from] std::io::Error),
}

/// The newest world, shared by both protocols.
#[derive(Debug)]
pub(crate) struct Door {
    worlds: Mutex<Worlds>,
}

impl Door {
    /// The world statements are planned in from now on.
    pub(crate) async fn world(&self) -> Result<Arc<World>, SessionError> {
        self.worlds.lock().await.newest().await
    }
}

/// Serves PostgreSQL's protocol on one listener and HTTP (for the duty page) on the other, until one of them fails.
///
/// # Errors
/// The lake cannot be opened, or a listener fails.
pub async fn serve(lake: &Path, settings: SessionSettings, postgres: TcpListener, http: TcpListener) -> Result<(), DoorError> {
    let door = Arc::new(Door { worlds: Mutex::new(Worlds::open(lake, settings).await?) });
    tokio::select! {
        done = pgwire::serve(Arc::clone(&door), postgres) => done?,
        done = axum::serve(http, http::router(door)) => done?,
    }
    Ok(())
}
