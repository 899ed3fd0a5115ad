//! When a job is due, and how long it rests.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Definition;

/// A jump of the city's clock after which a job runs before its time.
const JUMP: TimeDelta = TimeDelta::hours(1);

/// So many times as long as its last run took a job rests before it runs sooner than its schedule says, so that catching up leaves the machine
/// to the stream; and before it runs at all once it failed, for what failed by its rows or its query will fail again, and take as long.
const REST: u32 = 10;

/// While the stream is behind, the least rest before a run: who has caught up sooner did better without. And how many times as long as the last
/// run it is: a growing lake makes jobs longer, and by the clock alone they would take ever more of the machine from the stream.
const REST_BEHIND_MIN: Duration = Duration::from_secs(10);
const REST_BEHIND: u32 = 10;

/// What is known of a job's last run.
#[derive(Debug, Default)]
pub(super) struct LastRun {
    at: Option<DateTime<Utc>>,
    took: Duration,
    failed: bool,
    /// Of the last one that did not fail: the city's clock, and the version of the lake.
    as_of: Option<DateTime<Utc>>,
    version: Option<u64>,
}

impl LastRun {
    pub(super) fn done(&mut self, at: DateTime<Utc>, took: Duration, (as_of, version): (DateTime<Utc>, u64)) {
        *self = Self { at: Some(at), took, failed: false, as_of: Some(as_of), version: Some(version) };
    }

    pub(super) fn failed(&mut self, at: DateTime<Utc>, took: Duration) {
        (self.at, self.took, self.failed) = (Some(at), took, true);
    }

    /// How often the job's schedule has gone by since; `None` where it is not due, or a run would say the same again.
    pub(super) fn overdue(&self, job: &Definition, now: DateTime<Utc>, (as_of, version): (DateTime<Utc>, u64)) -> Option<f64> {
        let waited = self.at.map_or(Duration::MAX, |at| (now - at).to_std().unwrap_or_default());
        // While history is taken in, what a job said a moment ago is of another day.
        let outdated = self.as_of.is_none_or(|before| as_of - before >= JUMP);
        let (in_time, rested) = (waited >= job.schedule, waited >= self.took * REST);
        // After a failure not sooner than its next time, however far the clock jumps.
        let due = if self.failed { in_time && rested } else { in_time || (outdated && rested) };
        let news = self.version != Some(version) || job.idle;
        (due && news).then(|| waited.as_secs_f64() / job.schedule.as_secs_f64())
    }
}

/// How long jobs rest while the stream is behind, after a run that took so long.
pub(super) fn rest_behind(took: Duration) -> Duration {
    REST_BEHIND_MIN.max(took * REST_BEHIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> DateTime<Utc> {
        "2026-01-05T12:00:00Z".parse().unwrap()
    }

    fn job(schedule: &str) -> Definition {
        let definition = format!("schedule = \"{schedule}\"\nwindow = \"-\"\nkey = []\nquestion = {{ en = \"?\", zh = \"?\" }}");
        crate::jobs::define("job", &definition, "SELECT 1").unwrap().definition
    }

    /// A run of so many seconds before noon, which took one.
    fn ran(seconds: i64) -> LastRun {
        let (at, mut last) = (noon() - TimeDelta::seconds(seconds), LastRun::default());
        last.done(at, Duration::from_secs(1), (at, 1));
        last
    }

    #[test]
    fn a_job_is_due_by_its_schedule_and_only_for_news() {
        let due = |seconds: i64, version: u64| ran(seconds).overdue(&job("10s"), noon(), (noon(), version)).is_some();
        assert!(due(10, 2) && !due(9, 2));
        assert!(!due(60, 1), "the lake stands where it stood");
        let idle = Definition { idle: true, ..job("10s") };
        assert!(ran(60).overdue(&idle, noon(), (noon(), 1)).is_some(), "its answer changes with the clock");
    }

    #[test]
    fn of_jobs_that_never_ran_the_most_frequent_comes_first_and_none_waits_for_ever() {
        let overdue = |schedule: &str, seconds: Option<i64>| {
            seconds.map_or_else(LastRun::default, ran).overdue(&job(schedule), noon(), (noon(), 2)).unwrap()
        };
        assert!(overdue("1s", None) > overdue("1h", None));
        assert!(overdue("1h", None) > overdue("1s", Some(600)), "a job that never ran before one that did");
        assert!(overdue("10s", Some(40)) > overdue("1s", Some(2)), "four schedules late before two");
    }

    #[test]
    fn while_history_is_taken_in_a_job_runs_before_its_time_but_rests() {
        let next_day = noon() + TimeDelta::days(1);
        let due = |seconds: i64| ran(seconds).overdue(&job("1h"), noon(), (next_day, 2)).is_some();
        assert!(due(10) && !due(9), "ten times the second it took");
    }

    #[test]
    fn a_job_that_failed_is_tried_again_at_its_next_time_and_not_before_it_rested_by_what_it_took() {
        let due = |schedule: &str, seconds: i64, as_of: DateTime<Utc>| {
            let mut last = ran(2 * seconds);
            last.failed(noon() - TimeDelta::seconds(seconds), Duration::from_secs(1));
            last.overdue(&job(schedule), noon(), (as_of, 2)).is_some()
        };
        assert!(!due("1s", 9, noon()) && due("1s", 10, noon()), "ten times the second it took");
        let next_day = noon() + TimeDelta::days(1);
        assert!(!due("1h", 3599, next_day) && due("1h", 3600, next_day));
    }

    #[test]
    fn while_the_stream_is_behind_jobs_have_less_than_a_tenth_of_the_time() {
        let seconds = |took: u64| rest_behind(Duration::from_secs(took)).as_secs();
        assert_eq!([0, 1, 3, 60].map(seconds), [10, 10, 30, 600]);
    }
}
