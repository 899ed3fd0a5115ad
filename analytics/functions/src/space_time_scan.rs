//! `space_time_scan`: is there a cluster of cases now, where, since when, and how rarely would chance bring one like it?
//!
//! Around each grid, circles take in one neighbour after the other (until `max_share` of all C cases or `max_radius`), each
//! over the last 1, 2, … `max_days` days. With c cases in such a cylinder, and μ = cases of its grids × cases of its days / C
//! expected, its ratio is LLR = c ln(c/μ) + (C−c) ln((C−c)/(C−μ)) if c > μ and c ≥ 2, else 0. Null: the days dealt over the
//! cases at random, grids fixed, so neither a busy grid nor a busy day is a cluster. p_value = (replicates whose highest ratio
//! is at least as high + 1)/(R + 1); p_gumbel reads the tail of a Gumbel distribution with the mean and deviation of the
//! replicates, for p below 1/R; recurrence_interval_days = 1/p_value, for one analysis a day.
//! Rows come best first: the best cylinder of all, then those that share no grid with a better one and beat a replicate.
//!
//! Sources: Kulldorff, Heffernan, Hartman, Assunção and Mostashari (2005), PLoS Medicine 2(3) e59; the SaTScan user guide; Abrams,
//! Kleinman and Kulldorff (2010), International Journal of Health Geographics 9:61, the Gumbel tail.
//!
//! Cautions: give every grid a row, with 0 cases if it has none, or circles pass over it. Cases must be counted alike over
//! the whole period: a feed that starts late, or grids growing unevenly for a year, look like clusters. The newest day must
//! be complete. Days are whole; points in time are cut to days as far apart as those of the first row. Of grids equally far
//! the western, then the southern enters first, as in SaTScan. Rows with a NULL part are left out: missing is not zero.
//! For one scan a day: [`Watch`], which keeps circles and counts from day to day, with the same bits.
//! Worked example: `four_places_on_a_line` in `space_time_scan/clusters.rs`.

mod circles;
mod clusters;
mod documentation;
mod null;
mod thresholds;
mod watch;

pub use circles::{Circles, Limits, MEMBERS_MAX, Metric, Place};
pub use clusters::{CASES_MAX, Cluster, STEPS_MAX, Scan, Study, gumbel_p, log_likelihood_ratio, monte_carlo_p};
pub use watch::{Refused, Watch};

use std::collections::HashMap;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::arguments::{Arguments, integers, numbers, text_lists, texts};
use crate::documentation::Unit;
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};
use crate::recurrence_interval::recurrence_interval;

