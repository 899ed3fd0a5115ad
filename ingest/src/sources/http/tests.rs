//! The ingest port as a sender meets it: through the router for what it answers, through sockets for how long it waits.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use contract::clock::ManualClock;
use contract::log::memory::MemoryLog;
use contract::log::{EventLog, LogError, LogLimits};
use contract::topic;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::*;
use crate::{PseudonymKey, feeds};

#[derive(Debug, Default)]
struct Heard {
    published: Mutex<BTreeMap<String, u64>>,
    rejected: Mutex<BTreeMap<(String, Reason), u64>>,
    refused: Mutex<Vec<u16>>,
}

impl Observer for Heard {
    fn published(&self, source: &str, events: u64) {
        *self.published.lock().unwrap().entry(source.to_owned()).or_default() += events;
    }

    fn rejected(&self, source: &str, reason: Reason, rows: u64) {
        *self.rejected.lock().unwrap().entry((source.to_owned(), reason)).or_default() += rows;
    }

    fn refused(&self, status: u16) {
        self.refused.lock().unwrap().push(status);
    }
}

struct World {
    log: Arc<MemoryLog>,
    heard: Arc<Heard>,
    state: HttpState,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl World {
    async fn new() -> Self {
        Self::with(HttpLimits::default(), LogLimits::default()).await
    }

    async fn with(limits: HttpLimits, log_limits: LogLimits) -> Self {
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        let log = Arc::new(MemoryLog::new(Arc::<ManualClock>::clone(&clock), log_limits));
        let publisher = Publisher::new(Arc::<MemoryLog>::clone(&log));
        publisher.ensure_topics(1, crate::Retention::default()).await.unwrap();
        let mapper = |feed: &feeds::Feed| {
            Arc::new(Mapper::new(feed, Arc::<ManualClock>::clone(&clock), PseudonymKey::new("k1", &[1; 32]).unwrap()).unwrap())
        };
        let feeds: Vec<_> = feeds::discover(None).unwrap().iter().filter(|feed| feed.name == "taipei-hotline").map(mapper).collect();
        let heard = Arc::new(Heard::default());
        let state = HttpState::new(feeds, publisher, clock, Arc::<Heard>::clone(&heard), limits);
        Self { log, heard, state }
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Answer {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = router(self.state.clone()).oneshot(request.body(Body::from(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) }
    }

    async fn json(&self, body: &Value) -> Answer {
        self.post("/v1/events", &[("content-type", "application/json")], body.to_string()).await
    }

    async fn records(&self, topic: &str) -> Vec<Value> {
        let end = self.log.watermarks(topic, 0).await.unwrap().1;
        if end == 0 {
            return Vec::new();
        }
        let batch = self.log.fetch(topic, 0, 0, usize::MAX, Duration::ZERO).await.unwrap();
        batch.records.iter().map(|stored| serde_json::from_slice(&stored.record.value).unwrap()).collect()
    }
}

fn call(id: &str) -> Value {
    json!({"event_id": id, "source": "app", "kind": "hotline_call", "occurred_at": "2025-12-31T23:00:00+08:00", "address": "somewhere"})
}

#[tokio::test]
async fn good_event_is_accepted_and_durable_before_the_answer() {
    let world = World::new().await;
    let answer = world.json(&call("a")).await;
    assert_eq!((answer.status, answer.body), (202, json!({"accepted": 1, "rejected": []})));
    let records = world.records(topic::ALL[0]).await;
    assert_eq!(records[0]["event_id"], "a");
    assert_eq!(records[0]["occurred_at"], "2025-12-31T15:00:00Z");
    assert_eq!(world.heard.published.lock().unwrap()["app"], 1);
    let again = world.json(&call("a")).await;
    assert_eq!(again.status, 202, "retrying is safe: duplicates are told apart downstream");
}

#[tokio::test]
async fn batch_with_a_bad_event_takes_the_others_and_keeps_the_bad_one_in_quarantine() {
    let world = World::new().await;
    let mut bad = call("b");
    bad["occured_at"] = json!("x");
    let answer = world.json(&json!([call("a"), bad, call("c")])).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.body["accepted"], 2);
    let rejected = &answer.body["rejected"];
    assert_eq!(
        (&rejected[0]["index"], &rejected[0]["field"], &rejected[0]["reason"]),
        (&json!(1), &json!("occured_at"), &json!("unknown_field"))
    );
    let kept = world.records(topic::QUARANTINE).await;
    assert_eq!((kept.len(), &kept[0]["source"], &kept[0]["origin"]), (1, &json!("app"), &json!("http:1")));
    assert_eq!(serde_json::from_str::<Value>(kept[0]["payload"].as_str().unwrap()).unwrap(), bad);
    assert_eq!(world.heard.rejected.lock().unwrap()[&("app".to_owned(), Reason::UnknownField)], 1);
}

#[tokio::test]
async fn request_with_nothing_but_refused_events_is_a_400_problem_and_they_are_kept() {
    let world = World::new().await;
    let answer = world.json(&json!({"source": "app"})).await;
    assert_eq!((answer.status, answer.headers["content-type"].to_str().unwrap()), (400, "application/problem+json"));
    assert_eq!((&answer.body["status"], &answer.body["title"], &answer.body["accepted"]), (&json!(400), &json!("Bad Request"), &json!(0)));
    assert_eq!(answer.body["rejected"][0]["reason"], "missing_field");
    let broken = world.post("/v1/events", &[("content-type", "application/json")], "{\"event_id\":").await;
    assert_eq!((broken.status, &broken.body["rejected"][0]["reason"]), (400, &json!("bad_json")));
    let array = world.post("/v1/events", &[("content-type", "application/json")], "[{\"a\":1},").await;
    assert_eq!((array.status, &array.body["rejected"][0]["reason"]), (400, &json!("bad_json")));
    assert_eq!(world.records(topic::QUARANTINE).await.len(), 3);
    assert_eq!(*world.heard.refused.lock().unwrap(), [400, 400, 400]);
}

#[tokio::test]
async fn lines_of_ndjson_are_events() {
    let world = World::new().await;
    let body = format!("{}\r\n\n{}\nnope\n", call("a"), call("b"));
    let answer = world.post("/v1/events", &[("content-type", "application/x-ndjson; charset=utf-8")], body).await;
    assert_eq!((answer.status, &answer.body["accepted"], &answer.body["rejected"][0]["index"]), (202, &json!(2), &json!(2)));
}

#[tokio::test]
async fn cloud_events_in_all_three_modes_become_the_same_event() {
    let world = World::new().await;
    let data = json!({"address": "somewhere"});
    let envelope = |id: &str| json!({"specversion": "1.0", "id": id, "source": "app", "type": "city.hotline_call", "time": "2025-12-31T15:00:00Z", "extension": 1, "data": data});
    let structured =
        world.post("/v1/events", &[("content-type", "application/cloudevents+json; charset=UTF-8")], envelope("a").to_string()).await;
    let batch =
        world.post("/v1/events", &[("content-type", "application/cloudevents-batch+json")], json!([envelope("b")]).to_string()).await;
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "%63"),
        ("ce-source", "app"),
        ("ce-type", "city.hotline_call"),
        ("ce-time", "2025-12-31T15:00:00Z"),
    ];
    let binary = world.post("/v1/events", &headers, data.to_string()).await;
    let mut encoded = envelope("d");
    encoded.as_object_mut().unwrap().remove("data");
    encoded["data_base64"] = json!("eyJhZGRyZXNzIjoic29tZXdoZXJlIn0=");
    let base64 = world.post("/v1/events", &[("content-type", "application/cloudevents+json")], encoded.to_string()).await;
    assert_eq!([structured.status, batch.status, binary.status, base64.status], [202; 4]);
    let records = world.records(topic::ALL[0]).await;
    for (record, id) in records.iter().zip(["a", "b", "c", "d"]) {
        let expected =
            json!({"event_id": id, "source": "app", "kind": "hotline_call", "occurred_at": "2025-12-31T15:00:00Z", "address": "somewhere"});
        assert_eq!(*record, expected);
    }
    let old = world
        .post("/v1/events", &[("content-type", "application/cloudevents+json")], envelope("e").to_string().replace("1.0", "0.3"))
        .await;
    assert_eq!((old.status, &old.body["rejected"][0]["field"]), (400, &json!("specversion")));
}

