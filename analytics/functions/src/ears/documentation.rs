//! What an analyst reads about `ears_c1`, `ears_c2` and `ears_c3`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const C1: Documentation = Documentation {
    question: Words::new("Is there a sudden surge against the last seven bins?", "与最近七个时段相比，是否突然激增？"),
    explanation: Words::new(
        "Compares a bin with the mean of the seven just before it, in their standard deviations. It needs no history and sees a \
        sudden jump at once; a slow rise hides itself, because it enters the baseline.",
        "把当前时段与紧邻其前的七个时段的均值相比，以其标准差为单位。不需要长历史，突增当即可见；缓慢上升会混入基线而被掩盖。",
    ),
    formula: "ȳ, s: mean and standard deviation (n − 1) of y(t−7) … y(t−1);  s at least min_sigma\n\
        score = (y(t) − ȳ) / s,  upper = ȳ + z₁₋α s,  alarm if y(t) > upper",
    results: RESULTS,
    undefined: &[
        Undefined::because(
            Reason::ShortHistory,
            "One of the first 7 bins: there is no full baseline before it.",
            "序列最前面的 7 个时段：之前没有完整基线。",
        ),
        Undefined::because(Reason::MissingValue, "The value of the bin is NULL: missing is not zero.", "该时段数值为 NULL：缺失不等于零。"),
        Undefined::because(Reason::NotFinite, "The value of the bin is NaN or infinite.", "该时段数值为 NaN 或无穷大。"),
        Undefined::because(
            Reason::IncompleteBin,
            "A bin it needs from before is missing or not finite.",
            "所需的前面某个时段缺失或非有限数。",
        ),
        Undefined::because(
            Reason::ZeroVariance,
            "min_sigma is 0 and the baseline does not vary: there is no score. What lies above such a baseline still alarms in C1 \
            and C2.",
            "min_sigma 为 0 且基线毫无波动：没有得分。C1、C2 中高于该基线的数值仍会报警。",
        ),
        Undefined::because(
            Reason::OutOfRange,
            "The baseline is so large that its deviation is no finite number.",
            "基线数值过大，标准差不是有限数。",
        ),
    ],
    cautions: &[
        Words::new(
            "A surge of several days lifts its own baseline: from its second day on C1 goes blind. C2 leaves two bins out against \
            that.",
            "持续数日的激增会抬高自身基线：从第二天起 C1 就看不见了。C2 为此空出两个时段。",
        ),
        Words::new(
            "EARS knows no weekday and no holiday: on daily counts Mondays alarm and Sundays hide. Take weeks, or divide each day \
            by the factor of its weekday first, as jobs.surges does.",
            "EARS 不考虑星期与节假日：直接用日计数，周一易误报、周日易漏报。请用周数据，或先除以星期系数（jobs.surges 即如此）。",
        ),
        Words::new(
            "alpha is nominal. The deviation of seven bins is itself uncertain, so on quiet, independent, normal counts about one \
            bin in seventy alarms at 0.001, not one in a thousand. Require a least count, and fdr over many series.",
            "alpha 只是名义值：七个时段估出的标准差本身就不准，即使平稳、独立、正态，取 0.001 时约每七十个时段也会误报一次，而非千\
            分之一。请另设最少件数，并对众多序列做 fdr。",
        ),
        Words::new(
            "The newest bin must be complete: a day that still runs, or whose reports come late, looks calm.",
            "最新时段必须完整：尚未结束或仍有迟报的一天会显得平静。",
        ),
    ],
    example: Example {
        asks: Words::new("On which days did calls about water on the roads surge over the whole city?", "全市道路积水来电在哪些天激增？"),
        city: DemoCity::Weeks,
        statement: "\
WITH days AS (
  SELECT CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水'
  GROUP BY 1
),
charted AS (
  SELECT day, calls, ears_c1(calls) OVER (ORDER BY day) AS chart
  FROM days
)
SELECT day, calls, round((chart).score, 2) AS score, round((chart).upper, 1) AS upper, (chart).alarm AS alarm, (chart).reason AS reason
FROM charted
ORDER BY day DESC",
        shown: 14,
        reads: Words::new(
            "The bound follows the last week up and down; after a surge it stays high for seven days, and a second surge then would \
            pass unseen.",
            "上限随最近一周起落；激增之后七天内上限居高不下，其间再来一次激增便会漏过。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Series { bars: "calls", lines: &["upper"], marked: Some("alarm") },
            says: Words::new("calls a day, the upper bound, and the days that alarm", "每日来电、上限与报警日"),
        }),
    },
    literature: &["Hutwagner, L., Thompson, W., Seeman, G. M., Treadwell, T. (2003). The bioterrorism preparedness and response Early \
        Aberration Reporting System (EARS). Journal of Urban Health 80 (suppl. 1), i89–i96."],
};

