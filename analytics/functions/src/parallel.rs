//! Work cut into tasks over the cores: the only place that starts threads. Which thread does a task never matters to its result.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The cores this process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The result of each task, in order. A thread makes itself a state with `prepare` and keeps it from task to task.
///
/// At most `threads` work at once, the caller's among them, so that one thread means none is started.
pub(crate) fn each<S, R: Send>(
    tasks: usize,
    threads: usize,
    prepare: impl Fn() -> S + Sync,
    task: impl Fn(&mut S, usize) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut state, mut done) = (None, Vec::new());
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks {
                return done;
            }
            done.push((index, task(state.get_or_insert_with(&prepare), index)));
        }
    };
    let mut done = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(tasks)).map(|_| scope.spawn(work)).collect();
        let mut done = work();
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_order_on_any_number_of_threads() {
        for threads in [0, 1, 2, 7, 100] {
            let squares = each(50, threads, || 0, |_, i| i * i);
            assert_eq!(squares, (0..50).map(|i| i * i).collect::<Vec<_>>());
        }
        assert!(each(0, 4, || (), |(), i| i).is_empty());
    }

    #[test]
    fn one_thread_keeps_its_state() {
        let counts = each(
            5,
            1,
            || 0,
            |count, _| {
                *count += 1;
                *count
            },
        );
        assert_eq!(counts, [1, 2, 3, 4, 5]);
    }
}