#[tokio::test]
async fn rows_of_a_feed_run_its_mapping() {
    let world = World::new().await;
    let csv = "案件編號,派工項目,案件地址,立案日期,立案時間\n2024030100001,動物救援,大安區示範街1號,20240301,120000\n202403011,動物救援,大安區甲,參考地址：乙,20240301\n";
    let answer = world.post("/v1/feeds/taipei-hotline", &[("content-type", "text/csv; charset=utf-8")], csv).await;
    assert_eq!((answer.status, &answer.body["accepted"], &answer.body["rejected"][0]["reason"]), (202, &json!(1), &json!("shifted_row")));
    assert_eq!(world.records(topic::ALL[0]).await[0]["source"], "taipei-hotline");
    let kept = world.records(topic::QUARANTINE).await;
    assert_eq!(kept[0]["origin"], "http:2");
    let replayed = world.post("/v1/feeds/taipei-hotline", &[("content-type", "text/csv")], kept[0]["payload"].as_str().unwrap()).await;
    assert_eq!(replayed.body["rejected"][0]["reason"], "shifted_row", "a payload is a document of the feed's own format");
    let lacking = world.post("/v1/feeds/taipei-hotline", &[("content-type", "text/csv")], "案件編號\n1\n2\n").await;
    assert_eq!((lacking.status, lacking.body["rejected"].as_array().unwrap().len()), (400, 2));
    assert!(lacking.body["rejected"][0]["detail"].as_str().unwrap().contains("does not have"));
}

