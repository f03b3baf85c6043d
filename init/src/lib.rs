//! What *is* process 1 of a container: it starts a program, passes signals on, reaps, stops what is left and ends
//! with the right code.
//!
//! - [`core`] decides: one event in, actions out. No system call, no clock, no log.
//! - [`driver`] waits, asks a core and obeys it.
//! - [`sys`] alone talks to the kernel, and is the only place for `unsafe`.
//!
//! Nothing here allocates and nothing panics: once the payload runs, no memory has to be found and no step can end
//! process 1 but the core's own [`core::Action::Exit`].
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::unreachable,
        clippy::exit,
        reason = "a panic of process 1 kills the container"
    )
)]

#[cfg(test)]
extern crate std;

pub mod core;
pub mod driver;
pub mod sys;
