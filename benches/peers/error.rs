//! What can go wrong in a bench: what was being done, to what, and the cause.

use std::fmt;
use std::io;

use nix::errno::Errno;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// A measurement that could not be made.
#[derive(Debug)]
pub(crate) enum Error {
    /// A call of the system failed.
    Call { doing: &'static str, of: String, cause: io::Error },
    /// A process did not get there before the deadline.
    Late { what: &'static str, of: String },
    /// A process ended where it should have gone on, or the other way round.
    Ended { of: String, how: String },
    /// A file of /proc does not say what it should.
    Unread { path: String },
    /// A command of the set-up failed.
    Failed { command: String, why: String },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { doing, of, cause } => write!(f, "cannot {doing} {of}: {cause}"),
            Self::Late { what, of } => write!(f, "{of}: no {what} within the deadline"),
            Self::Ended { of, how } => write!(f, "{of}: unexpected end or stop: {how}"),
            Self::Unread { path } => write!(f, "cannot make sense of {path}"),
            Self::Failed { command, why } => write!(f, "cannot run {command}: {why}"),
        }
    }
}

/// Says what was being done when a call failed.
pub(crate) trait Doing<T> {
    /// `doing` is a verb, `of` its object.
    fn doing(self, doing: &'static str, of: impl fmt::Display) -> Result<T>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str, of: impl fmt::Display) -> Result<T> {
        self.map_err(|cause| Error::Call { doing, of: of.to_string(), cause })
    }
}

impl<T> Doing<T> for nix::Result<T> {
    fn doing(self, doing: &'static str, of: impl fmt::Display) -> Result<T> {
        self.map_err(|cause: Errno| Error::Call { doing, of: of.to_string(), cause: cause.into() })
    }
}
