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

/// Stands in for libunwind, whose tables the build script leaves out of the released binary: no stack is walked, and a
/// panic says what and where and aborts, as ever. That there are no frames is known when the program is linked, so std's
/// reader of debug information goes too, a third of the binary. Lost is the backtrace under `RUST_BACKTRACE`: it never
/// had a frame.
#[cfg(no_unwinding)]
#[expect(unsafe_code, reason = "std calls these by name")]
mod unwind {
    use std::ffi::{c_int, c_void};
    use std::process::abort;

    /// `_URC_END_OF_STACK`.
    const END_OF_STACK: c_int = 5;

    /// Shows each frame of the stack to `_visit`: none.
    // SAFETY: in place of libunwind's, with its signature; it may find as few frames as there are tables for.
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Backtrace(
        _visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        _argument: *mut c_void,
    ) -> c_int {
        END_OF_STACK
    }

    /// What only an unwinding panic gets to. std names all of them; one that is missing here brings in libunwind's file,
    /// and with it a second `_Unwind_Backtrace`.
    macro_rules! never_reached {
        ($($name:ident($($argument:ty),+) -> $result:ty;)+) => {$(
            // SAFETY: in place of libunwind's, with its signature; it does not return.
            #[unsafe(no_mangle)]
            extern "C" fn $name($(_: $argument),+) -> $result {
                abort()
            }
        )+};
    }

    never_reached! {
        _Unwind_FindEnclosingFunction(*mut c_void) -> *mut c_void;
        _Unwind_GetCFA(*mut c_void) -> *const u8;
        _Unwind_GetDataRelBase(*mut c_void) -> *const u8;
        _Unwind_GetIP(*mut c_void) -> *const u8;
        _Unwind_GetIPInfo(*mut c_void, *mut c_int) -> *const u8;
        _Unwind_GetLanguageSpecificData(*mut c_void) -> *mut c_void;
        _Unwind_GetRegionStart(*mut c_void) -> *const u8;
        _Unwind_GetTextRelBase(*mut c_void) -> *const u8;
        _Unwind_Resume(*mut c_void) -> !;
        _Unwind_SetGR(*mut c_void, c_int, *const u8) -> ();
        _Unwind_SetIP(*mut c_void, *const u8) -> ();
    }
}
