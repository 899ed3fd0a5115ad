//! Maps of the city's grids: by a number, or by a name.

use super::{COLD, COLORS, HOT, INK, WIDTH, label, rectangle};

const HEIGHT: f64 = 420.0;
/// Room for the legend.
const LEGEND: f64 = 150.0;

type Outlines = [(String, Vec<Vec<[f64; 2]>>)];

/// Grids by a number: red above 0, blue below, the fuller the farther.
pub(super) fn numbers(grids: &[Option<&str>], values: &[Option<f64>], name: &str, outlines: &Outlines) -> (f64, String) {
    let most = values.iter().flatten().fold(0.0_f64, |most, value| most.max(value.abs())).max(f64::MIN_POSITIVE);
    let fill = |grid: &str| {
        let row = grids.iter().position(|known| *known == Some(grid))?;
        let value = values[row]?;
        Some((if value > 0.0 { HOT } else { COLD }, (value.abs() / most).powf(0.8)))
    };
    let mut marks = polygons(outlines, fill);
    marks += &label(WIDTH - LEGEND + 10.0, 20.0, "start", name);
    let shown = values.iter().flatten().fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    for (place, value) in [shown.1, shown.1 / 2.0, 0.0, shown.0].into_iter().enumerate() {
        let y = 34.0 + 22.0 * place as f64;
        marks += &rectangle(WIDTH - LEGEND + 10.0, y, 16.0, 14.0, if value > 0.0 { HOT } else { COLD }, (value.abs() / most).powf(0.8));
        marks += &label(WIDTH - LEGEND + 34.0, y + 11.0, "start", &format!("{value:.1}"));
    }
    (HEIGHT, marks)
}

/// Grids by a name, in the order in which the names appear; a row may name several grids. Only the first eight names have a color.
pub(super) fn names(grids: &[Option<&str>], classes: &[Option<&str>], name: &str, outlines: &Outlines) -> (f64, String) {
    let mut known: Vec<&str> = Vec::new();
    for class in classes.iter().flatten() {
        if !known.contains(class) && known.len() < COLORS.len() {
            known.push(class);
        }
    }
    let fill = |grid: &str| {
        let row = grids.iter().position(|several| several.is_some_and(|several| several.split(' ').any(|one| one == grid)))?;
        let class = known.iter().position(|class| Some(*class) == classes[row])?;
        // What is called none is pale.
        Some((COLORS[class], if known[class] == "none" { 0.25 } else { 0.8 }))
    };
    let mut marks = polygons(outlines, fill);
    marks += &label(WIDTH - LEGEND + 10.0, 20.0, "start", name);
    for (place, class) in known.iter().enumerate() {
        let y = 34.0 + 22.0 * place as f64;
        marks += &rectangle(WIDTH - LEGEND + 10.0, y, 16.0, 14.0, COLORS[place], if *class == "none" { 0.25 } else { 0.8 });
        marks += &label(WIDTH - LEGEND + 34.0, y + 11.0, "start", class);
    }
    (HEIGHT, marks)
}

/// Every grid's outline, filled where there is something to say.
fn polygons<'a>(outlines: &Outlines, fill: impl Fn(&str) -> Option<(&'a str, f64)>) -> String {
    let points = || outlines.iter().flat_map(|(_, rings)| rings.iter().flatten());
    let bound = |axis: usize, pick: fn(f64, f64) -> f64, from: f64| points().fold(from, |bound, point| pick(bound, point[axis]));
    let (west, east) = (bound(0, f64::min, 180.0), bound(0, f64::max, -180.0));
    let (south, north) = (bound(1, f64::min, 90.0), bound(1, f64::max, -90.0));
    let narrow = ((south + north) / 2.0).to_radians().cos();
    let scale = ((WIDTH - LEGEND - 10.0) / ((east - west) * narrow)).min((HEIGHT - 10.0) / (north - south));
    let at = |point: &[f64; 2]| (5.0 + (point[0] - west) * narrow * scale, 5.0 + (north - point[1]) * scale);
    let mut marks = String::new();
    for (grid, rings) in outlines {
        let mut path = String::new();
        for ring in rings {
            let mut last = String::new();
            for (place, point) in ring.iter().enumerate() {
                let (x, y) = at(point);
                let here = format!("{x:.1} {y:.1}");
                // Bends smaller than a tenth of a pixel are not seen.
                if here != last {
                    path += if place == 0 { "M" } else { "L" };
                    path += &here;
                    last = here;
                }
            }
            path += "Z";
        }
        let (color, opacity) = fill(grid).unwrap_or((INK, 0.05));
        marks += &format!(
            "<path d=\"{path}\" fill=\"{color}\" fill-opacity=\"{opacity:.2}\" stroke=\"{INK}\" stroke-opacity=\"0.6\" stroke-width=\"0.5\"/>\n"
        );
    }
    marks
}
