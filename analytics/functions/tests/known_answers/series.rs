//! EARS and Farrington.

use functions::ears::{self, GUARD, Surge, cumulative, shewhart};
use functions::farrington::{Bound, Setting, Verdict, judge};
use functions::{Reason, quantile};

use super::ledger::Ledger;
use super::reference;

type Series = Vec<Option<f64>>;

fn ears(min_sigma: f64, alpha: f64) -> ears::Setting {
    ears::Setting { min_sigma, threshold: quantile(1.0 - alpha) }
}

fn golden_a() -> Series {
    let head = [3, 5, 4, 6, 2, 4, 5, 3, 4, 6, 5, 4, 9, 12, 15, 4, 3];
    head.into_iter().chain([0; 9]).chain([2, 5, 1, 0]).map(|y| Some(f64::from(y))).collect()
}

/// Golden B, and D where it is over-dispersed.
fn golden_b(overdispersed: bool) -> Series {
    let y = |t: i32| {
        let outbreak = [(120, 14), (121, 9), (300, 6), (301, 15), (302, 11)].into_iter().find(|(week, _)| *week == t).map_or(0, |o| o.1);
        let extra = if overdispersed { 12 * i32::from(53 * t % 17 == 0) + 7 * i32::from(29 * t % 13 == 0) } else { 0 };
        2 + ((t % 52) - 26).abs() / 4 + ((37 * t) % 11) / 2 + t / 100 + outbreak + extra
    };
    (1..=320).map(|t| Some(f64::from(y(t)))).collect()
}

type Chart = [Result<Surge, Reason>];

fn read(surges: &Chart, from: usize, expected: &[f64], part: fn(Surge) -> f64) -> Vec<(f64, f64)> {
    (from..).zip(expected).map(|(t, expected)| (part(surges[t - 1].unwrap()), *expected)).collect()
}

fn alarms(surges: &Chart, weeks: std::ops::RangeInclusive<usize>) -> Vec<usize> {
    weeks.filter(|t| surges[t - 1].is_ok_and(|surge| surge.alarm)).collect()
}

pub(crate) fn goldens(ledger: &mut Ledger) {
    a(ledger);
    b(ledger);
    flexible(ledger);
}

fn a(ledger: &mut Ledger) {
    const GOLDEN: &str = "golden A: thirty bins";
    let y = golden_a();
    let upper = [8.299793, 8.299793, 7.989473, 8.908784, 8.299793, 7.444329, 11.174373, 16.144995];
    let c1 = shewhart(&y, 0, ears(0.0, 0.001));
    ledger.absolute(GOLDEN, "ears_c1 upper", 5e-7, &read(&c1, 8, &upper, |s| s.upper));
    let c3 = cumulative(&y, ears(0.5, 0.025));
    let score = [0.380585, 2.151205, 6.992141, 16.824632, 14.673427, 9.832491, 0.0];
    ledger.absolute(GOLDEN, "ears_c3 score", 5e-7, &read(&c3, 12, &score, |s| s.score.unwrap()));
    ledger.absolute(GOLDEN, "ears_c3 score at the end", 5e-12, &read(&c3, 27, &[3.0, 12.0, 13.0, 10.0], |s| s.score.unwrap()));
    let got = [
        alarms(&c1, 1..=30),
        alarms(&shewhart(&y, GUARD, ears(0.5, 0.001)), 1..=30),
        alarms(&shewhart(&y, GUARD, ears(0.0, 0.001)), 1..=30),
        alarms(&c3, 1..=30),
    ];
    let c2 = vec![13, 14, 15, 27, 28];
    let expected = [vec![13, 14, 27, 28], c2.clone(), [c2, vec![29]].concat(), vec![13, 14, 15, 16, 17, 27, 28, 29, 30]];
    ledger.same(GOLDEN, "ears_c1, c2 (floor 0.5 and 0), c3 alarms", &got, &expected);
}

