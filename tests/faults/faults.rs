//! What a city on a real Kafka has to outlast. Each fault is a function that does it so many times under load, waits until the
//! lake has everything, and has two checkers that know nothing of each other hold the lake against what was acknowledged.
//! `make faults` runs all of them the full number of times (`tests/faults/main.rs`), the test command a few of each
//! (`tests/system/faults_on_kafka.rs`).
#![allow(dead_code, reason = "each test program runs its part")]

pub(crate) mod brokers;
pub(crate) mod gaps;
pub(crate) mod members;
pub(crate) mod poison;
pub(crate) mod retention;
pub(crate) mod stream;
pub(crate) mod zombies;

/// What the checkers said; nothing where Java or Maven is missing, which the rig has said then. A fault that does harm panics.
pub(crate) type Told = Option<String>;

/// A step of SplitMix64: when to hurt is random but the same in every run.
pub(crate) fn dice(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
