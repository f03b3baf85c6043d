//! The payload of the end-to-end tests.
fn main() {}