pub(crate) static FUNCTION: Function = Function {
    name: "space_time_scan",
    source: file!(),
    kind: Kind::Aggregate,
    arguments: &[
        Argument::required("grid_id", Type::Text, "the grid", "网格编号"),
        Argument::required("x", Type::Number, "longitude of its centre, or east in a plane", "中心经度，或平面坐标 x")
            .counted_in(Unit::Place),
        Argument::required("y", Type::Number, "latitude of its centre, or north in a plane", "中心纬度，或平面坐标 y")
            .counted_in(Unit::Place),
        Argument::required("day", Type::Day, "day number, date or begin of the day", "日期（天）").counted_in(Unit::Days),
        Argument::required("cases", Type::Number, "cases of the grid on the day, a whole number", "该网格当日案件数（整数）")
            .counted_in(Unit::Cases),
        Argument::optional("max_days", Type::Integer, DefaultValue::Integer(7), "longest cluster, 1 to 366 days", "聚集最长天数，1 至 366")
            .counted_in(Unit::Days),
        Argument::optional(
            "max_share",
            Type::Number,
            DefaultValue::Number(0.5),
            "largest share of all cases a circle may hold",
            "圆内案件占全部案件的最大比例",
        )
        .counted_in(Unit::Share),
        Argument::optional("replications", Type::Integer, DefaultValue::Integer(999), "replicates, 1 to 999999", "模拟次数，1 至 999999")
            .counted_in(Unit::Rearrangements),
        Argument::optional("seed", Type::Integer, DefaultValue::Integer(1), "seed of the random numbers", "随机数种子"),
        Argument::optional(
            "metric",
            Type::Text,
            DefaultValue::Text("wgs84"),
            "'wgs84': degrees and kilometres, or 'plane'",
            "'wgs84'：经纬度与公里；'plane'：平面坐标",
        ),
        Argument::optional(
            "max_radius",
            Type::Number,
            DefaultValue::Null,
            "largest radius, kilometres or the unit of the plane",
            "最大半径（公里或平面单位）",
        )
        .counted_in(Unit::Radius),
        Argument::optional(
            "as_of",
            Type::Day,
            DefaultValue::Null,
            "the last day; the newest of the rows if NULL",
            "最后一天；缺省为数据最新日",
        )
        .counted_in(Unit::Days),
    ],
    returns: Returns::List(&[
        Output::new("rank", Type::Integer),
        Output::new("center", Type::Text),
        Output::new("grids", Type::Texts),
        Output::new("radius", Type::Number),
        Output::new("start_day", Type::Day),
        Output::new("end_day", Type::Day),
        Output::new("observed", Type::Integer),
        Output::new("expected", Type::Number),
        Output::new("llr", Type::Number),
        Output::new("p_value", Type::Number),
        Output::new("p_gumbel", Type::Number),
        Output::new("recurrence_interval_days", Type::Number),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// The cases of one grid on one day.
struct Row<'a> {
    grid: &'a str,
    x: f64,
    y: f64,
    day: f64,
    cases: f64,
}

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let rows = rows(arguments)?;
    let calendar = Calendar::of(&rows, arguments.day_option(11)?);
    let metric = metric(arguments, &rows)?;
    let grids = grids(&rows)?;
    let study = study(&rows, &grids, &calendar, arguments.integer_option(5, 1..=366)? as usize)?;
    let circles = circles(arguments, &study, metric)?;
    let replications = arguments.integer_option(7, 1..=999_999)? as usize;
    let seed = arguments.integer_option(8, i64::MIN..=i64::MAX)? as u64;
    if circles.size().saturating_mul(study.windows).saturating_mul(replications) > STEPS_MAX {
        return exec_err!("space_time_scan would take more than {STEPS_MAX} steps: take a max_radius, fewer replications or fewer days");
    }
    let scan = Scan::new(&study, &circles);
    let mut clusters = scan.clusters();
    let null = if clusters.is_empty() { Vec::new() } else { scan.null(replications, seed) };
    let p_values: Vec<f64> = clusters.iter().map(|cluster| monte_carlo_p(cluster.llr, &null)).collect();
    let told = p_values.iter().skip(1).take_while(|p| **p < 1.0).count() + 1;
    clusters.truncate(told);
    let name = |place: usize| grids[place].grid;
    arguments.rows_answer(vec![
        integers((1..).zip(&clusters).map(|(rank, _)| Some(rank))),
        texts(clusters.iter().map(|c| Some(name(c.center)))),
        text_lists(clusters.iter().map(|c| scan.places_of(c).iter().map(|place| name(*place as usize)))),
        numbers(clusters.iter().map(|c| Some(c.radius))),
        numbers(clusters.iter().map(|c| Some(calendar.day(calendar.last - c.days as f64 + 1.0)))),
        numbers(clusters.iter().map(|_| Some(calendar.day(calendar.last)))),
        integers(clusters.iter().map(|c| Some(i64::from(c.observed)))),
        numbers(clusters.iter().map(|c| Some(c.expected))),
        numbers(clusters.iter().map(|c| Some(c.llr))),
        numbers(clusters.iter().zip(&p_values).map(|(_, p)| Some(*p))),
        numbers(clusters.iter().map(|c| gumbel_p(c.llr, &null))),
        numbers(clusters.iter().zip(&p_values).map(|(_, p)| recurrence_interval(*p, 1.0))),
    ])
}

/// The rows without a missing part.
fn rows<'a>(arguments: &Arguments<'a>) -> Result<Vec<Row<'a>>> {
    let (grids, days) = (arguments.texts(0)?, arguments.days(3)?);
    let places = arguments.numbers(1)?.iter().zip(arguments.numbers(2)?);
    let counted = places.zip(days).zip(arguments.numbers(4)?).enumerate();
    let whole = counted.filter_map(|(row, (((x, y), day), cases))| {
        let row = Row { grid: grids.get(row)?, x: x?, y: y?, day: day?, cases: cases? };
        [row.x, row.y, row.day, row.cases].iter().all(|part| part.is_finite()).then_some(row)
    });
    Ok(whole.collect())
}