pub(super) const C2: Documentation = Documentation {
    question: Words::new(
        "Is there a surge against the last seven bins, leaving out the two just before?",
        "空出前两个时段，与再之前的七个时段相比，是否激增？",
    ),
    explanation: Words::new(
        "As C1, but the baseline ends two bins before the judged one, so that the first days of a rise do not raise the bar for \
        the next.",
        "与 C1 相同，但基线止于当前时段之前两个时段，使上升的头两天不会抬高门槛。",
    ),
    formula: "ȳ, s: mean and standard deviation (n − 1) of y(t−9) … y(t−3);  s at least min_sigma\n\
        score = (y(t) − ȳ) / s,  upper = ȳ + z₁₋α s,  alarm if y(t) > upper",
    results: RESULTS,
    undefined: &[
        Undefined::because(
            Reason::ShortHistory,
            "One of the first 9 bins: there is no full baseline before it.",
            "序列最前面的 9 个时段：之前没有完整基线。",
        ),
        Undefined::because(Reason::MissingValue, "The value of the bin is NULL: missing is not zero.", "该时段数值为 NULL：缺失不等于零。"),
        Undefined::because(Reason::NotFinite, "The value of the bin is NaN or infinite.", "该时段数值为 NaN 或无穷大。"),
        Undefined::because(
            Reason::IncompleteBin,
            "A bin it needs from before is missing or not finite.",
            "所需的前面某个时段缺失或非有限数。",
        ),
        Undefined::because(
            Reason::ZeroVariance,
            "min_sigma is 0 and the baseline does not vary: there is no score. What lies above such a baseline still alarms in C1 \
            and C2.",
            "min_sigma 为 0 且基线毫无波动：没有得分。C1、C2 中高于该基线的数值仍会报警。",
        ),
        Undefined::because(
            Reason::OutOfRange,
            "The baseline is so large that its deviation is no finite number.",
            "基线数值过大，标准差不是有限数。",
        ),
    ],
    cautions: &[
        Words::new(
            "The guard is two bins: a rise slower than that still enters the baseline. For seasons take farrington.",
            "空档只有两个时段：更慢的上升仍会进入基线。有季节性时请用 farrington。",
        ),
        Words::new(
            "EARS knows no weekday and no holiday: on daily counts Mondays alarm and Sundays hide. Take weeks, or divide each day \
            by the factor of its weekday first, as jobs.surges does.",
            "EARS 不考虑星期与节假日：直接用日计数，周一易误报、周日易漏报。请用周数据，或先除以星期系数（jobs.surges 即如此）。",
        ),
        Words::new(
            "alpha is nominal. The deviation of seven bins is itself uncertain, so on quiet, independent, normal counts about one \
            bin in seventy alarms at 0.001, not one in a thousand. Require a least count, and fdr over many series.",
            "alpha 只是名义值：七个时段估出的标准差本身就不准，即使平稳、独立、正态，取 0.001 时约每七十个时段也会误报一次，而非千\
            分之一。请另设最少件数，并对众多序列做 fdr。",
        ),
        Words::new(
            "The newest bin must be complete: a day that still runs, or whose reports come late, looks calm.",
            "最新时段必须完整：尚未结束或仍有迟报的一天会显得平静。",
        ),
    ],
    example: Example {
        asks: Words::new("On which days did calls about water on the roads surge over the whole city?", "全市道路积水来电在哪些天激增？"),
        city: DemoCity::Weeks,
        statement: "\
WITH days AS (
  SELECT CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水'
  GROUP BY 1
),
charted AS (
  SELECT day, calls, ears_c2(calls) OVER (ORDER BY day) AS chart
  FROM days
)
SELECT day, calls, round((chart).score, 2) AS score, round((chart).upper, 1) AS upper, (chart).alarm AS alarm, (chart).reason AS reason
FROM charted
ORDER BY day DESC",
        shown: 14,
        reads: Words::new(
            "Against C1 the bound comes down two days later and goes up two days later: the second day of a surge is still judged \
            by the calm days.",
            "与 C1 相比，上限晚两天升、也晚两天降：激增的第二天仍按平静日来衡量。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Series { bars: "calls", lines: &["upper"], marked: Some("alarm") },
            says: Words::new("calls a day, the upper bound, and the days that alarm", "每日来电、上限与报警日"),
        }),
    },
    literature: &["Hutwagner, L., Thompson, W., Seeman, G. M., Treadwell, T. (2003). The bioterrorism preparedness and response Early \
        Aberration Reporting System (EARS). Journal of Urban Health 80 (suppl. 1), i89–i96."],
};

