//! The only place that reads `feed.toml`: its keys, their values, and what to say when one does not hold.

use contract::Kind;
use toml::{Table, Value};

use super::FeedError;
use super::topic::{self, Topic};
use crate::nearest::hint;

const KEYS: [&str; 11] = [
    "name",
    "kind",
    "format",
    "encoding",
    "time_zone",
    "coordinate_system",
    "transport",
    "kafka",
    "deduplication",
    "lateness",
    "description",
];

/// A horizon beyond ten years is meant to be `unlimited`.
const HORIZON_SECONDS_MAX: u64 = 10 * 366 * 86_400;

/// How bytes are split into rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated with double quotes and a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
    /// One JSON array of objects, or objects one after another.
    Json,
    /// CloudEvents as JSON, one after another or in an array; a message of Kafka may carry one in headers and value.
    CloudEvents,
}

/// How bytes are read as text. A byte order mark of UTF-8 is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without byte order mark.
    Utf8,
    /// Big5 as browsers and Windows code page 950 write it.
    Big5,
    /// GB 18030, which contains GBK and GB 2312.
    Gb18030,
}

/// What longitude and latitude of a feed refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinateSystem {
    /// GPS degrees.
    Wgs84,
    /// The shifted degrees of maps published in mainland China; converted.
    Gcj02,
    /// Baidu's further shift; converted.
    Bd09,
    /// The feed has no coordinates.
    Absent,
}

/// A way by which a feed arrives; each is a file of `sources/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Files replayed.
    File,
    /// Pushed to the ingest port.
    Http,
    /// Read from a topic of the city's own.
    Kafka,
    /// Made up by the demo city.
    Generator,
}

/// What a feed is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

const FORMATS: [(&str, Format); 4] =
    [("csv", Format::Csv), ("ndjson", Format::Ndjson), ("json", Format::Json), ("cloudevents", Format::CloudEvents)];
const ENCODINGS: [(&str, Encoding); 4] =
    [("utf-8", Encoding::Utf8), ("big5", Encoding::Big5), ("cp950", Encoding::Big5), ("gb18030", Encoding::Gb18030)];
const COORDINATE_SYSTEMS: [(&str, CoordinateSystem); 4] = [
    ("wgs84", CoordinateSystem::Wgs84),
    ("gcj02", CoordinateSystem::Gcj02),
    ("bd09", CoordinateSystem::Bd09),
    ("none", CoordinateSystem::Absent),
];
const TRANSPORTS: [(&str, Transport); 4] =
    [("file", Transport::File), ("http", Transport::Http), ("kafka", Transport::Kafka), ("generator", Transport::Generator)];

impl Format {
    /// The name in feed.toml, and the sample's file extension.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::CloudEvents => "cloudevents",
        }
    }
}

impl Transport {
    /// The name in feed.toml and in `gridwatch feeds`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Http => "http",
            Self::Kafka => "kafka",
            Self::Generator => "generator",
        }
    }
}

/// The values of a feed.toml, each checked.
pub(super) struct Manifest {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) format: Format,
    pub(super) encoding: Encoding,
    pub(super) time_zone: chrono_tz::Tz,
    pub(super) coordinate_system: CoordinateSystem,
    pub(super) transport: Vec<Transport>,
    pub(super) kafka: Option<Topic>,
    pub(super) deduplication_seconds: Option<u32>,
    pub(super) lateness_seconds: Option<u32>,
    pub(super) description: Description,
}

impl Manifest {
    pub(super) fn parse(folder: &str, text: &str) -> Result<Self, FeedError> {
        let table: Table = text.parse().map_err(|source| FeedError::Toml { feed: folder.into(), source: Box::new(source) })?;
        let keys = Keys { folder, table: &table };
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(keys.error(key, format!("is not a key of a feed; {}", hint(key, KEYS))));
        }
        let kinds = Kind::ALL.map(|kind| (kind.as_str(), kind));
        let (deduplication_seconds, lateness_seconds) = keys.horizons()?;
        Ok(Self {
            name: keys.name()?,
            kind: keys.choice("kind", &kinds)?,
            format: keys.choice("format", &FORMATS)?,
            encoding: keys.choice("encoding", &ENCODINGS)?,
            time_zone: keys.time_zone()?,
            coordinate_system: keys.choice("coordinate_system", &COORDINATE_SYSTEMS)?,
            transport: keys.transport()?,
            kafka: keys.kafka()?,
            deduplication_seconds,
            lateness_seconds,
            description: keys.description()?,
        })
    }
}

struct Keys<'a> {
    folder: &'a str,
    table: &'a Table,
}

