//! `completeness_curve` in an analyst's words; computed in `analytics/src/session/completeness.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "completeness_curve",
    source: "analytics/src/session/completeness.rs",
    kind: Kind::Table,
    arguments: &[Argument::required("as_of", Type::Instant, "instant to judge at", "判断的时点")],
    returns: Returns::List(&[
        Output::new("source", Type::Text),
        Output::new("hours", Type::Integer),
        Output::new("events", Type::Integer),
        Output::new("at_risk", Type::Integer),
        Output::new("share", Type::Number),
        Output::new("complete_hours", Type::Integer),
    ]),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "How many hours after something happened has nearly all of it been received, source by source?",
        "事发多少小时后，某来源的事件才算基本到齐？",
    ),
    explanation: Words::new(
        "The share of a source's calls and reports received within so many hours of occurring, from the last 35 days. What happened \
        lately can only have come quickly, since its late part is still on the way; the reverse-time hazard allows for that: each delay is \
        judged by events old enough to have shown it. The jobs surges, surges_weekly and clusters judge a day once complete_hours have \
        passed since it ended.",
        "以近 35 天的数据，给出某来源的来电与上报在事发后若干小时内收到的比例。刚发生的事件只可能是收得快的（迟到的还在路上），\
        反向时间风险率法对此作了修正：每一延迟只用足够久远、本可显出该延迟的事件来判断。任务 surges、surges_weekly、clusters \
        在一天结束满 complete_hours 之后才判断这一天。",
    ),
    formula: "\
delay = ⌈received_at − occurred_at⌉, age = ⌊as_of − occurred_at⌋, in hours
g(d) = #{delay = d, age ≥ d} / #{delay ≤ d, age ≥ d}
F(d) = Π_{d′ > d} (1 − g(d′)), complete_hours = min {d : F(d) ≥ 0.95}",
    results: &[
        Meaning::new("source", Unit::None, "name of the feed", "来源名称"),
        Meaning::new("hours", Unit::None, "delay d, rounded up to whole hours", "延迟 d，向上取整的小时数"),
        Meaning::new("events", Unit::Cases, "events received after this many hours", "延迟为该小时数的事件数"),
        Meaning::new(
            "at_risk",
            Unit::Cases,
            "events of at most this delay that are old enough to have it",
            "延迟不超过该值、且足够久远的事件数",
        ),
        Meaning::new("share", Unit::Share, "share received within this many hours", "在该小时数内收到的比例"),
        Meaning::new(
            "complete_hours",
            Unit::None,
            "hours after which at least 95 % are there; the same on each row of a source",
            "至少 95 % 到齐所需的小时数，同一来源各行相同",
        ),
    ],
    undefined: &[Undefined::when(
        "never; a source whose events do not say when they were received has no row, and counts as prompt.",
        "无。事件未记录收到时间的来源没有行，视为即时。",
    )],
    cautions: &[
        Words::new(
            "Delays of more than 28 days are left out: the shares are of events that come within 28 days.",
            "超过 28 天的延迟不计，比例只就 28 天内到达的事件而言。",
        ),
        Words::new(
            "It says what the last 35 days were like. A source whose delay has just grown is known to be slower only as its late events arrive.",
            "反映近 35 天的情况。延迟刚刚变长的来源，要等迟到的事件陆续到达才会显出变慢。",
        ),
        Words::new(
            "A source of a few days knows delays of a few days only; a single late event among few weighs much.",
            "只有几天历史的来源只能显出几天以内的延迟；事件很少时，一件迟到的影响很大。",
        ),
    ],
    example: Example {
        asks: Words::new("Within how many hours are 95 % of each source's events received?", "各来源 95 % 的事件在几小时内收到？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT source, hours, events, at_risk, share, complete_hours
FROM completeness_curve(TIMESTAMP '2026-10-31T16:00:00Z')
ORDER BY source, hours",
        shown: 10,
        reads: Words::new(
            "The demo city's calls are received at once, and its grid workers do not say when: a day is complete when it ends.",
            "演示城市的来电即时收到，网格员未记录收到时间：一天一结束即为到齐。",
        ),
        picture: None,
    },
    literature: &[
        "Kalbfleisch, J. D. and Lawless, J. F. (1991). Regression models for right truncated data with applications to AIDS incubation times and reporting lags. Statistica Sinica 1, 19–32.",
        "Lawless, J. F. (1994). Adjustments for reporting delays and the prediction of occurred but not reported events. Canadian Journal of Statistics 22(1), 15–31.",
    ],
};
