//! Charts: a series with its bounds, lines over a number, a staircase, bars with intervals.

use super::{CALM, COLORS, HOT, INK, WIDTH, label, line, rectangle, short, ticks};
use crate::answer::Answer;

const HEIGHT: f64 = 240.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 26.0;

/// Where a value from `low` to `high` stands between two edges.
fn scaled(value: f64, (low, high): (f64, f64), (from, to): (f64, f64)) -> f64 {
    from + (value - low) / (high - low) * (to - from)
}

fn across(value: f64, range: (f64, f64)) -> f64 {
    scaled(value, range, (LEFT, WIDTH - RIGHT))
}

fn up(value: f64, range: (f64, f64)) -> f64 {
    scaled(value, range, (HEIGHT - BOTTOM, TOP))
}

/// The ticks of the upright axis with a pale line each.
fn upright(range: (f64, f64)) -> String {
    let tick = |value: f64| {
        let y = up(value, range);
        format!(
            "<g opacity=\"0.35\">{}</g>{}",
            line((LEFT, y), (WIDTH - RIGHT, y), INK, 0.5),
            label(LEFT - 6.0, y + 4.0, "end", &short(value))
        )
    };
    ticks(range.0, range.1).into_iter().map(tick).collect()
}

/// A row of colored names above the chart.
fn legend(names: &[(&str, &str)]) -> String {
    let mut x = LEFT;
    let mut marks = String::new();
    for (name, color) in names {
        marks += &rectangle(x, 8.0, 12.0, 10.0, color, 0.9);
        marks += &label(x + 17.0, 17.0, "start", name);
        x += 34.0 + 7.2 * name.len() as f64;
    }
    marks
}

/// The bounds of some numbers, from 0 on.
fn from_zero<'n>(numbers: impl Iterator<Item = &'n f64>) -> (f64, f64) {
    let (low, high) = numbers.fold((0.0_f64, 0.0_f64), |(low, high), number| (low.min(*number), high.max(*number)));
    (low, if high > low { high * 1.05 } else { low + 1.0 })
}

/// A path through the points; a NULL breaks it.
fn path(points: impl Iterator<Item = Option<(f64, f64)>>, color: &str) -> String {
    let mut drawn = String::new();
    let mut pen = false;
    for point in points {
        if let Some((x, y)) = point {
            drawn += &format!("{}{x:.1} {y:.1}", if pen { "L" } else { "M" });
        }
        pen = point.is_some();
    }
    format!("<path d=\"{drawn}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\" stroke-linejoin=\"round\"/>\n")
}

pub(super) fn series(answer: &Answer, bars: &str, lines: &[&str], marked: Option<&str>) -> (f64, String) {
    let counts = answer.numbers(bars);
    let curves: Vec<Vec<Option<f64>>> = lines.iter().map(|name| answer.numbers(name)).collect();
    let range = from_zero(counts.iter().chain(curves.iter().flatten()).flatten().filter(|number| **number >= 0.0));
    let slot = (WIDTH - LEFT - RIGHT) / counts.len() as f64;
    let middle = |place: usize| LEFT + slot * (place as f64 + 0.5);
    let mut marks = upright(range);
    let alarms: Vec<bool> =
        marked.map_or_else(|| vec![false; counts.len()], |name| answer.texts(name).into_iter().map(|text| text == Some("true")).collect());
    for (place, count) in counts.iter().enumerate().filter_map(|(place, count)| Some((place, (*count)?))) {
        let (y, color) = (up(count, range), if alarms[place] { HOT } else { CALM });
        marks +=
            &rectangle(middle(place) - slot * 0.38, y, slot * 0.76, HEIGHT - BOTTOM - y, color, if alarms[place] { 0.95 } else { 0.55 });
    }
    for (curve, color) in curves.iter().zip(&COLORS[2..]) {
        // A bound below 0 is drawn at 0: nothing lies under it.
        let points = curve.iter().enumerate().map(|(place, value)| value.map(|value| (middle(place), up(value.max(0.0), range))));
        marks += &path(points, color);
    }
    let mut names = vec![(bars, CALM)];
    names.extend(lines.iter().copied().zip(COLORS[2..].iter().copied()));
    names.extend(marked.map(|name| (name, HOT)));
    marks += &legend(&names);
    marks += &feet(answer, middle);
    (HEIGHT, marks)
}

/// First, middle and last text of the first column below the chart.
fn feet(answer: &Answer, middle: impl Fn(usize) -> f64) -> String {
    let last = answer.rows.len() - 1;
    let foot = |(place, anchor): (usize, &str)| {
        label(middle(place).clamp(LEFT, WIDTH - RIGHT), HEIGHT - 8.0, anchor, answer.rows[place][0].as_deref().unwrap_or("NULL"))
    };
    [(0, "start"), (last / 2, "middle"), (last, "end")].into_iter().map(foot).collect()
}

