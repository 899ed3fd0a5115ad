//! `why` answers its cases, and adds up to what the jobs say: of invented cities, for grids and categories drawn by seed.

use std::path::Path;
use std::sync::Arc;

use analytics::jobs::find;
use analytics::session::{SessionSettings, without_tables};
use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use chrono::{DateTime, TimeDelta, Utc};
use datafusion::prelude::SessionContext;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::slt::{answer, cases};

const CITIES: u64 = 4;
/// Pairs of grid and category asked of each city.
const ASKED: usize = 6;
/// Grids a side of the square city.
const SIDE: usize = 5;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[tokio::test]
async fn cases_of_why_hold_at_any_batch_size_and_partition_count() {
    for (batch_rows, threads) in [(8_192, 1), (2, 3)] {
        let session = without_tables(&SessionSettings { threads, ..SessionSettings::default() }).unwrap();
        answer(&session, &format!("SET datafusion.execution.batch_size = {batch_rows}")).await.unwrap();
        for case in cases(&folder().join("src/session/why/cases.slt")) {
            case.hold(&session, Ok(case.sql.clone())).await.unwrap_or_else(|why| {
                panic!("cases.slt:{} at batches of {batch_rows}, {threads} threads: {why}", case.line);
            });
        }
    }
}

/// Five weeks of calls of a square city; where `days` is less, the weeks before are too short to say what is usual.
fn calls(dice: &mut ChaCha8Rng, as_of: DateTime<Utc>, days: i64) -> RecordBatch {
    let rows = 3_000;
    let mut texts: [Vec<Option<String>>; 5] = Default::default();
    let mut times: [Vec<Option<i64>>; 2] = Default::default();
    for _ in 0..rows {
        // Grids of small numbers have more, one has none, some calls have no place or are only known by their town.
        let place = dice.random_range(0..SIDE * SIDE) * dice.random_range(0..SIDE * SIDE) / (SIDE * SIDE);
        let grid = match dice.random_range(0..40) {
            0 => None,
            1 => Some("town".to_owned()),
            _ => Some(format!("g{place}")),
        };
        let occurred = as_of + TimeDelta::minutes(30) - TimeDelta::seconds(dice.random_range(0..days * 86_400));
        let delay = [None, Some(60), Some(3_600), Some(50_000), Some(200_000)].choose(dice).copied().flatten();
        let of = |names: &[&str], dice: &mut ChaCha8Rng| names.choose(dice).filter(|name| !name.is_empty()).map(|name| (*name).to_owned());
        texts[0].push(grid);
        texts[1].push(of(&["noise", "noise", "light", "it's", ""], dice));
        texts[2].push(of(&["phone", "phone", "app", ""], dice));
        texts[3].push(of(&["source", "point", "address", ""], dice));
        texts[4].push(of(&["hotline_call", "grid_report", "sensor_event"], dice));
        times[0].push(Some(occurred.timestamp_micros()));
        times[1].push(delay.map(|seconds| (occurred + TimeDelta::seconds(seconds)).timestamp_micros()));
    }
    let [grids, categories, channels, located, kinds] = texts.map(|values| Arc::new(StringArray::from(values)) as ArrayRef);
    let [occurred, received] = times.map(|values| Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC")) as ArrayRef);
    let sources = Arc::new(StringArray::from(vec!["calls"; rows])) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable(
        [
            ("grid_id", grids),
            ("category", categories),
            ("channel", channels),
            ("located_by", located),
            ("kind", kinds),
            ("occurred_at", occurred),
            ("received_at", received),
            ("source", sources),
        ]
        .map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

async fn city(seed: u64, as_of: DateTime<Utc>) -> SessionContext {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let session = without_tables(&SessionSettings::default()).unwrap();
    let days = if seed % 3 == 2 { 12 } else { 40 };
    session.register_batch("events", calls(&mut dice, as_of, days)).unwrap();
    let beside =
        |one: usize, other: usize| one != other && (one / SIDE).abs_diff(other / SIDE) < 2 && (one % SIDE).abs_diff(other % SIDE) < 2;
    let grids = (0..SIDE * SIDE).map(|one| {
        let neighbours = (0..SIDE * SIDE).filter(|other| beside(one, *other)).map(|other| format!("'g{other}'")).collect::<Vec<_>>();
        format!("('g{one}', [{}], true)", neighbours.join(", "))
    });
    let grids = grids.chain(["('town', ['g0'], false)".to_owned()]).collect::<Vec<_>>().join(", ");
    for statement in [
        format!(
            "CREATE TABLE grids AS SELECT *, grid_id AS name_zh, grid_id AS name_en FROM (VALUES {grids}) AS places (grid_id, neighbours, finest)"
        ),
        "CREATE TABLE late_events AS SELECT * FROM events WHERE channel = 'app' AND located_by = 'address'".to_owned(),
        "CREATE TABLE cell_parts AS SELECT grid_id, category, source, kind, date_trunc('hour', occurred_at) AS hour, count(*) AS events \
         FROM events GROUP BY grid_id, category, source, kind, date_trunc('hour', occurred_at)"
            .to_owned(),
    ] {
        answer(&session, &statement).await.unwrap();
    }
    for job in ["hotspots", "surges"] {
        let job = find(&folder().join("jobs").join(job).display().to_string(), None).unwrap();
        let rows = session.sql(&job.statement(as_of, as_of)).await.unwrap().collect().await.unwrap();
        let batch = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
        session.register_batch(format!("{}_rows", job.name), batch).unwrap();
    }
    session
}

/// What the aspects of a row must add up to, from the job's row, and those that do not.
const DIFFERING: &str = "
    SELECT sums.*, told.events, told.baseline, told.z FROM sums JOIN told ON told.period = sums.period AND told.measure = sums.measure
    WHERE abs(sums.contribution - CASE sums.aspect
            WHEN 'neighbour' THEN told.z * scale WHEN 'baseline' THEN coalesce(told.baseline, 0.0) WHEN 'location' THEN told.events WHEN 'lateness' THEN told.events
            ELSE told.events - coalesce(told.baseline, 0.0) END) > 1e-9 * greatest(1.0, told.events)
        OR abs(sums.contribution - sums.total) > 1e-9 * greatest(1.0, told.events)
        OR (sums.aspect = 'summary' AND (sums.value <> told.events OR (sums.expected IS NULL) <> (told.baseline IS NULL)))
        OR (sums.aspect NOT IN ('neighbour', 'baseline', 'location', 'lateness') AND abs(sums.expected - told.baseline) > 1e-9 * greatest(1.0, told.baseline))";

#[tokio::test]
async fn every_aspect_adds_up_to_the_row_of_the_job() {
    let mut compared = 0;
    for seed in 0..CITIES {
        let mut dice = ChaCha8Rng::seed_from_u64(1_000 + seed);
        let as_of = "2026-03-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(dice.random_range(0..86_400));
        let session = city(seed, as_of).await;
        let mut pairs = Vec::new();
        for rows in ["hotspots_rows", "surges_rows"] {
            let known =
                answer(&session, &format!("SELECT DISTINCT grid_id || '/' || category AS pair FROM {rows} WHERE events > 0 ORDER BY pair"))
                    .await
                    .unwrap();
            pairs.extend(known.choose_multiple(&mut dice, ASKED / 2).cloned());
        }
        for pair in pairs {
            let (grid, category) = pair.split_once('/').unwrap();
            let category = category.replace('\'', "''");
            let asked = format!("why('{grid}', '{category}', '{}')", as_of.to_rfc3339());
            answer(&session, "DROP TABLE IF EXISTS parts").await.unwrap();
            answer(&session, &format!("CREATE TABLE parts AS SELECT * FROM {asked}")).await.unwrap();
            let sums = "WITH sums AS (SELECT detector, period, measure, aspect, sum(value) AS value, sum(expected) AS expected, sum(contribution) AS contribution, \
                max(total) AS total, max(scale) AS scale FROM parts GROUP BY detector, period, measure, aspect)";
            let of = format!("grid_id = '{grid}' AND category = '{category}'");
            let told = [
                format!("(SELECT period, measure, events, baseline, z FROM hotspots_rows WHERE {of}) AS told"),
                format!(
                    "(SELECT 'day' AS period, 'excess' AS measure, events, baseline, CAST(NULL AS DOUBLE) AS z FROM surges_rows WHERE {of} AND (reason IS NULL OR reason = 'short_history')) AS told"
                ),
            ];
            for told in told {
                let wrong = answer(&session, &format!("{sums} {}", DIFFERING.replace("JOIN told", &format!("JOIN {told}")))).await.unwrap();
                assert!(wrong.is_empty(), "city {seed}, {asked}:\n{}", wrong.join("\n"));
                compared += answer(
                    &session,
                    &format!("{sums} SELECT aspect FROM sums JOIN {told} ON told.period = sums.period AND told.measure = sums.measure"),
                )
                .await
                .unwrap()
                .len();
            }
        }
    }
    println!("{compared} sums of aspects compared with the jobs' rows");
    assert!(compared > 200, "{compared} sums are too few to mean anything");
}
