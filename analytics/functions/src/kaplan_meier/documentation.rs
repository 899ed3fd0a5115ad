//! What an analyst reads about `kaplan_meier`.

use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new(
        "How many are still without event after this long, counting those we still watch?",
        "经过这段时间后，仍未发生事件的比例是多少（含仍在观察者）？",
    ),
    explanation: Words::new(
        "The share that is still waiting after each duration. Cases whose event has not come yet count as long as they were \
        watched, neither as finished nor as gone, so that open cases do not make the closed ones look fast.",
        "给出每个时长之后仍在等待的比例。尚未发生事件的个体按已观察的时长计入，既不当作已完成，也不当作不存在，因此未结案件不会\
        使已结案件显得很快。",
    ),
    formula: "S(t) = Π (n_i − d_i) / n_i  (t_i ≤ t;  n_i at risk, d_i events at t_i)\n\
        low, high = S · exp(∓ 1.96 √Σ d_i / (n_i (n_i − d_i)))  (Greenwood on the log scale, cut at 1)",
    results: &[
        Meaning::new("time", Unit::Time, "a duration at which events happened", "有事件发生的时长"),
        Meaning::new("at_risk", Unit::Cases, "still watched and without event just before", "此前仍在观察且未发生事件者"),
        Meaning::new("events", Unit::Cases, "events at this duration", "该时长发生的事件数"),
        Meaning::new("survival", Unit::Share, "without event after this duration", "该时长之后仍未发生事件的比例"),
        Meaning::new("low", Unit::Share, "lower 95 % bound", "95% 下限"),
        Meaning::new("high", Unit::Share, "upper 95 % bound", "95% 上限"),
    ],
    undefined: &[
        Undefined::when(
            "The list is empty where no event was seen. low and high are NULL at the end of a curve that falls to 0.",
            "没有观察到事件时列表为空。曲线降到 0 时 low、high 为 NULL。",
        ),
        Undefined::when(
            "Rows with a NULL, negative or infinite duration, or a NULL observed, are left out.",
            "duration 为 NULL、负数、无穷大或 observed 为 NULL 的行不参与计算。",
        ),
    ],
    cautions: &[
        Words::new(
            "observed is false for what has not happened yet. Leaving such rows out is the classic mistake: only the quick ones \
            remain.",
            "尚未发生的记 observed = false。把这些行删去是经典错误：剩下的都是快的。",
        ),
        Words::new(
            "Censoring must have nothing to do with the event. Cases voided or merged because they were hopeless are not censored: \
            that is another outcome.",
            "删失须与事件无关。因难办而作废、并单的案件不能当作删失，那是另一种结局。",
        ),
        Words::new(
            "Someone censored at the time of an event still counts as at risk then.",
            "在事件发生时刻被删失者，该时刻仍计入在险数。",
        ),
        Words::new(
            "The far end rests on few: look at at_risk before quoting it. 1 − survival is the share done, if nothing else can end \
            the wait.",
            "曲线末端只由少数个体支撑：引用前先看 at_risk。若无其他结局，1 − survival 即为完成比例。",
        ),
        Words::new(
            "What began before the data do must be left out, or counted from when it was first seen: its waiting is not known.",
            "早于数据起点开始的个体应排除：其等待时长未知。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "How long do cases about street lamps wait to be archived, with those still open counted?",
            "路灯故障从立案到结案要等多久（未结案件一并计入）？",
        ),
        city: DemoCity::Weeks,
        statement: "\
WITH cases AS (
  SELECT case_id, min(at) FILTER (WHERE stage = 'register') AS opened, min(at) FILTER (WHERE stage = 'archive') AS closed
  FROM case_steps
  WHERE category_code = '路灯故障'
  GROUP BY case_id
),
waits AS (
  SELECT ceil((date_part('epoch', coalesce(closed, '2026-10-31T16:00:00Z'::timestamptz)) - date_part('epoch', opened)) / 43200) / 2 AS days,
    closed IS NOT NULL AS closed
  FROM cases
  WHERE opened IS NOT NULL
),
curve AS (
  SELECT unnest(kaplan_meier(duration => days, observed => closed)) AS step
  FROM waits
)
SELECT (step).time AS days, (step).at_risk AS at_risk, (step).events AS events, round((step).survival, 3) AS survival,
  round((step).low, 3) AS low, round((step).high, 3) AS high
FROM curve
ORDER BY days",
        shown: 12,
        reads: Words::new(
            "Half the cases are archived between one and a half and two days, where survival passes 0.5. at_risk tells on how many \
            cases each share rests.",
            "survival 在一天半到两天之间降过 0.5，即一半案件已结案。at_risk 说明每个比例由多少案件支撑。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Stairs { x: "days", y: "survival", low: "low", high: "high" },
            says: Words::new("share of cases still open after so many days, with 95 % bounds", "若干天后仍未结案的比例及 95% 区间"),
        }),
    },
    literature: &[
        "Kaplan, E. L., Meier, P. (1958). Nonparametric estimation from incomplete observations. Journal of the American \
        Statistical Association 53, 457–481.",
        "Greenwood, M. (1926). The natural duration of cancer. Reports on Public Health and Medical Subjects 33. HMSO.",
    ],
};
