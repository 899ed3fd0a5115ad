//! Mappings as their author meets them: what SQL may say, and what becomes of rows it does not fit.

use contract::clock::ManualClock;

use super::*;
use crate::raw::BATCH_ROWS;

const MANIFEST: &str = r#"
name = "calls"
kind = "hotline_call"
format = "csv"
encoding = "utf-8"
time_zone = "Asia/Taipei"
coordinate_system = "wgs84"
transport = "file"
deduplication = "7d"
lateness = "1h"
description = { zh = "測試", en = "a test" }
"#;

struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new(manifest: &str, sql: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("calls");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("feed.toml"), manifest).unwrap();
        if let Some(sql) = sql {
            std::fs::write(folder.join("mapping.sql"), sql).unwrap();
        }
        Self { dir }
    }

    fn mapper(&self) -> Result<Mapper, MappingError> {
        let feed = Feed::read(&self.dir.path().join("calls")).unwrap();
        let clock = ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap());
        Mapper::new(&feed, clock, PseudonymKey::new("k1", &[1; 32]).unwrap())
    }
}

fn refused(sql: &str) -> String {
    World::new(MANIFEST, Some(sql)).mapper().map(|_| ()).unwrap_err().to_string()
}

fn outcomes(manifest: &str, sql: &str, input: &str) -> Vec<Outcome> {
    let mapper = World::new(manifest, Some(sql)).mapper().unwrap();
    let mut rows = mapper.feed().rows(mapper.columns(), "calls.csv", Box::new(std::io::Cursor::new(input.as_bytes().to_vec()))).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = rows.next_batch(BATCH_ROWS).unwrap() {
        let outcomes = mapper.normalize(&batch).unwrap();
        assert_eq!(outcomes.len(), batch.len(), "one outcome a row");
        all.extend(outcomes);
    }
    all
}

fn event(outcome: &Outcome) -> &Event {
    match outcome {
        Outcome::Event(event) => event,
        Outcome::Rejection(rejection) => panic!("refused: {rejection:?}"),
    }
}

fn rejection_of(outcome: &Outcome) -> (&str, &str, &str) {
    match outcome {
        Outcome::Rejection(rejection) => (rejection.reason.as_str(), &rejection.field, &rejection.detail),
        Outcome::Event(event) => panic!("accepted: {event:?}"),
    }
}

#[test]
fn every_contract_column_finds_its_field() {
    let sql = "SELECT id AS event_id, t AS occurred_at, TIMESTAMP '2024-01-01 00:00:00' AS received_at, 'c' AS case_id, 'd' AS device_id, 's' AS stage, 'phone' AS channel,
        'help' AS request_kind, 1 AS category, true AS urgency, 'u' AS unit_id, 'o' AS observed_property, '1.5' AS value, 'dB' AS value_unit, 'here' AS address,
        normalize_address('臺北市大安區') AS address_id, pseudonym('0912345678') AS caller, 121.5 AS lon, CAST(25 AS int) AS lat, 'g' AS grid_id, roc_date('1130102') AS deadline_at,
        file_name AS attribute_file, CAST(row_number AS text) AS attribute_row, CAST(NULL AS text) AS attribute_none FROM raw";
    let all = outcomes(MANIFEST, sql, "id,t\n7,2024-03-01 08:00\n");
    let event = event(&all[0]);
    assert_eq!((event.event_id.as_str(), event.source.as_str(), event.kind), ("7", "calls", contract::Kind::HotlineCall));
    assert_eq!(event.occurred_at.to_rfc3339(), "2024-03-01T00:00:00+00:00");
    assert_eq!(event.received_at.unwrap().to_rfc3339(), "2023-12-31T16:00:00+00:00", "a timestamp without zone is local");
    assert_eq!(event.deadline_at.unwrap().to_rfc3339(), "2024-01-01T16:00:00+00:00", "a date is its local midnight");
    let texts = [
        &event.case_id,
        &event.device_id,
        &event.stage,
        &event.channel,
        &event.request_kind,
        &event.category,
        &event.urgency,
        &event.unit_id,
    ];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["c", "d", "s", "phone", "help", "1", "true", "u"]);
    let texts = [&event.observed_property, &event.value_unit, &event.address, &event.grid_id];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["o", "dB", "here", "g"]);
    assert_eq!((event.value, event.lon, event.lat), (Some(1.5), Some(121.5), Some(25.0)));
    assert!(event.caller.as_ref().unwrap().starts_with("k1.") && event.address_id.is_some());
    assert_eq!(event.attributes, [("file", "calls.csv"), ("row", "1")].map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}

