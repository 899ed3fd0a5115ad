//! A level's extent in equal cells, and for each cell the polygons that may hold a point of it.
//!
//! Built once for a level and asked for every event: a point's cell is found by two multiplications. A polygon none of whose edges comes near
//! a cell holds all of it or nothing of it, which is found out here once instead of for each point.

use std::ops::RangeInclusive;

use super::locate::{Bands, Side};

/// Cells for each polygon, on average: most then lie within one polygon, and 100,000 polygons take some tens of megabytes.
const CELLS_A_POLYGON: usize = 24;
/// Most polygons that are told of a cell.
const CROWD: usize = 12;
/// Most cells that the polygons' boxes may cover, in all the cells there are: building a raster visits each of them.
const COVER_MAX: usize = 8;
/// Most steps that are spent on looking which cells a polygon's edges come near: its edges by the cells of its box.
const STEPS_MAX: usize = 1 << 26;
/// Share of a cell around it that counts as near, for what rounding does to a point between two cells.
const NEAR: f64 = 1e-3;

/// A polygon that may hold points of a cell. Places are bounded by [`super::FEATURES_MAX`], so the highest bit is free.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate(u32);

impl Candidate {
    const WHOLE: u32 = 1 << 31;

    pub(super) const fn place(self) -> u32 {
        self.0 & !Self::WHOLE
    }

    /// Whether it holds every point of the cell.
    pub(super) const fn holds_all(self) -> bool {
        self.0 & Self::WHOLE != 0
    }
}

/// What is known of a point's cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cell<'a> {
    /// This polygon holds all of it, and no other comes near.
    Within(u32),
    /// Only these may hold its points.
    Few(&'a [Candidate]),
    /// More than are told.
    Crowded,
}

/// The same in four bytes, so that the cells of a city stay in the processor's cache: the polygon that holds all of the cell, or where in
/// `few` its candidates stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known(u32);

impl Known {
    const NOTHING: Self = Self(0);
    const CROWDED: Self = Self(Candidate::WHOLE - 1);
}

/// The polygons that may hold the points of each cell.
#[derive(Debug)]
pub(super) struct Raster {
    low: [f64; 2],
    high: [f64; 2],
    cells_a_degree: [f64; 2],
    /// Columns and rows.
    counts: [usize; 2],
    /// Row by row.
    cells: Vec<Known>,
    /// The candidates of cells that have several or an uncertain one, before those of a cell their number; first that of cells without any.
    few: Vec<Candidate>,
}

impl Raster {
    pub(super) fn build(polygons: &[Bands]) -> Self {
        let mut raster = Self::over(polygons);
        let boxes: Vec<_> =
            polygons.iter().map(|polygon| [0, 1].map(|axis| raster.range(axis, polygon.low[axis], polygon.high[axis]))).collect();
        let area = |[columns, rows]: &[RangeInclusive<usize>; 2]| columns.clone().count() * rows.clone().count();
        if boxes.iter().map(area).sum::<usize>() > COVER_MAX * raster.cells.len() {
            raster.counts = [1, 1];
            raster.cells = vec![Known::CROWDED];
            return raster;
        }
        let mut found = Vec::new();
        for (place, (polygon, around)) in (0..).zip(polygons.iter().zip(boxes)) {
            raster.candidates_of(polygon, place, around, &mut found);
        }
        // Stable, so that the candidates of a cell stay in the order of their places.
        found.sort_by_key(|(cell, _)| *cell);
        for of_cell in found.chunk_by(|one, two| one.0 == two.0) {
            let candidates: Vec<Candidate> = of_cell.iter().map(|(_, candidate)| *candidate).collect();
            raster.cells[of_cell[0].0] = raster.known(&candidates);
        }
        raster
    }

    /// A cell of these candidates, which are put down where they are not told in it.
    fn known(&mut self, candidates: &[Candidate]) -> Known {
        if let [one] = candidates
            && one.holds_all()
        {
            return Known(one.0);
        }
        if candidates.len() > CROWD {
            return Known::CROWDED;
        }
        let start = u32::try_from(self.few.len()).expect("candidates are bounded by cells and COVER_MAX");
        self.few.push(Candidate(u32::try_from(candidates.len()).expect("no more than CROWD")));
        self.few.extend(candidates);
        Known(start)
    }

