//! From what was seen at each look to alarms, their ranks, and what they say of an episode: pure.
//!
//! An alarm is a run of looks, one after the other, at which the same place and category is seen. Its strength is the greatest of the run.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

/// A row of a job that alarms.
#[derive(Debug, Clone, PartialEq)]
pub struct Sighting {
    /// About what.
    pub category: String,
    /// Where.
    pub place: String,
    /// Greater is stronger.
    pub strength: f64,
}

/// What one look saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// When it looked.
    pub at: DateTime<Utc>,
    /// What it saw.
    pub seen: Vec<Sighting>,
}

/// A place and category seen at one look or several, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Alarm {
    /// About what.
    pub category: String,
    /// Where.
    pub place: String,
    /// The look that saw it first.
    pub first: DateTime<Utc>,
    /// The look that saw it last.
    pub last: DateTime<Utc>,
    /// The greatest strength of the run.
    pub strength: f64,
}

/// What alarms say of an episode.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict<'a> {
    /// Alarms of all looks.
    pub alarms: usize,
    /// Those of the episode's category.
    pub of_category: usize,
    /// Those that began in the episode, in its category and grids.
    pub of_episode: usize,
    /// The first of these.
    pub first: Option<&'a Alarm>,
    /// The strongest of these.
    pub strongest: Option<&'a Alarm>,
    /// The strongest one's place among all alarms, from 1; equals share the better place.
    pub rank: Option<usize>,
}

/// The alarms of looks that stand in order of time.
pub fn alarms(looks: &[Look]) -> Vec<Alarm> {
    let mut ended = Vec::new();
    let mut running: BTreeMap<(&str, &str), Alarm> = BTreeMap::new();
    for look in looks {
        let mut seen: BTreeMap<(&str, &str), Alarm> = BTreeMap::new();
        for Sighting { category, place, strength } in &look.seen {
            let key = (category.as_str(), place.as_str());
            let alarm = seen.entry(key).or_insert_with(|| {
                let begun = Alarm { category: category.clone(), place: place.clone(), first: look.at, last: look.at, strength: *strength };
                running.remove(&key).map_or(begun, |before| Alarm { last: look.at, ..before })
            });
            alarm.strength = alarm.strength.max(*strength);
        }
        ended.extend(std::mem::replace(&mut running, seen).into_values());
    }
    ended.extend(running.into_values());
    ended.sort_by(|one, two| (one.first, &one.category, &one.place).cmp(&(two.first, &two.category, &two.place)));
    ended
}

/// What `alarms`, in order of time, say of an episode in `category` (and `grids`, if any) from `begin` until before `end`.
pub fn judge<'a>(alarms: &'a [Alarm], category: &str, grids: &[String], begin: DateTime<Utc>, end: DateTime<Utc>) -> Verdict<'a> {
    let of_category: Vec<&Alarm> = alarms.iter().filter(|alarm| alarm.category == category).collect();
    let there = |alarm: &Alarm| grids.is_empty() || alarm.place == "*" || grids.contains(&alarm.place);
    let own: Vec<&Alarm> = of_category.iter().copied().filter(|alarm| alarm.first > begin && alarm.first < end && there(alarm)).collect();
    let strongest = own.iter().copied().reduce(|best, next| if next.strength > best.strength { next } else { best });
    Verdict {
        alarms: alarms.len(),
        of_category: of_category.len(),
        of_episode: own.len(),
        first: own.first().copied(),
        strongest,
        rank: strongest.map(|own| 1 + alarms.iter().filter(|alarm| alarm.strength > own.strength).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(number * 86_400, 0).unwrap()
    }

    fn look(number: i64, seen: &[(&str, &str, f64)]) -> Look {
        let sighting = |(category, place, strength): &(&str, &str, f64)| Sighting {
            category: (*category).to_owned(),
            place: (*place).to_owned(),
            strength: *strength,
        };
        Look { at: day(number), seen: seen.iter().map(sighting).collect() }
    }

    fn looks() -> Vec<Look> {
        vec![
            look(1, &[("trees", "g1", 3.0)]),
            look(2, &[("trees", "g1", 9.0), ("noise", "g1", 5.0)]),
            look(3, &[]),
            look(4, &[("trees", "g1", 4.0), ("trees", "g2", 6.0), ("trees", "g2", 7.0)]),
        ]
    }

    #[test]
    fn an_alarm_goes_on_while_every_look_sees_it() {
        let found: Vec<_> = alarms(&looks()).into_iter().map(|a| (a.category + " " + &a.place, a.first, a.last, a.strength)).collect();
        assert_eq!(
            found,
            [
                ("trees g1".to_owned(), day(1), day(2), 9.0),
                ("noise g1".to_owned(), day(2), day(2), 5.0),
                ("trees g1".to_owned(), day(4), day(4), 4.0),
                ("trees g2".to_owned(), day(4), day(4), 7.0),
            ]
        );
    }

    #[test]
    fn an_episode_is_judged_by_the_alarms_that_begin_in_it() {
        let all = alarms(&looks());
        let verdict = judge(&all, "trees", &[], day(3), day(5));
        assert_eq!((verdict.alarms, verdict.of_category, verdict.of_episode, verdict.rank), (4, 3, 2, Some(2)));
        assert_eq!(verdict.first.unwrap().first, day(4));
        assert_eq!(verdict.strongest.unwrap().place, "g2");
        // One that began before is not its own, nor is one elsewhere.
        assert_eq!(judge(&all, "trees", &[], day(1), day(3)).first, None);
        let there = judge(&all, "trees", &["g1".to_owned()], day(3), day(5));
        assert_eq!((there.of_episode, there.rank), (1, Some(4)));
        assert_eq!(judge(&all, "floods", &[], day(0), day(9)).rank, None);
    }
}