#[test]
fn mapping_that_could_drop_join_or_double_rows_is_refused_at_once() {
    for (sql, told) in [
        ("SELECT a AS event_id, b AS occurred_at FROM raw WHERE a = '1'", "WHERE would make rows vanish"),
        ("SELECT a AS event_id, b AS occurred_at FROM raw LIMIT 3", "LIMIT would make rows vanish"),
        ("SELECT a AS event_id, max(b) AS occurred_at FROM raw GROUP BY a", "one row at a time"),
        ("SELECT DISTINCT a AS event_id, b AS occurred_at FROM raw", "one row at a time"),
        ("SELECT a AS event_id, lag(b) OVER (ORDER BY row_number) AS occurred_at FROM raw", "one row at a time"),
        ("SELECT x.a AS event_id, y.b AS occurred_at FROM raw x JOIN raw y ON x.a = y.a", "one row at a time"),
        ("SELECT a AS event_id, b AS occurred_at FROM raw UNION ALL SELECT a, b FROM raw", "one row at a time"),
        ("SELECT a AS event_id, b AS occurred_at FROM raw ORDER BY a", "ORDER BY has no meaning"),
        ("SELECT '1' AS event_id, '2024-01-01' AS occurred_at", "FROM raw"),
        ("SELECT a AS event_id, now() AS occurred_at FROM raw", "now() gives another answer each time"),
        ("SELECT a AS event_id, b AS occurred_at, random() AS value FROM raw", "random() gives another answer each time"),
        ("SELECT a AS event_id, b AS occurred_at, (SELECT max(a) FROM raw) AS category FROM raw", "mapping.sql"),
        ("DROP TABLE raw", "it must be one SELECT"),
        ("SELECT 1; SELECT 2", "it must be one SELECT"),
        ("SELEC a", "cannot be planned"),
        ("SELECT a AS event_id, no_such_function(b) AS occurred_at FROM raw", "no_such_function"),
    ] {
        let error = refused(sql);
        assert!(error.contains(told), "{sql}: {error}");
    }
}

#[test]
fn output_column_that_does_not_fit_the_contract_is_named_with_the_nearest() {
    for (columns, told) in [
        ("a AS event_id, b AS occured_at", "yields column \"occured_at\", which the contract does not have; did you mean \"occurred_at\"?"),
        ("a AS event_id", "yields column \"occurred_at\", which is required"),
        ("a AS event_id, b AS occurred_at, 'x' AS source", "always the feed's name (\"calls\")"),
        ("a AS event_id, b AS occurred_at, 1.0 AS lon", "column \"lon\", but no lat"),
        ("sha256(a) AS event_id, b AS occurred_at", "wrap it in encode"),
        ("a AS event_id, b AS occurred_at, gcj02_to_wgs84(1, 2) AS category", "it must be text"),
    ] {
        let error = refused(&format!("SELECT {columns} FROM raw"));
        assert!(error.contains(told), "{columns}: {error}");
    }
    let manifest = MANIFEST.replace("wgs84", "none");
    let error = World::new(&manifest, Some("SELECT a AS event_id, b AS occurred_at, 1 AS lon, 2 AS lat FROM raw"))
        .mapper()
        .map(|_| ())
        .unwrap_err();
    assert!(error.to_string().contains("coordinate_system = \"none\""), "{error}");
}

#[test]
fn column_the_file_lacks_is_an_error_that_names_the_nearest_of_the_header() {
    let mapper = World::new(MANIFEST, Some("SELECT case_no AS event_id, opened AS occurred_at FROM raw")).mapper().unwrap();
    let mut rows = mapper.feed().rows(mapper.columns(), "may.csv", Box::new(&b"case_number,opened\n1,2\n"[..])).unwrap();
    let error = mapper.normalize(&rows.next_batch(10).unwrap().unwrap()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "mapping.sql of feed \"calls\" names column \"case_no\", which \"may.csv\" does not have; did you mean \"case_number\"?"
    );
}

