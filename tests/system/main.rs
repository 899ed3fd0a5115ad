//! The whole system, as its users meet it: the program as a process, its addresses, and readers that are not ours.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test says what it saw, and fails where it stands")]

#[path = "../../contract/tests/kafka_rig/mod.rs"]
#[expect(clippy::expect_used, reason = "shared with the tests of the log")]
mod kafka_rig;

#[path = "../faults/faults.rs"]
mod faults;

#[path = "../figures/spread.rs"]
#[expect(dead_code, reason = "shared with the figures")]
mod spread;

mod demo_city;
mod deployment;
mod failures;
mod faults_on_kafka;
mod feed_topics;
mod kafka_metrics;
mod kills;
mod load;
mod on_kafka;
mod outside_producers;
mod page;
mod published_jobs;
mod refused_by_kafka;
mod roles;
mod same_numbers;
mod second_chances;
mod support;
mod why;
