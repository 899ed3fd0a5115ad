//! What a case looks like from outside: the call or report that opens it, the steps of its life, a second call about it.
//! From dice to contract events; decides nothing about when.

use chrono::Datelike;
use contract::{Event, Kind};

use super::calendar::{date_of, day_of, day_start};
use super::categories::{CATEGORIES, FLOODING};
use super::dice::{Purpose, below, mix, unit};
use super::lanes::{Case, Face, Lane, Origin};
use super::plan::{Grid, caller_token};
use super::world::World;
use super::{SOURCE_CASES, SOURCE_GRID, SOURCE_HOTLINE, bare_event, instant};

/// Cumulative shares of what people want. Inquiries and praise open no case.
const REQUESTS: [(f64, &str); 6] =
    [(0.46, "complaint"), (0.64, "report"), (0.86, "help"), (0.94, "inquiry"), (0.98, "suggestion"), (1.0, "praise")];
/// Cumulative shares of how they reach the city.
const CHANNELS: [(f64, &str); 4] = [(0.68, "phone"), (0.86, "app"), (0.95, "web"), (1.0, "window")];
/// Share of field reports that are settled on the spot and open no case.
const SETTLED_SHARE: f64 = 0.3;
const REOPENED_SHARE: f64 = 0.045;
const ECHO_SHARE: f64 = 0.09;
/// Share of second calls by the same person.
const SAME_CALLER_SHARE: f64 = 0.7;
/// Share of calls by somebody who lives at the address complained about.
const RESIDENT_SHARE: f64 = 0.45;
/// Share of calls by one of the grid's frequent callers.
const FREQUENT_SHARE: f64 = 0.07;
const URGENT_SHARE: f64 = 0.04;
/// Share of calls that come without coordinates: only the address in words.
const WITHOUT_POINT_SHARE: f64 = 0.02;

/// Independent dice of a case, by what they decide.
#[derive(Debug, Clone, Copy)]
enum Die {
    Request = 1,
    Channel,
    Settled,
    Reopened,
    Echoed,
    Caller,
    Resident,
    Urgent,
    Point,
    Wording,
    SecondCaller,
    SecondChannel,
}

fn die(case: &Case, die: Die) -> u64 {
    mix(case.words[0] ^ mix(case.words[1] ^ die as u64))
}

fn chance(case: &Case, which: Die) -> f64 {
    unit(die(case, which))
}

