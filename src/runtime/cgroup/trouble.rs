//! What cannot be done about cgroups: limits that nobody enforces, and what keeps a group from being used.

use std::fmt;
use std::io;
use std::path::PathBuf;

use supervise_init::sys::Errno;

use super::limits::Limit;

/// A limit that was asked for and does not hold, and why. Shown as a warning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotEnforced {
    pub(crate) limit: Limit,
    pub(crate) why: Why,
}

/// Why a limit cannot be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// There is no v2 hierarchy here for us.
    NotMounted,
    /// No hierarchy that is mounted here has the controller for us.
    NoController(&'static str),
    /// The v2 group that we are in has other processes too, and so cannot give its controllers to groups in it.
    Occupied(PathBuf),
    /// The directory of our group is not ours to change.
    NotOurs(PathBuf, Errno),
    /// A group of that name is there and in use.
    InUse(PathBuf),
    /// The kernel does not take the value.
    Refused { file: PathBuf, value: String, errno: Errno },
}

impl fmt::Display for NotEnforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not enforced: {}", self.limit, self.why)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::NotMounted => f.write_str("cgroups of version 2 are not mounted for us"),
            Why::NoController(name) => write!(
                f,
                "the {name} controller of cgroups is not here for us; mount it, or start supervise where it is delegated \
                 (systemd-run --user --scope -p Delegate=yes)"
            ),
            Why::Occupied(path) => write!(
                f,
                "{} has other processes too, and so cannot limit groups in it; start supervise in a group of its own \
                 (systemd-run --scope -p Delegate=yes)",
                path.display()
            ),
            Why::NotOurs(path, Errno(libc::EROFS)) => {
                write!(f, "{} is read-only; mount it for writing (docker run --privileged)", path.display())
            }
            Why::NotOurs(path, errno) => write!(
                f,
                "cannot make a group in {}: {errno}; let it be delegated (systemd-run --user --scope -p Delegate=yes)",
                path.display()
            ),
            Why::InUse(path) => write!(f, "{} is in use by another container", path.display()),
            Why::Refused { file, value, errno } => {
                write!(f, "cannot write {value:?} to {}: {errno}", file.display())
            }
        }
    }
}

/// What keeps a group from being used as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    /// A process cannot be put into it.
    Enter(PathBuf, Errno),
    /// Its processes cannot be listed or killed.
    Kill(PathBuf, Errno),
    /// So many were killed and do not end.
    Alive(PathBuf, usize),
    Remove(PathBuf, Errno),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Enter(path, errno) => {
                write!(f, "cannot put the container into the cgroup {}: {errno}", path.display())
            }
            Error::Kill(path, errno) => write!(f, "cannot kill what is in the cgroup {}: {errno}", path.display()),
            Error::Alive(path, count) => {
                write!(
                    f,
                    "cannot end {count} processes in the cgroup {}: they were killed, and live on",
                    path.display()
                )
            }
            Error::Remove(path, errno) => write!(f, "cannot remove the cgroup {}: {errno}", path.display()),
        }
    }
}

/// The kernel's number of an error of std.
pub(super) fn errno(error: &io::Error) -> Errno {
    Errno(error.raw_os_error().unwrap_or(libc::EIO))
}
