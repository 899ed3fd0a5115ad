//! Rebuilds the crate when the built page changes. Without it a page built after the first `cargo build` would never be embedded,
//! because cargo follows only the files that existed then.

fn main() {
    println!("cargo::rerun-if-changed=web/dist");
}
