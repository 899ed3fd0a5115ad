//! The only place that reads the table `[kafka]` of a feed.toml: the topic a city's own messages are read from.

use chrono::{DateTime, Utc};
use contract::log::outside::{Outside, Start};
use contract::topic;
use toml::{Table, Value};

use crate::nearest::hint;

const KEYS: [&str; 4] = ["topic", "group", "start", "brokers"];
/// Longest name of a group, which some tools make file and metric names of.
const GROUP_BYTES_MAX: usize = 255;

/// Where a feed is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Topic, group and start.
    pub outside: Outside,
    /// `host:port,host:port`, where it is on other brokers than the log.
    pub brokers: Option<String>,
}

/// The key at fault and what is wrong with it.
type Problem = (String, String);

/// The table of the feed of that name.
pub(super) fn read(feed: &str, table: &Table) -> Result<Topic, Problem> {
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(problem(key, format!("is not a key of [kafka]; {}", hint(key, KEYS))));
    }
    let name = text(table, "topic", "the topic the feed is read from")?
        .ok_or_else(|| problem("topic", "is missing: the topic the feed is read from"))?;
    if topic::ALL.contains(&name.as_str()) {
        return Err(problem("topic", format!("is \"{name}\", which holds contract events and is read by `analyze` as it stands")));
    }
    if !topic::is_name(&name) {
        return Err(problem("topic", format!("is \"{name}\": at most {} of a-z, A-Z, 0-9, . _ and -", topic::NAME_BYTES_MAX)));
    }
    let group = text(table, "group", "a name of the consumer group")?.unwrap_or_else(|| format!("gridwatch-feed-{feed}"));
    if group.len() > GROUP_BYTES_MAX {
        return Err(problem("group", format!("is longer than {GROUP_BYTES_MAX} bytes")));
    }
    let wanted = "earliest, latest, or an RFC 3339 time with offset such as \"2026-01-01T00:00:00+08:00\"";
    let start = match table.get("start") {
        // A date that TOML knows as one is a time as well.
        Some(Value::Datetime(at)) => Some(at.to_string()),
        _ => text(table, "start", wanted)?,
    };
    let start = start.map_or(Ok(Start::default()), |text| match text.as_str() {
        "earliest" => Ok(Start::Earliest),
        "latest" => Ok(Start::Latest),
        time => DateTime::parse_from_rfc3339(time)
            .map(|at| Start::At(at.with_timezone(&Utc)))
            .map_err(|_| problem("start", format!("is \"{time}\": {wanted}"))),
    })?;
    let brokers = text(table, "brokers", "HOST:PORT[,HOST:PORT]")?;
    let sound = |brokers: &String| {
        let address = |broker: &str| broker.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        brokers.split(',').all(|broker| address(broker.trim()))
    };
    if let Some(brokers) = brokers.as_ref().filter(|brokers| !sound(brokers)) {
        return Err(problem("brokers", format!("is \"{brokers}\": HOST:PORT[,HOST:PORT]")));
    }
    Ok(Topic { outside: Outside { topic: name, group, start }, brokers })
}

fn problem(key: &str, what: impl Into<String>) -> Problem {
    (format!("kafka.{key}"), what.into())
}

fn text(table: &Table, key: &str, wanted: &str) -> Result<Option<String>, Problem> {
    match table.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(value) => Err(problem(key, format!("is {value}: {wanted}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Result<Topic, Problem> {
        read("calls", &text.parse().unwrap())
    }

    #[test]
    fn the_topic_alone_is_enough() {
        let outside = Outside { topic: "city.calls".into(), group: "gridwatch-feed-calls".into(), start: Start::Earliest };
        assert_eq!(topic("topic = \"city.calls\""), Ok(Topic { outside, brokers: None }));
    }

    #[test]
    fn a_start_is_a_word_or_an_instant() {
        let start = |text: &str| topic(&format!("topic = \"t\"\nstart = {text}")).map(|topic| topic.outside.start);
        let at = Start::At("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(start("\"latest\""), Ok(Start::Latest));
        assert_eq!(start("\"2026-01-01T08:00:00+08:00\""), Ok(at));
        assert_eq!(start("2026-01-01T08:00:00+08:00"), Ok(at));
        // Local to nowhere: a guess would skip or repeat hours.
        for text in ["\"yesterday\"", "2026-01-01T08:00:00", "2026-01-01", "7"] {
            assert_eq!(start(text).unwrap_err().0, "kafka.start", "{text}");
        }
    }

    #[test]
    fn what_does_not_hold_is_named() {
        for (text, key, says) in [
            ("group = \"g\"", "kafka.topic", "is missing"),
            ("topic = \"a b\"", "kafka.topic", "at most 249"),
            ("topic = 7", "kafka.topic", "is 7"),
            ("topic = \"gridwatch.quarantine\"", "kafka.topic", "contract events"),
            ("topic = \"t\"\ntopics = \"t\"", "kafka.topics", "did you mean \"topic\"?"),
            ("topic = \"t\"\ngroup = \"\"", "kafka.group", "a name"),
            ("topic = \"t\"\nbrokers = \"kafka\"", "kafka.brokers", "HOST:PORT"),
        ] {
            let (named, said) = topic(text).unwrap_err();
            assert!(named == key && said.contains(says), "{text}: {named} {said}");
        }
    }
}
