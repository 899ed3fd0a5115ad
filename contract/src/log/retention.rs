//! Which records retention removes: pure, the same rule for every backend that keeps its own records.
//!
//! Records go oldest first over all partitions of a topic, as long as the oldest is past its age or the topic is over its
//! bytes, and never one at or above `keep_from` of its partition: a partition the lake has not read holds its records.

use super::TopicSpec;

/// What retention needs to know of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its offset.
    pub(super) offset: u64,
    /// When it was appended, microseconds since 1970.
    pub(super) appended_at: i64,
    /// Its bytes as kept.
    pub(super) bytes: u64,
}

/// What a topic may keep at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowance {
    /// Records appended before this go; `None` = none goes by age.
    pub(super) oldest: Option<i64>,
    /// Bytes over the topic's bound.
    pub(super) excess: u64,
}

impl Allowance {
    /// What `spec` allows a topic holding `bytes` at `now_micros`.
    pub(super) fn of(spec: &TopicSpec, now_micros: i64, bytes: u64) -> Self {
        let age = spec.retention_age.map(|age| i64::try_from(age.as_micros()).unwrap_or(i64::MAX));
        Self {
            oldest: age.map(|age| now_micros.saturating_sub(age)),
            excess: spec.retention_bytes.map_or(0, |bytes_max| bytes.saturating_sub(bytes_max)),
        }
    }
}

/// A partition as retention sees it: its records in offset order, and the first one that has to stay.
#[derive(Debug)]
pub(super) struct Candidate<I> {
    /// The partition.
    pub(super) partition: u32,
    /// Its records, oldest first.
    pub(super) heads: I,
    /// Records at or above this offset stay.
    pub(super) keep_from: u64,
}

/// Up to which offset each partition is to be cut, looking at no more than `records_max` records to remove.
///
/// # Errors
/// The first error a partition's records answer with.
pub(super) fn cuts<I, E>(candidates: Vec<Candidate<I>>, mut allowance: Allowance, records_max: usize) -> Result<Vec<(u32, u64)>, E>
where
    I: Iterator<Item = Result<Head, E>>,
{
    let mut streams = Vec::with_capacity(candidates.len());
    for mut candidate in candidates {
        let head = candidate.heads.next().transpose()?;
        streams.push((candidate, head, None));
    }
    for _ in 0..records_max {
        let removable = streams.iter_mut().filter(|(candidate, head, _)| head.is_some_and(|head| head.offset < candidate.keep_from));
        let Some((candidate, head, below)) = removable.min_by_key(|(_, head, _)| head.map(|head| head.appended_at)) else { break };
        let Some(oldest) = *head else { break };
        if allowance.excess == 0 && allowance.oldest.is_none_or(|limit| oldest.appended_at >= limit) {
            break;
        }
        allowance.excess = allowance.excess.saturating_sub(oldest.bytes);
        *below = Some(oldest.offset + 1);
        *head = candidate.heads.next().transpose()?;
    }
    Ok(streams.into_iter().filter_map(|(candidate, _, below)| below.map(|below| (candidate.partition, below))).collect())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn cut(partitions: &[(&[i64], u64)], allowance: Allowance, records_max: usize) -> Vec<(u32, u64)> {
        let candidates = partitions.iter().enumerate().map(|(partition, (times, keep_from))| Candidate {
            partition: u32::try_from(partition).unwrap(),
            heads: times
                .iter()
                .enumerate()
                .map(|(offset, at)| Ok::<_, Infallible>(Head { offset: offset as u64, appended_at: *at, bytes: 10 })),
            keep_from: *keep_from,
        });
        cuts(candidates.collect(), allowance, records_max).unwrap()
    }

    #[test]
    fn the_oldest_records_over_all_partitions_go_first() {
        let excess = Allowance { oldest: None, excess: 25 };
        assert_eq!(cut(&[(&[1, 5, 6], 9), (&[2, 3, 9], 9)], excess, 100), [(0, 1), (1, 2)]);
    }

    #[test]
    fn age_stops_at_the_first_young_record() {
        let aged = Allowance { oldest: Some(5), excess: 0 };
        assert_eq!(cut(&[(&[1, 4, 5, 2], 9)], aged, 100), [(0, 2)]);
    }

    #[test]
    fn a_partition_nobody_has_read_loses_nothing() {
        let all = Allowance { oldest: Some(100), excess: 1000 };
        assert_eq!(cut(&[(&[1, 2], 0), (&[3, 4], 1)], all, 100), [(1, 1)]);
    }

    #[test]
    fn one_round_removes_no_more_than_its_bound() {
        let all = Allowance { oldest: Some(100), excess: 0 };
        assert_eq!(cut(&[(&[1, 2, 3, 4], 9)], all, 3), [(0, 3)]);
    }
}
