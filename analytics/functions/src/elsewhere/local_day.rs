//! `local_day` in an analyst's words; computed in `analytics/src/session/calendar.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "local_day",
    source: "analytics/src/session/calendar.rs",
    kind: Kind::Scalar,
    arguments: &[Argument::required("at", Type::Instant, "an instant", "时刻")],
    returns: Returns::One(Type::Instant),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("On which day of the city did something happen?", "某事发生在本市的哪一天？"),
    explanation: Words::new(
        "The instant at which the city's day that holds it began: days of the city, not of UTC. grid_days and the daily jobs \
        count by it.",
        "给出所在“本市一天”的起始时刻：按本市而非 UTC 划分。grid_days 与各日任务都以此计日。",
    ),
    formula: "local_day(at) = midnight of the city's calendar at or before at",
    results: &[Meaning::new("", Unit::None, "the begin of the day, as an instant (UTC inside)", "该日起始时刻（内部为 UTC）")],
    undefined: &[Undefined::when("at is NULL.", "at 为 NULL。")],
    cautions: &[
        Words::new(
            "It is an instant: in Asia/Shanghai the day of 31 October begins at 16:00 UTC on the 30th. For a date write CAST(at AT \
            TIME ZONE 'Asia/Shanghai' AS DATE).",
            "结果是时刻：在 Asia/Shanghai，10 月 31 日始于 30 日 16:00 UTC。要日期请写 CAST(at AT TIME ZONE 'Asia/Shanghai' AS \
            DATE)。",
        ),
        Words::new(
            "Days of a summer-time change have 23 or 25 hours; date_trunc('day', at) would cut at midnight UTC.",
            "夏令时切换日为 23 或 25 小时；date_trunc('day', at) 则按 UTC 零点切分。",
        ),
    ],
    example: Example {
        asks: Words::new("How many calls did the last three days have?", "最近三天各有多少来电？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT local_day(called_at) AS day, count(*) AS calls
FROM hotline_calls
GROUP BY 1
ORDER BY day DESC
LIMIT 3",
        shown: 3,
        reads: Words::new("Each day is told by the instant it begins at.", "每一天以其起始时刻表示。"),
        picture: None,
    },
    literature: &["IANA Time Zone Database."],
};