    /// Cells over the extent of the polygons, about as high as wide, without candidates.
    fn over(polygons: &[Bands]) -> Self {
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for polygon in polygons {
            for axis in 0..2 {
                low[axis] = low[axis].min(polygon.low[axis]);
                high[axis] = high[axis].max(polygon.high[axis]);
            }
        }
        let (width, height) = (high[0] - low[0], high[1] - low[1]);
        let most = polygons.len() * CELLS_A_POLYGON;
        let shape = if width > 0.0 && height > 0.0 { width / height } else { 1.0 };
        let columns = whole((number(most) * shape).sqrt()).clamp(1, most.max(1));
        let counts = [columns, (most / columns).max(1)];
        let per = |axis: usize, extent: f64| if extent > 0.0 { number(counts[axis]) / extent } else { 0.0 };
        let cells_a_degree = [per(0, width), per(1, height)];
        Self { low, high, cells_a_degree, counts, cells: vec![Known::NOTHING; counts[0] * counts[1]], few: vec![Candidate(0)] }
    }

    /// The polygon as a candidate of each cell it may hold points of.
    fn candidates_of(&self, polygon: &Bands, place: u32, [columns, rows]: [RangeInclusive<usize>; 2], found: &mut Vec<(usize, Candidate)>) {
        let (west, south, wide) = (*columns.start(), *rows.start(), columns.clone().count());
        let all = wide * rows.clone().count();
        let uncertain = polygon.edges().len().saturating_mul(all) > STEPS_MAX;
        let mut near = vec![uncertain; all];
        for edge in polygon.edges().iter().filter(|_| !uncertain) {
            for row in self.range(1, edge.y, edge.to_y) {
                for column in self.range(0, edge.x.min(edge.to_x), edge.x.max(edge.to_x)) {
                    near[(row - south) * wide + column - west] = true;
                }
            }
        }
        for row in rows {
            for column in columns.clone() {
                let middle = |axis: usize, at: usize| self.low[axis] + (number(at) + 0.5) / self.cells_a_degree[axis];
                let candidate = if near[(row - south) * wide + column - west] {
                    place
                } else if polygon.side(middle(0, column), middle(1, row)) == Side::Inside {
                    place | Candidate::WHOLE
                } else {
                    continue;
                };
                found.push((row * self.counts[0] + column, Candidate(candidate)));
            }
        }
    }

    /// What is known of the cell of a point; no candidate for what lies outside or is no number.
    pub(super) fn at(&self, x: f64, y: f64) -> Cell<'_> {
        let within = |axis: usize, value: f64| self.low[axis] <= value && value <= self.high[axis];
        if !(within(0, x) && within(1, y)) {
            return Cell::Few(&[]);
        }
        let known = self.cells[self.along(1, y, 0.0) * self.counts[0] + self.along(0, x, 0.0)];
        let told = Candidate(known.0);
        if told.holds_all() {
            return Cell::Within(told.place());
        }
        if known == Known::CROWDED {
            return Cell::Crowded;
        }
        let start = known.0 as usize;
        let count = self.few[start].0 as usize;
        Cell::Few(&self.few[start + 1..=start + count])
    }

    /// The columns or rows that come near what lies between two values.
    fn range(&self, axis: usize, from: f64, to: f64) -> RangeInclusive<usize> {
        self.along(axis, from, -NEAR)..=self.along(axis, to, NEAR)
    }

    /// The column or row of a value, moved by so much of a cell.
    fn along(&self, axis: usize, value: f64, by: f64) -> usize {
        whole((value - self.low[axis]) * self.cells_a_degree[axis] + by).min(self.counts[axis] - 1)
    }
}

#[expect(clippy::cast_precision_loss, reason = "cells are counted in millions")]
const fn number(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a cast takes what is below zero for zero, and callers have a bound"
)]
const fn whole(number: f64) -> usize {
    number as usize
}
