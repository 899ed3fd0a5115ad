//! `pseudonym` in an analyst's words; computed in `ingest/src/mapping/functions.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "pseudonym",
    source: "ingest/src/mapping/functions.rs",
    kind: Kind::Scalar,
    arguments: &[Argument::required(
        "text",
        Type::Text,
        "what identifies a person, such as a telephone number",
        "能识别个人的文本，如电话号码",
    )],
    returns: Returns::One(Type::Text),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("How do I count a person without knowing who it is?", "如何只计人而不知是谁？"),
    explanation: Words::new(
        "A keyed hash: the same text always gives the same pseudonym, and without the key nobody can go back or try all \
        numbers. Columns caller hold it.",
        "带密钥的散列：同一文本得到同一化名；没有密钥则无法还原，也无法逐号试算。caller 列存放的就是它。",
    ),
    formula: "key id + \".\" + first 128 bits of HMAC-SHA-256(key, text)",
    results: &[Meaning::new("", Unit::None, "the pseudonym", "化名")],
    undefined: &[Undefined::when("text is NULL or blank.", "text 为 NULL 或空白。")],
    cautions: &[
        Words::new(
            "It is a pseudonym, not anonymity: whoever has the key can test a number. The key lies in the data folder, readable by \
            its owner only.",
            "化名不等于匿名：持有密钥者可以验证某个号码。密钥在数据目录中，仅属主可读。",
        ),
        Words::new(
            "Another data folder has another key, so pseudonyms of two cities never meet, and those after a change of key begin \
            with another id.",
            "不同数据目录密钥不同，两城市的化名不会相同；更换密钥后的化名以另一编号开头。",
        ),
        Words::new(
            "Telephone numbers are compared without blanks, hyphens and brackets; with and without the country code they differ.",
            "电话号码比较时忽略空格、连字符与括号；带与不带国家码视为不同。",
        ),
    ],
    example: Example {
        asks: Words::new("Do two spellings of one number meet?", "同一号码的两种写法是否相同？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT pseudonym('021-5555 0100') = pseudonym('(021)55550100') AS same, pseudonym('021-5555 0100') = pseudonym('021-5555 0101') AS other,
  length(pseudonym('021-5555 0100')) AS characters",
        shown: 1,
        reads: Words::new("One person, whatever the spelling; another number is another person.", "写法不同仍是同一人；号码不同即为他人。"),
        picture: None,
    },
    literature: &["Krawczyk, H., Bellare, M., Canetti, R. (1997). HMAC: keyed-hashing for message authentication. RFC 2104."],
};
