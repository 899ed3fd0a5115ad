//! Why a record was refused: a closed list of reasons, each with a sentence for the person who has to mend it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $en:literal, $zh:literal;)+) => {
        /// Why a raw record or an event was refused. Closed: dashboards and alert rules count by it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Reason { $($(#[$doc])* $variant,)+ }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name in JSON, SQL and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What to do about it, in English.
            pub const fn sentence_en(self) -> &'static str {
                match self { $(Self::$variant => $en,)+ }
            }

            /// What to do about it, in Chinese.
            pub const fn sentence_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)+ }
            }

            /// The reason of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
            }
        }
    };
}

reasons! {
    /// The bytes are not a JSON object.
    BadJson = "bad_json", "The record is not a JSON object: ask the sender for valid JSON, one object a line.", "记录不是 JSON 对象：请发送方每行提供一个有效的 JSON 对象。";
    /// The bytes do not follow the encoding or the row format the feed declares.
    BadFormat = "bad_format", "The row does not fit the declared format or encoding: compare it with feed.toml.", "该行与声明的格式或编码不符：请对照 feed.toml 检查。";
    /// The columns of the row are shifted or broken.
    ShiftedRow = "shifted_row", "The row's columns are shifted or cut: the supplier's export needs quoting; mend the mapping or the file and replay.", "该行的列错位或被截断：请供应方修正导出引号，或修改映射后重放。";
    /// A required field is absent or NULL.
    MissingField = "missing_field", "A required field is missing: map it in mapping.sql or ask the sender for it.", "缺少必填字段：请在 mapping.sql 中映射，或要求发送方提供。";
    /// No grid, coordinates or address.
    MissingPlace = "missing_place", "The event has no place: give grid_id, lon and lat, or address.", "事件没有地点：请提供 grid_id、经纬度或地址。";
    /// A field no contract knows.
    UnknownField = "unknown_field", "The contract has no such field: put it under attributes.", "合同中没有该字段：请放入 attributes。";
    /// A kind outside the closed list.
    BadKind = "bad_kind", "The kind is not one of hotline_call, grid_report, sensor_event, case_step.", "kind 不在 hotline_call、grid_report、sensor_event、case_step 之内。";
    /// A JSON value of the wrong type.
    BadType = "bad_type", "A field has the wrong JSON type: compare it with the JSON Schema.", "字段的 JSON 类型错误：请对照 JSON Schema。";
    /// A time that cannot be read.
    BadTime = "bad_time", "A time cannot be read: send RFC 3339 with offset, or mend the mapping.", "时间无法解析：请使用带时区偏移的 RFC 3339，或修改映射。";
    /// A time ahead of the receiver's clock.
    TimeAhead = "time_ahead", "The event lies in the future: check the sender's clock and time zone.", "事件时间在未来：请检查发送方时钟与时区。";
    /// A number that is not finite or not a number.
    BadNumber = "bad_number", "A number cannot be read or is not finite.", "数值无法解析或不是有限数。";
    /// Coordinates outside the earth, or one without the other.
    BadCoordinates = "bad_coordinates", "The coordinates are not WGS 84 degrees: check order and coordinate_system.", "坐标不是 WGS 84 度数：请检查次序与 coordinate_system。";
    /// Text with characters no store accepts.
    BadText = "bad_text", "A text holds NUL or broken characters: check the declared encoding.", "文本含 NUL 或损坏字符：请检查声明的编码。";
    /// A field, list or record beyond its bound.
    TooLong = "too_long", "A field or the record is beyond its bound: shorten it or split it.", "字段或记录超出上限：请缩短或拆分。";
    /// Refused by the feed's own rule without a reason of this list.
    FeedRule = "feed_rule", "A rule of the feed's mapping refused the row: see detail and mapping.sql.", "映射规则拒绝了该行：见 detail 与 mapping.sql。";
}

/// A raw record that did not become an event: what came, where from, and why not. Nothing of it is lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rejection {
    /// The feed it came by.
    pub source: String,
    /// Why it was refused.
    pub reason: Reason,
    /// The contract field concerned; empty when it is the whole record.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// What was found.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The raw record as it came; bytes that are not UTF-8 are replaced by U+FFFD. The beginning of it where it is longer than the log
    /// takes: then `detail` says so.
    pub payload: String,
    /// Where in the input it stood (`file:row`), for the person who looks it up.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub origin: String,
    /// When it was refused.
    pub received_at: DateTime<Utc>,
}

impl Rejection {
    /// One line of JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a rejection holds only strings and times")
    }
}
