//! What the options of health checks take.

use std::ffi::CStr;
use std::fmt;

use supervise_init::core::{Checks, Then};

use super::options::{Id, Row};
use super::stop::time;
use super::wrong::{Given, Wrong};
use crate::wait_for::{NotATarget, Target};

/// What can be wrong with them.
#[derive(Debug)]
pub(crate) enum WrongHealth {
    NotATarget(Given, &'static CStr, NotATarget),
    NotACount(Given, &'static str),
    NoTime(Given, &'static str),
    /// It says how, and nothing says what.
    NoCheck(&'static Row),
}

impl fmt::Display for WrongHealth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongHealth::NotATarget(given, word, why) => write!(f, "{given}{}: {why}", word.to_string_lossy()),
            WrongHealth::NotACount(given, word) => {
                write!(f, "{given}{word}: say how many failures in a row are too many, like 3")
            }
            WrongHealth::NoTime(given, word) => write!(f, "{given}{word}: a check needs some time; say 30s"),
            WrongHealth::NoCheck(row) => {
                write!(
                    f,
                    "--{} is about health checks, and there are none; say --health http://localhost:8080/",
                    row.long
                )
            }
        }
    }
}

/// What is said of health checks, in any order.
#[derive(Debug)]
pub(crate) struct Asked {
    /// What is looked at.
    pub(crate) target: Option<Target>,
    pub(crate) checks: Checks,
    /// The last of the options that say how.
    how: Option<&'static Row>,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked { target: None, checks: Checks::DEFAULT, how: None }
    }
}

impl Asked {
    /// Takes the value of one of the options.
    pub(crate) fn set(&mut self, given: Given, value: &'static CStr) -> Result<(), Wrong> {
        let text = || value.to_str().map_err(|_| Wrong::NotUtf8(given, value));
        let id = given.row().id;
        if id == Id::Health {
            let target = Target::parse_check(value).map_err(|why| WrongHealth::NotATarget(given, value, why))?;
            self.target = Some(target);
            return Ok(());
        }
        let word = text()?;
        let some_time = || match time(given, word)? {
            time if time.is_zero() => Err(Wrong::Health(WrongHealth::NoTime(given, word))),
            time => Ok(time),
        };
        let checks = &mut self.checks;
        match id {
            Id::HealthInterval => checks.interval = some_time()?,
            Id::HealthTimeout => checks.timeout = some_time()?,
            Id::HealthStartPeriod => checks.start_period = time(given, word)?,
            Id::HealthRetries => checks.retries = count(word).ok_or(WrongHealth::NotACount(given, word))?,
            _ => checks.then = action_named(word).ok_or(Wrong::NotAChoice(given, word))?,
        }
        // One that a variable gives may be meant for whoever has checks.
        if let Given::Option(row) = given {
            self.how = Some(row);
        }
        Ok(())
    }

    /// Whether it fits together.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        match (&self.target, self.how) {
            (None, Some(row)) => Err(Wrong::Health(WrongHealth::NoCheck(row))),
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// Whether a command that is not healthy is started again.
    pub(crate) fn restarts(&self) -> bool {
        self.target.is_some() && self.checks.then == Some(Then::Restart)
    }
}

impl From<WrongHealth> for Wrong {
    fn from(wrong: WrongHealth) -> Wrong {
        Wrong::Health(wrong)
    }
}

fn count(word: &str) -> Option<u32> {
    let digits = word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|count| digits && *count != 0)
}

#[expect(clippy::option_option, reason = "a word that is none of them, and one that says that nothing follows")]
fn action_named(word: &str) -> Option<Option<Then>> {
    match word {
        "restart" => Some(Some(Then::Restart)),
        "stop" => Some(Some(Then::Stop)),
        "ignore" => Some(None),
        _ => None,
    }
}
