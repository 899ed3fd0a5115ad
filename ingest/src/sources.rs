//! How bytes arrive: one file a transport. A transport knows no feed, and a feed knows no transport.

pub mod file;
pub mod generator;
pub mod http;
pub mod kafka;
