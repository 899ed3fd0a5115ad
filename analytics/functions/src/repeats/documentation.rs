//! What an analyst reads about `repeats`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "Has the same matter come back, after how many days, for the how manieth time?",
        "同一事项是否再次出现？间隔多少天？第几次？",
    ),
    explanation: Words::new(
        "Marks each contact of a key that follows another of the same key within the window. The key is the PARTITION BY: \
        caller, address, or address and category, which is what a matter usually is.",
        "标出同一键在窗口之内再次出现的联系。键由 PARTITION BY 给出：来电人、地址，或“地址 × 类别”（通常意义上的同一事项）。",
    ),
    formula: "gap = at − previous at of the key;  repeat = gap ≤ within;  nth = rank of at within the key",
    results: &[
        Meaning::new(
            "repeat",
            Unit::None,
            "true if an earlier contact of the key lies within the window",
            "窗口内已有同一键的联系时为 true",
        ),
        Meaning::new("gap_days", Unit::Days, "since the previous contact; NULL for the first", "距上一次联系；首次为 NULL"),
        Meaning::new("nth", Unit::None, "1 for the first contact of the key", "该键的第几次联系，首次为 1"),
    ],
    undefined: &[Undefined::when(
        "All three are NULL where at is NULL; such a row counts for nothing. gap_days is NULL for the first contact of a key.",
        "at 为 NULL 时三项均为 NULL，该行不计。某键的首次联系 gap_days 为 NULL。",
    )],
    cautions: &[
        Words::new(
            "The first contact of a key may have had one before the data begin: rates of the first `within` days are too low. Leave \
            them out or say so.",
            "某键的首次联系之前可能在数据开始前已有联系：最初 within 天内的比率偏低，应排除或注明。",
        ),
        Words::new(
            "Rows without a key (NULL address, anonymous caller) fall into one partition and look like one matter: filter them.",
            "没有键的行（地址为 NULL、匿名来电）会落入同一分区，像是同一事项：请先过滤。",
        ),
        Words::new(
            "The denominator decides: repeats / contacts is not matters with repeats / matters. Publish both with n.",
            "分母决定含义：重复联系/全部联系，不同于有重复的事项/全部事项。请连同 n 一并公布。",
        ),
        Words::new(
            "within takes days or hours, not months, whose length varies. A contact exactly `within` later is a repeat.",
            "within 以天或小时计，不接受长度不一的月。恰好相隔 within 的也算重复。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "What share of calls comes back to the same address and category within 14 days?",
            "同一地址同一类别在 14 天内再次来电的比例是多少？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH marked AS (
  SELECT category_code, called_at, repeats(called_at, within => INTERVAL '14 days') OVER (PARTITION BY address_id, category_code) AS r
  FROM hotline_calls
  WHERE address_id IS NOT NULL AND category_code IS NOT NULL
),
counted AS (
  SELECT category_code, count(*) AS calls, count(*) FILTER (WHERE (r).repeat) AS repeated,
    median((r).gap_days) AS gap_days, max((r).nth) AS most
  FROM marked
  WHERE called_at >= '2026-10-04T00:00:00+08:00'
  GROUP BY category_code
)
SELECT category_code, calls, repeated, round(CAST(repeated AS DOUBLE) / calls, 3) AS rate, round(gap_days, 1) AS median_gap_days, most
FROM counted
ORDER BY rate DESC, category_code",
        shown: 14,
        reads: Words::new(
            "The first two weeks only serve as the past of the others. most shows the address that came back most often: one \
            kitchen accounts for a good part of its category.",
            "前两周只作为后面各天的历史。most 是回来最多的地址：餐饮油烟中有一家厨房占了不小的比例。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["category_code"], value: "rate", bounds: None, against: None },
            says: Words::new("share of calls that repeat an earlier one, by category", "各类别重复来电比例"),
        }),
    },
    literature: &["Repeat rate of citizen hotlines: contacts whose key had an earlier one within the window / contacts (重复诉求率)."],
};
