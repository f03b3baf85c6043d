//! Why a container is not connected.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;
use supervise_init::sys;

use super::Tool;

/// Why a container is not connected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Error {
    Loopback(Errno),
    NotInstalled,
    Start(Tool, sys::Errno),
    /// What it said last.
    Ended(Tool, String),
    Late(Tool, Duration),
    Each(Vec<Error>),
    /// By this signal.
    Asked(i32),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Loopback(errno) => write!(f, "cannot bring up the loopback: {}", sys::Errno(*errno as i32)),
            Error::NotInstalled => f.write_str(
                "cannot connect the container: --net user needs pasta or slirp4netns, and neither is installed; install \
                 one (apt-get install passt), or say --net host or --net none",
            ),
            Error::Start(tool, errno) => write!(f, "{} cannot be started: {errno}", tool.name()),
            Error::Each(errors) => {
                f.write_str("cannot connect the container")?;
                (0..).zip(errors).try_for_each(|(place, error)| {
                    write!(f, "{} {error}", if place == 0 { ":" } else { ";" })
                })
            }
            Error::Asked(signal) => write!(f, "signal {signal} came before the container was connected"),
            Error::Ended(tool, said) => {
                write!(f, "{} has ended", tool.name())?;
                if said.is_empty() { Ok(()) } else { write!(f, ": {said}") }
            }
            Error::Late(tool, limit) => write!(f, "{} was not ready within {limit:?}", tool.name()),
        }
    }
}
