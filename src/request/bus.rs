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
use std::{fmt, fs};

use nix::sys::prctl::set_dumpable;
use supervise_init::driver::Sockets;
use supervise_init::sys::{Alteration, Capabilities, close_from_3, has_capability};

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

/// The user and the group that speak: one that no process has of another's giving, because who has the same user may stop
/// and kill. Debian's policy (9.2.2) reserves 65000 to 65533, systemd gives nobody 65520 to 65533, and a container of a user
/// has most often 65536. Not 65534, as which services run that are to have no rights.
const SPEAKER: u32 = 65521;

/// capabilities(7).
const CAP_SETGID: u32 = 6;
const CAP_SETUID: u32 = 7;

/// Why who speaks stays root, as far as that can be known before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lack {
    Capability(&'static str),
    Number(&'static str),
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lack::Capability(name) => write!(f, "{name} is missing"),
            Lack::Number(kind) => write!(f, "the user namespace has no {kind} {SPEAKER}"),
        }
    }
}

/// Says once what is not said of each speaker: that it cannot become another user.
#[inline(never)]
pub(crate) fn warn_of_root() {
    let map = |path| fs::read_to_string(path).ok();
    let lacks = [
        (Lack::Capability("CAP_SETUID"), !has_capability(CAP_SETUID)),
        (Lack::Capability("CAP_SETGID"), !has_capability(CAP_SETGID)),
        (Lack::Number("user"), map("/proc/self/uid_map").is_some_and(|map| !is_mapped(&map, SPEAKER))),
        (Lack::Number("group"), map("/proc/self/gid_map").is_some_and(|map| !is_mapped(&map, SPEAKER))),
    ];
    if let Some((lack, _)) = lacks.into_iter().find(|(_, is_so)| *is_so) {
        log::warn!(
            "cannot make the process that speaks for systemd's clients another user: {lack}; it goes on as root without \
             capabilities"
        );
    }
}

/// Whether a map of user_namespaces(7) has this number on its inner side.
fn is_mapped(map: &str, number: u32) -> bool {
    map.lines().any(|line| {
        let mut words = line.split_whitespace().map(str::parse::<u64>);
        match (words.next(), words.nth(1)) {
            (Some(Ok(first)), Some(Ok(count))) => (first..first.saturating_add(count)).contains(&u64::from(number)),
            _ => false,
        }
    })
}

/// What is refused here was said at the start, or there was nothing of it to give up.
fn give_up_rights() {
    for alteration in [
        Alteration::Groups(&[]),
        Alteration::Gid(SPEAKER),
        Alteration::Uid(SPEAKER),
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

#[cfg(test)]
mod rights {
    use super::is_mapped;

    #[test]
    fn a_number_is_mapped_where_a_line_has_it_inside() {
        for (map, number, is_there) in [
            ("         0          0 4294967295\n", 65521, true),
            ("0 1000 1\n", 65521, false),
            ("0 1000 1\n1 100000 65535\n", 65521, true),
            ("0 100000 65521\n", 65521, false),
            ("65521 7 1\n", 65521, true),
            ("4294967295 0 4294967295\n", 65521, false),
            ("", 0, false),
            ("x 0 1\n0 0\n", 0, false),
        ] {
            assert_eq!(is_mapped(map, number), is_there, "{map:?}");
        }
    }
}
