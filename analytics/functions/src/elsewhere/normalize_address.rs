//! `normalize_address` in an analyst's words; computed in `ingest/src/mapping/functions.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "normalize_address",
    source: "ingest/src/mapping/functions.rs",
    kind: Kind::Scalar,
    arguments: &[Argument::required("text", Type::Text, "an address as it was written", "原样书写的地址")],
    returns: Returns::One(Type::Text),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Are two addresses the same place, written differently?", "两种写法是不是同一个地址？"),
    explanation: Words::new(
        "One text for one place: width, case, spaces, Chinese numerals, repeated prefixes, floors and remarks are made equal. \
        The result is what address_id holds, the key of recurrence.",
        "同一地点归为同一文本：全半角、大小写、空格、中文数字、重复前缀、楼层与备注都会统一。结果即 address_id，是判断重复的键。",
    ),
    formula: "characters → prefix → label → numbers → village → house → crossing → punctuation, repeated until nothing changes",
    results: &[Meaning::new("", Unit::None, "the address in one spelling", "统一写法的地址")],
    undefined: &[Undefined::when("text is NULL, or nothing but punctuation is left of it.", "text 为 NULL，或除标点外一无所剩。")],
    cautions: &[
        Words::new(
            "Floors and shop numbers after a complete house number go: a tower of many flats is one address.",
            "完整门牌之后的楼层、铺位会去掉：一栋多户的楼是一个地址。",
        ),
        Words::new(
            "Words that lead away from the house stay (對面, 旁至): opposite number 5 is not number 5.",
            "指向别处的词会保留（如“對面”）：5 号对面不是 5 号。",
        ),
        Words::new(
            "It knows how Chinese addresses are built and no city: misspelled roads stay different.",
            "只懂中文地址的构成，不认识具体城市：写错的路名仍算不同。",
        ),
    ],
    example: Example {
        asks: Words::new("Do three spellings of one house meet?", "同一门牌的三种写法能否归一？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT address, normalize_address(address) AS normalized
FROM (VALUES
  ('臺北市大安區信義路四段１６１巷１８之１號2樓'),
  ('106大安區信義路4段161巷18-1號'),
  ('台北市大安區大安區信義路四段一六一巷18號之1(近市場)')
) AS spellings(address)",
        shown: 3,
        reads: Words::new("All three become one text, so their calls count as one place.", "三种写法得到同一文本，其来电计为同一地点。"),
        picture: None,
    },
    literature: &["The steps are listed in contract/src/address.rs."],
};
