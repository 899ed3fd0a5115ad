//! `roc_date` in an analyst's words; computed in `ingest/src/mapping/functions.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "roc_date",
    source: "ingest/src/mapping/functions.rs",
    kind: Kind::Scalar,
    arguments: &[Argument::required("text", Type::Text, "a date of the calendar that counts from 1912", "民国纪年日期")],
    returns: Returns::One(Type::Date),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Which day does a date of the Minguo calendar mean?", "民国纪年的日期是哪一天？"),
    explanation: Words::new(
        "Reads 1040101, 990131, 104/1/1, 104-01-01 and 104年1月1日, with or without 民國 before, as they stand in Taiwan's open \
        data.",
        "识读台湾开放数据中的 1040101、990131、104/1/1、104-01-01、104年1月1日，前面有无“民國”均可。",
    ),
    formula: "year = Minguo year + 1911",
    results: &[Meaning::new("", Unit::None, "the day of the common calendar", "公历日期")],
    undefined: &[Undefined::when("text is NULL or no such date.", "text 为 NULL 或不是这样的日期。")],
    cautions: &[
        Words::new(
            "Six digits are a two-digit year: 990131 is 2010-01-31. A common date without separators, 20150101, is no Minguo date \
            and gives NULL.",
            "六位数字表示两位年份：990131 为 2010-01-31。无分隔的公历日期 20150101 不是民国日期，结果为 NULL。",
        ),
        Words::new("Dates before 1912 (民國前) are not read.", "不识读 1912 年以前的日期（民國前）。"),
    ],
    example: Example {
        asks: Words::new("What do some spellings mean?", "几种写法分别是哪一天？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT text, roc_date(text) AS day
FROM (VALUES ('1040101'), ('990131'), ('民國104年1月1日'), ('104/13/01')) AS dates(text)",
        shown: 4,
        reads: Words::new(
            "The last has no month 13 and is NULL: a mapping sends such a row to quarantine.",
            "最后一个没有 13 月，结果为 NULL；映射会把这样的行送入隔离区。",
        ),
        picture: None,
    },
    literature: &["CNS 7648, dates of the Minguo calendar."],
};
