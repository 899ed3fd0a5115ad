//! What an analyst reads about `farrington`.

use crate::Reason;
use crate::documentation::{DemoCity, Documentation, Drawing, Example, Meaning, Picture, Undefined, Unit, Words};

pub(super) const DOCUMENTATION: Documentation = Documentation {
    question: Words::new("Is this week above what the same season of past years lets expect?", "本周是否高于往年同期应有的水平？"),
    explanation: Words::new(
        "Fits a model with trend and season to the same weeks of past years and their surroundings, lets past outbreaks count \
        little, leaves the latest half year out, and asks whether this week lies above what the model allows. For weekly \
        counts with some years of history; for days without history take the EARS charts.",
        "以往年同期及其前后各周拟合含趋势与季节的模型，降低历史暴发的权重，排除最近半年，再看本周是否超出模型允许的上限。适用于\
        有数年历史的周计数；没有历史的日计数请用 EARS。",
    ),
    formula: "reference windows: weeks t − 52k ± w, k = 1 … years; they are one level of the season, the stretch between two of them is cut into P − 1 more\n\
        y ~ quasi-Poisson, log μ = level + β t;  φ = max(1, Σ ω (y − μ)² / μ / (n − p))\n\
        past outbreaks: Anscombe residual r > 2.58 → weight ∝ r⁻², one refit;  β kept if its p < trend_threshold and years ≥ 3 and μ₀ ≤ max y\n\
        nb_plugin: upper = quantile₁₋α of NegBin(mean μ₀, variance φ μ₀);  muan: the same at the upper limit of μ₀\n\
        delta: upper = (μ₀^⅔ + z₁₋α √(4/9 μ₀^⅓ (φ + se(μ₀)² / μ₀)))^(3/2)\n\
        score = (y − μ₀) / (upper − μ₀),  alarm if score > 1",
    results: &[
        Meaning::new("expected", Unit::Cases, "μ₀: what past years let expect", "μ₀：按往年应有的件数"),
        Meaning::new("upper", Unit::Cases, "more than this alarms", "超过该值即报警"),
        Meaning::new("score", Unit::None, "1 at the bound, 0 at the expected", "在上限处为 1，在期望处为 0"),
        Meaning::new("alarm", Unit::None, "true if score is above 1", "score 大于 1 时为 true"),
        Meaning::new("dispersion", Unit::None, "φ: variance / mean of the model, at least 1", "φ：模型的方差/均值，至少为 1"),
        Meaning::new("trend", Unit::None, "true if the trend was kept", "是否保留趋势项"),
        Meaning::new("reason", Unit::None, "why a result is NULL", "结果为 NULL 的原因"),
    ],
    undefined: &[
        Undefined::because(
            Reason::ShortHistory,
            "The first years × frequency + half_window weeks: the first reference window is not whole.",
            "序列最前面的 years × frequency + half_window 周：首个参考窗口不完整。",
        ),
        Undefined::because(
            Reason::MissingValue,
            "The value of the week is NULL: missing is not zero. Past NULL weeks are left out of the fit.",
            "该周数值为 NULL：缺失不等于零。历史中的 NULL 周不参与拟合。",
        ),
        Undefined::because(Reason::NotFinite, "The value of the week is NaN or infinite.", "该周数值为 NaN 或无穷大。"),
        Undefined::because(
            Reason::TooFewCases,
            "Fewer than min_cases in the last four weeks: an alarm on one or two cases helps nobody.",
            "最近四周不足 min_cases 件：为一两件报警没有意义。",
        ),
        Undefined::because(
            Reason::ZeroVariance,
            "No reference week had a case: expected and upper are 0, there is no score, and any case alarms.",
            "参考周全部为零：expected 与 upper 为 0，没有得分，出现任何案件即报警。",
        ),
        Undefined::because(
            Reason::NotConverged,
            "The model could not be fitted: too few weeks for its levels.",
            "模型无法拟合：相对于季节水平数，周数太少。",
        ),
        Undefined::because(Reason::OutOfRange, "A count is negative, or so large that no bound exists.", "计数为负，或大到无法给出上限。"),
    ],
    cautions: &[
        Words::new(
            "alpha is for one week of one series. Over many grids and categories take nb_tail with expected and dispersion, and fdr \
            over them.",
            "alpha 针对单个序列的单周。网格、类别众多时，请以 expected 与 dispersion 代入 nb_tail 求 p，再做 fdr。",
        ),
        Words::new(
            "The default keeps the trend only if significant, as the original of 1996. Noufaily et al. keep it always \
            (trend_threshold => 1); at the end of a steep rise the two differ much.",
            "默认只在趋势显著时保留（1996 年原法）。Noufaily 等主张始终保留（trend_threshold => 1）；在陡升末端两者差别很大。",
        ),
        Words::new(
            "nb_plugin takes the expected as known; muan and delta add its error and are wider with few years.",
            "nb_plugin 把期望视为已知；muan 与 delta 计入其误差，年数少时更宽。",
        ),
        Words::new(
            "A year is `frequency` bins, not a calendar year: Spring Festival and other moving feasts fall into another window each \
            year.",
            "一年按 frequency 个时段计，而非公历年：春节等移动节日每年落入不同窗口。",
        ),
        Words::new(
            "excluded keeps a running outbreak out of its own baseline; set below a few weeks the method learns to expect it.",
            "excluded 使正在发生的暴发不进入自身基线；若只排除几周，方法会把它当成常态。",
        ),
        Words::new(
            "A change of coding or a new channel looks like an outbreak for as long as it is younger than a year. The newest week \
            must be complete.",
            "编码变更或新增渠道，一年之内都像一次暴发。最新一周必须完整。",
        ),
    ],
    example: Example {
        asks: Words::new(
            "Which of the last weeks had more calls about water on the roads than the same weeks of three past years let expect?",
            "与前三年同期相比，最近哪些周的道路积水来电偏多？",
        ),
        city: DemoCity::Years,
        statement: "\
WITH weeks AS (
  SELECT weeks.week, count(event_id) AS calls
  FROM (SELECT unnest(generate_series(DATE '2022-11-07', DATE '2026-10-26', INTERVAL '7 days')) AS week) AS weeks
  LEFT JOIN events ON category = '道路积水' AND kind = 'hotline_call'
    AND CAST(date_trunc('week', occurred_at AT TIME ZONE 'Asia/Shanghai') AS DATE) = CAST(weeks.week AS DATE)
  GROUP BY weeks.week
),
judged AS (
  SELECT week, calls, farrington(calls, years => 3, alpha => 0.01) OVER (ORDER BY week) AS f
  FROM weeks
)
SELECT CAST(week AS DATE) AS week, calls, round((f).expected, 2) AS expected, (f).upper AS upper, round((f).score, 2) AS score,
  (f).alarm AS alarm, round((f).dispersion, 2) AS dispersion, (f).trend AS trend, (f).reason AS reason
FROM judged
WHERE week >= DATE '2026-02-02'
ORDER BY week DESC",
        shown: 14,
        reads: Words::new(
            "expected follows the rainy season of past years, so a count that is ordinary in July alarms in January. Weeks with a \
            reason had too few calls to be judged.",
            "expected 随往年雨季起伏，所以七月里平常的件数放在一月就会报警。带 reason 的周来电太少，不作判断。",
        ),
        picture: Some(Picture {
            drawing: Drawing::Series { bars: "calls", lines: &["expected", "upper"], marked: Some("alarm") },
            says: Words::new("calls a week, what is expected, the upper bound, and the weeks that alarm", "每周来电、期望、上限与报警周"),
        }),
    },
    literature: &[
        "Farrington, C. P., Andrews, N. J., Beale, A. D., Catchpole, M. A. (1996). A statistical algorithm for the early \
        detection of outbreaks of infectious disease. Journal of the Royal Statistical Society A 159(3), 547–563.",
        "Noufaily, A., Enki, D. G., Farrington, P., Garthwaite, P., Andrews, N., Charlett, A. (2013). An improved algorithm for \
        outbreak detection in multiple surveillance systems. Statistics in Medicine 32(7), 1206–1222.",
        "Salmon, M., Schumacher, D., Höhle, M. (2016). Monitoring count time series in R: aberration detection in public health \
        surveillance. Journal of Statistical Software 70(10).",
    ],
};
