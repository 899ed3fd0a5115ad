//! Repeated contacts of one key: pure numbers.

/// One contact in its key's history.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contact {
    /// An earlier contact lies within the window.
    pub repeat: bool,
    /// Microseconds since the previous contact; none for the first.
    pub gap: Option<i64>,
    /// 1 for the first contact of the key.
    pub nth: i64,
}

/// Each contact of one key, whatever the order of `at`; none where the time is unknown, and such rows count for nothing.
pub fn contacts(at: &[Option<i64>], within: i64) -> Vec<Option<Contact>> {
    let mut known: Vec<(i64, usize)> = at.iter().enumerate().filter_map(|(row, at)| Some(((*at)?, row))).collect();
    known.sort_unstable();
    let mut results = vec![None; at.len()];
    let mut previous: Option<i64> = None;
    for (nth, (at, row)) in (1..).zip(known) {
        let gap = previous.map(|p| at.saturating_sub(p));
        results[row] = Some(Contact { repeat: gap.is_some_and(|gap| gap <= within), gap, nth });
        previous = Some(at);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked example: days 0, 10, 41 and 41 again, within 30 days.
    #[test]
    fn a_matter_that_comes_back() {
        let contacts = contacts(&[Some(41), Some(0), None, Some(10), Some(41)], 30);
        let of = |row: usize| contacts[row].map(|c| (c.repeat, c.gap, c.nth));
        assert_eq!(of(1), Some((false, None, 1)));
        assert_eq!(of(3), Some((true, Some(10), 2)));
        assert_eq!(of(0), Some((false, Some(31), 3)));
        assert_eq!(of(4), Some((true, Some(0), 4)), "the same moment is a repeat");
        assert_eq!(of(2), None);
    }

    #[test]
    fn the_end_of_the_window_is_inside() {
        assert!(contacts(&[Some(0), Some(30)], 30)[1].unwrap().repeat);
        assert!(!contacts(&[Some(0), Some(31)], 30)[1].unwrap().repeat);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        assert_eq!(contacts(&[Some(i64::MIN), Some(i64::MAX)], i64::MAX)[1].unwrap().gap, Some(i64::MAX));
        assert!(contacts(&[], 30).is_empty());
    }
}
