//! What the options of readiness and of the watchdog take.

use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use supervise_init::core::Terms;

use super::options::{Id, Row};
use super::stop::time;
use super::wrong::{Given, Wrong};
use crate::wait_for::{NotATarget, Target};

/// By what the command is known to be ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    /// `READY=1` (sd_notify(3)).
    SdNotify,
    /// A newline on this descriptor, as s6 has it.
    Descriptor(i32),
    /// Something answers, or is there.
    Target(Target),
}

/// What can be wrong with them.
#[derive(Debug)]
pub(crate) enum WrongReady {
    NotAWay(Given, &'static CStr),
    NotADescriptor(Given, &'static str),
    NotATarget(Given, &'static CStr, NotATarget),
    NoTime(Given, &'static str),
    /// It says how long, and nothing says what.
    NoReady(&'static Row),
    /// It is not known to speak to us.
    NoSdNotify(&'static Row),
}

impl fmt::Display for WrongReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongReady::NotAWay(given, word) => write!(
                f,
                "{given}{}: it is one of sd_notify, fd:NUMBER, tcp:HOST:PORT, unix:PATH, http://HOST[:PORT]/PATH, \
                 file:PATH and exec:COMMAND",
                word.to_string_lossy()
            ),
            WrongReady::NotADescriptor(given, word) => {
                write!(f, "{given}fd:{word}: a descriptor for that is a number from 3 to 1000")
            }
            WrongReady::NotATarget(given, word, why) => write!(f, "{given}{}: {why}", word.to_string_lossy()),
            WrongReady::NoTime(given, word) => write!(f, "{given}{word}: the command needs some time; say 30s"),
            WrongReady::NoReady(row) => {
                write!(f, "--{} is about readiness, and nothing says what that is; say --ready sd_notify", row.long)
            }
            WrongReady::NoSdNotify(row) => {
                write!(f, "--{} is for a command that speaks sd_notify; say --ready sd_notify", row.long)
            }
        }
    }
}

impl From<WrongReady> for Wrong {
    fn from(wrong: WrongReady) -> Wrong {
        Wrong::Ready(wrong)
    }
}

/// What is said of readiness and of the watchdog, in any order.
#[derive(Default, Debug)]
pub(crate) struct Asked {
    pub(crate) how: Option<How>,
    timeout: Option<Duration>,
    pub(crate) watchdog: Option<Duration>,
    /// The last of the options that say how long.
    limit: Option<&'static Row>,
}

impl Asked {
    /// Takes the value of one of the options.
    pub(crate) fn set(&mut self, given: Given, value: &'static CStr) -> Result<(), Wrong> {
        let text = || value.to_str().map_err(|_| Wrong::NotUtf8(given, value));
        match given.row().id {
            Id::Readiness => {
                self.how = Some(way(given, value)?);
                return Ok(());
            }
            // 0 is no limit.
            Id::ReadinessTimeout => self.timeout = Some(time(given, text()?)?).filter(|time| !time.is_zero()),
            _ => match time(given, text()?)? {
                time if time.is_zero() => return Err(WrongReady::NoTime(given, text()?).into()),
                time => self.watchdog = Some(time),
            },
        }
        // One that a variable gives may be meant for whoever is asked whether it is ready.
        if let Given::Option(row) = given {
            self.limit = Some(row);
        }
        Ok(())
    }

    /// Whether it fits together.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        match (self.how, self.limit) {
            (None, Some(row)) => Err(WrongReady::NoReady(row).into()),
            (Some(How::Descriptor(_) | How::Target(_)), Some(row)) if self.watchdog.is_some() => {
                Err(WrongReady::NoSdNotify(row).into())
            }
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// What comes of it; `None`: nobody wants to know whether it is ready.
    pub(crate) fn terms(&self) -> Option<Terms> {
        let how = self.how?;
        Some(Terms {
            timeout: self.timeout,
            watchdog: self.watchdog,
            by_message: matches!(how, How::SdNotify),
            by_tries: matches!(how, How::Target(_)),
        })
    }
}

fn way(given: Given, word: &'static CStr) -> Result<How, Wrong> {
    let bytes = word.to_bytes();
    if bytes == b"sd_notify" {
        return Ok(How::SdNotify);
    }
    if let Some(number) = bytes.strip_prefix(b"fd:") {
        let number = std::str::from_utf8(number).map_err(|_| WrongReady::NotAWay(given, word))?;
        let fd = number.parse().ok().filter(|fd| (3..=1000).contains(fd));
        return fd.map(How::Descriptor).ok_or_else(|| WrongReady::NotADescriptor(given, number).into());
    }
    match Target::parse(word) {
        Ok(target) => Ok(How::Target(target)),
        Err(NotATarget::UnknownKind) => Err(WrongReady::NotAWay(given, word).into()),
        Err(why) => Err(WrongReady::NotATarget(given, word, why).into()),
    }
}
