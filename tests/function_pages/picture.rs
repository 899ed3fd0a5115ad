//! A small picture of an answer as SVG: thin marks in middle tones on no ground, legible on light and on dark paper.

mod charts;
mod map;

use functions::Drawing;

use crate::answer::Answer;

/// Width of every picture.
const WIDTH: f64 = 640.0;
/// Text, axes and outlines.
const INK: &str = "#7d8590";
/// Bars and ordinary marks.
const CALM: &str = "#5b8db8";
/// What is hot, or alarms.
const HOT: &str = "#d1495b";
/// What is cold.
const COLD: &str = "#2f7fb5";
/// Names in order of appearance, and lines over bars.
const COLORS: [&str; 8] = ["#d1495b", "#2f7fb5", "#c98b1b", "#4f9d69", "#8d6cab", "#d9713c", "#3f8f97", "#94884d"];

/// The picture of an answer; `outlines` are the grids of its city.
pub(crate) fn draw(drawing: &Drawing, answer: &Answer, outlines: &[(String, Vec<Vec<[f64; 2]>>)]) -> String {
    let (height, marks) = match *drawing {
        Drawing::Map { grid, value } => map::numbers(&answer.texts(grid), &answer.numbers(value), value, outlines),
        Drawing::Classes { grid, class } => map::names(&answer.texts(grid), &answer.texts(class), class, outlines),
        Drawing::Series { bars, lines, marked } => charts::series(&answer.ascending(), bars, lines, marked),
        Drawing::Lines { x, lines } => charts::lines(answer, x, lines),
        Drawing::Stairs { x, y, low, high } => charts::stairs(answer, x, y, low, high),
        Drawing::Bars { labels, value, bounds, against } => charts::bars(answer, labels, value, bounds, against),
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"12\">\n{marks}</svg>\n"
    )
}

/// A text at a place; `anchor` is `start`, `middle` or `end`.
fn label(x: f64, y: f64, anchor: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{INK}\">{text}</text>\n")
}

fn line(from: (f64, f64), to: (f64, f64), color: &str, width: f64) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

fn rectangle(x: f64, y: f64, width: f64, height: f64, color: &str, opacity: f64) -> String {
    format!(
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{color}\" fill-opacity=\"{opacity:.2}\"/>\n",
        width.max(0.0),
        height.max(0.0)
    )
}

/// Round steps for an axis from `low` to `high`.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|part| part * power).find(|step| *step >= rough).unwrap_or(rough);
    (0..20).map(|place| (low / step).ceil() * step + f64::from(place) * step).take_while(|tick| *tick <= high + step * 1e-9).collect()
}

/// A number without digits nobody reads.
fn short(number: f64) -> String {
    let number = (number * 1e6).round() / 1e6;
    format!("{}", if number == 0.0 { 0.0 } else { number })
}
