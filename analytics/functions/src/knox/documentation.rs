//! What an analyst reads about `knox`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Does an event raise the risk of another nearby soon after?", "一起事件是否会提高附近短期内再次发生的风险？"),
    explanation: Words::new(
        "Counts the pairs of events by how far apart they are in space and in time, and compares each cell of that table with \
        what it would hold if the times were dealt over the places at random. A ratio of 1.5 in the first cell: after an \
        event, half as many again follow nearby soon as chance would bring.",
        "按空间距离与时间间隔统计事件对，再与把时间随机发给各地点时的应有对数相比。首格比值 1.5 表示：一起事件之后，近处短期内\
        再发生的次数是偶然情形的 1.5 倍。",
    ),
    formula: "pairs: #{i < j : d_ij in [d₍ₖ₋₁₎, d₍ₖ₎), |t_i − t_j| in [t₍ₗ₋₁₎, t₍ₗ₎)},  first edges 0\n\
        expected = pairs of the distance band · pairs of the day band / all pairs  (exact mean of the permutation)\n\
        ratio = pairs / expected,  p = (1 + #{permutations with ≥ pairs}) / (R + 1),  q: p after Benjamini and Hochberg over the cells",
    results: &[
        Meaning::new("distance_to", Unit::Plane, "upper edge of the distance band, not included", "距离段上界（不含）"),
        Meaning::new("days_to", Unit::Days, "upper edge of the day band, not included", "天数段上界（不含）"),
        Meaning::new("pairs", Unit::None, "pairs seen", "实际对数"),
        Meaning::new("expected", Unit::None, "pairs expected by chance", "偶然情形的应有对数"),
        Meaning::new("ratio", Unit::None, "pairs / expected", "比值：pairs / expected"),
        Meaning::new("p", Unit::Share, "one-sided: as many or more by chance", "单侧：偶然达到或超过该对数的概率"),
        Meaning::new("q", Unit::Share, "p corrected over the cells of the table", "对表内各格做 FDR 校正后的值"),
    ],
    undefined: &[
        Undefined::when(
            "The list is empty where no row of the group is left. ratio is NULL where nothing is expected: all pairs of the band \
            lie elsewhere.",
            "该组没有可用的行时列表为空。期望为 0（该段没有任何对）时 ratio 为 NULL。",
        ),
        Undefined::when("An event with a NULL or infinite part is left out.", "坐标或时间为 NULL、无穷大的事件不参与计算。"),
    ],
    cautions: &[
        Words::new(
            "x and y lie in a plane and share the unit of distances. Degrees do not: a degree of longitude shrinks toward the \
            poles. Near 31.5° N, lon * 94900 and lat * 110900 are metres.",
            "x、y 须为平面坐标，单位与 distances 一致。经纬度不行：经度一度的长度随纬度变短。北纬 31.5° 附近，lon * 94900、lat * \
            110900 即为米。",
        ),
        Words::new(
            "A place that is always busy adds pairs at every interval and is no near repeat: look for a ratio that falls with the \
            days. Addresses geocoded to one point make the first band of their own.",
            "一直繁忙的地点在任何间隔都会多出事件对，这不是近重复：应看比值是否随天数下降。被定位到同一点的地址会使首段失真。",
        ),
        Words::new(
            "The expected takes space and time as independent. If one part of the city grows during the study period, many cells \
            rise a little at once: take months, not years.",
            "期望假定空间与时间独立。研究期内若某片区增长，许多格子会同时略高：请取数月而非数年。",
        ),
        Words::new(
            "Bands are half-open from 0; Ratcliffe's near repeat calculator shifts its bands by one. The permutation deals times \
            over events; knox of R's surveillance permutes the pairs, another null with similar p.",
            "各段自 0 起左闭右开；Ratcliffe 的近重复计算器各段错开一个单位。此处把时间重新发给事件；R surveillance 的 knox 置换的是\
            事件对，零假设不同，p 相近。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "After a complaint about cooking smoke, do more follow nearby within days?",
            "餐饮油烟投诉之后，近处几天内是否会再来？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH found AS (
  SELECT unnest(knox(lon * 94900, lat * 110900, called_at, distances => [50, 250, 500], days => [1, 3, 7, 14])) AS cell
  FROM hotline_calls
  WHERE category_code = '餐饮油烟' AND called_at >= '2026-10-04T00:00:00+08:00'
)
SELECT (cell).distance_to AS metres_to, (cell).days_to AS days_to, (cell).pairs AS pairs, round((cell).expected, 1) AS expected,
  round((cell).ratio, 3) AS ratio, (cell).p AS p, round((cell).q, 4) AS q
FROM found
ORDER BY metres_to, days_to",
        shown: 12,
        reads: Words::new(
            "Only within 50 m, and fading within days, the ratio stands above 1 with a small q: the same kitchen is reported again. \
            Farther away time and place are unrelated.",
            "只有 50 米内、且几天之内比值高于 1 且 q 很小：是同一家厨房被反复投诉。更远处时间与地点无关。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["metres_to", "days_to"], value: "ratio", bounds: None, against: Some("1") },
            says: Words::new("ratio of each band of metres and days; the line is chance", "各距离段与天数段的比值；竖线为偶然水平"),
        }),
    },
    literature: &[
        "Knox, E. G. (1964). The detection of space-time interactions. Applied Statistics 13(1), 25–30.",
        "Mantel, N. (1967). The detection of disease clustering and a generalized regression approach. Cancer Research 27(2), \
        209–220.",
        "Ratcliffe, J. H., Rengert, G. F. (2008). Near-repeat patterns in Philadelphia shootings. Security Journal 21, 58–76.",
    ],
};
