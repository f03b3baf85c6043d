//! Process 1 without the standard library, with what speaks there as another init: what cannot panic and cannot allocate
//! links, anything else does not.

use std::path::Path;
use std::process::{Command, Output};

/// Builds the crate in `tests/no_panic`, which is not a part of the workspace.
fn build(features: &[&str]) -> Output {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--features", &features.join(",")])
        .current_dir(top.join("tests/no_panic"))
        .env("CARGO_TARGET_DIR", top.join("target/no-panic"))
        .output()
        .expect("cargo runs")
}

fn unresolved(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("process_1_can_panic")
}

#[test]
fn nothing_in_process_1_can_panic_or_allocate() {
    let built = build(&[]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // The same build finds one that is put in.
    let built = build(&["with-a-panic"]);
    assert!(!built.status.success() && unresolved(&built), "a panic links unnoticed");
}