fn b(ledger: &mut Ledger) {
    const GOLDEN: &str = "golden B: 320 weeks";
    let y = golden_b(false);
    let head: Vec<f64> = y[..10].iter().flatten().copied().collect();
    ledger.same(GOLDEN, "the series itself", &head, &[10.0, 12.0, 7.0, 9.0, 11.0, 8.0, 9.0, 11.0, 7.0, 9.0]);
    ledger.absolute(GOLDEN, "the sum of the series", 0.0, &[(y.iter().flatten().sum(), 2725.0)]);
    let c1 = shewhart(&y, 0, ears(0.5, 0.001));
    let upper = [14.30556, 13.32259, 13.64197, 13.64197, 14.55428, 17.91260, 31.58707, 37.39886, 37.22868, 35.65299];
    ledger.absolute(GOLDEN, "ears_c1 upper", 5e-6, &read(&c1, 296, &upper, |s| s.upper));
    let c2 = shewhart(&y, GUARD, ears(0.5, 0.001));
    let upper = [12.03688, 14.44842, 14.30556, 13.32259, 13.64197, 13.64197, 14.55428, 17.91260, 31.58707, 37.39886];
    ledger.absolute(GOLDEN, "ears_c2 upper", 1e-5, &read(&c2, 296, &upper, |s| s.upper));
    let c3 = cumulative(&y, ears(0.5, 0.025));
    let score = [1.6814, 0.2784, 0.2784, 0.7046, 2.9909, 11.3022, 17.6861, 15.3997, 7.0884, 0.0];
    ledger.absolute(GOLDEN, "ears_c3 score", 5e-5, &read(&c3, 296, &score, |s| s.score.unwrap()));
    let got = [alarms(&c1, 296..=305), alarms(&c2, 296..=305), alarms(&c3, 296..=305)];
    ledger.same(GOLDEN, "ears_c1, c2, c3 alarms", &got, &[vec![301], vec![300, 301, 302], vec![300, 301, 302, 303, 304]]);
}

fn weekly(years: usize, periods: usize, alpha: f64, bound: Bound, trend_threshold: f64) -> Setting {
    Setting { frequency: 52, years, half_window: 3, periods, excluded: 26, alpha, bound, trend_threshold, min_cases: 5.0 }
}

/// Ten weeks from 296 on.
fn ten(y: &Series, setting: &Setting, part: fn(Verdict) -> f64, expected: [f64; 10]) -> Vec<(f64, f64)> {
    (296..).zip(expected).map(|(week, expected)| (part(judge(y, week - 1, setting).unwrap()), expected)).collect()
}

fn flagged(y: &Series, setting: &Setting) -> Vec<usize> {
    (296..=305).filter(|week| judge(y, week - 1, setting).unwrap().alarm).collect()
}

