//! Ratios against the peers.
fn main() {}