pub(super) const C3: Documentation = Documentation {
    question: Words::new("Is there a surge, built up over three bins?", "三个时段累积起来，是否出现激增？"),
    explanation: Words::new(
        "Adds what the C2 scores of this bin and the two before were above 1, and alarms above z₁₋α, 1.96 by default. Finds \
        rises too small for a single day to show.",
        "把当前与前两个时段的 C2 得分超过 1 的部分相加，超过 z₁₋α（默认 1.96）即报警。能发现单日看不出的小幅上升。",
    ),
    formula: "C3(t) = Σ max(0, C2(i) − 1)  (i = t−2 … t)\n\
        upper = ȳ(t) + s(t) · (z₁₋α − Σ max(0, C2(i) − 1))  (i = t−2, t−1; ȳ, s as in C2)\n\
        alarm if C3(t) > z₁₋α",
    results: RESULTS,
    undefined: &[
        Undefined::because(
            Reason::ShortHistory,
            "One of the first 11 bins: there is no full baseline before it.",
            "序列最前面的 11 个时段：之前没有完整基线。",
        ),
        Undefined::because(Reason::MissingValue, "The value of the bin is NULL: missing is not zero.", "该时段数值为 NULL：缺失不等于零。"),
        Undefined::because(Reason::NotFinite, "The value of the bin is NaN or infinite.", "该时段数值为 NaN 或无穷大。"),
        Undefined::because(
            Reason::IncompleteBin,
            "A bin it needs from before is missing or not finite.",
            "所需的前面某个时段缺失或非有限数。",
        ),
        Undefined::because(
            Reason::ZeroVariance,
            "min_sigma is 0 and the baseline does not vary: there is no score. What lies above such a baseline still alarms in C1 \
            and C2.",
            "min_sigma 为 0 且基线毫无波动：没有得分。C1、C2 中高于该基线的数值仍会报警。",
        ),
        Undefined::because(
            Reason::OutOfRange,
            "The baseline is so large that its deviation is no finite number.",
            "基线数值过大，标准差不是有限数。",
        ),
    ],
    cautions: &[
        Words::new(
            "A strong day keeps C3 up for two bins more, even when the counts are back to normal: an alarm is the end of a surge as \
            often as its start.",
            "强烈的一天会使 C3 再高两个时段，即使件数已恢复正常：报警可能是激增的开始，也可能是尾声。",
        ),
        Words::new(
            "Its alpha is 0.025, not 0.001: the threshold is meant for a sum of excesses, not for one normal score.",
            "默认 alpha 为 0.025 而非 0.001：该阈值针对超出部分之和，而不是单个正态得分。",
        ),
        Words::new(
            "Do not check against earsC(method = \"C3\") of R's surveillance (seen in 1.20 and 1.26): it builds the bound on the \
            current count instead of the baseline mean, against its own manual, and alarms a bin late. C1 and C2 of it are right.",
            "不要用 R surveillance 的 earsC(method = \"C3\") 对照（1.20 与 1.26 版均如此）：它以当前计数而非基线均值构造上限，与自\
            身手册不符，报警晚一个时段。其 C1、C2 是正确的。",
        ),
        Words::new(
            "EARS knows no weekday and no holiday: on daily counts Mondays alarm and Sundays hide. Take weeks, or divide each day \
            by the factor of its weekday first, as jobs.surges does.",
            "EARS 不考虑星期与节假日：直接用日计数，周一易误报、周日易漏报。请用周数据，或先除以星期系数（jobs.surges 即如此）。",
        ),
        Words::new(
            "alpha is nominal: on quiet, independent, normal counts about one bin in fifteen alarms (simulated). C3 points where to \
            look; let C2, a least count or fdr over many series decide.",
            "alpha 只是名义值：即使平稳、独立、正态，约每十五个时段也会报警一次（模拟所得）。C3 只提示往哪里看；是否处置应由 C2、最\
            少件数或对众多序列的 fdr 决定。",
        ),
        Words::new(
            "The newest bin must be complete: a day that still runs, or whose reports come late, looks calm.",
            "最新时段必须完整：尚未结束或仍有迟报的一天会显得平静。",
        ),
    ],
    example: Example {
        asks: Words::new("On which days did calls about water on the roads surge over the whole city?", "全市道路积水来电在哪些天激增？"),
        city: DemoCity::Weeks,
        statement: "\
WITH days AS (
  SELECT CAST(called_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day, count(*) AS calls
  FROM hotline_calls
  WHERE category_code = '道路积水'
  GROUP BY 1
),
charted AS (
  SELECT day, calls, ears_c3(calls) OVER (ORDER BY day) AS chart
  FROM days
)
SELECT day, calls, round((chart).score, 2) AS score, round((chart).upper, 1) AS upper, (chart).alarm AS alarm, (chart).reason AS reason
FROM charted
ORDER BY day DESC",
        shown: 14,
        reads: Words::new(
            "The day after the surge still alarms with ordinary counts: its two predecessors carry it. upper is what the day itself \
            may have, given them; below 0 any count alarms.",
            "激增后的日子件数正常也会报警：是前两天累积的结果。upper 是在前两天既定时当天可容许的件数；低于 0 时任何件数都会报警。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Series { bars: "calls", lines: &["upper"], marked: Some("alarm") },
            says: Words::new("calls a day, the upper bound, and the days that alarm", "每日来电、上限与报警日"),
        }),
    },
    literature: &["Hutwagner, L., Thompson, W., Seeman, G. M., Treadwell, T. (2003). The bioterrorism preparedness and response Early \
        Aberration Reporting System (EARS). Journal of Urban Health 80 (suppl. 1), i89–i96."],
};

const RESULTS: &[Meaning] = &[
    Meaning::new(
        "score",
        Unit::None,
        "standard deviations above the baseline; C3: what C2 was above 1, added over three bins",
        "高于基线多少个标准差；C3 为三个时段内 C2 超过 1 的部分之和",
    ),
    Meaning::new("upper", Unit::Cases, "more than this alarms", "超过该值即报警"),
    Meaning::new("alarm", Unit::None, "true if the value is above upper", "数值超过 upper 时为 true"),
    Meaning::new("reason", Unit::None, "why a result is NULL", "结果为 NULL 的原因"),
];
