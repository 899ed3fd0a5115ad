//! When a member whose name was taken may come back, and when it must say that another process uses that name.
//!
//! The broker fences the older of two clients with one name, and does not say who the other is. It is ourselves more often than
//! not: a process that hung past its session joins anew while its own old answers are still under way; a broker that died took the
//! answer to a request with it, and the repeat of that request took the name from the first; a supervisor that took us for dead may
//! have started another in our place. So a fence is forgiven, once: two live processes fence each other again at the next sign of
//! life, while a name that was only lost for a while is then ours, or the other's, for good. And it is forgiven each time that we or
//! the broker had been away.

use std::time::{Duration, Instant};

/// A fence this many sessions after one that was forgiven is a new story. Two live processes meet each second or so, and a
/// rebalance between them lasts a session at most.
const QUIET_SESSIONS: u32 = 6;

/// What is remembered of fences and absences.
#[derive(Debug)]
pub(super) struct Fences {
    session: Duration,
    /// When the reading loop was last seen.
    seen: Option<Instant>,
    /// Connections to brokers that were lost so far.
    lost: u64,
    /// Whether the loop was away for longer than a session, or a broker was, since a fence was last forgiven.
    away: bool,
    forgiven: Option<Instant>,
}

impl Fences {
    pub(super) const fn new(session: Duration) -> Self {
        Self { session, seen: None, lost: 0, away: false, forgiven: None }
    }

    /// The reading loop is here, and so many connections to brokers were lost so far.
    pub(super) fn seen(&mut self, now: Instant, lost: u64) {
        let absent = self.seen.is_some_and(|seen| now.duration_since(seen) >= self.session);
        self.away |= absent || lost != self.lost;
        (self.seen, self.lost) = (Some(now), lost);
    }

    /// Whether a fence noticed now is to be forgiven: the member joins with a new client.
    pub(super) fn forgives(&mut self, now: Instant) -> bool {
        let quiet = self.forgiven.is_none_or(|forgiven| now.duration_since(forgiven) >= self.session * QUIET_SESSIONS);
        if !quiet && !self.away {
            return false;
        }
        (self.away, self.forgiven) = (false, Some(now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: Duration = Duration::from_secs(10);

    #[test]
    fn a_first_fence_is_forgiven_and_a_second_soon_after_is_another_process() {
        let (mut fences, start) = (Fences::new(SESSION), Instant::now());
        fences.seen(start, 0);
        assert!(fences.forgives(start));
        fences.seen(start + Duration::from_secs(2), 0);
        assert!(!fences.forgives(start + Duration::from_secs(2)));
        assert!(fences.forgives(start + SESSION * QUIET_SESSIONS), "long after, it is a new story");
    }

    #[test]
    fn each_absence_is_forgiven_once() {
        let (mut fences, start) = (Fences::new(SESSION), Instant::now());
        fences.seen(start, 0);
        assert!(fences.forgives(start));
        // Hung past its session, and once more.
        for round in 1..3 {
            let back = start + (SESSION + Duration::from_secs(3)) * round;
            fences.seen(back, 0);
            fences.seen(back + Duration::from_secs(1), 0);
            assert!(fences.forgives(back + Duration::from_secs(2)), "round {round}");
            assert!(!fences.forgives(back + Duration::from_secs(3)), "round {round}");
            fences.seen(back + Duration::from_secs(3), 0);
        }
    }
    #[test]
    fn each_outage_of_a_broker_is_forgiven_once() {
        let (mut fences, start) = (Fences::new(SESSION), Instant::now());
        fences.seen(start, 0);
        assert!(fences.forgives(start));
        // Killed and started again, each time within a session.
        for round in 1..4 {
            let back = start + Duration::from_secs(5 * round);
            fences.seen(back, 3 * round);
            assert!(fences.forgives(back), "round {round}");
            fences.seen(back + Duration::from_secs(1), 3 * round);
            assert!(!fences.forgives(back + Duration::from_secs(1)), "round {round}");
        }
    }
}
