//! Analytics as a whole: the cases of every function, job and explanation, the same tables whatever the order, a lake that stays small.
//!
//! One program, because each test program compiles the engine's generic code for itself.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test says what it saw, and fails where it stands")]

mod backlog;
mod backtest;
mod derived;
mod functions;
mod jobs;
mod orders;
mod partitions;
mod slt;
mod upkeep;
mod why;
