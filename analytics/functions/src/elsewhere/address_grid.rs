//! `address_grid` in an analyst's words; computed in `analytics/src/session/locating.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "address_grid",
    source: "analytics/src/session/locating.rs",
    kind: Kind::Scalar,
    arguments: &[Argument::required("text", Type::Text, "an address as it was written", "原样书写的地址")],
    returns: Returns::One(Type::Text),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Which grid does an address name?", "这个地址写的是哪个网格？"),
    explanation: Words::new(
        "Reads the names of districts, villages or grids from the start of an address, whatever its writing style, and answers \
        with the finest grid it knows. It does not look up streets or numbers.",
        "从地址开头读取区、里、社区等名称（不拘写法），给出能认出的最细一级网格；不查道路与门牌。",
    ),
    formula: "the finest grid whose chain of names (district, village, …) begins the address, after folding (臺 = 台, full width = half width)",
    results: &[Meaning::new("", Unit::None, "grid_id", "网格编号 grid_id")],
    undefined: &[Undefined::when(
        "text is NULL, or begins with no name of a loaded grid.",
        "text 为 NULL，或开头没有任何已加载网格的名称。",
    )],
    cautions: &[
        Words::new(
            "If only the district is named, the answer is the district: join grids and look at level before counting by village.",
            "只写到区时答案就是区：按里或社区统计前，请联接 grids 看 level。",
        ),
        Words::new(
            "Names further on do not locate: a landmark named after another district is no address.",
            "靠后的名称不参与定位：以别的区命名的地标不是地址。",
        ),
        Words::new(
            "Of two districts that contradict each other the first is taken. Renamed grids need aliases when the grids are loaded.",
            "两个区名相互矛盾时取第一个。更名的网格需在加载时提供别名。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Of the calls that have a point, for how many does the address name the same grid?",
            "带坐标的来电中，地址所写网格与坐标所在网格一致的有多少？",
        ),
        city: DemoCity::Weeks,
        statement: "\
SELECT level, count(*) AS calls, count(*) FILTER (WHERE named = grid_at(calls.lon, calls.lat)) AS same_grid
FROM (
  SELECT address_grid(address) AS named, lon, lat
  FROM events
  WHERE kind = 'hotline_call' AND lon IS NOT NULL
) AS calls
LEFT JOIN grids ON grids.grid_id = named
GROUP BY level
ORDER BY calls DESC",
        shown: 5,
        reads: Words::new(
            "Where the address names a grid it is the one the point lies in. An address without a grid name gives its district.",
            "地址写明网格时，与坐标所在网格一致；只写到区的地址给出的是区。",
        ),
        picture: None,
    },
    literature: &["Administrative names of the loaded grids (table grids); the steps are in contract/src/grids.rs."],
};
