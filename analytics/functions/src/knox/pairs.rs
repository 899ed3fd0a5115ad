//! Pairs of events by distance and days, and their permutation test: pure numbers.

use crate::dice::Dice;

/// The most near pairs one call keeps (12 bytes each): beyond, the largest distance is no longer *near*.
pub const PAIRS_MAX: usize = 1 << 25;

/// The most steps of the permutation test: replicates × (near pairs + events), about a minute.
pub const STEPS_MAX: usize = 1 << 35;

/// One event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Where, in the unit of the distances.
    pub x: f64,
    /// Where, in the unit of the distances.
    pub y: f64,
    /// When, in days.
    pub day: f64,
}

/// One band of distance by one band of days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Upper edge of the distance band, not included.
    pub distance_to: f64,
    /// Upper edge of the day band, not included.
    pub days_to: f64,
    /// Pairs seen in both bands.
    pub pairs: u64,
    /// Pairs expected if times were dealt over the events at random; exact, not simulated.
    pub expected: f64,
    /// (replicates with at least as many pairs + 1) / (replicates + 1).
    pub p: f64,
}

/// Two events near in space, and the band of their distance.
struct Near {
    a: u32,
    b: u32,
    band: u32,
}

/// Why a table cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// More than [`PAIRS_MAX`] pairs are near.
    TooManyPairs,
    /// More than [`STEPS_MAX`] steps.
    TooManySteps,
}

/// The Knox table of all bands, rows by distance, then days. Edges ascend and are positive; events are finite.
pub fn table(events: &[Event], distances: &[f64], days: &[f64], replicates: usize, seed: u64) -> Result<Vec<Cell>, Refusal> {
    let near = near_pairs(events, distances)?;
    if (near.len() + events.len()).saturating_mul(replicates) > STEPS_MAX {
        return Err(Refusal::TooManySteps);
    }
    let mut times: Vec<f64> = events.iter().map(|event| event.day).collect();
    let observed = count(&near, &times, distances.len(), days);
    let mut at_least = vec![0_usize; observed.len()];
    let original = times.clone();
    for replicate in 0..replicates {
        times.copy_from_slice(&original);
        Dice::new(seed, replicate as u64).shuffle(&mut times);
        for (exceeded, (simulated, seen)) in at_least.iter_mut().zip(count(&near, &times, distances.len(), days).iter().zip(&observed)) {
            *exceeded += usize::from(simulated >= seen);
        }
    }
    let expected = expected(&near, original, distances.len(), days);
    let cell = |i: usize| Cell {
        distance_to: distances[i / days.len()],
        days_to: days[i % days.len()],
        pairs: observed[i],
        expected: expected[i],
        p: (at_least[i] + 1) as f64 / (replicates + 1) as f64,
    };
    Ok((0..observed.len()).map(cell).collect())
}

/// The band of a value: the first whose upper edge is above it.
fn band(value: f64, edges: &[f64]) -> Option<usize> {
    edges.iter().position(|edge| value < *edge)
}

fn count(near: &[Near], times: &[f64], bands: usize, days: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; bands * days.len()];
    for pair in near {
        if let Some(day) = band((times[pair.a as usize] - times[pair.b as usize]).abs(), days) {
            counts[pair.band as usize * days.len() + day] += 1;
        }
    }
    counts
}

/// Under random dealing each pair of events has each time difference equally often: near in space × near in time / all pairs.
fn expected(near: &[Near], mut times: Vec<f64>, bands: usize, days: &[f64]) -> Vec<f64> {
    let mut in_space = vec![0_u64; bands];
    for pair in near {
        in_space[pair.band as usize] += 1;
    }
    times.sort_unstable_by(f64::total_cmp);
    let below: Vec<u64> = days.iter().map(|edge| pairs_below(&times, *edge)).collect();
    let n = times.len() as f64;
    let all = n * (n - 1.0) / 2.0;
    let in_time = |day: usize| (below[day] - day.checked_sub(1).map_or(0, |before| below[before])) as f64;
    (0..bands * days.len()).map(|i| in_space[i / days.len()] as f64 * in_time(i % days.len()) / all).collect()
}

/// Pairs of sorted times less than `edge` apart.
fn pairs_below(times: &[f64], edge: f64) -> u64 {
    let (mut start, mut pairs) = (0, 0);
    for (i, time) in times.iter().enumerate() {
        while time - times[start] >= edge {
            start += 1;
        }
        pairs += (i - start) as u64;
    }
    pairs
}

/// Squares farther out are taken together, so that each has a next one: doubles that large are farther apart than a side or equal.
const SQUARE_MAX: i64 = 1 << 62;