fn flexible(ledger: &mut Ledger) {
    const C: &str = "golden C: series B, surveillance 1.20.3";
    let y = golden_b(false);
    let with = |bound| weekly(4, 10, 0.05, bound, 0.05);
    let mean = [8.546293, 8.443946, 9.070585, 9.322858, 9.294158, 10.141890, 9.906225, 10.182980, 10.909400, 10.864220];
    ledger.relative(C, "farrington expected", 1e-4, &ten(&y, &with(Bound::Delta), |v| v.expected, mean));
    let delta = [13.790920, 13.659650, 14.461660, 14.783410, 14.746930, 15.818920, 15.522290, 15.871010, 16.783280, 16.727450];
    ledger.relative(C, "farrington upper, delta", 1e-4, &ten(&y, &with(Bound::Delta), |v| v.upper, delta));
    let plug_in = [14.0, 13.0, 14.0, 15.0, 15.0, 16.0, 15.0, 16.0, 17.0, 17.0];
    ledger.absolute(C, "farrington upper, nb_plugin", 0.0, &ten(&y, &with(Bound::NbPlugin), |v| v.upper, plug_in));
    let muan = [14.0, 14.0, 15.0, 15.0, 15.0, 16.0, 16.0, 16.0, 17.0, 17.0];
    ledger.absolute(C, "farrington upper, muan", 0.0, &ten(&y, &with(Bound::Muan), |v| v.upper, muan));
    ledger.absolute(C, "farrington dispersion", 0.0, &ten(&y, &with(Bound::Delta), |v| v.dispersion, [1.0; 10]));
    ledger.absolute(C, "farrington trend kept", 0.0, &ten(&y, &with(Bound::Delta), |v| f64::from(u8::from(v.trend)), [1.0; 10]));
    let plain = weekly(5, 1, 0.05, Bound::Delta, 0.0);
    let mean = [7.2, 7.285714, 7.857143, 7.942857, 8.171429, 8.771429, 8.6, 9.028571, 9.457143, 9.428571];
    ledger.relative(C, "farrington expected, one level", 1e-4, &ten(&y, &plain, |v| v.expected, mean));
    let delta = [12.043500, 12.154670, 12.897290, 13.009140, 13.302740, 14.072910, 13.853680, 14.400650, 14.946490, 14.910250];
    ledger.relative(C, "farrington upper, one level", 1e-4, &ten(&y, &plain, |v| v.upper, delta));
    ledger.same(C, "farrington alarms", &[flagged(&y, &with(Bound::Delta)), flagged(&y, &plain)], &[vec![301, 302], vec![300, 301, 302]]);

    const D: &str = "golden D: over-dispersed, surveillance 1.20.3";
    let y = golden_b(true);
    ledger.absolute(D, "the sum of the series", 0.0, &[(y.iter().flatten().sum(), 3109.0)]);
    let with = |bound| weekly(4, 10, 0.01, bound, 0.05);
    let mean = [8.992661, 9.083456, 9.639606, 10.009150, 9.962647, 10.548140, 10.736800, 9.866113, 10.328750, 9.744240];
    ledger.relative(D, "farrington expected", 1e-4, &ten(&y, &with(Bound::Delta), |v| v.expected, mean));
    let phi = [1.161696, 1.170095, 1.149215, 1.030694, 1.098850, 1.0, 1.142622, 1.193022, 1.030369, 1.141270];
    ledger.relative(D, "farrington dispersion", 1e-4, &ten(&y, &with(Bound::Delta), |v| v.dispersion, phi));
    let delta = [17.510330, 17.673920, 18.374820, 18.377380, 18.611690, 18.976040, 19.877870, 18.876130, 18.816150, 18.473300];
    ledger.relative(D, "farrington upper, delta", 1e-4, &ten(&y, &with(Bound::Delta), |v| v.upper, delta));
    let plug_in = [17.0, 18.0, 18.0, 18.0, 18.0, 19.0, 20.0, 19.0, 19.0, 18.0];
    ledger.absolute(D, "farrington upper, nb_plugin", 0.0, &ten(&y, &with(Bound::NbPlugin), |v| v.upper, plug_in));
    let muan = [18.0, 19.0, 19.0, 19.0, 19.0, 20.0, 21.0, 20.0, 20.0, 19.0];
    ledger.absolute(D, "farrington upper, muan", 0.0, &ten(&y, &with(Bound::Muan), |v| v.upper, muan));
    let kept = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0];
    ledger.absolute(D, "farrington trend kept", 0.0, &ten(&y, &with(Bound::Delta), |v| f64::from(u8::from(v.trend)), kept));
    ledger.same(D, "farrington alarms", &flagged(&y, &with(Bound::Delta)), &[301, 302]);
}

/// A column of the reference where it has a value: (week from 0, value).
fn expected(column: &str) -> Vec<(usize, f64)> {
    let table = reference::read("farrington/salmonella_agona_expected.csv").unwrap();
    let weeks = table.numbers("index").into_iter().map(|week| week as usize - 1);
    weeks.zip(table.numbers(column)).filter(|(_, value)| !value.is_nan()).collect()
}

