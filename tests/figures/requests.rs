//! HTTP to acknowledged: a closed loop of connections that each wait for their answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, events, request};
use crate::support::Up;
use crate::{Figure, Pace, limits, per_second, quantile};

struct Load {
    requests_per_second: f64,
    p99_ms: f64,
}

/// Keeps `connections` busy with what `body` makes of a number that is never used twice.
fn closed_loop(address: SocketAddr, connections: u64, time: Duration, body: impl Fn(u64) -> Vec<u8> + Sync) -> Load {
    let next = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = Client::connect(address);
                    let mut latencies = Vec::new();
                    while began.elapsed() < time {
                        let bytes = body(next.fetch_add(1, Ordering::Relaxed));
                        let sent = Instant::now();
                        let (status, answer) = client.ask(&bytes);
                        assert!(matches!(status, 200 | 202), "{status}: {answer}");
                        latencies.push(sent.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Load { requests_per_second: latencies.len() as f64 / began.elapsed().as_secs_f64(), p99_ms: quantile(&mut latencies, 0.99) }
}

pub(crate) fn figures(pace: Pace) -> Vec<Figure> {
    let folder = tempfile::tempdir().unwrap();
    let syncs = limits::syncs_per_second(folder.path(), 4096);
    let up = Up::start(&folder.path().join("data"), &["--city", "none"]);
    let now = chrono::Utc::now();
    let empty = closed_loop(up.page, 16, pace.requests / 2, |_| request("GET", "/livez", "text/plain", ""));
    let limit = format!("{} answers of an empty page; the disk syncs {syncs:.0} times a second", per_second(empty.requests_per_second));
    let mut figures = Vec::new();
    for (size, connections) in [(1, 64), (100, 16), (1000, 8)] {
        let source = format!("bench{size}");
        let load = closed_loop(up.ingest, connections, pace.requests, |number| {
            request("POST", "/v1/events", "application/x-ndjson", &events(&source, number * size, size, now))
        });
        figures.push(Figure::new(
            format!("HTTP → acknowledged, {size} events a request, {connections} connections"),
            format!("{} events, p99 {:.0} ms", per_second(load.requests_per_second * size as f64), load.p99_ms),
            &limit,
        ));
    }
    up.kill();
    figures
}