/// All pairs less than the largest distance apart, found among squares of that side.
fn near_pairs(events: &[Event], distances: &[f64]) -> Result<Vec<Near>, Refusal> {
    let Some(side) = distances.last() else { return Ok(Vec::new()) };
    let number = |x: f64| ((x / side).floor() as i64).clamp(-SQUARE_MAX, SQUARE_MAX);
    let square = |event: &Event| (number(event.x), number(event.y));
    let mut squares: Vec<((i64, i64), u32)> = (0_u32..).zip(events).map(|(i, event)| (square(event), i)).collect();
    squares.sort_unstable();
    let from = |key: (i64, i64)| squares.partition_point(|(square, _)| *square < key);
    let mut near = Vec::new();
    for (i, ((column, row), a)) in squares.iter().enumerate() {
        // Later in the own column of squares up to the row above, then the three squares of the next column.
        let own = i + 1..from((*column, row + 2));
        let next = column + 1;
        let beside = from((next, row - 1))..from((next, row + 2));
        for (_, b) in own.chain(beside).filter_map(|j| squares.get(j)) {
            let (p, q) = (events[*a as usize], events[*b as usize]);
            if let Some(band) = band((p.x - q.x).hypot(p.y - q.y), distances) {
                near.push(Near { a: *a, b: *b, band: band as u32 });
            }
        }
        if near.len() > PAIRS_MAX {
            return Err(Refusal::TooManyPairs);
        }
    }
    Ok(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(list: &[(f64, f64, f64)]) -> Vec<Event> {
        list.iter().map(|(x, y, day)| Event { x: *x, y: *y, day: *day }).collect()
    }

    const SIX: [(f64, f64, f64); 6] =
        [(0.0, 0.0, 0.0), (0.1, 0.0, 1.0), (0.2, 0.0, 2.0), (5.0, 5.0, 1.0), (5.1, 5.0, 9.0), (9.0, 0.0, 4.0)];

    /// Worked example: four pairs are near in space, seven in time, of fifteen; three in both. Of all 720 orders 180 have three.
    #[test]
    fn six_events() {
        let replicates = 40_000;
        let cell = table(&events(&SIX), &[0.5], &[3.0], replicates, 3).unwrap()[0];
        assert_eq!(cell.pairs, 3);
        assert!((cell.expected - 1.866667).abs() < 5e-7);
        let sigma = (0.25 * 0.75 / replicates as f64).sqrt();
        assert!((cell.p - 0.25).abs() < 4.5 * sigma, "p {}", cell.p);
    }

    #[test]
    fn all_orders_of_six_events_have_the_exact_p() {
        let near = near_pairs(&events(&SIX), &[0.5]).unwrap();
        let mut times: Vec<f64> = SIX.iter().map(|e| e.2).collect();
        let (mut total, mut at_least) = (0, 0);
        permute(&mut times, 0, &mut |order| {
            total += 1;
            at_least += usize::from(count(&near, order, 1, &[3.0])[0] >= 3);
        });
        assert_eq!((at_least, total), (180, 720));
    }

    fn permute(items: &mut [f64], start: usize, visit: &mut impl FnMut(&[f64])) {
        if start == items.len() {
            return visit(items);
        }
        for i in start..items.len() {
            items.swap(start, i);
            permute(items, start + 1, visit);
            items.swap(start, i);
        }
    }

    #[test]
    fn bands_hold_their_lower_edge_and_not_their_upper() {
        let cells = table(&events(&[(0.0, 0.0, 0.0), (1.0, 0.0, 2.0)]), &[1.0, 2.0], &[2.0, 3.0], 1, 1).unwrap();
        assert_eq!(cells.iter().map(|c| c.pairs).collect::<Vec<_>>(), [0, 0, 0, 1]);
        let same = table(&events(&[(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]), &[1.0], &[1.0], 1, 1).unwrap();
        assert_eq!(same[0].pairs, 1, "the same place and time is the first cell");
    }

    #[test]
    fn nobody_and_one_alone_have_no_pairs() {
        assert_eq!(table(&[], &[1.0], &[1.0], 9, 1).unwrap()[0].pairs, 0);
        assert_eq!(table(&events(&[(1.0, 1.0, 1.0)]), &[1.0], &[1.0], 9, 1).unwrap()[0].pairs, 0);
    }

    #[test]
    fn too_much_is_refused_before_it_is_done() {
        let crowd = vec![Event { x: 0.0, y: 0.0, day: 0.0 }; 9000];
        assert_eq!(table(&crowd, &[1.0], &[1.0], 1, 1), Err(Refusal::TooManyPairs));
        assert_eq!(table(&crowd[..5000], &[1.0], &[1.0], 999_999, 1), Err(Refusal::TooManySteps));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn all_pairs_taken_one_by_one_agree(list in prop::collection::vec((-20_i32..20, -20_i32..20, 0_i32..30), 0..40)) {
            let list: Vec<_> = list.into_iter().map(|(x, y, t)| (f64::from(x) / 2.0, f64::from(y) / 2.0, f64::from(t))).collect();
            let (distances, days) = ([1.0, 2.5, 4.0], [2.0, 7.0]);
            let mut naive = vec![0; 6];
            for (i, a) in list.iter().enumerate() {
                for b in &list[..i] {
                    let cell = band((a.0 - b.0).hypot(a.1 - b.1), &distances).zip(band((a.2 - b.2).abs(), &days));
                    if let Some((d, t)) = cell {
                        naive[d * 2 + t] += 1;
                    }
                }
            }
            let cells = table(&events(&list), &distances, &days, 1, 1).unwrap();
            prop_assert_eq!(cells.iter().map(|c| c.pairs).collect::<Vec<_>>(), naive);
        }
    }
}
