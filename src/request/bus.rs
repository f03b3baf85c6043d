//! Speaks D-Bus with systemd's unmodified clients (`--systemd-compat`), as systemd and its logind would: a copy of process 1
//! with no rights that it does not need, which accepts connections from sockets of process 1, and asks that by its
//! control socket for what they seek.
//!
//! ```text
//! bytes --(conversation, wire)--> Call --(sought)--> Sought --(guest)--> process 1, and an answer
//! ```
//! 1. Process 1 decides who may ask for what, by the pid and user that the kernel has given a connection.
//! 2. A client has its answer before process 1 is asked for an end, and then the time to come to its own.
//! 3. What a client may take is limited: connections, time, bytes.

mod conversation;
mod guest;
#[cfg(test)]
mod recorded;
mod serve;
mod sought;
mod sys;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::path::Path;

use nix::sys::prctl::set_dumpable;
use supervise_init::driver::Sockets;
use supervise_init::sys::{Alteration, Capabilities, close_from_3};

use self::serve::Speaker;
use super::talk::{Line, PATIENCE};
use crate::cli::exit;

/// Speaks until nobody is left, and returns the code to end with. `control` is where process 1 is asked.
pub(crate) fn speak(sockets: Sockets, control: &Path) -> u8 {
    crate::sys::end_by_panic();
    let line = match Line::open(control, PATIENCE) {
        Ok(line) => line,
        Err(why) => {
            log::warn!("cannot ask process 1: {why}");
            return exit::FAILURE;
        }
    };
    // What the command is given is none of ours, nor is the directory in which it begins.
    let _ = std::env::set_current_dir("/");
    close_from_3(&[sockets[0], sockets[1], Some(line.raw())]);
    give_up_rights();
    match Speaker::new(sockets, line).run() {
        Ok(()) => exit::SUCCESS,
        Err(why) => {
            log::warn!("cannot speak for systemd's clients: {why}");
            exit::FAILURE
        }
    }
}

/// Whom nobody is.
const NOBODY: u32 = 65534;

/// What is refused here is refused because there was little to give up.
fn give_up_rights() {
    for alteration in [
        Alteration::Groups(&[]),
        Alteration::Gid(NOBODY),
        Alteration::Uid(NOBODY),
        Alteration::DropCapabilities(Capabilities(u64::MAX)),
        Alteration::NoNewPrivileges,
    ] {
        if let Err(errno) = alteration.make() {
            log::debug!("{alteration:?}: {errno}; going on");
        }
    }
    // Others of this user must not speak through us.
    if let Err(errno) = set_dumpable(false) {
        log::debug!("cannot forbid to be traced: {}", supervise_init::sys::Errno(errno as i32));
    }
}
