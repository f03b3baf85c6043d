//! The build script: lays the released binary out, and leaves the tables for unwinding out of it. A panic ends it anyway,
//! and nobody reads a backtrace of a stripped file; std's tables alone are a tenth of it.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=.cargo/release.ld");
    println!("cargo:rustc-check-cfg=cfg(no_unwinding)");
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("PROFILE") != "release" {
        return;
    }
    // What would read them stays out as well: see `main.rs`.
    println!("cargo:rustc-cfg=no_unwinding");
    let script = format!("{}/.cargo/release.ld", variable("CARGO_MANIFEST_DIR"));
    // A linker that is called by a compiler gets its options through that.
    let by_compiler = !variable("RUSTC_LINKER").contains("lld");
    // Code and constants share their pages: where they meet, a page of each would be filled up.
    let arguments = ["--no-eh-frame-hdr", "-z", "noseparate-code", "-T", &script];
    for argument in arguments {
        let prefix = if by_compiler { "-Wl," } else { "" };
        println!("cargo:rustc-link-arg-bin=supervise={prefix}{argument}");
    }
}