pub(super) fn lines(answer: &Answer, x: &str, lines: &[&str]) -> (f64, String) {
    let xs: Vec<f64> = answer.numbers(x).into_iter().map(|x| x.expect("a number to draw over")).collect();
    let curves: Vec<Vec<Option<f64>>> = lines.iter().map(|name| answer.numbers(name)).collect();
    let range = from_zero(curves.iter().flatten().flatten());
    let width = (xs[0], xs[xs.len() - 1]);
    let mut marks = upright(range);
    for (curve, color) in curves.iter().zip(COLORS) {
        let points: Vec<_> = xs.iter().zip(curve).map(|(x, y)| y.map(|y| (across(*x, width), up(y, range)))).collect();
        marks += &path(points.iter().copied(), color);
        for (x, y) in points.into_iter().flatten() {
            marks += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.4\" fill=\"{color}\"/>\n");
        }
    }
    marks += &legend(&lines.iter().copied().zip(COLORS).collect::<Vec<_>>());
    for tick in ticks(width.0, width.1) {
        marks += &label(across(tick, width), HEIGHT - 8.0, "middle", &short(tick));
    }
    marks += &label(WIDTH - RIGHT, HEIGHT - BOTTOM - 6.0, "end", x);
    (HEIGHT, marks)
}

pub(super) fn stairs(answer: &Answer, x: &str, y: &str, low: &str, high: &str) -> (f64, String) {
    let xs: Vec<f64> = answer.numbers(x).into_iter().map(|x| x.expect("a time")).collect();
    let width = (0.0, xs[xs.len() - 1]);
    let range = (0.0, 1.0);
    let steps = |column: &str| {
        let mut points = Vec::new();
        let mut height = 1.0;
        points.push((across(0.0, width), up(height, range)));
        for (x, y) in xs.iter().zip(answer.numbers(column)) {
            points.push((across(*x, width), up(height, range)));
            height = y.unwrap_or(0.0);
            points.push((across(*x, width), up(height, range)));
        }
        points
    };
    let band: Vec<String> = steps(high).into_iter().chain(steps(low).into_iter().rev()).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    let mut marks = upright(range);
    marks += &format!("<path d=\"M{}Z\" fill=\"{CALM}\" fill-opacity=\"0.3\"/>\n", band.join("L"));
    marks += &path(steps(y).into_iter().map(Some), CALM);
    for tick in ticks(width.0, width.1) {
        marks += &label(across(tick, width), HEIGHT - 8.0, "middle", &short(tick));
    }
    marks += &label(WIDTH - RIGHT, HEIGHT - BOTTOM - 6.0, "end", x);
    marks += &legend(&[(y, CALM)]);
    (HEIGHT, marks)
}

/// Height of a bar with its gap.
const BAR: f64 = 19.0;
/// Where bars begin: beside the longest label.
const LABELS: f64 = 112.0;
/// Positive values of more than so many times the smallest are drawn by their logarithm.
const LOGARITHMIC: f64 = 200.0;

pub(super) fn bars(answer: &Answer, labels: &[&str], value: &str, bounds: Option<(&str, &str)>, against: Option<&str>) -> (f64, String) {
    let values: Vec<f64> = answer.numbers(value).into_iter().map(|value| value.unwrap_or(0.0)).collect();
    let ends: Vec<(f64, f64)> = bounds.map_or_else(Vec::new, |(low, high)| {
        answer.numbers(low).into_iter().zip(answer.numbers(high)).map(|(low, high)| (low.unwrap_or(0.0), high.unwrap_or(0.0))).collect()
    });
    let compared: Option<f64> = against.map(|text| text.parse().expect("a number to compare with"));
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    let logarithmic = least > 0.0 && most / least > LOGARITHMIC;
    let measure = |value: f64| if logarithmic { value.log10() } else { value };
    let all =
        values.iter().copied().chain(ends.iter().flat_map(|(low, high)| [*low, *high])).chain(compared).map(measure).collect::<Vec<_>>();
    let range = from_zero(all.iter());
    let at = |value: f64| scaled(measure(value), range, (LABELS, WIDTH - RIGHT - 40.0));
    let height = TOP + BAR * values.len() as f64 + BOTTOM;
    let zero = scaled(0.0, range, (LABELS, WIDTH - RIGHT - 40.0));
    let mut marks = String::new();
    for tick in ticks(range.0, range.1) {
        let x = scaled(tick, range, (LABELS, WIDTH - RIGHT - 40.0));
        marks += &format!("<g opacity=\"0.35\">{}</g>", line((x, TOP - 4.0), (x, height - BOTTOM), INK, 0.5));
        marks += &label(x, height - 8.0, "middle", &if logarithmic { short(10_f64.powf(tick)) } else { short(tick) });
    }
    for (place, number) in values.iter().enumerate() {
        let (y, x) = (TOP + BAR * place as f64, at(*number));
        let name: Vec<&str> = labels.iter().map(|column| answer.texts(column)[place].unwrap_or("NULL")).collect();
        marks += &label(LABELS - 8.0, y + 12.0, "end", &name.join(" · "));
        let beyond = compared.is_some_and(|line| number.abs() > line);
        marks += &rectangle(zero.min(x), y + 2.0, (x - zero).abs(), BAR - 6.0, if beyond { HOT } else { CALM }, 0.7);
        if let Some((low, high)) = ends.get(place) {
            marks += &line((at(*low), y + BAR / 2.0 - 1.0), (at(*high), y + BAR / 2.0 - 1.0), INK, 1.6);
            for end in [low, high] {
                marks += &line((at(*end), y + 4.0), (at(*end), y + BAR - 6.0), INK, 1.6);
            }
        }
    }
    for end in compared.into_iter().flat_map(|line| if range.0 < 0.0 { vec![line, -line] } else { vec![line] }) {
        marks += &line((at(end), TOP - 4.0), (at(end), height - BOTTOM), HOT, 1.2);
    }
    marks += &label(LABELS, 17.0, "start", value);
    (height, marks)
}
