//! What can be wrong with the words of `supervise run`.

use std::ffi::CStr;
use std::fmt;

use super::super::amounts::NotAnAmount;
use super::super::wrong::{Given, Wrong};

/// A reason to make no container.
#[derive(Debug)]
pub(crate) enum WrongRun {
    NoRoot,
    EmptyLayer(&'static CStr),
    CommandBeforeDashes(&'static CStr),
    NotAPath(Given, &'static CStr),
    NotABind(Given, &'static CStr),
    BindOverRoot(Given, &'static CStr),
    NotATmpfs(Given, &'static CStr),
    NotAHostname(Given, &'static CStr),
    NotAnAmount(Given, &'static CStr, NotAnAmount),
    TwoWays(&'static str, &'static str),
}

impl From<WrongRun> for Wrong {
    fn from(wrong: WrongRun) -> Wrong {
        Wrong::Run(wrong)
    }
}

impl fmt::Display for WrongRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongRun::NoRoot => f.write_str(
                "run in which root filesystem? say `supervise run ROOTFS -- command`; for a program of that name \
                 `supervise -- run`",
            ),
            WrongRun::EmptyLayer(root) => {
                write!(f, "run {}: one of its directories has no name", root.to_string_lossy())
            }
            WrongRun::CommandBeforeDashes(word) => {
                let word = word.to_string_lossy();
                write!(f, "run: what is {word:?}? a command stands behind --: `supervise run ROOTFS -- {word}`")
            }
            WrongRun::NotAPath(given, path) => {
                write!(f, "{given}{}: it is a directory, such as /srv/data", path.to_string_lossy())
            }
            WrongRun::NotABind(given, bind) => {
                write!(f, "{given}{}: it is SRC:DST or SRC:DST:ro, and DST begins with a slash", bind.to_string_lossy())
            }
            WrongRun::BindOverRoot(given, bind) => {
                write!(
                    f,
                    "{given}{}: nothing would be left of ROOTFS; say SRC as ROOTFS, with --writable where it is to be changed, or \
                     bind it to a directory",
                    bind.to_string_lossy()
                )
            }
            WrongRun::NotATmpfs(given, tmpfs) => {
                write!(
                    f,
                    "{given}{}: it is a directory, such as /srv/data, or one with size=64M, mode=700 or noexec: \
                     /srv/data:size=64M,noexec",
                    tmpfs.to_string_lossy()
                )
            }
            WrongRun::NotAHostname(given, name) => {
                let name = name.to_string_lossy();
                write!(f, "{given}{name}: it is at most 64 letters, digits, dots and hyphens")
            }
            WrongRun::NotAnAmount(given, value, why) => write!(f, "{given}{}: {why}", value.to_string_lossy()),
            WrongRun::TwoWays(one, other) => write!(f, "{one} with {other}: they exclude each other; say one of them"),
        }
    }
}