#[test]
fn row_is_refused_for_what_the_mapping_says_or_what_the_contract_lacks() {
    let sql = "SELECT id AS event_id, t AS occurred_at, place AS address, v AS value, why AS reject_reason FROM raw";
    let input = "id,t,place,v,why\n1,2024-01-01,here,1,\n,2024-01-01,here,1,\n1,,here,1,\n1,nan,here,1,\n1,2024-01-01,,1,\n1,2024-01-01,here,x,\n1,2024-01-01,here,inf,\n\
        1,2024-01-01,here,1,shifted_row\n1,2024-01-01,here,1,no such street\n1,2027-01-01,here,1,\n1,2\n";
    let all = outcomes(MANIFEST, sql, input);
    assert_eq!(event(&all[0]).value, Some(1.0));
    let expected = [
        ("missing_field", "event_id", "event_id is NULL after mapping.sql"),
        ("missing_field", "occurred_at", "occurred_at is NULL after mapping.sql"),
        ("bad_time", "occurred_at", "\"nan\" is not a time; give it as 2024-03-01 09:05:07, 20240301090507 or RFC 3339"),
        ("missing_place", "address", "none of grid_id, lon and lat, or address is given"),
        ("bad_number", "value", "\"x\" is not a number"),
        ("bad_number", "value", "inf is not finite"),
        ("shifted_row", "", ""),
        ("feed_rule", "", "no such street"),
        ("time_ahead", "occurred_at", "2026-12-31 16:00:00 UTC is 31507200 s ahead of the clock"),
        ("bad_format", "", "row has 2 fields, the header 5"),
    ];
    for (outcome, expected) in all[1..].iter().zip(expected) {
        assert_eq!(rejection_of(outcome), expected);
    }
    assert_eq!(all.len(), 11);
    let Outcome::Rejection(last) = &all[10] else { panic!("the last row is broken") };
    assert_eq!((last.payload.as_str(), last.origin.as_str(), last.source.as_str()), ("id,t,place,v,why\n1,2", "calls.csv:11", "calls"));
}

#[test]
fn row_on_which_the_sql_fails_is_refused_alone_and_its_neighbours_become_events() {
    let sql = "SELECT id AS event_id, '2024-01-01' AS occurred_at, 'x' AS address, CAST(v AS int) AS value FROM raw";
    let mut input = "id,v\n".to_owned();
    for row in 0..10_000 {
        input.push_str(&if row % 1000 == 77 { format!("{row},many\n") } else { format!("{row},{row}\n") });
    }
    let all = outcomes(MANIFEST, sql, &input);
    let refused: Vec<usize> = (0..all.len()).filter(|row| matches!(all[*row], Outcome::Rejection(_))).collect();
    assert_eq!(refused, (0..10).map(|thousand| thousand * 1000 + 77).collect::<Vec<_>>());
    let (reason, _, detail) = rejection_of(&all[77]);
    assert!(reason == "feed_rule" && detail.contains("mapping.sql fails on this row") && detail.contains("many"), "{detail}");
    assert_eq!(event(&all[9999]).value, Some(9999.0));
}

#[test]
fn declared_map_coordinates_are_converted_and_functions_do_the_same() {
    let sql = "SELECT 'a' AS event_id, '2024-01-01' AS occurred_at, x AS lon, y AS lat FROM raw";
    let input = "x,y\n116.41024449916938,39.91640428150164\n";
    let converted = outcomes(&MANIFEST.replace("wgs84", "gcj02"), sql, input);
    let by_function =
        "SELECT 'a' AS event_id, '2024-01-01' AS occurred_at, gcj02_to_wgs84(CAST(x AS double), CAST(y AS double))['lon'] AS lon,
        gcj02_to_wgs84(CAST(x AS double), CAST(y AS double))['lat'] AS lat FROM raw";
    let computed = outcomes(MANIFEST, by_function, input);
    let (lon, lat) = (event(&converted[0]).lon.unwrap(), event(&converted[0]).lat.unwrap());
    assert!((lon - 116.404).abs() < 2e-6 && (lat - 39.915).abs() < 2e-6, "{lon} {lat}");
    assert_eq!((event(&computed[0]).lon, event(&computed[0]).lat), (Some(lon), Some(lat)));
}