/// Days as whole numbers, and back as the caller counts them: a day that begins at 16:00 UTC stays one.
struct Calendar {
    phase: f64,
    last: f64,
}

/// A tenth of a millisecond: what a time of day loses as a share of a day counted from 1970.
const DAY_ROUNDING: f64 = 1e-9;

impl Calendar {
    fn of(rows: &[Row<'_>], as_of: Option<f64>) -> Self {
        let phase = rows.first().map_or(0.0, |row| row.day - row.day.floor());
        let mut calendar = Self { phase, last: f64::NEG_INFINITY };
        let newest = rows.iter().map(|row| calendar.number(row.day)).fold(f64::NEG_INFINITY, f64::max);
        calendar.last = as_of.map_or(newest, |as_of| calendar.number(as_of));
        calendar
    }

    fn number(&self, day: f64) -> f64 {
        (day - self.phase + DAY_ROUNDING).floor()
    }

    fn day(&self, number: f64) -> f64 {
        number + self.phase
    }
}

fn metric(arguments: &Arguments<'_>, rows: &[Row<'_>]) -> Result<Metric> {
    match arguments.text_option(9)? {
        "plane" => Ok(Metric::Plane),
        "wgs84" => match rows.iter().find(|row| row.x.abs() > 180.0 || row.y.abs() > 90.0) {
            None => Ok(Metric::Wgs84),
            Some(Row { grid, x, y, .. }) => {
                exec_err!("grid {grid} of space_time_scan lies at {x}, {y}, which is no longitude and latitude: give metric => 'plane'")
            }
        },
        other => exec_err!("metric of space_time_scan is '{other}': give 'wgs84' or 'plane'"),
    }
}

/// One row of each grid, from west to east, then south to north: the order in which equally far grids enter a circle.
fn grids<'a, 'r>(rows: &'r [Row<'a>]) -> Result<Vec<&'r Row<'a>>> {
    let mut first: HashMap<&str, &Row<'a>> = HashMap::new();
    for row in rows {
        let known = *first.entry(row.grid).or_insert(row);
        if (known.x, known.y) != (row.x, row.y) {
            return exec_err!(
                "grid {} of space_time_scan lies at {}, {} and at {}, {}: give one centre",
                row.grid,
                known.x,
                known.y,
                row.x,
                row.y
            );
        }
    }
    let mut grids: Vec<&Row<'a>> = first.into_values().collect();
    grids.sort_unstable_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)).then(a.grid.cmp(b.grid)));
    Ok(grids)
}

/// The cases up to the last day, by grid and by days before the last.
fn study(rows: &[Row<'_>], grids: &[&Row<'_>], calendar: &Calendar, windows: usize) -> Result<Study> {
    let places: HashMap<&str, usize> = grids.iter().enumerate().map(|(i, row)| (row.grid, i)).collect();
    let mut study = Study::of(grids.iter().map(|row| Place { x: row.x, y: row.y, cases: 0 }).collect(), windows);
    let mut total = 0.0;
    for row in rows.iter().filter(|row| calendar.number(row.day) <= calendar.last) {
        if row.cases < 0.0 || row.cases.fract() != 0.0 {
            return exec_err!("grid {} of space_time_scan has {} cases: give whole numbers from 0", row.grid, row.cases);
        }
        total += row.cases;
        if total > f64::from(CASES_MAX) {
            return exec_err!("space_time_scan got more than {CASES_MAX} cases: take fewer days or categories");
        }
        let lag = calendar.last - calendar.number(row.day);
        study.add(places[row.grid], lag as usize, row.cases as u32);
    }
    Ok(study)
}

fn circles(arguments: &Arguments<'_>, study: &Study, metric: Metric) -> Result<Circles> {
    let share = arguments.number_option(6)?.unwrap_or(f64::NAN);
    if !(share > 0.0 && share <= 1.0) {
        return exec_err!("max_share of space_time_scan is {share}: give a share above 0, at most 1");
    }
    let radius = arguments.number_option(10)?.unwrap_or(f64::INFINITY);
    if radius.is_nan() || radius < 0.0 {
        return exec_err!("max_radius of space_time_scan is {radius}: give a distance from 0");
    }
    match Circles::around(&study.places, metric, Limits { cases: f64::from(study.total()) * share, radius }) {
        Some(circles) => Ok(circles),
        None => exec_err!("space_time_scan has circles of more than {MEMBERS_MAX} grids together: give a max_radius"),
    }
}
