//! Accepted to visible: events come at a steady rate, and two probes ask SQL and `/metrics` again and again, resting in between as long
//! as [`PAUSE`] says: asking at once would measure a machine that is busy answering the probes.
//!
//! An event is visible when the first answer that shows it has arrived, so a probe's own time counts against gridwatch.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::{Client, events, request};
use crate::support::Up;
use crate::{Figure, Pace, quantile};

/// Requests a second, whatever the rate of events.
const REQUESTS: u64 = 100;
/// Connections they come over: one that waits for its acknowledgement does not hold up the rest.
const CONNECTIONS: u64 = 4;
/// The first seconds are left out.
const WARM_UP: Duration = Duration::from_secs(3);

/// Between two questions of a probe: what it adds to a latency, at most.
const PAUSE: Duration = Duration::from_millis(50);

/// Where events are taken in and where they are seen.
pub(crate) struct Doors {
    pub(crate) ingest: SocketAddr,
    pub(crate) sql: SocketAddr,
    pub(crate) metrics: SocketAddr,
}

/// When how many events had been seen.
pub(crate) type Moments = Vec<(Instant, u64)>;

/// A request: when it was due, when it was acknowledged, and how many events must be seen for its own to be among them.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) due: Instant,
    pub(crate) acknowledged: Instant,
    pub(crate) count: u64,
}

/// For each request, in their order, when an answer first showed as many events.
pub(crate) fn shown<'a>(sent: &'a [Sent], seen: &'a Moments) -> impl Iterator<Item = (Sent, Instant)> + 'a {
    let mut answers = seen.iter().peekable();
    sent.iter().map_while(move |request| {
        while answers.peek().is_some_and(|(_, shown)| *shown < request.count) {
            answers.next();
        }
        answers.peek().map(|(shown_at, _)| (*request, *shown_at))
    })
}

/// Sends at a steady rate until `time` has gone, over several connections: a late request delays none of those after it. Answers
/// them in the order of their acknowledgements.
pub(crate) fn send(ingest: SocketAddr, source: &str, rate: u64, time: Duration) -> Vec<Sent> {
    let (began, next, size) = (Instant::now(), AtomicU64::new(0), rate / REQUESTS);
    let one_connection = || {
        let (mut client, mut sent) = (Client::connect(ingest), Vec::new());
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            let due = began + Duration::from_secs_f64(nth as f64 / REQUESTS as f64);
            if due >= began + time {
                return sent;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let body = events(source, nth * size, size, chrono::Utc::now());
            let (status, answer) = client.ask(&request("POST", "/v1/events", "application/x-ndjson", &body));
            assert_eq!(status, 202, "{answer}");
            sent.push(Sent { due, acknowledged: Instant::now(), count: 0 });
        }
    };
    let mut sent: Vec<Sent> = std::thread::scope(|scope| {
        let connections: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one_connection)).collect();
        connections.into_iter().flat_map(|connection| connection.join().unwrap()).collect()
    });
    sent.sort_by_key(|request| request.acknowledged);
    let total = sent.len() as u64 * size;
    for (before, request) in (0..).zip(&mut sent) {
        // Whatever the other connections had under way may have been taken in before it.
        request.count = ((before + CONNECTIONS) * size).min(total);
    }
    sent
}

/// Tells probes to stop when it goes, so that what fails meanwhile ends the run and does not wait for them for ever.
pub(crate) struct Stop<'a>(pub(crate) &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks until told to stop; what each answer shows.
pub(crate) fn probe(stop: &AtomicBool, mut ask: impl FnMut() -> Option<u64>) -> Moments {
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if let Some(count) = ask() {
            seen.push((Instant::now(), count));
        }
        std::thread::sleep(PAUSE);
    }
    seen
}

/// How soon an answer showed what was sent.
pub(crate) struct Visible {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    achieved: f64,
    asked: usize,
}

impl Visible {
    pub(crate) fn figure(&self, what: String, bound: &str) -> Figure {
        let Self { p50_ms, p99_ms, achieved, asked } = self;
        Figure::new(
            what,
            format!("p50 {p50_ms:.0} ms, p99 {p99_ms:.0} ms"),
            format!("{bound}; {achieved:.0} events/s were acknowledged, the probe asked {asked} times"),
        )
    }
}

/// Sends at `rate` and watches SQL and `/metrics`; a request's time counts from `since`.
pub(crate) fn watch(doors: &Doors, rate: u64, time: Duration, since: fn(&Sent) -> Instant) -> [Visible; 2] {
    let statement = serde_json::json!({"sql": "SELECT count(*) AS n FROM events WHERE source = 'fresh'"}).to_string();
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    let (by_sql, by_metrics) = (Mutex::new(Moments::new()), Mutex::new(Moments::new()));
    let sent = std::thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| {
            let (mut client, ask) = (Client::connect(doors.sql), request("POST", "/v1/sql", "application/json", &statement));
            let count = || serde_json::from_str::<serde_json::Value>(&client.ask(&ask).1).ok()?["rows"][0]["n"].as_u64();
            *by_sql.lock().unwrap() = probe(&stop, count);
        });
        scope.spawn(|| {
            let (mut client, ask) = (Client::connect(doors.metrics), request("GET", "/metrics", "text/plain", ""));
            let line = "gridwatch_source_events_total{source=\"fresh\"} ";
            let count = || client.ask(&ask).1.lines().find_map(|said| said.strip_prefix(line)?.parse().ok());
            *by_metrics.lock().unwrap() = probe(&stop, count);
        });
        let sent = send(doors.ingest, "fresh", rate, time);
        std::thread::sleep(Duration::from_secs(3));
        sent
    });
    let achieved = sent.last().unwrap().count as f64 / time.as_secs_f64();
    [by_sql, by_metrics].map(|seen| {
        let seen = seen.into_inner().unwrap();
        let counted = shown(&sent, &seen).filter(|(request, _)| since(request) >= began + WARM_UP);
        let mut latencies: Vec<Duration> = counted.map(|(request, at)| at.saturating_duration_since(since(&request))).collect();
        Visible { p50_ms: quantile(&mut latencies, 0.5), p99_ms: quantile(&mut latencies, 0.99), achieved, asked: seen.len() }
    })
}

pub(crate) fn figures(pace: Pace) -> Vec<Figure> {
    let whole = |rate| {
        let folder = tempfile::tempdir().unwrap();
        let up = Up::start(&folder.path().join("data"), &["--city", "none"]);
        let doors = Doors { ingest: up.ingest, sql: up.page, metrics: up.metrics };
        let [sql, metrics] = watch(&doors, rate, pace.freshness, |sent| sent.acknowledged);
        up.kill();
        let name = |what: &str| format!("accepted → visible in {what}, {rate} events/s");
        [sql.figure(name("SQL"), "a commit a second"), metrics.figure(name("/metrics"), "a commit a second")]
    };
    [1_000, 10_000].into_iter().flat_map(whole).collect()
}
