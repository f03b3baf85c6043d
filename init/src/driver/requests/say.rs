//! What is said of requests, one line each: what, by whom, by what way, and what comes of it.

use core::ffi::CStr;
use core::fmt;

use log::{debug, info, warn};

use crate::core::request::{Ask, Client, Haste, LeftOut, Message, Notice, Request, Way, Wish};
use crate::core::{Heard, Sender};
use crate::driver::Offer;
use crate::sys::{self, Errno, Line};

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Who {
    /// A process that can be looked at.
    Process {
        pid: i32,
        uid: u32,
    },
    /// One that another speaks for, and that may be gone.
    Client(Client),
    Unknown,
}

impl From<Sender> for Who {
    fn from(sender: Sender) -> Who {
        match sender {
            Sender::Process { pid, uid, .. } | Sender::Client { pid, uid } => Who::Process { pid, uid },
            Sender::Kernel | Sender::Outside | Sender::Ourselves => Who::Unknown,
        }
    }
}

impl Who {
    /// Its number, user and name.
    fn known(self) -> Option<(i32, u32, Option<Line<32>>)> {
        match self {
            Who::Process { pid, uid } => Some((pid, uid, sys::comm(pid))),
            Who::Client(Client { pid, uid, name }) => {
                let mut line = Line::new();
                line.push_lossy(name.split(|byte| *byte == 0).next().unwrap_or_default());
                Some((pid, uid, Some(line)))
            }
            Who::Unknown => None,
        }
    }
}

/// What cannot be offered.
pub(super) fn unavailable(path: &CStr, errno: Errno, left_out: LeftOut) {
    let path = path.to_str().unwrap_or_default();
    match errno {
        // Most likely another user than root, a read-only root, or the files of a system that has an init of its own:
        // nothing that anybody would mend.
        Errno(libc::EACCES | libc::EPERM | libc::EROFS | libc::ENOENT | libc::EADDRINUSE) => {
            debug!(event = "unavailable"; "cannot offer {path}: {errno}; going on without{left_out}");
        }
        _ => warn!(event = "unavailable"; "cannot offer {path}: {errno}; going on without{left_out}"),
    }
}

/// The control socket cannot be offered. Nothing else tells why `supervise ctl` finds nobody.
pub(super) fn no_control(offer: &Offer, path: &CStr, errno: Errno, left_out: LeftOut) {
    // That is for somebody to mend.
    if !offer.is_missed || errno == Errno::NOT_OURS {
        return unavailable(path, errno, left_out);
    }
    let path = path.to_str().unwrap_or_default();
    let cure = match (errno, sys::effective_user()) {
        (Errno(libc::EACCES | libc::EROFS | libc::ENOENT), 0) => "; a --tmpfs /run would give it a place",
        (Errno(libc::EACCES | libc::EROFS | libc::ENOENT), _) => {
            "; XDG_RUNTIME_DIR would give it a place, as a directory that this user may write to"
        }
        _ => "",
    };
    info!(event = "unavailable"; "cannot offer the control socket {path}: {errno}; going on without, so that `supervise ctl` finds nobody{cure}{left_out}");
}

/// Why somebody may not.
#[derive(Clone, Copy)]
pub(super) enum Bar {
    /// It is not inside, or the kernel does not say who it is.
    Unknown,
    /// It says that it speaks for another.
    ForAnother,
    /// It is neither root nor this user, who counts as root.
    User(u32),
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bar::Unknown => f.write_str("the kernel does not say who inside that is"),
            Bar::ForAnother => f.write_str("it may not speak for others"),
            Bar::User(0) => f.write_str("only root may"),
            Bar::User(owner) => write!(f, "only root and uid {owner} may"),
        }
    }
}

/// What is asked for by whom through what, who may not.
pub(super) fn refuse(message: &Message, way: Way, who: Who, bar: Bar, left_out: LeftOut) {
    let Some((pid, uid, comm)) = who.known() else { return };
    let name = match &comm {
        Some(name) => name.as_str(),
        None if pid <= 0 => "somebody outside of the PID namespace",
        None => GONE,
    };
    info!(event = "refused", pid = pid, uid = uid, comm = name; "{message} asked for by {name} (pid {pid}, uid {uid}) through {way}; refused: {bar}{left_out}");
}

/// Whose name cannot be had.
const GONE: &str = "a process that is gone";

/// One line: what, by whom, through what, and what happens now.
pub(super) fn announce(ask: Ask, heard: Heard, way: Way, who: Who, text: &str, left_out: LeftOut) {
    let comes = match (ask, heard) {
        (Ask::End(Request { haste: Haste::Immediate, .. }), Heard::Begun) => "killing everything",
        (Ask::End(Request { wish: Wish::Reboot | Wish::Restart, .. }), Heard::Begun) => "stopping, to begin again",
        (Ask::End(_), Heard::Begun) => "stopping",
        (Ask::End(Request { wish: Wish::Reboot | Wish::Restart, .. }), Heard::UnderWay) => {
            "all are being stopped already"
        }
        (_, Heard::UnderWay) => "all are being stopped already, and nothing begins again",
        (Ask::Runlevel(_), _) => "a container has no runlevels; nothing happens",
        (_, Heard::Begun | Heard::Ignored) => "there is nothing to do",
    };
    // What people are told of an end.
    let (colon, text) = if heard == Heard::Begun && !text.is_empty() { (": ", text) } else { ("", "") };
    match (who.known(), way) {
        (Some((pid, uid, comm)), _) => {
            let name = comm.as_ref().map_or(GONE, |name| name.as_str());
            info!(event = "request", pid = pid, uid = uid, comm = name; "{ask} asked for by {name} (pid {pid}, uid {uid}) through {way}; {comes}{colon}{text}{left_out}");
        }
        (None, Way::Signal(_)) => info!(event = "request"; "{ask} asked for from outside by {way}; {comes}{left_out}"),
        (None, Way::Schedule) => info!(event = "request"; "the time for the {ask} has come; {comes}{left_out}"),
        (None, _) => info!(event = "request"; "{ask} asked for through {way}; {comes}{left_out}"),
    }
}

/// What becomes of what is scheduled.
pub(super) fn log_notice(notice: &Notice, left_out: LeftOut) {
    let (plan, what) = match notice {
        Notice::Scheduled(plan) => (plan, "is scheduled"),
        Notice::Warning(plan) => (plan, "comes"),
        Notice::Closing(plan) => (plan, "closes logins; it comes"),
        Notice::Cancelled(plan) => (plan, "is cancelled, which was to come"),
        // The line of the request says it.
        Notice::Ending(_) => return,
    };
    let left = plan.when.saturating_sub(sys::microseconds_since_1970()).saturating_add(999_999) / 1_000_000;
    let (wish, text) = (plan.request.wish, plan.text.as_str());
    let colon = if text.is_empty() { "" } else { ": " };
    info!(event = "schedule", seconds = left.cast_signed(); "a {wish} {what} in {left} s{colon}{text}{left_out}");
}
