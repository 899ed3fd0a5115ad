//! What the demo city promises as a whole: the same bytes always, a map that tiles, numbers like a city's, labels that are true.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use contract::{Event, Kind};

use super::calendar::hour_of;
use super::*;

mod ground;
mod truth;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn city(seed: u64) -> City {
    City::new(CitySpec { seed, ..CitySpec::default() }).unwrap()
}

/// Local midnight, a Monday.
fn monday() -> DateTime<Utc> {
    at("2026-10-12T00:00:00+08:00")
}

fn lines(events: impl Iterator<Item = Event>) -> Vec<String> {
    events.map(|event| String::from_utf8(event.to_json()).unwrap()).collect()
}

#[test]
fn a_range_cut_at_any_instant_gives_the_same_events_as_the_whole() {
    let city = city(1);
    let (from, to) = (at("2026-10-13T05:17:03Z"), at("2026-10-13T19:40:11Z"));
    let whole = lines(city.events(from, to));
    assert!(whole.len() > 8_000);
    let busiest = at("2026-10-13T09:00:00Z");
    for cut in [
        at("2026-10-13T05:17:04Z"),
        busiest,
        busiest + TimeDelta::milliseconds(500),
        at("2026-10-13T15:59:59Z"),
        at("2026-10-13T19:40:10Z"),
    ] {
        let parts: Vec<String> = lines(city.events(from, cut)).into_iter().chain(lines(city.events(cut, to))).collect();
        assert!(parts == whole, "cut at {cut}");
    }
}

#[test]
fn the_same_seed_gives_the_same_events_on_any_thread_and_another_seed_others() {
    let from = monday();
    let hour = |index: i64| (from + TimeDelta::hours(index), from + TimeDelta::hours(index + 1));
    let alone = lines(city(9).events(from, from + TimeDelta::hours(6)));
    let together: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|index| scope.spawn(move || lines(city(9).events(hour(index).0, hour(index).1)))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(alone == together);
    assert!(alone != lines(city(10).events(from, from + TimeDelta::hours(6))));
}

#[test]
fn events_come_in_time_order_with_ids_of_their_own_and_satisfy_the_contract() {
    let (from, to) = (monday(), monday() + TimeDelta::days(3));
    let (mut last, mut ids) = (from, HashSet::new());
    for event in city(2).events(from, to) {
        assert!(event.occurred_at >= last && event.occurred_at < to, "{event:?}");
        last = event.occurred_at;
        event.validate(to).unwrap();
        assert!(event.caller.as_ref().is_none_or(|caller| caller.starts_with("p-") && caller.len() == 18));
        assert!(ids.insert((event.source, event.event_id)), "an id twice");
    }
}

#[test]
fn reading_on_seamlessly_needs_no_end() {
    let city = city(1);
    let mut endless = city.events(monday(), at("2200-01-01T00:00:00Z"));
    let bounded: Vec<Event> = city.events(monday(), monday() + TimeDelta::minutes(30)).collect();
    for event in &bounded {
        assert_eq!(endless.next_at(), Some(event.occurred_at));
        assert_eq!(endless.next().as_ref(), Some(event));
    }
    assert!(endless.next_at().unwrap() >= monday() + TimeDelta::minutes(30));
}

