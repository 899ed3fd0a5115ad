//! `why` in an analyst's words; computed in `analytics/src/session/why.rs`.

use super::Elsewhere;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};
use crate::function::{Argument, DefaultValue, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Elsewhere = Elsewhere {
    name: "why",
    source: "analytics/src/session/why.rs",
    kind: Kind::Table,
    arguments: &[
        Argument::required("grid", Type::Text, "grid_id of the grid; '*' is the whole city", "网格编号 grid_id；'*' 为全市"),
        Argument::required("category", Type::Text, "category; '*' is all categories", "类别；'*' 为全部类别"),
        Argument::optional(
            "as_of",
            Type::Instant,
            DefaultValue::Null,
            "instant to explain; NULL is the newest run of each job",
            "要解释的时点；NULL 为各任务最近一次运行",
        ),
    ],
    returns: Returns::List(&[
        Output::new("detector", Type::Text),
        Output::new("period", Type::Text),
        Output::new("measure", Type::Text),
        Output::new("aspect", Type::Text),
        Output::new("part", Type::Text),
        Output::new("name_zh", Type::Text),
        Output::new("name_en", Type::Text),
        Output::new("value", Type::Number),
        Output::new("expected", Type::Number),
        Output::new("contribution", Type::Number),
        Output::new("share", Type::Number),
        Output::new("total", Type::Number),
        Output::new("scale", Type::Number),
        Output::new("text_zh", Type::Text),
        Output::new("text_en", Type::Text),
        Output::new("as_of", Type::Instant),
        Output::new("table_version", Type::Integer),
    ]),
    documentation: &DOCUMENTATION,
};

const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "Why is this grid hot or surging: which neighbours, hours, categories and channels carry it?",
        "这个网格为什么热、为什么激增：由哪些邻格、时段、类别、渠道构成？",
    ),
    explanation: Words::new(
        "Parts what the rows of the jobs hotspots and surges say of a grid and category, whether hot or not. The parts of one detector, \
        period, measure and aspect add up to total: neighbours to the numerator of Gi*, hours, days, categories, channels and grids to \
        events less what is usual. The row of aspect summary says it in two lines, as the duty page does.",
        "把任务 hotspots 与 surges 对某网格、某类别给出的数拆开，无论热不热都能解释。同一任务、时段、口径、角度下各分量之和等于 total：\
        邻格之和为 Gi* 的分子，时段、日期、类别、渠道、网格之和为事件数减去往常值。角度 summary 的一行用两句话说清，值守页面显示的就是它。",
    ),
    formula: "\
neighbour: contribution_j = w_ij (x_j − x̄), Σ_j contribution_j = total, z = total / scale
other aspects: contribution = value − expected, Σ contribution = events − baseline",
    results: &[
        Meaning::new("detector", Unit::None, "job explained: hotspots or surges", "所解释的任务：hotspots 或 surges"),
        Meaning::new("period", Unit::None, "24h, 7d or day", "时段：24h、7d 或 day"),
        Meaning::new("measure", Unit::None, "count or excess, as in the job", "口径：count 或 excess，同任务"),
        Meaning::new(
            "aspect",
            Unit::None,
            "summary, neighbour, grid, category, hour, day, channel, location, lateness or baseline",
            "分解角度：summary、neighbour、grid、category、hour、day、channel、location、lateness 或 baseline",
        ),
        Meaning::new(
            "part",
            Unit::None,
            "what the row is about: a grid_id, an hour of the day; of the summary of surges the day judged",
            "分量：网格编号、一天中的小时等；surges 的 summary 行为所判断的日期",
        ),
        Meaning::new("name_zh", Unit::None, "name of the part, Chinese", "分量名称（中文）"),
        Meaning::new("name_en", Unit::None, "name of the part, English", "分量名称（英文）"),
        Meaning::new(
            "value",
            Unit::Cases,
            "observed events; of a neighbour the value gi_star compares",
            "观测到的事件数；邻格为 gi_star 所比较的值",
        ),
        Meaning::new("expected", Unit::Cases, "usual events, or the mean of the map", "往常的事件数，或全图均值"),
        Meaning::new("contribution", Unit::Cases, "what the part adds to total", "该分量对合计的贡献"),
        Meaning::new("share", Unit::Share, "contribution / total", "贡献占合计的比例"),
        Meaning::new("total", Unit::Cases, "what the contributions of the aspect add up to", "该角度各分量贡献之和"),
        Meaning::new("scale", Unit::Cases, "denominator of Gi*; of aspect neighbour only", "Gi* 的分母，仅 neighbour 有"),
        Meaning::new("text_zh", Unit::None, "the row in words; of aspect summary two lines", "文字说明（中文），summary 为两行"),
        Meaning::new("text_en", Unit::None, "the row in words, English; of aspect summary two lines", "文字说明（英文），summary 为两行"),
        Meaning::new("as_of", Unit::None, "the instant explained", "所解释的时点"),
        Meaning::new("table_version", Unit::None, "version of records it was computed from", "计算所据的 records 表版本"),
    ],
    undefined: &[Undefined::when(
        "expected and contribution where what is usual is not known yet, scale but for neighbours; an unknown grid or category is an error \
        that names those there are.",
        "往常值尚不可知时 expected 与 contribution 为 NULL；非邻格行的 scale 为 NULL。网格或类别不存在时报错并列出现有的。",
    )],
    cautions: &[
        Words::new(
            "A neighbour's contribution can be large while nothing happened in the grid itself: Gi* is about a neighbourhood.",
            "本格可能并无异常，而邻格贡献很大：Gi* 说的是一片，而非一格。",
        ),
        Words::new(
            "Aspects are views of the same excess; adding contributions of two aspects counts it twice.",
            "各角度看的是同一份超出，不同角度的贡献不可相加。",
        ),
        Words::new(
            "The three arguments stand in the statement itself: neither a column nor a parameter can be given.",
            "三个参数须写成文字常量，不能用列或绑定参数。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Which hours carry what the whole city had more, or less, than usual on its newest complete day?",
            "最近一个完整日，全市比往常多（或少）的事件落在哪些小时？",
        ),
        city: DemoCity::Weeks,
        statement: "\
SELECT name_en, round(value, 1) AS events, round(expected, 1) AS usual, round(contribution, 1) AS contribution, round(total, 1) AS total
FROM why('*', '*')
WHERE detector = 'surges' AND aspect = 'hour'
ORDER BY part",
        shown: 30,
        reads: Words::new(
            "The contributions of the hours, and of the half case the baseline adds, are the day's events less its baseline.",
            "各小时的贡献加上基线所添的半件，正是当日事件数减去基线。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["name_en"], value: "contribution", bounds: None, against: Some("0") },
            says: Words::new("What each hour adds to the day's excess.", "每个小时对当日超出的贡献。"),
        }),
    },
    literature: &["Ord, J. K. and Getis, A. (1995). Local spatial autocorrelation statistics. Geographical Analysis 27(4), 286–306."],
};