#[tokio::test]
async fn what_the_port_does_not_take_is_said_with_what_it_takes() {
    let world = World::new().await;
    for (path, headers, body, status, told) in [
        ("/v1/events", vec![], "{}", 415, "application/json"),
        ("/v1/events", vec![("content-type", "text/plain")], "{}", 415, "\"text/plain\" is none of"),
        ("/v1/events", vec![("content-type", "application/json; charset=big5")], "{}", 415, "send UTF-8"),
        ("/v1/events", vec![("content-type", "application/json"), ("content-encoding", "br")], "{}", 415, "send gzip, zstd or none"),
        ("/v1/events", vec![("content-type", "application/json"), ("content-encoding", "gzip")], "{}", 400, "cannot be unpacked"),
        ("/v1/events", vec![("content-type", "application/json")], " ", 400, "body is empty"),
        ("/v1/feeds/taipei-hotlin", vec![("content-type", "text/csv")], "", 404, "did you mean \"taipei-hotline\"?"),
        ("/v1/feeds/taipei-hotline", vec![("content-type", "application/json")], "", 415, "this feed takes text/csv"),
        ("/v1/feeds/taipei-hotline", vec![("content-type", "text/csv")], "", 400, "header of \"http\" is missing"),
        ("/v1/nothing", vec![], "", 404, "POST /v1/events"),
    ] {
        let answer = world.post(path, &headers, body).await;
        assert_eq!(answer.status, status, "{path} {headers:?}");
        assert!(answer.body["detail"].as_str().unwrap().contains(told), "{}", answer.body);
    }
    assert!(world.records(topic::QUARANTINE).await.is_empty(), "none of these was a record");
}

