//! The entry point: C's `main`, because Rust's runtime would ignore SIGPIPE and look at fds 0 to 2 before ours could
//! see what we were given.
#![no_main]

use std::ffi::{c_char, c_int};

use supervise_init::sys::{Environment, Words};

/// Called by the C runtime with what the kernel passed.
#[expect(unsafe_code, reason = "C's entry point has no safe form")]
// SAFETY: nothing else in the program defines `main`.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *mut *mut c_char, environment: *mut *mut c_char) -> c_int {
    // SAFETY: the C runtime passes the kernel's arrays, which live as long as the process and have no other user: std
    // copies neither.
    let words = unsafe { Words::from_raw(count, words) };
    // SAFETY: as above.
    let environment = unsafe { Environment::from_raw(environment) };
    c_int::from(supervise::run(words, environment))
}