#[test]
fn json_rows_are_read_for_the_columns_the_mapping_names_and_absent_ones_are_null() {
    let manifest = MANIFEST.replace("\"csv\"", "\"ndjson\"");
    let sql = "SELECT id AS event_id, t AS occurred_at, \"place.street\" AS address, note AS attribute_note FROM raw";
    let all = outcomes(
        &manifest,
        sql,
        "{\"id\":1,\"t\":\"2024-01-01\",\"place\":{\"street\":\"A\"}}\n{\"id\":2,\"t\":\"2024-01-01\",\"note\":\"n\"}\n",
    );
    assert_eq!(event(&all[0]).address.as_deref(), Some("A"));
    assert_eq!(rejection_of(&all[1]).0, "missing_place");
    let Outcome::Rejection(refused) = &all[1] else { panic!("refused") };
    assert_eq!(refused.payload, "{\"id\":2,\"t\":\"2024-01-01\",\"note\":\"n\"}");
}

#[test]
fn feed_without_mapping_takes_contract_events_of_its_own_source_only() {
    let mapper = World::new(&MANIFEST.replace("\"csv\"", "\"ndjson\""), None).mapper().unwrap();
    let input = concat!(
        "{\"event_id\":\"1\",\"source\":\"calls\",\"kind\":\"case_step\",\"case_id\":\"c\",\"occurred_at\":\"2024-01-01T00:00:00Z\"}\n",
        "{\"event_id\":\"1\",\"source\":\"other\",\"kind\":\"case_step\",\"case_id\":\"c\",\"occurred_at\":\"2024-01-01T00:00:00Z\"}\n{\"x\":1}\n"
    );
    let mut rows = mapper.feed().rows(mapper.columns(), "http", Box::new(input.as_bytes())).unwrap();
    let all = mapper.normalize(&rows.next_batch(10).unwrap().unwrap()).unwrap();
    assert_eq!(event(&all[0]).kind, contract::Kind::CaseStep);
    assert_eq!(rejection_of(&all[1]), ("feed_rule", "source", "is \"other\", but the feed is \"calls\""));
    assert_eq!(rejection_of(&all[2]).0, "unknown_field");
}

#[test]
fn same_rows_become_the_same_events_whatever_the_batches() {
    let sql =
        "SELECT id AS event_id, '2024-01-01' AS occurred_at, id AS address, CASE WHEN id = '5' THEN 'x' END AS reject_reason FROM raw";
    let mapper = World::new(MANIFEST, Some(sql)).mapper().unwrap();
    let input: Arc<str> = format!("id\n{}", (0..100).map(|id| format!("{id}\n")).collect::<String>()).into();
    let run = |rows_max| {
        let mut rows = mapper.feed().rows(mapper.columns(), "f", Box::new(std::io::Cursor::new(input.as_bytes().to_vec()))).unwrap();
        let mut all = Vec::new();
        while let Some(batch) = rows.next_batch(rows_max).unwrap() {
            all.extend(mapper.normalize(&batch).unwrap());
        }
        all
    };
    assert_eq!(run(1), run(33));
    assert_eq!(run(1), run(BATCH_ROWS));
}

#[test]
fn payload_too_long_for_the_log_is_cut_and_says_so() {
    let long = "\u{1}".repeat(RECORD_BYTES_MAX);
    let refused = rejection("s", Fault::new(Reason::BadFormat, "", "x"), long, "o".into(), chrono::DateTime::UNIX_EPOCH);
    assert!(refused.to_json().len() < RECORD_BYTES_MAX);
    assert!(refused.detail.starts_with("x; payload cut from 1048576 to "), "{}", refused.detail);
}

#[test]
fn sub_query_may_take_every_column_and_give_new_ones_or_reuse_a_name() {
    let manifest = MANIFEST.replace("\"csv\"", "\"ndjson\"");
    let sql = "WITH cleaned AS (SELECT *, upper(place) AS shown, btrim(place) AS place_trimmed FROM raw)
        SELECT id AS event_id, t AS occurred_at, shown AS address, place_trimmed AS address_id, btrim(category) AS category FROM cleaned";
    let all = outcomes(&manifest, sql, "{\"id\":1,\"t\":\"2024-01-01\",\"place\":\" a \",\"category\":\" c \"}\n");
    let event = event(&all[0]);
    assert_eq!((event.address.as_deref(), event.address_id.as_deref(), event.category.as_deref()), (Some(" A "), Some("a"), Some("c")));
    let mapper = World::new(&manifest, Some(sql)).mapper().unwrap();
    assert_eq!(mapper.columns().as_ref(), ["category", "id", "place", "t"]);
}
