//! Serves the duty page before a SQL door that runs elsewhere, for work on the page alone:
//! `cargo run -p dashboards --example page -- 127.0.0.1:8420 127.0.0.1:8499 Asia/Shanghai` (see `web/dev/door.py` for an invented door).

use std::net::SocketAddr;

use dashboards::{DoorAddress, PageSettings, Readiness, router, serve};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let usage = "usage: page LISTEN DOOR [TIME_ZONE], for example 127.0.0.1:8420 127.0.0.1:8499 Asia/Shanghai";
    let mut arguments = std::env::args().skip(1);
    let listen: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let door: SocketAddr = arguments.next().ok_or(usage)?.parse()?;
    let mut settings = PageSettings { city_zh: "演示市".into(), city_en: "Demo City".into(), ..PageSettings::default() };
    if let Some(zone) = arguments.next() {
        settings.time_zone = zone;
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| format!("could not listen on {listen}: {error}"))?;
    eprintln!("duty page at http://{listen}, SQL door expected at {door}; Ctrl-C ends it");
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    serve(listener, router(DoorAddress::fixed(door), Readiness::always(), settings), interrupted).await?;
    Ok(())
}
