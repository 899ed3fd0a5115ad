//! What an analyst reads about `wilson`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Between which bounds does the true rate lie?", "真实比率位于哪个区间？"),
    explanation: Words::new(
        "A rate of 9 out of 10 is less sure than one of 900 out of 1,000. Gives the rate and the interval of all true rates \
        that would not be surprised by it. Never leaves 0 to 1, and says something even of 0 out of 10.",
        "10 件中 9 件，远不如 1000 件中 900 件可靠。给出比率以及与之不矛盾的真实比率区间。区间不会超出 0–1，即使 10 件中 0 件也\
        有意义。",
    ),
    formula: "(p + z² / 2n ± z √(p (1 − p) / n + z² / 4n²)) / (1 + z² / n),  p = successes / trials,  n = trials,  z = Φ⁻¹((1 + confidence) / 2)",
    results: &[
        Meaning::new("rate", Unit::Share, "successes / trials", "比率：成功数/总数"),
        Meaning::new("low", Unit::Share, "lower bound", "下限"),
        Meaning::new("high", Unit::Share, "upper bound", "上限"),
    ],
    undefined: &[Undefined::when(
        "All three are NULL without trials, with more successes than trials, with a negative or unknown number, or a confidence \
            outside 0 to 1.",
        "总数为 0、成功数大于总数、数值为负或未知、confidence 不在 0–1 之间时，三项均为 NULL。",
    )],
    cautions: &[
        Words::new(
            "Trials must be independent. Ten calls of one caller are not ten trials: take matters or addresses.",
            "各次须相互独立。同一来电人的十通电话不是十次试验：请按事项或地址计。",
        ),
        Words::new(
            "Cases still open are neither successes nor failures: for \"archived within so many days\" take kaplan_meier, or only \
            cases with full follow-up.",
            "未结案件既非成功也非失败：“若干天内结案”请用 kaplan_meier，或只取随访期满的案件。",
        ),
        Words::new(
            "Intervals that overlap may still differ: the interval is for one rate, not for a difference. Over many units the \
            extremes are mostly the small ones: rank by low, not by rate.",
            "区间重叠仍可能有差异：区间针对单个比率而非差值。单位众多时，两端多是件数少者：排名请用 low 而不是 rate。",
        ),
        Words::new(
            "Say what the denominator is. 应结案 (due) may mean due in the period or closed in it: the rates differ.",
            "务必写明分母。“应结案”可指期内到期，也可含期内结案，两种口径比率不同。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "What share of the cases due in the last week of October was archived in time (按期结案率), by category?",
            "十月最后一周到期的案件，各类别按期结案率是多少？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH cases AS (
  SELECT case_id, category_code, min(deadline_at) AS due, min(at) FILTER (WHERE stage = 'archive') AS closed
  FROM case_steps
  GROUP BY case_id, category_code
),
counted AS (
  SELECT category_code, count(*) AS need_archive, count(*) FILTER (WHERE closed <= due) AS in_time_archive
  FROM cases
  WHERE due >= '2026-10-25T00:00:00+08:00' AND due < '2026-11-01T00:00:00+08:00'
  GROUP BY category_code
),
rated AS (
  SELECT *, wilson(in_time_archive, need_archive) AS w
  FROM counted
)
SELECT category_code, in_time_archive, need_archive, round((w).rate, 3) AS rate, round((w).low, 3) AS low, round((w).high, 3) AS high
FROM rated
ORDER BY low, category_code",
        shown: 14,
        reads: Words::new(
            "Sorted by the lower bound. Where intervals lie apart the categories differ; the many in the middle, from 0.69 to 0.75, \
            can hardly be told from each other.",
            "按下限排序。区间不相交的类别确有差别；中间一批（约 0.69–0.75）彼此难分高下。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Bars { labels: &["category_code"], value: "rate", bounds: Some(("low", "high")), against: None },
            says: Words::new("rate of each category with its 95 % interval", "各类别比率及 95% 区间"),
        }),
    },
    literature: &[
        "Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American \
        Statistical Association 22, 209–212.",
        "Brown, L. D., Cai, T. T., DasGupta, A. (2001). Interval estimation for a binomial proportion. Statistical Science \
        16(2), 101–133.",
    ],
};
