//! What can be wrong with the words of `supervise check`.

use std::ffi::CStr;
use std::fmt;

use supervise_init::core::Signal;

use super::super::wrong::{Given, Wrong};
use crate::wait_for::NotATarget;

/// A reason to check nothing.
#[derive(Debug)]
pub(crate) enum WrongCheck {
    NoCommand,
    NotAMode(Given, &'static str, &'static str),
    NotAWay(Given, &'static str, &'static str),
    NotNone(Given, &'static str),
    NotANumber(Given, &'static str),
    NotReady(Given, &'static CStr, NotATarget),
    NotAReady(Given, &'static CStr),
    NotADescriptor(Given, &'static CStr),
    NotARegex(Given, &'static CStr, String),
    Untellable(Given, &'static str, Signal),
    Unheard(Given, &'static str),
    NoTime(Given, &'static str),
}

impl From<WrongCheck> for Wrong {
    fn from(wrong: WrongCheck) -> Wrong {
        Wrong::Check(Box::new(wrong))
    }
}

impl fmt::Display for WrongCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongCheck::NoCommand => f.write_str(
                "check which command? say `supervise check -- command`; for a program of that name `supervise -- check`",
            ),
            WrongCheck::NotAMode(given, whole, word) => {
                write!(f, "{given}{whole}: {word:?} is no mode; those are pid1, child and init")
            }
            WrongCheck::NotAWay(given, whole, word) => {
                write!(f, "{given}{whole}: there is no further run {word:?}; say stopped, connections, or none")
            }
            WrongCheck::NotNone(given, whole) => {
                write!(f, "{given}{whole}: none and others at once; say none alone, or leave it out")
            }
            WrongCheck::NotANumber(given, word) => write!(f, "{given}{word}: it is a number from 1 to 1000"),
            WrongCheck::NotReady(given, word, why) => write!(f, "{given}{}: {why}", word.to_string_lossy()),
            WrongCheck::NotAReady(given, word) => write!(
                f,
                "{given}{}: it is one of sd_notify, fd:NUMBER, log:REGEX, delay:TIME, tcp:HOST:PORT, unix:PATH, \
                 http://HOST[:PORT]/PATH, file:PATH and exec:COMMAND",
                word.to_string_lossy()
            ),
            WrongCheck::NotADescriptor(given, word) => {
                write!(f, "{given}{}: a descriptor for that is a number from 3 to 1000", word.to_string_lossy())
            }
            WrongCheck::NotARegex(given, word, why) => {
                write!(f, "{given}{}: no regular expression: {why}", word.to_string_lossy())
            }
            WrongCheck::Untellable(given, word, signal) => {
                write!(f, "{given}{word}: {signal} tells no program to stop")
            }
            WrongCheck::Unheard(given, word) => {
                write!(f, "{given}{word}: no program can do anything about SIGKILL: there is nothing to check")
            }
            WrongCheck::NoTime(given, word) => write!(f, "{given}{word}: it needs some time; say 10s"),
        }
    }
}
