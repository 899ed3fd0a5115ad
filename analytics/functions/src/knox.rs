//! `knox`: does one event bring another nearby soon after? Pairs near in space and time against chance.
//!
//! Each pair of events falls into a band of distance [d₍ₖ₋₁₎, dₖ) and of days [t₍ₗ₋₁₎, tₗ), the first from 0; the same place and
//! time is the first cell. Null: the times dealt over the events at random, places fixed. expected = pairs in the distance
//! band × pairs in the day band / all pairs (the exact mean of that null), ratio = pairs / expected,
//! p = (replicates with at least as many + 1) / (R + 1), q = p after Benjamini–Hochberg over the cells.
//!
//! Sources: Knox (1964), Applied Statistics 13; Mantel (1967), Cancer Research 27, the permutation; Ratcliffe's near repeat
//! calculator shifts its bands by one against this.
//!
//! Cautions: x and y are in a plane, in the unit of `distances`: degrees are not. A ratio in many cells at once is a city
//! growing busier, not near repeats. Events with a NULL or infinite part are left out.
//! Worked example: `six_events` in `knox/pairs.rs`.

mod documentation;
mod pairs;

pub use pairs::{Cell, Event, PAIRS_MAX, Refusal, STEPS_MAX, table};

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};

use crate::arguments::{Arguments, integers, numbers};
use crate::documentation::Unit;
use crate::fdr::q_values;
use crate::function::{Argument, DefaultValue, Function, Kind, Output, Returns, Type};

pub(crate) static FUNCTION: Function = Function {
    name: "knox",
    source: file!(),
    kind: Kind::Aggregate,
    arguments: &[
        Argument::required("x", Type::Number, "place in a plane, e.g. metres east", "平面坐标 x（如东向，米）").counted_in(Unit::Plane),
        Argument::required("y", Type::Number, "place in a plane, e.g. metres north", "平面坐标 y（如北向，米）").counted_in(Unit::Plane),
        Argument::required("t", Type::Day, "day number, date or time", "日期或时间（天）").counted_in(Unit::Days),
        Argument::required("distances", Type::Numbers, "ascending upper edges of the distance bands", "距离分段上界（递增）")
            .counted_in(Unit::Plane),
        Argument::required("days", Type::Numbers, "ascending upper edges of the day bands", "天数分段上界（递增）").counted_in(Unit::Days),
        Argument::optional(
            "permutations",
            Type::Integer,
            DefaultValue::Integer(999),
            "rearrangements, 1 to 999999",
            "重排次数，1 至 999999",
        )
        .counted_in(Unit::Rearrangements),
        Argument::optional("seed", Type::Integer, DefaultValue::Integer(1), "seed of the random numbers", "随机数种子"),
    ],
    returns: Returns::List(&[
        Output::new("distance_to", Type::Number),
        Output::new("days_to", Type::Number),
        Output::new("pairs", Type::Integer),
        Output::new("expected", Type::Number),
        Output::new("ratio", Type::Number),
        Output::new("p", Type::Number),
        Output::new("q", Type::Number),
    ]),
    documentation: &documentation::DOCUMENTATION,
    evaluate,
};

/// The most bands of distance or days: a table larger than this is no table.
const BANDS_MAX: usize = 64;

fn evaluate(arguments: &Arguments<'_>) -> Result<ArrayRef> {
    let (x, y, days) = (arguments.numbers(0)?, arguments.numbers(1)?, arguments.days(2)?);
    let parts = x.iter().zip(y).zip(days);
    let whole = parts.filter_map(|((x, y), day)| Some(Event { x: x?, y: y?, day: day? }));
    let events: Vec<Event> = whole.filter(|event| event.x.is_finite() && event.y.is_finite() && event.day.is_finite()).collect();
    let (distance_edges, day_edges) = (edges(arguments, 3)?, edges(arguments, 4)?);
    let replicates = arguments.integer_option(5, 1..=999_999)? as usize;
    let seed = arguments.integer_option(6, i64::MIN..=i64::MAX)? as u64;
    let cells = match table(&events, &distance_edges, &day_edges, replicates, seed) {
        Ok(cells) => cells,
        Err(Refusal::TooManyPairs) => {
            return exec_err!(
                "knox found more than {PAIRS_MAX} pairs nearer than the largest of distances: take smaller distances or fewer events"
            );
        }
        Err(Refusal::TooManySteps) => {
            return exec_err!("knox would take more than {STEPS_MAX} steps: take fewer permutations, smaller distances or fewer events");
        }
    };
    let q = q_values(&cells.iter().map(|cell| cell.p).collect::<Vec<_>>());
    arguments.rows_answer(vec![
        numbers(cells.iter().map(|c| Some(c.distance_to))),
        numbers(cells.iter().map(|c| Some(c.days_to))),
        integers(cells.iter().map(|c| i64::try_from(c.pairs).ok())),
        numbers(cells.iter().map(|c| Some(c.expected))),
        numbers(cells.iter().map(|c| Some(c.pairs as f64 / c.expected))),
        numbers(cells.iter().map(|c| Some(c.p))),
        numbers(q.into_iter().map(Some)),
    ])
}

/// Ascending positive edges; none for a group without rows.
fn edges(arguments: &Arguments<'_>, index: usize) -> Result<Vec<f64>> {
    let Some(edges) = arguments.numbers_option(index)? else { return Ok(Vec::new()) };
    let ascending = edges.windows(2).all(|pair| pair[0] < pair[1]);
    let sound = edges.len() <= BANDS_MAX && ascending && edges.iter().all(|edge| *edge > 0.0 && edge.is_finite());
    if sound && !edges.is_empty() {
        return Ok(edges);
    }
    let name = FUNCTION.arguments[index].name;
    exec_err!("{name} of knox is {edges:?}: give 1 to {BANDS_MAX} ascending numbers above 0, the upper edges of the bands")
}
