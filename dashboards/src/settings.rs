//! What the page must know of its city that no table says: served to the browser as `GET /v1/page`.

use serde::Serialize;

/// The city's own settings of the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageSettings {
    /// IANA name of the zone in which the page shows every time, for example `Asia/Taipei`; shown beside the clock.
    pub time_zone: String,
    /// The city's name in Chinese; empty leaves it out of the title.
    pub city_zh: String,
    /// The city's name in English; empty leaves it out of the title.
    pub city_en: String,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { time_zone: "Asia/Shanghai".into(), city_zh: String::new(), city_en: String::new() }
    }
}
