//! Labels: what happened in a city, when, about what; read from a small TOML file.
//!
//! ```toml
//! grace_days = 2
//! [[episode]]
//! name = "typhoon: trees"
//! category = "trees"
//! from = "2024-10-31"
//! to = "2024-11-02"
//! ```

use chrono::NaiveDate;
use serde::Deserialize;

/// What a label file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Days after an episode's last during which an alarm that begins still counts as its own: a day is complete when it is over, and a
    /// source may deliver late.
    #[serde(default = "two")]
    pub grace_days: u16,
    /// What happened.
    #[serde(rename = "episode")]
    pub episodes: Vec<Episode>,
}

const fn two() -> u16 {
    2
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Episode {
    /// What it was.
    pub name: String,
    /// The category it shows in.
    pub category: String,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// Grids it was in; all, where none is named.
    #[serde(default)]
    pub grids: Vec<String>,
}

/// Reads a label file.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn read(text: &str) -> Result<Labels, String> {
    let labels: Labels = toml::from_str(text).map_err(|error| error.to_string())?;
    match labels.episodes.iter().find(|episode| episode.to < episode.from) {
        Some(episode) => Err(format!("episode \"{}\" ends on {} before it begins on {}", episode.name, episode.to, episode.from)),
        None => Ok(labels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORM: &str = "[[episode]]\nname = \"storm\"\ncategory = \"trees\"\nfrom = \"2024-10-31\"\nto = \"2024-11-02\"\n";

    #[test]
    fn an_episode_has_days_a_category_and_two_days_of_grace() {
        let labels = read(STORM).unwrap();
        assert_eq!(labels.grace_days, 2);
        assert_eq!(labels.episodes[0].from, NaiveDate::from_ymd_opt(2024, 10, 31).unwrap());
        assert!(labels.episodes[0].grids.is_empty());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        assert_eq!(
            read(&STORM.replace("11-02", "10-02")).unwrap_err(),
            "episode \"storm\" ends on 2024-10-02 before it begins on 2024-10-31"
        );
        assert!(read(&STORM.replace("category", "categories")).unwrap_err().contains("unknown field `categories`"));
    }
}
