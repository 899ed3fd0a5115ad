//! `grid_at` in an analyst's words; computed in `analytics/src/session/locating.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Example, Meaning, Undefined, Unit, Words};
use crate::function::{Argument, Kind, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "grid_at",
    source: "analytics/src/session/locating.rs",
    kind: Kind::Scalar,
    arguments: &[
        Argument::required("lon", Type::Number, "longitude, WGS 84", "经度（WGS 84）").counted_in(Unit::Degrees),
        Argument::required("lat", Type::Number, "latitude, WGS 84", "纬度（WGS 84）").counted_in(Unit::Degrees),
    ],
    returns: Returns::One(Type::Text),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("In which grid does a point lie?", "这个点位于哪个网格？"),
    explanation: Words::new(
        "The finest grid whose polygon holds the point: what locating itself uses for events that come with coordinates.",
        "多边形包含该点的最细一级网格；带坐标的事件定位时用的就是它。",
    ),
    formula: "the finest level with a grid g such that (lon, lat) ∈ polygon(g)",
    results: &[Meaning::new("", Unit::None, "grid_id", "网格编号 grid_id")],
    undefined: &[Undefined::when(
        "lon or lat is NULL, or no grid of any level holds the point.",
        "lon 或 lat 为 NULL，或任何一级网格都不包含该点。",
    )],
    cautions: &[
        Words::new(
            "Coordinates must be WGS 84. Points of Chinese maps are often GCJ-02 or BD-09, shifted by 100 to 700 m, several grids: \
            convert them first.",
            "坐标须为 WGS 84。国内地图多为 GCJ-02 或 BD-09，偏移 100–700 米，足以跨几个网格：请先转换。",
        ),
        Words::new(
            "A point on a shared edge belongs to the grid east of it (north of it if the edge is level), so each point has one \
            grid.",
            "落在公共边上的点归东侧网格（水平边归北侧），每个点只有一个网格。",
        ),
        Words::new(
            "It answers by the newest grids; events keep the grid of the version they were located with.",
            "按最新网格作答；事件则保留其定位时版本的网格。",
        ),
    ],
    example: Example {
        asks: Words::new("Do the coordinates of calls lie in the grid the call was located in?", "来电坐标是否落在其定位网格之内？"),
        city: DemoCity::Weeks,
        statement: "\
SELECT located_by, count(*) AS calls, count(*) FILTER (WHERE grid_at(lon, lat) = grid_id) AS same_grid, count(lon) AS with_point
FROM events
WHERE kind = 'hotline_call'
GROUP BY located_by
ORDER BY located_by",
        shown: 5,
        reads: Words::new(
            "Calls located by their point agree with grid_at, of course; those located by address have no point to compare.",
            "按坐标定位的来电自然与 grid_at 一致；按地址定位的没有坐标可比。",
        ),
        picture: None,
    },
    literature: &["OGC 06-103r4, Simple Features (a point in a polygon)."],
};
