//! The zones of the scan: circles around each place that take in one neighbour after the other. Pure numbers.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::parallel;

/// Centers of a task.
const CENTERS: usize = 32;

/// Places below which a second thread costs more than it saves: their distances are sorted in 10 ms.
const PLACES_WORTH_THREADS: usize = 512;

/// The most places of all circles one call keeps (4 bytes each, twice): 512 MiB.
pub const MEMBERS_MAX: usize = 1 << 26;

/// Kilometres, the sphere SaTScan computes on; distances are chords, which differ from arcs by 1 m in 10 km.
const EARTH_RADIUS: f64 = 6367.0;

/// One place and its cases in the whole study period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Longitude, or east in a plane.
    pub x: f64,
    /// Latitude, or north in a plane.
    pub y: f64,
    /// Cases of all days.
    pub cases: u32,
}

/// What x and y are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// Degrees; distances are kilometres.
    Wgs84,
    /// A plane; distances have the unit of x and y.
    Plane,
}

/// How large a circle may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Most cases in it.
    pub cases: f64,
    /// Largest radius; infinite for none.
    pub radius: f64,
}

/// For each place the places of its largest circle, nearest first: the first k of them are its k-th circle.
#[derive(Debug, Clone, PartialEq)]
pub struct Circles {
    metric: Metric,
    ends: Vec<usize>,
    members: Vec<u32>,
}

impl Circles {
    /// The circles around all places; none if they are more than [`MEMBERS_MAX`] places together.
    ///
    /// Of places equally far the one that stands earlier in the list enters first.
    pub fn around(places: &[Place], metric: Metric, limits: Limits) -> Option<Self> {
        let points: Vec<[f64; 3]> = places.iter().map(|place| point(place, metric)).collect();
        let total = AtomicUsize::new(0);
        let task = |by_distance: &mut Vec<u128>, task: usize| {
            let (mut members, mut sizes) = (Vec::new(), Vec::new());
            for center in task * CENTERS..points.len().min((task + 1) * CENTERS) {
                let size = nearest(places, &points, center, limits, by_distance, &mut members);
                sizes.push(size);
                if total.fetch_add(size, Ordering::Relaxed) + size > MEMBERS_MAX {
                    return None;
                }
            }
            Some((members, sizes))
        };
        let tasks = places.len().div_ceil(CENTERS);
        let threads = if places.len() < PLACES_WORTH_THREADS { 1 } else { parallel::cores() };
        let parts: Vec<_> = parallel::each(tasks, threads, Vec::new, task).into_iter().collect::<Option<_>>()?;
        let mut circles = Self { metric, ends: Vec::with_capacity(places.len()), members: Vec::with_capacity(total.into_inner()) };
        for (members, sizes) in parts {
            circles.members.extend(members);
            for size in sizes {
                circles.ends.push(circles.ends.last().unwrap_or(&0) + size);
            }
        }
        Some(circles)
    }

    /// The places of the largest circle around a place, nearest first; none if the place alone has too many cases.
    pub fn of(&self, center: usize) -> &[u32] {
        let start = center.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.members[start..self.ends[center]]
    }

    /// The same circles, each ended before it holds more than `limit` cases: no distance is measured and nothing is sorted, so
    /// circles made once of places without cases serve every day. `places` are those they were made of.
    pub fn cut(&self, places: &[Place], limit: f64) -> Self {
        let mut cut = Self { metric: self.metric, ends: Vec::with_capacity(self.ends.len()), members: Vec::new() };
        for center in 0..self.ends.len() {
            let mut cases = 0.0;
            let fits = |place: &&u32| {
                cases += f64::from(places[**place as usize].cases);
                cases <= limit
            };
            cut.members.extend(self.of(center).iter().take_while(fits));
            cut.ends.push(cut.members.len());
        }
        cut
    }

    /// The radius of the circle of the first `size` places around a place.
    pub fn radius(&self, places: &[Place], center: usize, size: usize) -> f64 {
        let farthest = self.of(center)[..size].last().map_or(center, |place| *place as usize);
        distance(point(&places[center], self.metric), point(&places[farthest], self.metric))
    }

    /// Places of all largest circles.
    pub fn size(&self) -> usize {
        self.members.len()
    }
}

/// Appends the places of the largest circle around a center, nearest first; how many they are.
fn nearest(
    places: &[Place],
    points: &[[f64; 3]],
    center: usize,
    limits: Limits,
    by_distance: &mut Vec<u128>,
    members: &mut Vec<u32>,
) -> usize {
    by_distance.clear();
    let distances = (0_u32..).zip(points).map(|(i, point)| (distance(points[center], *point), i));
    // Distances are not negative, so their bits are ordered as they are: one integer orders by distance, then by place.
    let near = distances.filter(|(distance, _)| *distance <= limits.radius);
    by_distance.extend(near.map(|(distance, i)| u128::from(distance.to_bits()) << 32 | u128::from(i)));
    by_distance.sort_unstable();
    let (mut cases, before) = (0.0, members.len());
    for key in by_distance {
        let place = *key as u32;
        cases += f64::from(places[place as usize].cases);
        if cases > limits.cases {
            break;
        }
        members.push(place);
    }
    members.len() - before
}

fn point(place: &Place, metric: Metric) -> [f64; 3] {
    match metric {
        Metric::Plane => [place.x, place.y, 0.0],
        Metric::Wgs84 => {
            let (lon, lat) = (place.x.to_radians(), place.y.to_radians());
            let ring = EARTH_RADIUS * libm::cos(lat);
            [ring * libm::cos(lon), ring * libm::sin(lon), EARTH_RADIUS * libm::sin(lat)]
        }
    }
}

fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(xs: &[f64]) -> Vec<Place> {
        xs.iter().map(|x| Place { x: *x, y: 0.0, cases: 1 }).collect()
    }

    const ALL: Limits = Limits { cases: f64::INFINITY, radius: f64::INFINITY };

    #[test]
    fn circles_take_the_nearest_first_and_of_equals_the_earlier() {
        let circles = Circles::around(&line(&[0.0, 1.0, 2.0, 10.0]), Metric::Plane, ALL).unwrap();
        assert_eq!([circles.of(0), circles.of(1), circles.of(3)], [&[0, 1, 2, 3], &[1, 0, 2, 3], &[3, 2, 1, 0]]);
        assert_eq!(circles.size(), 16);
    }

    #[test]
    fn circles_end_at_the_radius_and_before_too_many_cases() {
        let mut places = line(&[0.0, 1.0, 2.0, 10.0]);
        places[2].cases = 5;
        let circles = Circles::around(&places, Metric::Plane, Limits { cases: 3.0, radius: 1.0 }).unwrap();
        assert_eq!([circles.of(0), circles.of(1), circles.of(2), circles.of(3)], [&[0, 1][..], &[1, 0], &[], &[3]]);
    }

    #[test]
    fn a_degree_of_latitude_is_111_kilometres() {
        let apart = |metric: Metric, a: (f64, f64), b: (f64, f64)| {
            let places = [a, b].map(|(x, y)| Place { x, y, cases: 0 });
            Circles::around(&places, metric, ALL).unwrap().radius(&places, 0, 2)
        };
        assert!((apart(Metric::Wgs84, (121.0, 24.0), (121.0, 25.0)) - 111.124).abs() < 0.01);
        assert!((apart(Metric::Wgs84, (179.9, 0.0), (-179.9, 0.0)) - 22.225).abs() < 0.01);
        assert_eq!(apart(Metric::Plane, (0.0, 3.0), (4.0, 0.0)), 5.0);
    }
}
