//! The whole system, as its users meet it: the program as a process, its addresses, and readers that are not ours.
#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a test says what it saw, and fails where it stands")]

mod demo_city;
mod deployment;
mod failures;
mod kills;
mod load;
mod on_kafka;
mod page;
mod second_chances;
mod support;
mod why;
