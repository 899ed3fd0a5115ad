//! Rebuilds the crate when a job folder changes: the folders are embedded, and cargo cannot see that by itself.

fn main() {
    println!("cargo::rerun-if-changed=jobs");
}
