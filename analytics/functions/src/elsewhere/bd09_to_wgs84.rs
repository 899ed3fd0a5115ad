//! `bd09_to_wgs84` in an analyst's words; computed in `ingest/src/mapping/functions.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "bd09_to_wgs84",
    source: "ingest/src/mapping/functions.rs",
    kind: Kind::Scalar,
    arguments: &[
        Argument::required("lon", Type::Number, "longitude, BD-09", "BD-09 经度").counted_in(Unit::Degrees),
        Argument::required("lat", Type::Number, "latitude, BD-09", "BD-09 纬度").counted_in(Unit::Degrees),
    ],
    returns: Returns::Struct(&[Output::new("lon", Type::Number), Output::new("lat", Type::Number)]),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Where is a point of a BD-09 map really?", "BD-09 地图上的点实际在哪里？"),
    explanation: Words::new(
        "Takes back the turn of Baidu's maps and then the shift of GCJ-02. The result is WGS 84, what grids and events are in.",
        "先还原百度坐标的偏转，再还原 GCJ-02 偏移，得到网格与事件所用的 WGS 84 坐标。",
    ),
    formula: "(lon, lat) such that bd09(gcj02(lon, lat)) is the given point; found by iterating the shift",
    results: &[
        Meaning::new("lon", Unit::Degrees, "longitude, WGS 84", "WGS 84 经度"),
        Meaning::new("lat", Unit::Degrees, "latitude, WGS 84", "WGS 84 纬度"),
    ],
    undefined: &[Undefined::when("The struct is NULL where lon or lat is.", "lon 或 lat 为 NULL 时结果为 NULL。")],
    cautions: &[
        Words::new(
            "Apply it once, and only to data that is in BD-09: a feed declares its coordinate_system, and its events are WGS 84 \
            already.",
            "只对 BD-09 数据用一次：数据源已声明 coordinate_system，其事件已是 WGS 84。",
        ),
        Words::new(
            "Outside the box around mainland China nothing is shifted; Hong Kong, Macau and Taiwan lie inside the box although \
            their own maps are not shifted.",
            "中国大陆外框之外不做偏移；港澳台地区位于框内，但当地地图本身并无偏移，请勿转换。",
        ),
        Words::new(
            "The shift is published only as code that everybody copies; the result is good to a metre, not to a millimetre.",
            "偏移算法只有流传的代码版本；结果精确到米级，而非毫米。",
        ),
    ],
    example: Example {
        asks: Words::new("How far does the shift move a point in the middle of Shanghai?", "上海市中心一点的偏移有多大？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT round((p).lon, 6) AS lon, round((p).lat, 6) AS lat,
  round(sqrt(power(((p).lon - 121.4737) * 95200, 2) + power(((p).lat - 31.2304) * 110900, 2))) AS metres
FROM (SELECT bd09_to_wgs84(121.4737, 31.2304) AS p) AS shifted",
        shown: 1,
        reads: Words::new(
            "Several grids of a city: whoever mixes systems puts cases into the wrong one.",
            "足以跨越几个单元网格：混用坐标系会把案件放错网格。",
        ),
        picture: None,
    },
    literature: &["Web mapping in China: GCJ-02 on the Krasovsky 1940 ellipsoid; BD-09 turns it once more."],
};
