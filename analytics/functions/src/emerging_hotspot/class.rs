//! The 17 classes of emerging hot spots: pure decisions on a history of hot and cold steps.

use crate::Reason;
use crate::mann_kendall::trend;
use crate::normal::two_sided_p;

/// Significance of a step (q) and of the trend (p), two-sided.
pub const ALPHA: f64 = 0.05;

/// The fewest steps a class is given for.
pub const STEPS_MIN: usize = 10;

/// What a grid is called, and how often it was hot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Class {
    /// One of [`CLASSES`].
    pub name: &'static str,
    /// Hot steps / steps.
    pub share_hot: f64,
}

/// All classes: eight hot, eight cold, none.
pub const CLASSES: [&str; 17] = [
    "new_hot",
    "consecutive_hot",
    "intensifying_hot",
    "persistent_hot",
    "diminishing_hot",
    "sporadic_hot",
    "oscillating_hot",
    "historical_hot",
    "new_cold",
    "consecutive_cold",
    "intensifying_cold",
    "persistent_cold",
    "diminishing_cold",
    "sporadic_cold",
    "oscillating_cold",
    "historical_cold",
    "none",
];

/// Places of the hot names in [`CLASSES`]; the cold one stands eight later.
#[derive(Clone, Copy)]
enum Shape {
    New,
    Consecutive,
    Intensifying,
    Persistent,
    Diminishing,
    Sporadic,
    Oscillating,
    Historical,
}

/// The class of a grid from (z, q) of its steps in order of time.
pub fn classify(steps: &[(f64, f64)]) -> Result<Class, Reason> {
    if steps.len() < STEPS_MIN {
        return Err(Reason::ShortHistory);
    }
    let sides: Vec<i8> = steps.iter().map(|(z, q)| side(*z, *q)).collect();
    let hot = count(&sides, 1);
    let named = |shape: Shape, cold: usize| CLASSES[shape as usize + cold];
    let name = match *sides.last().expect("there are at least ten steps") {
        1 => named(final_hot(&sides, trend_of(steps, 1.0)), 0),
        -1 => {
            let mirrored: Vec<i8> = sides.iter().map(|s| -s).collect();
            named(final_hot(&mirrored, trend_of(steps, -1.0)), 8)
        }
        _ if mostly(hot, steps.len()) => named(Shape::Historical, 0),
        _ if mostly(count(&sides, -1), steps.len()) => named(Shape::Historical, 8),
        _ => CLASSES[16],
    };
    Ok(Class { name, share_hot: hot as f64 / steps.len() as f64 })
}

fn side(z: f64, q: f64) -> i8 {
    match q < ALPHA {
        true if z > 0.0 => 1,
        true if z < 0.0 => -1,
        _ => 0,
    }
}

fn count(sides: &[i8], side: i8) -> usize {
    sides.iter().filter(|s| **s == side).count()
}

/// At least 90 %, in whole numbers so that 9 of 10 is.
fn mostly(count: usize, steps: usize) -> bool {
    count * 10 >= steps * 9
}

/// +1 or −1 if z rises or falls significantly (for the cold side: gets colder or warmer).
fn trend_of(steps: &[(f64, f64)], sign: f64) -> i8 {
    let z: Vec<f64> = steps.iter().map(|(z, _)| z * sign).collect();
    match trend(&z) {
        Ok(trend) if two_sided_p(trend.z) < ALPHA => trend.z.signum() as i8,
        _ => 0,
    }
}

/// The decision for a history whose final step is hot; first match wins.
fn final_hot(sides: &[i8], trend: i8) -> Shape {
    if mostly(count(sides, 1), sides.len()) {
        return match trend {
            1 => Shape::Intensifying,
            -1 => Shape::Diminishing,
            _ => Shape::Persistent,
        };
    }
    let run = sides.iter().rev().take_while(|s| **s == 1).count();
    let earlier = count(sides, 1) - run;
    match (run, earlier) {
        (1, 0) => Shape::New,
        (2.., 0) => Shape::Consecutive,
        _ if sides.contains(&-1) => Shape::Oscillating,
        _ => Shape::Sporadic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// H hot, C cold, anything else neither; z wanders by `slope` a step.
    fn class(history: &str, slope: f64) -> &'static str {
        let step = |(t, c): (usize, char)| match c {
            'H' => (20.0 + slope * t as f64 + wobble(t), 0.01),
            'C' => (-20.0 + slope * t as f64 + wobble(t), 0.01),
            _ => (slope * t as f64 + wobble(t), 0.6),
        };
        classify(&history.chars().enumerate().map(step).collect::<Vec<_>>()).unwrap().name
    }

    /// No trend of its own over ten steps.
    fn wobble(t: usize) -> f64 {
        if t.is_multiple_of(2) { 0.1 } else { -0.1 }
    }

    /// Worked examples: the histories of the definition.
    #[test]
    fn histories_have_their_class() {
        for (history, slope, expected) in [
            (".........H", 0.0, "new_hot"),
            ("........HH", 0.0, "consecutive_hot"),
            (".H..H....H", 0.0, "sporadic_hot"),
            ("CC..H....H", 0.0, "oscillating_hot"),
            ("CC.......H", 0.0, "new_hot"),
            ("HHHHHHHHH.", 0.0, "historical_hot"),
            ("..HH...H..", 0.0, "none"),
            ("HHHHHHHHHH", 1.0, "intensifying_hot"),
            ("HHHHHHHHHH", 0.0, "persistent_hot"),
            ("HHHHHHHHHH", -1.0, "diminishing_hot"),
            (".HHHHHHHHH", 0.0, "persistent_hot"),
            ("HHHHHHHHHC", 0.0, "new_cold"),
            (".HHH...HHH", 0.0, "sporadic_hot"),
        ] {
            assert_eq!(class(history, slope), expected, "{history} with slope {slope}");
        }
    }

    #[test]
    fn cold_mirrors_hot() {
        for (history, slope) in [(".........H", 0.0), ("HHHHHHHHHH", 1.0), ("HHHHHHHHHH", -1.0), ("CC..H....H", 0.0), ("HHHHHHHHH.", 0.0)] {
            let mirrored: String = history
                .chars()
                .map(|c| {
                    if c == 'H' {
                        'C'
                    } else if c == 'C' {
                        'H'
                    } else {
                        c
                    }
                })
                .collect();
            assert_eq!(class(&mirrored, -slope), class(history, slope).replace("hot", "cold"), "{history}");
        }
    }

    #[test]
    fn nine_steps_are_too_few() {
        assert_eq!(classify(&[(5.0, 0.01); 9]), Err(Reason::ShortHistory));
        assert_eq!(classify(&[(5.0, 0.01); 10]).unwrap().share_hot, 1.0);
    }
}
