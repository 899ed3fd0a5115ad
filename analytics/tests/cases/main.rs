//! The cases of every function and every job: SQL and the answer worked out by hand, beside what they are about.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod functions;
mod jobs;
mod slt;