#[test]
fn two_weeks_have_the_volume_and_the_rhythm_of_a_city() {
    let days = 14;
    let (mut kinds, mut calls_by_hour, mut reports_by_weekend) = (BTreeMap::new(), [0_u32; 24], [0_u32; 2]);
    for event in city(1).events(monday(), monday() + TimeDelta::days(days)) {
        *kinds.entry(event.kind).or_insert(0_i64) += 1;
        let second = event.occurred_at.timestamp();
        match event.kind {
            Kind::HotlineCall => calls_by_hour[hour_of(second)] += 1,
            Kind::GridReport => reports_by_weekend[usize::from((event.occurred_at - monday()).num_days() % 7 >= 5)] += 1,
            _ => {}
        }
    }
    let per_day = |kind: Kind| kinds[&kind] / days;
    assert!((1_200..2_200).contains(&per_day(Kind::HotlineCall)), "{kinds:?}");
    assert!((500..1_100).contains(&per_day(Kind::GridReport)), "{kinds:?}");
    assert!((5_500..9_000).contains(&per_day(Kind::SensorEvent)), "{kinds:?}");
    assert!((5_000..12_000).contains(&per_day(Kind::CaseStep)), "{kinds:?}");
    let (night, morning) = (calls_by_hour[3] + calls_by_hour[4], calls_by_hour[9] + calls_by_hour[10]);
    assert!(morning > 3 * night, "{calls_by_hour:?}");
    // Five working days against two days off, each with less than half the patrols.
    assert!(reports_by_weekend[0] > 4 * reports_by_weekend[1], "{reports_by_weekend:?}");
    let expected = f64::from(calls_by_hour.iter().sum::<u32>()) / 24.0;
    let chi_square: f64 = calls_by_hour.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
    // 49.7 is the 0.1 % point of 23 degrees of freedom: the hours are anything but equal.
    assert!(chi_square > 500.0, "{chi_square}");
}

#[test]
fn hourly_counts_of_ordinary_calls_follow_their_rates() {
    // The same weekday hour over many weeks, all categories: thinning, districts and paces together must leave the mean.
    let city = City::new(CitySpec { seed: 5, rate: 4.0, ..CitySpec::default() }).unwrap();
    let calls = city.events(monday(), monday() + TimeDelta::days(7)).filter(|event| event.kind == Kind::HotlineCall).count() as f64;
    let mut book = day::DayBook::default();
    let expected: f64 = (0..7)
        .map(|day| {
            let facts = book.facts(&city.world, calendar::day_of(monday().timestamp()) + day);
            let hours = (0..categories::COUNT).flat_map(|category| (0..24).map(move |hour| (category, hour)));
            let ordinary: f64 =
                hours.map(|(category, hour)| city.world.hourly(lanes::Origin::Call, category, hour) * facts.factor[0][category]).sum();
            ordinary * 3600.0 * lanes::PACES as f64 * facts.district.iter().sum::<f64>() / facts.district.len() as f64
        })
        .sum();
    let extra: f64 = city.labels(monday(), monday() + TimeDelta::days(7)).iter().map(|label| label.extra_calls).sum();
    // Second calls add about 7 %, chronic addresses count 45 days: between the ordinary and all of it.
    assert!(calls > expected * 0.95 && calls < (expected + extra) * 1.15, "{calls} calls, {expected} ordinary, {extra} extra");
}

#[test]
fn a_matter_comes_again_within_thirty_days_as_often_as_in_a_city() {
    let (from, to) = (monday(), monday() + TimeDelta::days(60));
    for seed in [1, 2] {
        let (mut matters, mut callers) = (HashMap::new(), HashMap::new());
        let (mut contacts, mut repeats, mut caller_repeats) = (0_u32, 0_u32, 0_u32);
        for event in city(seed).events(from, to).filter(|event| event.kind == Kind::HotlineCall) {
            let within = |before: Option<DateTime<Utc>>| before.is_some_and(|before| event.occurred_at - before <= TimeDelta::days(30));
            let matter = within(matters.insert((event.address_id.clone(), event.category.clone()), event.occurred_at));
            let caller = within(callers.insert(event.caller.clone(), event.occurred_at));
            if event.occurred_at >= from + TimeDelta::days(30) {
                (contacts, repeats, caller_repeats) = (contacts + 1, repeats + u32::from(matter), caller_repeats + u32::from(caller));
            }
        }
        let share = f64::from(repeats) / f64::from(contacts);
        assert!((0.15..0.25).contains(&share), "seed {seed}: {share}");
        let share = f64::from(caller_repeats) / f64::from(contacts);
        assert!((0.10..0.40).contains(&share), "seed {seed}: {share}");
    }
}

