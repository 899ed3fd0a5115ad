//! The wire format never drifts: one event of each kind, one rejection of each reason and the JSON Schema stand as bytes in
//! `golden/`, and refused inputs name field and reason. `UPDATE=1 cargo test -p contract` writes the files anew; the diff
//! is the change every producer and consumer will meet, so it is reviewed as such.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use contract::{Event, Kind, Reason, Rejection, schema, topic};

fn now() -> DateTime<Utc> {
    at("2026-01-15T09:00:00Z")
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("the tests' times are RFC 3339")
}

/// Compares with the golden file of that name, or writes it.
fn check(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, found).expect("the golden folder is writable");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("golden file {name}: {error}; UPDATE=1 writes it"));
    assert_eq!(found, expected, "{name} drifted; UPDATE=1 takes the change over");
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn event(kind: Kind, id: &str) -> Event {
    Event::new(id.to_owned(), "city".to_owned(), kind, at("2026-01-15T08:30:00.123456+08:00"))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// An event of a kind with the fields that kind usually has; the hotline call has every text field.
fn sample(kind: Kind) -> Event {
    match kind {
        Kind::HotlineCall => Event {
            received_at: Some(at("2026-01-15T00:31:00Z")),
            case_id: some("1999-0001"),
            stage: some("report"),
            channel: some("phone"),
            request_kind: some("complaint"),
            category: some("噪音/施工"),
            urgency: some("normal"),
            unit_id: some("env-3"),
            address: some("中山路 12 號「巷口」"),
            address_id: some("zhongshan-12"),
            caller: some("k1:9f86d081884c7d65"),
            lon: Some(121.5654),
            lat: Some(25.033),
            grid_id: some("63000010-001"),
            deadline_at: Some(at("2026-01-20T16:00:00Z")),
            attributes: [("weather".to_owned(), "rain\n\"heavy\"".to_owned()), ("a".to_owned(), String::new())].into(),
            ..event(kind, "call-1")
        },
        Kind::GridReport => {
            Event { case_id: some("g-7"), category: some("street_light"), grid_id: some("grid-17"), ..event(kind, "report-1") }
        }
        Kind::SensorEvent => Event {
            device_id: some("pm25-04"),
            observed_property: some("pm2_5"),
            value: Some(35.5),
            value_unit: some("ug/m3"),
            ..event(kind, "reading-1")
        },
        Kind::CaseStep => Event { case_id: some("1999-0001"), stage: some("archive"), ..event(kind, "step-1") },
    }
}

#[test]
fn the_bytes_of_each_kind_stay() {
    for kind in Kind::ALL {
        let event = sample(kind);
        let bytes = event.to_json();
        check(&format!("{}.json", kind.as_str()), &format!("{}\n", String::from_utf8(bytes.clone()).unwrap()));
        assert_eq!(Event::from_json(&bytes, now()), Ok(event), "{} does not come back", kind.as_str());
    }
}

#[test]
fn the_topic_and_the_key_of_each_kind_stay() {
    let lines: String =
        Kind::ALL.into_iter().map(|kind| format!("{} {} {}\n", kind.as_str(), topic::of_kind(kind), topic::key(&sample(kind)))).collect();
    check("keys.txt", &lines);
}

#[test]
fn the_bytes_of_a_rejection_of_each_reason_stay() {
    let mut lines = String::new();
    for reason in Reason::ALL {
        let rejection = Rejection {
            source: "city".to_owned(),
            reason: *reason,
            field: "occurred_at".to_owned(),
            detail: "\"昨天\" is not a time".to_owned(),
            payload: "{\"id\":1,\"at\":\"昨天\"}\u{fffd}".to_owned(),
            origin: "calls-2026.csv:17".to_owned(),
            received_at: now(),
        };
        let json = String::from_utf8(rejection.to_json()).unwrap();
        assert_eq!(serde_json::from_str::<Rejection>(&json).unwrap(), rejection);
        writeln!(lines, "{json}").unwrap();
    }
    let bare = Rejection {
        field: String::new(),
        detail: String::new(),
        origin: String::new(),
        ..serde_json::from_str(lines.lines().next().unwrap()).unwrap()
    };
    writeln!(lines, "{}", String::from_utf8(bare.to_json()).unwrap()).unwrap();
    check("rejections.ndjson", &lines);
}

#[test]
fn the_json_schema_stays() {
    check("event.schema.json", &format!("{:#}\n", schema::json_schema()));
}

#[test]
fn the_json_schema_names_the_fields_an_event_has() {
    let schema = schema::json_schema();
    let properties = schema["properties"].as_object().unwrap();
    let written: serde_json::Value = serde_json::from_slice(
        &Event { device_id: some("d"), observed_property: some("p"), value: Some(1.0), value_unit: some("u"), ..sample(Kind::HotlineCall) }
            .to_json(),
    )
    .unwrap();
    assert!(properties.keys().eq(written.as_object().unwrap().keys()), "fields or their order differ");
}

#[test]
fn times_come_with_any_offset_and_leave_in_utc() {
    let event = Event::from_json(
        br#"{"event_id":"a","source":"s","kind":"grid_report","occurred_at":"2026-01-15T08:30:00+08:00","grid_id":"g"}"#,
        now(),
    )
    .unwrap();
    let json = String::from_utf8(event.to_json()).unwrap();
    assert!(json.contains(r#""occurred_at":"2026-01-15T00:30:00Z""#), "{json}");
}

/// Contract JSON of an event that is right but for `change`, a JSON object laid over it; `null` removes a field.
fn changed(change: &str) -> Vec<u8> {
    let mut fields: serde_json::Value = serde_json::from_slice(&sample(Kind::GridReport).to_json()).expect("an event's bytes are JSON");
    let change: serde_json::Map<String, serde_json::Value> = serde_json::from_str(change).expect("a change is written as a JSON object");
    for (name, value) in change {
        if value.is_null() {
            fields.as_object_mut().expect("an event is an object").remove(&name);
        } else {
            fields[name] = value;
        }
    }
    serde_json::to_vec(&fields).expect("JSON values are written")
}

fn long(length: usize) -> String {
    "x".repeat(length)
}

/// Inputs that are refused, each with a name for the golden file.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let many: BTreeMap<String, String> = (0..65).map(|index| (format!("a{index}"), String::new())).collect();
    vec![
        ("empty", Vec::new()),
        ("not json", b"event_id,source".to_vec()),
        ("cut short", br#"{"event_id":"a","#.to_vec()),
        ("an array", b"[1,2]".to_vec()),
        ("two objects", b"{}{}".to_vec()),
        ("not utf-8", b"{\"event_id\":\"\xff\"}".to_vec()),
        ("deeply nested", "[".repeat(100_000).into_bytes()),
        ("an empty object", b"{}".to_vec()),
        ("no id", changed(r#"{"event_id":null}"#)),
        ("an empty id", changed(r#"{"event_id":""}"#)),
        ("an empty source", changed(r#"{"source":""}"#)),
        ("a number as id", changed(r#"{"event_id":17}"#)),
        ("an id too long", changed(&format!(r#"{{"event_id":"{}"}}"#, long(257)))),
        ("a case id too long", changed(&format!(r#"{{"case_id":"{}"}}"#, long(257)))),
        ("an address too long", changed(&format!(r#"{{"address":"{}"}}"#, long(16 * 1024 + 1)))),
        ("nul in an id", changed(r#"{"event_id":"a\u0000b"}"#)),
        ("fields as an array", br#" ["e","s","hotline_call","2026-01-15T08:30:00Z"]"#.to_vec()),
        ("nul in a channel", changed(r#"{"channel":"a\u0000b"}"#)),
        ("nul in an attribute", changed(r#"{"attributes":{"a":"b\u0000"}}"#)),
        ("an attribute too long", changed(&format!(r#"{{"attributes":{{"a":"{}"}}}}"#, long(16 * 1024 + 1)))),
        ("nul in an address", changed(r#"{"address":"a\u0000b"}"#)),
        ("no kind", changed(r#"{"kind":null}"#)),
        ("a kind nobody knows", changed(r#"{"kind":"rumour"}"#)),
        ("no time", changed(r#"{"occurred_at":null}"#)),
        ("a time without offset", changed(r#"{"occurred_at":"2026-01-15T08:30:00"}"#)),
        ("a time as number", changed(r#"{"occurred_at":1768437000}"#)),
        ("a deadline in words", changed(r#"{"deadline_at":"tomorrow"}"#)),
        ("a time ahead of the clock", changed(r#"{"occurred_at":"2026-01-15T09:05:02Z"}"#)),
        ("no place", changed(r#"{"grid_id":null}"#)),
        ("an address of spaces", changed(r#"{"grid_id":null,"address":"  "}"#)),
        ("a sensor without device and place", changed(r#"{"grid_id":null,"kind":"sensor_event"}"#)),
        ("a step without case and place", changed(r#"{"grid_id":null,"case_id":null,"kind":"case_step"}"#)),
        ("lon without lat", changed(r#"{"lon":121.5}"#)),
        ("lat without lon", changed(r#"{"lat":25.0}"#)),
        ("coordinates in the wrong order", changed(r#"{"lon":25.03,"lat":121.5}"#)),
        ("a coordinate as text", changed(r#"{"lon":"121.5","lat":25.0}"#)),
        ("a value as text", changed(r#"{"value":"35,5"}"#)),
        (
            "a number beyond f64",
            br#"{"event_id":"a","source":"s","kind":"grid_report","occurred_at":"2026-01-15T08:30:00Z","grid_id":"g","value":1e999}"#
                .to_vec(),
        ),
        ("a field nobody knows", changed(r#"{"colour":"red"}"#)),
        ("attributes as list", changed(r#"{"attributes":["a"]}"#)),
        ("too many attributes", changed(&serde_json::json!({ "attributes": many }).to_string())),
    ]
}

#[test]
fn what_is_refused_names_field_and_reason() {
    let mut lines = String::new();
    for (name, bytes) in refused() {
        let refusal = Event::from_json(&bytes, now()).map(|event| panic!("{name} was taken as {event:?}")).unwrap_err();
        let field = if refusal.field.is_empty() { "-" } else { &refusal.field };
        writeln!(lines, "{name}: {} {field}: {}", refusal.reason.as_str(), refusal.detail).unwrap();
    }
    check("refused.txt", &lines);
}

#[test]
fn what_stands_just_within_the_bounds_is_taken() {
    let within = [
        changed(r#"{"occurred_at":"2026-01-15T09:05:00Z"}"#),
        changed(&format!(r#"{{"event_id":"{}","address":"{}"}}"#, long(256), long(16 * 1024))),
        changed(r#"{"lon":-180,"lat":90}"#),
        changed(r#"{"grid_id":null,"kind":"sensor_event","device_id":"d"}"#),
        changed(r#"{"grid_id":null,"kind":"case_step"}"#),
    ];
    for bytes in within {
        assert!(Event::from_json(&bytes, now()).is_ok(), "{}", String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
    }
}
