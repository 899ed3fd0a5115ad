//! Accepted to visible: events come at a steady rate, and two probes ask SQL and `/metrics` as fast as they answer.
//!
//! An event is visible when the first answer that shows it has arrived, so a probe's own time counts against gridwatch.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, events, request};
use crate::support::Up;
use crate::{Figure, Pace, quantile};

/// Requests a second, whatever the rate of events.
const REQUESTS: u64 = 100;
/// The first seconds are left out.
const WARM_UP: Duration = Duration::from_secs(3);

/// When how many events had been acknowledged, or seen.
type Moments = Vec<(Instant, u64)>;

/// Time from each acknowledgement to the first answer that shows as many events.
fn latencies(acknowledged: &Moments, seen: &Moments, from: Instant) -> Vec<Duration> {
    let mut answers = seen.iter().peekable();
    let mut latencies = Vec::new();
    for (at, count) in acknowledged.iter().filter(|(at, _)| *at >= from) {
        while answers.peek().is_some_and(|(_, shown)| shown < count) {
            answers.next();
        }
        let Some((shown_at, _)) = answers.peek() else { break };
        latencies.push(shown_at.saturating_duration_since(*at));
    }
    latencies
}

fn send(up: &Up, rate: u64, time: Duration) -> Moments {
    let mut client = Client::connect(up.ingest);
    let (began, mut sent, mut moments) = (Instant::now(), 0, Vec::new());
    let size = rate / REQUESTS;
    while began.elapsed() < time {
        let due = began + Duration::from_secs_f64(sent as f64 / rate as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let body = events("fresh", sent, size, chrono::Utc::now());
        let (status, answer) = client.ask(&request("POST", "/v1/events", "application/x-ndjson", &body));
        assert_eq!(status, 202, "{answer}");
        sent += size;
        moments.push((Instant::now(), sent));
    }
    moments
}

/// Asks until told to stop; what each answer shows.
fn probe(stop: &AtomicBool, mut ask: impl FnMut() -> Option<u64>) -> Moments {
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(count) = ask() {
            seen.push((Instant::now(), count));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    seen
}

fn at_rate(rate: u64, time: Duration) -> [Figure; 2] {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(&folder.path().join("data"), &["--city", "none"]);
    let statement = serde_json::json!({"sql": "SELECT count(*) AS n FROM events WHERE source = 'fresh'"}).to_string();
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    let (by_sql, by_metrics) = (Mutex::new(Moments::new()), Mutex::new(Moments::new()));
    let acknowledged = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut client, ask) = (Client::connect(up.page), request("POST", "/v1/sql", "application/json", &statement));
            let count = || serde_json::from_str::<serde_json::Value>(&client.ask(&ask).1).ok()?["rows"][0]["n"].as_u64();
            *by_sql.lock().unwrap() = probe(&stop, count);
        });
        scope.spawn(|| {
            let (mut client, ask) = (Client::connect(up.metrics), request("GET", "/metrics", "text/plain", ""));
            let line = "gridwatch_source_events_total{source=\"fresh\"} ";
            let count = || client.ask(&ask).1.lines().find_map(|said| said.strip_prefix(line)?.parse().ok());
            *by_metrics.lock().unwrap() = probe(&stop, count);
        });
        let acknowledged = send(&up, rate, time);
        std::thread::sleep(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
        acknowledged
    });
    let achieved = acknowledged.last().unwrap().1 as f64 / time.as_secs_f64();
    let figure = |what: &str, seen: &Mutex<Moments>| {
        let mut latencies = latencies(&acknowledged, &seen.lock().unwrap(), began + WARM_UP);
        let (half, most) = (quantile(&mut latencies, 0.5), quantile(&mut latencies, 0.99));
        let asked = seen.lock().unwrap().len();
        Figure::new(
            format!("accepted → visible in {what}, {rate} events/s"),
            format!("p50 {half:.0} ms, p99 {most:.0} ms"),
            format!("a commit a second; {achieved:.0} events/s were acknowledged, the probe asked {asked} times"),
        )
    };
    let figures = [figure("SQL", &by_sql), figure("/metrics", &by_metrics)];
    up.kill();
    figures
}

pub(crate) fn figures(pace: Pace) -> Vec<Figure> {
    [1_000, 10_000].into_iter().flat_map(|rate| at_rate(rate, pace.freshness)).collect()
}