#[test]
fn cases_go_their_way_in_order_and_most_are_closed_in_time() {
    let order = ["register", "dispatch", "dispose", "archive", "reopen", "dispose", "archive"];
    let mut cases: HashMap<String, Vec<Event>> = HashMap::new();
    for event in city(1).events(monday(), monday() + TimeDelta::days(40)).filter(|event| event.kind != Kind::SensorEvent) {
        cases.entry(event.case_id.clone().unwrap()).or_default().push(event);
    }
    let (mut closed, mut in_time, mut reopened, mut merged) = (0_u32, 0_u32, 0_u32, 0_u32);
    for history in cases.values() {
        if history[0].kind == Kind::CaseStep {
            continue; // opened before we looked
        }
        if history.last().unwrap().stage.as_deref() == Some("merge") {
            merged += 1;
            assert_eq!((history.len(), &history[0].event_id), (2, &format!("{}-e", history[1].attributes["merged_into"])));
            continue;
        }
        let stages: Vec<&str> = history.iter().skip(1).map(|event| event.stage.as_deref().unwrap()).collect();
        assert_eq!(stages, order[..stages.len()], "{history:?}");
        reopened += u32::from(stages.len() > 4);
        if let Some(dispose) = history.get(3) {
            closed += 1;
            in_time += u32::from(dispose.occurred_at <= dispose.deadline_at.unwrap());
        }
    }
    let (in_time, reopened, merged) =
        (f64::from(in_time) / f64::from(closed), f64::from(reopened) / f64::from(closed), f64::from(merged) / f64::from(closed));
    assert!((0.75..0.97).contains(&in_time), "in time {in_time}");
    assert!((0.02..0.07).contains(&reopened), "reopened {reopened}");
    assert!((0.02..0.10).contains(&merged), "merged {merged}");
}

#[test]
fn a_number_out_of_bounds_is_named() {
    for (spec, message) in [
        (CitySpec { grids: 3, ..CitySpec::default() }, "the demo city's grids is 3, it must be 24 to 400"),
        (CitySpec { rate: f64::NAN, ..CitySpec::default() }, "the demo city's rate is NaN, it must be 0.01 to 100000"),
    ] {
        assert_eq!(City::new(spec).unwrap_err().to_string(), message);
    }
}

#[test]
fn the_smallest_and_the_largest_city_can_be_drawn() {
    for (districts, grids) in [(2, 24), (8, 24), (8, GRIDS_MAX)] {
        let spec = CitySpec { districts, grids, residents: 300_000, ..CitySpec::default() };
        let city = City::new(spec).unwrap();
        assert_eq!((city.world.plan.districts.len(), city.world.plan.grids.len()), (districts, grids));
        assert!(city.events(monday(), monday() + TimeDelta::hours(1)).count() > 100);
    }
}

#[test]
fn written_cities_have_golden_bytes() {
    use sha2::{Digest, Sha256};
    let dir = tempfile::tempdir().unwrap();
    let written = city(1).write(dir.path(), 2, None).unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let all = [
        "case_step.ndjson",
        "districts.geojson",
        "grid_report.ndjson",
        "grids.geojson",
        "hotline_call.ndjson",
        "labels.ndjson",
        "river.geojson",
        "sensor_event.ndjson",
    ];
    assert_eq!(names, all);
    for (name, rows) in &written.rows {
        let text = std::fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(text.lines().count() as u64, *rows, "{name}");
    }
    let digest = names.iter().fold(Sha256::new(), |digest, name| digest.chain_update(std::fs::read(dir.path().join(name)).unwrap()));
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    // Changes only when the city is meant to change: every figure in the documentation then changes with it.
    assert_eq!(hex, include_str!("tests/golden.sha256").trim());
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("taken");
    std::fs::write(&file, "a file").unwrap();
    let error = city(1).write(&file.join("below"), 1, None).unwrap_err();
    assert!(error.to_string().contains("taken/below"), "{error}");
    assert_eq!(city(1).write(dir.path(), 0, None).unwrap_err().to_string(), "the demo city's days is 0, it must be 1 to 3660");
}