pub(crate) fn references(ledger: &mut Ledger) {
    const AGONA: &str = "farrington/salmonella_agona, surveillance 1.20.3";
    let Some(table) = reference::read("farrington/salmonella_agona_weekly.csv") else { return };
    let y: Series = table.numbers("observed").into_iter().map(Some).collect();
    for (bound, alarm, what, guard) in
        [("ears_c1_ub", "ears_c1_alarm", "ears_c1 upper", 0), ("ears_c2_ub", "ears_c2_alarm", "ears_c2 upper", GUARD)]
    {
        let surges = shewhart(&y, guard, ears(0.0, 0.001));
        let pairs: Vec<_> = expected(bound).into_iter().map(|(week, upper)| (surges[week].unwrap().upper, upper)).collect();
        ledger.absolute(AGONA, what, 1e-9, &pairs);
        let (got, wanted): (Vec<bool>, Vec<bool>) =
            expected(alarm).into_iter().map(|(week, alarm)| (surges[week].unwrap().alarm, alarm == 1.0)).unzip();
        ledger.same(AGONA, "ears_c1, c2 alarms", &got, &wanted);
    }
    let nb = Setting { years: 3, alpha: 0.01, ..weekly(3, 10, 0.01, Bound::NbPlugin, 1.0) };
    let delta = Setting { excluded: 3, ..weekly(3, 1, 0.01, Bound::Delta, 0.05) };
    let judged = |column: &str, setting: &Setting, part: fn(Verdict) -> f64| {
        expected(column).into_iter().filter_map(|(week, value)| Some((part(judge(&y, week, setting).ok()?), value))).collect::<Vec<_>>()
    };
    ledger.relative(AGONA, "farrington expected, ten levels", 1e-4, &judged("flexible_nb_expected", &nb, |v| v.expected));
    ledger.relative(AGONA, "farrington upper, ten levels", 1e-4, &judged("flexible_nb_ub", &nb, |v| v.upper));
    ledger.relative(AGONA, "farrington upper, one level", 1e-4, &judged("flexible_delta_ub", &delta, |v| v.upper));
    for (column, setting) in [("flexible_nb_alarm", nb), ("flexible_delta_alarm", delta)] {
        let got: Vec<bool> = expected(column).iter().map(|(week, _)| judge(&y, *week, &setting).is_ok_and(|v| v.alarm)).collect();
        let wanted: Vec<bool> = expected(column).iter().map(|(_, alarm)| *alarm == 1.0).collect();
        ledger.same(AGONA, "farrington alarms", &got, &wanted);
    }
    golden_e(ledger, &y);
    inputs(ledger);
}

fn golden_e(ledger: &mut Ledger, y: &Series) {
    const E: &str = "golden E: salmonella agona, the manual";
    let setting = weekly(4, 10, 0.1, Bound::Delta, 1.0);
    let printed = [
        (282, 3.652629, 1.380939, 1.549396),
        (283, 3.692198, 1.437270, 1.483186),
        (284, 4.121130, 1.723899, 1.438454),
        (297, 8.483078, 4.640546, 1.500370),
        (312, 6.192156, 3.204258, 1.272890),
    ];
    for (week, upper, mean, dispersion) in printed {
        let verdict = judge(y, week - 1, &setting).unwrap();
        let pairs = [(verdict.upper, upper), (verdict.expected, mean), (verdict.dispersion, dispersion)];
        ledger.relative(E, "farrington upper, expected, dispersion", 1e-4, &pairs);
    }
    let got: Vec<usize> = (282..=312).filter(|week| judge(y, week - 1, &setting).is_ok_and(|v| v.alarm)).collect();
    ledger.same(E, "farrington alarms", &got, &[283, 284, 285, 288, 294, 295]);
}

/// Two files hold no answers: every week of every region is judged or has one of the reasons a week may have.
fn inputs(ledger: &mut Ledger) {
    for (file, regions) in [("berlin_hepatitisA_12districts_weekly.csv", 12), ("salmonella_newport_16states_weekly.csv", 16)] {
        let table = reference::read(&format!("farrington/{file}")).unwrap();
        let names: Vec<String> = table.names().into_iter().filter(|name| name != "index").collect();
        let unanswered = names.iter().map(|name| {
            let y: Series = table.numbers(name).into_iter().map(Some).collect();
            let verdicts = (0..y.len()).map(|week| judge(&y, week, &weekly(3, 10, 0.01, Bound::NbPlugin, 0.05)));
            verdicts.filter(|verdict| verdict.is_err_and(|reason| !matches!(reason, Reason::ShortHistory | Reason::TooFewCases))).count()
        });
        let unanswered: Vec<usize> = unanswered.collect();
        ledger.same("farrington/ inputs without answers", "farrington weeks without verdict", &unanswered, &vec![0; regions]);
    }
}