#[tokio::test]
async fn bodies_beyond_their_bounds_are_413_packed_or_not() {
    let limits = HttpLimits { event_bytes_max: 1000, batch_bytes_max: 5000, ..Default::default() };
    let world = World::with(limits, LogLimits::default()).await;
    let event = |bytes: usize| json!({"note": "x".repeat(bytes)});
    let packed = zstd::encode_all(json!([event(20_000)]).to_string().as_bytes(), 3).unwrap();
    assert!(packed.len() < 1000);
    let json = [("content-type", "application/json")];
    let too_large = [
        world.post("/v1/events", &json, event(2000).to_string()).await,
        world.post("/v1/events", &json, json!([event(9000)]).to_string()).await,
        world.post("/v1/events", &[json[0], ("content-length", "9999999999")], "").await,
        world.post("/v1/events", &[json[0], ("content-encoding", "zstd")], packed).await,
    ];
    for answer in too_large {
        assert_eq!(answer.status, 413, "{}", answer.body);
    }
    let fits = zstd::encode_all(json!([call("a"), call("b")]).to_string().as_bytes(), 3).unwrap();
    assert_eq!(world.post("/v1/events", &[json[0], ("content-encoding", "zstd")], fits).await.body["accepted"], 2);
    let limits = HttpLimits::default();
    let many = format!("[{}0]", "0,".repeat(RECORDS_MAX));
    assert!(many.len() < limits.batch_bytes_max);
    assert_eq!(World::new().await.post("/v1/events", &json, many).await.status, 413);
}

#[tokio::test]
async fn full_log_is_429_and_a_closed_one_503_both_with_retry_after() {
    let world = World::with(HttpLimits::default(), LogLimits { topic_bytes_max: 300, ..Default::default() }).await;
    let mut answers = Vec::new();
    for index in 0..5 {
        answers.push(world.json(&call(&index.to_string())).await);
    }
    let full = answers.iter().find(|answer| answer.status == 429).expect("the log is full before the fifth");
    assert_eq!(full.headers["retry-after"], "1");
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 202).count(),
        world.records(topic::ALL[0]).await.len(),
        "accepted is durable, refused is not there"
    );

    let problem = Problem::of_log(
        &Publisher::new(Arc::new(MemoryLog::new(Arc::new(contract::clock::SystemClock), LogLimits::default())))
            .publish(vec![Envelope { topic: topic::QUARANTINE, record: contract::log::Record::new("k", "v") }])
            .await
            .expect_err("no topic was made"),
    );
    let response = problem.response();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (503, "5"));
    assert!(matches!(LogError::Closed.remedy(), contract::log::Remedy::Bug));
}

#[tokio::test]
async fn bodies_together_have_a_bound_and_the_one_too_many_is_asked_to_come_again() {
    let limits = HttpLimits { bodies_bytes_max: 4096, batch_bytes_max: 8192, ..Default::default() };
    let world = World::with(limits, LogLimits::default()).await;
    let answer = world.post("/v1/events", &[("content-type", "application/json"), ("content-length", "5000")], call("a").to_string()).await;
    assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (503, "1"));
    assert_eq!(world.json(&call("a")).await.status, 503, "a body of unknown length reserves the bound");
    let text = call("a").to_string();
    let answer = world.post("/v1/events", &[("content-type", "application/json"), ("content-length", &text.len().to_string())], text).await;
    assert_eq!(answer.status, 202);
}