impl Keys<'_> {
    fn error(&self, key: &str, problem: impl Into<String>) -> FeedError {
        FeedError::manifest(self.folder, key, problem)
    }

    fn text(&self, key: &str, wanted: &str) -> Result<&str, FeedError> {
        match self.table.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(value) => Err(self.error(key, format!("is {value}: {wanted}"))),
            None => Err(self.error(key, format!("is missing: {wanted}"))),
        }
    }

    fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Result<T, FeedError> {
        let names = choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        self.chosen(key, self.text(key, &format!("one of {names}"))?, choices)
    }

    fn chosen<T: Copy>(&self, key: &str, text: &str, choices: &[(&str, T)]) -> Result<T, FeedError> {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let found = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, value)| *value).ok_or_else(|| self.error(key, format!("is \"{text}\": one of {}", names.join(", "))))
    }

    fn name(&self) -> Result<String, FeedError> {
        let name = self.text("name", "the folder's name")?;
        if name != self.folder {
            return Err(self.error("name", format!("is \"{name}\", but the folder is \"{}\"", self.folder)));
        }
        let sound = name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !sound {
            // The name becomes part of URLs, metric labels and message keys.
            return Err(self.error("name", format!("is \"{name}\": at most 64 of a-z, 0-9 and -")));
        }
        Ok(name.to_owned())
    }

    fn time_zone(&self) -> Result<chrono_tz::Tz, FeedError> {
        let name = self.text("time_zone", "an IANA name such as Asia/Taipei")?;
        let known = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        name.parse().map_err(|_| {
            let near = crate::nearest::nearest(name, known).unwrap_or("Asia/Taipei");
            self.error("time_zone", format!("is \"{name}\", which is not an IANA name; did you mean \"{near}\"?"))
        })
    }

    fn transport(&self) -> Result<Vec<Transport>, FeedError> {
        let wanted = "a list of file, http, kafka, generator";
        let Some(Value::Array(items)) = self.table.get("transport") else {
            return Ok(vec![self.choice("transport", &TRANSPORTS)?]);
        };
        if items.is_empty() {
            return Err(self.error("transport", format!("is empty: {wanted}")));
        }
        let one = |item: &Value| match item {
            Value::String(text) => self.chosen("transport", text, &TRANSPORTS),
            other => Err(self.error("transport", format!("holds {other}: {wanted}"))),
        };
        items.iter().map(one).collect()
    }

    /// The topic, which is there if and only if the feed arrives by Kafka.
    fn kafka(&self) -> Result<Option<Topic>, FeedError> {
        let arrives = self.transport()?.contains(&Transport::Kafka);
        match (self.table.get("kafka"), arrives) {
            (Some(Value::Table(table)), true) => {
                topic::read(self.text("name", "the folder's name")?, table).map(Some).map_err(|(key, problem)| self.error(&key, problem))
            }
            (Some(_), true) => Err(self.error("kafka", "is not a table with topic, group, start, brokers")),
            (Some(_), false) => Err(self.error("kafka", "is given, but transport does not name kafka")),
            (None, true) => Err(self.error("kafka", "is missing: a feed with transport kafka names its topic in a table [kafka]")),
            (None, false) => Ok(None),
        }
    }

    /// Deduplication and lateness; a repeat later than ids are remembered would count twice, so lateness is never the longer one.
    fn horizons(&self) -> Result<(Option<u32>, Option<u32>), FeedError> {
        let (deduplication, lateness) = (self.horizon("deduplication")?, self.horizon("lateness")?);
        if lateness.unwrap_or(u32::MAX) > deduplication.unwrap_or(u32::MAX) {
            let written = |key| self.table.get(key).and_then(Value::as_str).unwrap_or_default();
            let problem = format!(
                "is {}, longer than deduplication = {}: a repeat that late would count twice; shorten lateness or lengthen deduplication",
                written("lateness"),
                written("deduplication")
            );
            return Err(self.error("lateness", problem));
        }
        Ok((deduplication, lateness))
    }

    fn horizon(&self, key: &str) -> Result<Option<u32>, FeedError> {
        let wanted = "a whole number with s, m, h or d such as \"7d\", at most ten years, or \"unlimited\"";
        let text = self.text(key, wanted)?;
        if text == "unlimited" {
            return Ok(None);
        }
        let refused = || self.error(key, format!("is \"{text}\": {wanted}"));
        let unit = text.chars().last().ok_or_else(refused)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(refused()),
        };
        let count: u64 = text[..text.len() - 1].parse().map_err(|_| refused())?;
        let total = count.checked_mul(seconds).filter(|total| *total <= HORIZON_SECONDS_MAX).ok_or_else(refused)?;
        Ok(Some(u32::try_from(total).map_err(|_| refused())?))
    }

    fn description(&self) -> Result<Description, FeedError> {
        let wanted = "a table with zh and en";
        let Some(Value::Table(table)) = self.table.get("description") else {
            return Err(self.error("description", format!("is missing: {wanted}")));
        };
        if let Some(key) = table.keys().find(|key| !["zh", "en"].contains(&key.as_str())) {
            return Err(self.error(&format!("description.{key}"), format!("is not a language of gridwatch: {wanted}")));
        }
        let text = |language: &str| match table.get(language) {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            _ => Err(self.error(&format!("description.{language}"), format!("is missing: {wanted}"))),
        };
        Ok(Description { zh: text("zh")?, en: text("en")? })
    }
}
