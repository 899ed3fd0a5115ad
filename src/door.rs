//! The SQL door's process: how `up` starts it and starts it again, and what it does to itself before it serves.
//!
//! The listeners are the parent's and go to the child as its standard input and output, so a client that connects while the
//! child is away waits in their queue instead of being refused.

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::time::Duration;

use analytics::metrics::Metrics;
use rustix::process::{Resource, Rlimit, Signal};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::cli::{DoorOptions, Place};
use crate::failure::Failure;
use crate::pipeline;
use crate::roles::until;

/// Pause before the child is started again; doubled at each failure in a row up to the longest.
const RESTART_PAUSE: Duration = Duration::from_millis(50);
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(5);
/// A child that lived this long had started well.
const HEALTHY: Duration = Duration::from_secs(10);

/// Keeps the child running until `stop` turns true.
pub(crate) async fn supervise(
    place: Place,
    postgres: TcpListener,
    http: TcpListener,
    metrics: Metrics,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut pause = RESTART_PAUSE;
    loop {
        let began = std::time::Instant::now();
        let mut child = start(&place, &postgres, &http)?;
        let ended = tokio::select! {
            ended = child.wait() => ended?,
            () = until(stop.clone()) => {
                child.kill().await?;
                return Ok(());
            }
        };
        metrics.door_restarted(if ended.code().is_some() { "exit" } else { "signal" });
        pause = if began.elapsed() >= HEALTHY { RESTART_PAUSE } else { (pause * 2).min(RESTART_PAUSE_MAX) };
        tokio::select! {
            () = wait(pause) => {}
            () = until(stop.clone()) => return Ok(()),
        }
    }
}

async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

fn start(place: &Place, postgres: &TcpListener, http: &TcpListener) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("sql-door").arg("--data-dir").arg(&place.data_dir).arg("--lake").arg(place.lake()).arg("--time-zone").arg(&place.time_zone);
    command.arg("--parent").arg(std::process::id().to_string());
    let inherit = |listener: &TcpListener| listener.as_fd().try_clone_to_owned().map(Stdio::from);
    command.stdin(inherit(postgres)?).stdout(inherit(http)?).kill_on_drop(true).spawn()
}

/// The child: bounds itself, then serves until its parent ends.
pub(crate) async fn serve(options: DoorOptions) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| Failure::machine("could not serve SQL", error);
    bound(&options).map_err(|error| failed(&std::io::Error::from(error)))?;
    let postgres = inherited(std::io::stdin().as_fd().try_clone_to_owned()).map_err(|error| failed(&error))?;
    let http = inherited(std::io::stdout().as_fd().try_clone_to_owned()).map_err(|error| failed(&error))?;
    let settings = pipeline::session(&options.place)?;
    analytics::door::serve(&options.place.lake(), settings, postgres, http).await.map_err(|error| failed(&error))
}

fn inherited(listener: std::io::Result<OwnedFd>) -> std::io::Result<tokio::net::TcpListener> {
    let listener = TcpListener::from(listener?);
    listener.set_nonblocking(true)?;
    tokio::net::TcpListener::from_std(listener)
}

/// Limits of the operating system, which hold where the engine's own do not; and an end with the parent, however it ends.
fn bound(options: &DoorOptions) -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // A parent that died before this line sends no signal any more.
    if std::os::unix::process::parent_id() != options.parent {
        return Err(rustix::io::Errno::SRCH);
    }
    let limit = |resource, most: u64| rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    limit(Resource::As, options.address_space_max)?;
    limit(Resource::Core, 0)
}