/// A port on a socket, and what ends it.
struct Port {
    address: std::net::SocketAddr,
    shutdown: tokio::sync::oneshot::Sender<()>,
    serving: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Port {
    async fn open(world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = tokio::sync::oneshot::channel::<()>();
        let state = world.state.clone();
        let serving = tokio::spawn(serve(listener, state, async move {
            drop(asked.await);
        }));
        Self { address, shutdown, serving }
    }

    /// Writes `bytes`, then reads until the port closes the connection.
    async fn talk(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("the port closes in time");
        // A reset after the answer is an end as well.
        drop(read);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn short() -> HttpLimits {
    HttpLimits {
        first_byte_timeout: Duration::from_millis(200),
        header_timeout: Duration::from_millis(300),
        body_timeout: Duration::from_millis(300),
        connections_max: 2,
        drain_timeout: Duration::from_secs(5),
        ..Default::default()
    }
}

fn request(body: &str, extra: &str) -> Vec<u8> {
    format!("POST /v1/events HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{extra}\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn silent_slow_and_idle_connections_are_ended_by_their_timeouts() {
    let world = World::with(short(), LogLimits::default()).await;
    let port = Port::open(&world).await;
    assert_eq!(port.talk(b"").await, "", "no first byte");
    port.talk(b"POST /v1/events HTTP/1.1\r\nhost:").await;
    let slow_body = port.talk(&request(&call("a").to_string(), "")[..150]).await;
    assert!(slow_body.starts_with("HTTP/1.1 408"), "{slow_body}");
    let idle = port.talk(&request(&call("a").to_string(), "")).await;
    assert!(idle.starts_with("HTTP/1.1 202"), "answered, then closed for idling: {idle}");
    assert_eq!(world.records(topic::ALL[0]).await.len(), 1);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_told_503_and_served_again_when_others_close() {
    let world = World::with(
        HttpLimits { first_byte_timeout: Duration::from_secs(10), header_timeout: Duration::from_secs(10), ..short() },
        LogLimits::default(),
    )
    .await;
    let port = Port::open(&world).await;
    let held = [TcpStream::connect(port.address).await.unwrap(), TcpStream::connect(port.address).await.unwrap()];
    let turned_away = port.talk(&request(&call("a").to_string(), "connection: close\r\n")).await;
    assert!(turned_away.starts_with("HTTP/1.1 503") && turned_away.contains("retry-after: 1"), "{turned_away}");
    drop(held);
    // The port notices the closed connections when it next looks; a sender would come again after Retry-After.
    for _ in 0..50 {
        if port.talk(&request(&call("a").to_string(), "connection: close\r\n")).await.starts_with("HTTP/1.1 202") {
            assert!(world.heard.refused.lock().unwrap().contains(&503));
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the port never served again");
}

#[tokio::test]
async fn shutdown_lets_the_request_in_flight_end_and_closes_idle_connections() {
    let world = World::with(
        HttpLimits { body_timeout: Duration::from_secs(10), header_timeout: Duration::from_secs(10), ..short() },
        LogLimits::default(),
    )
    .await;
    let port = Port::open(&world).await;
    let idle = TcpStream::connect(port.address).await.unwrap();
    let mut busy = TcpStream::connect(port.address).await.unwrap();
    let bytes = request(&call("a").to_string(), "");
    busy.write_all(&bytes[..bytes.len() - 10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    port.shutdown.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    busy.write_all(&bytes[bytes.len() - 10..]).await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    port.serving.await.unwrap().unwrap();
    drop(idle);
    assert!(TcpStream::connect(port.address).await.is_err(), "the listener is closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_senders_at_once_lose_nothing() {
    let world = World::with(HttpLimits { connections_max: 64, ..Default::default() }, LogLimits::default()).await;
    let port = Arc::new(Port::open(&world).await);
    let done = Arc::new(AtomicUsize::new(0));
    let senders = (0..32).map(|sender| {
        let (port, done) = (Arc::clone(&port), Arc::clone(&done));
        tokio::spawn(async move {
            for number in 0..10 {
                let answer = port.talk(&request(&call(&format!("{sender}-{number}")).to_string(), "connection: close\r\n")).await;
                assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
                done.fetch_add(1, Ordering::SeqCst);
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
    assert_eq!((done.load(Ordering::SeqCst), world.records(topic::ALL[0]).await.len()), (320, 320));
}
