//! Labels are true: the additional events are there, sensors show what is said of them, and no month is without episodes.

use super::*;

/// Grids of the calls: those with coordinates or not, by the community in the address.
fn grid_of(city: &City, event: &Event) -> String {
    event.grid_id.clone().unwrap_or_else(|| {
        let address = event.address.as_deref().unwrap();
        city.world
            .plan
            .grids
            .iter()
            .find(|grid| address.contains(&format!("{}{}", names::DISTRICTS[grid.district].0, grid.name.0)))
            .unwrap()
            .id
            .clone()
    })
}

#[test]
fn labelled_grids_have_the_surplus_and_had_it_not_a_week_before() {
    let city = city(1);
    let (from, to) = (monday(), monday() + TimeDelta::days(35));
    let events: Vec<(Event, String)> = city
        .events(from, to)
        .filter(|event| matches!(event.kind, Kind::HotlineCall | Kind::GridReport))
        .map(|event| {
            let grid = grid_of(&city, &event);
            (event, grid)
        })
        .collect();
    let count = |label: &Label, back: TimeDelta| {
        let range = label.start - back..label.end - back;
        let here = |(event, grid): &&(Event, String)| {
            range.contains(&event.occurred_at) && event.category.as_deref() == label.category && label.grids.contains(grid)
        };
        events.iter().filter(here).count() as f64
    };
    let outbreaks: Vec<Label> =
        city.labels(from, to).into_iter().filter(|label| label.address_id.is_none() && label.category.is_some()).collect();
    let mut seen = std::collections::BTreeSet::new();
    for label in outbreaks.iter().filter(|label| label.start >= from + TimeDelta::days(7) && label.end <= to) {
        let (during, before, extra) =
            (count(label, TimeDelta::zero()), count(label, TimeDelta::days(7)), label.extra_calls + label.extra_reports);
        let disturbed = outbreaks.iter().any(|other| {
            other.episode_id != label.episode_id
                && other.category == label.category
                && other.grids.iter().any(|grid| label.grids.contains(grid))
        });
        // A Poisson count stays within four roots of its mean; half the extra leaves room for that.
        assert!(disturbed || during - before > extra / 2.0, "{} {during} {before} {extra}", label.episode_id);
        assert!(during > extra - 4.0 * extra.sqrt(), "{} {during} {extra}", label.episode_id);
        seen.insert(label.kind);
    }
    assert!(seen.len() >= 4, "{seen:?}");
}

#[test]
fn a_chronic_address_is_named_more_often_than_any_other() {
    let city = city(1);
    let label =
        city.labels(monday(), monday() + TimeDelta::days(1)).into_iter().find(|label| label.kind == EpisodeKind::ChronicAddress).unwrap();
    let from = label.start.max(monday());
    let mut counts: HashMap<String, u32> = HashMap::new();
    for event in city
        .events(from, from + TimeDelta::days(14))
        .filter(|event| event.kind == Kind::HotlineCall && event.category.as_deref() == label.category)
    {
        *counts.entry(event.address_id.unwrap()).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).unwrap();
    assert_eq!(Some(most.0), label.address_id.as_ref());
}

#[test]
fn sensors_show_what_labels_say_of_them() {
    let city = city(1);
    let (from, to) = (monday(), monday() + TimeDelta::days(30));
    let mut readings: HashMap<String, Vec<Event>> = HashMap::new();
    for event in city.events(from, to).filter(|event| event.kind == Kind::SensorEvent) {
        readings.entry(event.device_id.clone().unwrap()).or_default().push(event);
    }
    assert_eq!(readings.len(), 60);
    let mut seen = std::collections::BTreeSet::new();
    for label in city.labels(from, to).into_iter().filter(|label| label.start >= from && label.end <= to) {
        let within = |device: &String| {
            readings[device].iter().filter(|event| (label.start..label.end).contains(&event.occurred_at)).collect::<Vec<_>>()
        };
        match (label.kind, &label.device_id) {
            (EpisodeKind::SensorSilent, Some(device)) => assert!(within(device).is_empty(), "{label:?}"),
            (EpisodeKind::SensorStuck, Some(device)) => {
                let values = within(device);
                assert!(values.iter().all(|event| event.value == values[0].value), "{label:?}");
            }
            (EpisodeKind::NoiseSurge | EpisodeKind::Flooding, _) => rises(&readings, &label),
            _ => continue,
        }
        seen.insert(label.kind);
    }
    assert!(seen.len() >= 4, "{seen:?}");
}

/// A sensor in the first grid reads clearly more during the episode than at the same hours the day before or after.
fn rises(readings: &HashMap<String, Vec<Event>>, label: &Label) {
    let property = if label.kind == EpisodeKind::Flooding { "water_level" } else { "noise_level" };
    let here = readings
        .values()
        .flatten()
        .filter(|event| event.observed_property.as_deref() == Some(property) && event.grid_id.as_ref() == Some(&label.grids[0]));
    let (during, outside): (Vec<&Event>, Vec<&Event>) = here.partition(|event| (label.start..label.end).contains(&event.occurred_at));
    let mean = |events: &[&Event]| events.iter().filter_map(|event| event.value).sum::<f64>() / events.len() as f64;
    let least = if label.kind == EpisodeKind::Flooding { 0.3 } else { 5.0 };
    assert!(during.is_empty() || mean(&during) > mean(&outside) + least, "{} {} {}", label.episode_id, mean(&during), mean(&outside));
}

#[test]
fn readings_come_every_ten_to_fifteen_minutes_with_a_few_missing() {
    let city = city(3);
    let expected: f64 = city.world.devices.iter().enumerate().map(|(index, _)| 86_400.0 / [600.0, 720.0, 900.0][index % 3]).sum();
    let readings = city.events(monday(), monday() + TimeDelta::days(1)).filter(|event| event.kind == Kind::SensorEvent).count() as f64;
    assert!((0.95..1.0).contains(&(readings / expected)), "{readings} of {expected}");
}

#[test]
fn every_month_has_episodes_and_an_outbreak_in_its_last_two_days() {
    for seed in [1, 2, 3] {
        let city = city(seed);
        for day in 0..400 {
            // Windows end at any hour of the day.
            let end = at("2026-01-01T00:00:00Z") + TimeDelta::hours(day * 24 + day * 7 % 24);
            let outbreak = |label: &Label| label.category.is_some() && label.address_id.is_none();
            let month = city.labels(end - TimeDelta::days(30), end);
            let kinds: std::collections::BTreeSet<EpisodeKind> = month.iter().map(|label| label.kind).collect();
            assert!(month.iter().filter(|label| outbreak(label)).count() >= 8 && kinds.len() >= 6, "{end}: {kinds:?}");
            assert!(city.labels(end - TimeDelta::hours(48), end).iter().any(outbreak), "{end}");
        }
    }
}