fn choose<const N: usize>(table: &[(f64, &'static str); N], chance: f64) -> &'static str {
    table.iter().find(|(limit, _)| chance < *limit).map_or(table[N - 1].1, |(_, name)| name)
}

/// Whether a case has this face at all.
pub(super) fn shows(world: &World, case: &Case, face: Face) -> bool {
    let origin = world.lanes[case.lane].origin;
    match face {
        Face::Open => true,
        Face::Register | Face::Dispatch | Face::Dispose | Face::Archive => is_handled(case, origin),
        Face::Reopen | Face::Redo | Face::Rearchive => is_handled(case, origin) && chance(case, Die::Reopened) < REOPENED_SHARE,
        Face::Echo | Face::Merge => origin == Origin::Call && is_handled(case, origin) && chance(case, Die::Echoed) < ECHO_SHARE,
    }
}

fn is_handled(case: &Case, origin: Origin) -> bool {
    match origin {
        Origin::Call => !matches!(choose(&REQUESTS, chance(case, Die::Request)), "inquiry" | "praise"),
        Origin::Report => chance(case, Die::Settled) >= SETTLED_SHARE,
    }
}

/// The event a face of a case is.
pub(super) fn event(world: &World, case: &Case, face: Face, at: i64) -> Event {
    let lane = &world.lanes[case.lane];
    match (face, lane.origin) {
        (Face::Open | Face::Echo, Origin::Call) => call(world, lane, case, face, at),
        (Face::Open | Face::Echo, Origin::Report) => report(world, lane, case, at),
        _ => step(world, lane, case, face, at),
    }
}

/// What identifies a case within its origin: the local time of its slot, its lane and its number there, as in
/// `c-20261103-1400-2f-3`. Written by hand: every event has one or two, and a general formatter takes longer than the rest.
fn serial(lane: &Lane, case: &Case) -> String {
    let day = day_of(case.slot_start);
    let date = date_of(day);
    let minute = (case.slot_start - day_start(day)) / 60;
    let mut text = String::with_capacity(28);
    text.push_str(if lane.origin == Origin::Call { "c-" } else { "r-" });
    push_digits(&mut text, date.year().unsigned_abs(), 4);
    push_digits(&mut text, date.month(), 2);
    push_digits(&mut text, date.day(), 2);
    text.push('-');
    push_digits(&mut text, (minute / 60 * 100 + minute % 60) as u32, 4);
    text.push('-');
    text.push_str(&lane.code);
    text.push('-');
    push_digits(&mut text, case.number, 1);
    text
}

fn push_digits(text: &mut String, number: u32, width_min: u32) {
    let mut unit = 10_u32.pow(width_min - 1);
    while number / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        text.push(char::from(b'0' + (number / unit % 10) as u8));
        unit /= 10;
    }
}

fn call(world: &World, lane: &Lane, case: &Case, face: Face, at: i64) -> Event {
    let again = face == Face::Echo;
    let serial = if again { format!("{}-e", serial(lane, case)) } else { serial(lane, case) };
    let channel = choose(&CHANNELS, chance(case, if again { Die::SecondChannel } else { Die::Channel }));
    let request = if again { "complaint" } else { choose(&REQUESTS, chance(case, Die::Request)) };
    let mut event = open(world, lane, case, Kind::HotlineCall, serial, at);
    event.source = SOURCE_HOTLINE.to_owned();
    event.channel = Some(channel.to_owned());
    event.request_kind = Some(request.to_owned());
    event.caller = Some(caller(world, case, again));
    event.received_at = Some(event.occurred_at);
    if chance(case, Die::Point) < WITHOUT_POINT_SHARE {
        (event.lon, event.lat) = (None, None);
    }
    event
}

fn report(world: &World, lane: &Lane, case: &Case, at: i64) -> Event {
    let mut event = open(world, lane, case, Kind::GridReport, serial(lane, case), at);
    event.source = SOURCE_GRID.to_owned();
    event.channel = Some("grid".to_owned());
    event.grid_id = Some(world.plan.grids[case.grid].id.clone());
    event
}

/// What calls and reports have in common.
fn open(world: &World, lane: &Lane, case: &Case, kind: Kind, serial: String, at: i64) -> Event {
    let grid = &world.plan.grids[case.grid];
    let category = &CATEGORIES[lane.category];
    let address = &grid.addresses[case.address];
    let (lon, lat) = address.point.degrees();
    Event {
        case_id: Some(serial.clone()),
        category: Some(category.name.zh.to_owned()),
        urgency: Some(urgency(lane, case).to_owned()),
        unit_id: Some(unit_id(grid, lane)),
        address: Some(wording(case, &address.text)),
        address_id: Some(address.id.clone()),
        lon: Some(lon),
        lat: Some(lat),
        attributes: [("category_code".to_owned(), category.name.code.to_owned())].into(),
        ..bare_event(serial, "", kind, at)
    }
}

fn step(world: &World, lane: &Lane, case: &Case, face: Face, at: i64) -> Event {
    let grid = &world.plan.grids[case.grid];
    let serial = serial(lane, case);
    let (suffix, stage) = match face {
        Face::Register => ("1", "register"),
        Face::Dispatch => ("2", "dispatch"),
        Face::Dispose => ("3", "dispose"),
        Face::Archive => ("4", "archive"),
        Face::Reopen => ("5", "reopen"),
        Face::Redo => ("6", "dispose"),
        Face::Rearchive => ("7", "archive"),
        Face::Merge | Face::Open | Face::Echo => ("e-1", "merge"),
    };
    let merged = face == Face::Merge;
    let case_id = if merged { format!("{serial}-e") } else { serial.clone() };
    let mut event = bare_event(format!("{serial}-{suffix}"), SOURCE_CASES, Kind::CaseStep, at);
    if merged {
        event.attributes.insert("merged_into".to_owned(), serial);
    } else {
        event.deadline_at = Some(instant(due(lane, case, face)));
    }
    Event {
        case_id: Some(case_id),
        stage: Some(stage.to_owned()),
        category: Some(CATEGORIES[lane.category].name.zh.to_owned()),
        urgency: Some(urgency(lane, case).to_owned()),
        unit_id: Some(unit_id(grid, lane)),
        address_id: Some(grid.addresses[case.address].id.clone()),
        grid_id: Some(grid.id.clone()),
        ..event
    }
}

/// When the case is due: hours after its registration, after its reopening once that has happened; urgent ones have a
/// quarter of the time.
fn due(lane: &Lane, case: &Case, face: Face) -> i64 {
    let from = if matches!(face, Face::Reopen | Face::Redo | Face::Rearchive) { Face::Reopen } else { Face::Register };
    let hours = CATEGORIES[lane.category].deadline_hours;
    let seconds = if urgency(lane, case) == "urgent" { hours * 900 } else { hours * 3600 };
    lane.shift(from, case.opened) + seconds
}

fn urgency(lane: &Lane, case: &Case) -> &'static str {
    let share = if lane.category == FLOODING || case.outbreak { 0.35 } else { URGENT_SHARE };
    if chance(case, Die::Urgent) < share { "urgent" } else { "normal" }
}

fn unit_id(grid: &Grid, lane: &Lane) -> String {
    format!("{}-{}", CATEGORIES[lane.category].unit, grid.district + 1)
}

/// People do not always say an address the same way.
fn wording(case: &Case, text: &str) -> String {
    match die(case, Die::Wording) % 20 {
        0 => format!("{}{text}", super::names::CITY.0),
        1 => format!("{text}门口"),
        2 => format!("{text}附近"),
        _ => text.to_owned(),
    }
}

/// Who calls: often one of three people at the address, sometimes one of the grid's frequent callers, else anybody there.
fn caller(world: &World, case: &Case, again: bool) -> String {
    let other = again && chance(case, Die::SecondCaller) >= SAME_CALLER_SHARE;
    let word = die(case, if other { Die::SecondCaller } else { Die::Caller });
    let kind = unit(mix(word));
    let resident = if chance(case, Die::Resident) < RESIDENT_SHARE {
        world.dice.hash(Purpose::Caller, case.address as u64, word % 3)
    } else if kind < FREQUENT_SHARE {
        world.place_rank.pick(word) as u64
    } else {
        1_000 + below(word, world.plan.grids[case.grid].population as usize + 100) as u64
    };
    caller_token(&world.dice, case.grid, resident)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_at_least_their_width() {
        let digits = |number, width| {
            let mut text = String::new();
            push_digits(&mut text, number, width);
            text
        };
        assert_eq!(
            [digits(0, 1), digits(7, 2), digits(2026, 4), digits(600_123, 1), digits(u32::MAX, 2)],
            ["0", "07", "2026", "600123", "4294967295"]
        );
    }
}
