//! What the options of restarts take.

use std::fmt;
use std::time::Duration;

use supervise_init::core::{Limit, Restarting, When};

use super::check;
use super::options::{Id, Row};
use super::stop::time_in;
use super::wrong::{Given, Wrong};
use crate::check::scenario::OkExit;

/// What can be wrong with them.
#[derive(Debug)]
pub(crate) enum WrongRestart {
    NotALimit(Given, &'static str),
    /// It says how, and nothing says that.
    NoRestart(&'static Row),
    /// The first delay, and the longest.
    ShorterMost(Duration, Duration),
}

impl fmt::Display for WrongRestart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WrongRestart::NotALimit(given, word) => {
                let most = Limit::MOST;
                write!(f, "{given}{word}: say how many restarts in what time are the most, like 3/10s; 1 to {most}")
            }
            WrongRestart::ShorterMost(delay, longest) => {
                write!(f, "--restart-delay {delay:?} is longer than --restart-max-delay {longest:?}; say that as long")
            }
            WrongRestart::NoRestart(row) => {
                write!(f, "--{} is about restarts, and there are none; say --restart on-failure or always", row.long)
            }
        }
    }
}

/// What is said of restarts, in any order.
pub(crate) struct Asked {
    /// `None`: `--restart` is not given; `Some(None)`: it says `no`.
    when: Option<Option<When>>,
    policy: Restarting,
    /// The longest delay is given.
    longest: Option<Duration>,
    /// The last of the options that say how.
    how: Option<&'static Row>,
}

impl Default for Asked {
    fn default() -> Asked {
        Asked { when: None, policy: Restarting::new(When::OnFailure), longest: None, how: None }
    }
}

impl Asked {
    /// Takes the value of one of the options.
    pub(crate) fn set(&mut self, given: Given, word: &'static str) -> Result<(), Wrong> {
        let policy = &mut self.policy;
        match given.row().id {
            Id::Restart => return when_named(given, word).map(|when| self.when = Some(when)),
            Id::RestartDelay => policy.delay = time_in(given, word, word)?,
            Id::RestartMaxDelay => {
                policy.longest_delay = time_in(given, word, word)?;
                self.longest = Some(policy.longest_delay);
            }
            Id::RestartReset => policy.healthy_after = time_in(given, word, word)?,
            Id::RestartLimit => policy.limit = Some(limit(given, word)?),
            _ => ok_exit(given, policy, word)?,
        }
        // One that a variable gives may be meant for whoever has restarts.
        if let Given::Option(row) = given {
            self.how = Some(row);
        }
        Ok(())
    }

    /// Whether it fits together.
    pub(crate) fn check(&self) -> Result<(), Wrong> {
        match (self.when, self.how) {
            (None, Some(row)) => Err(Wrong::Restart(WrongRestart::NoRestart(row))),
            (Some(_), _) | (None, None) => Ok(()),
        }
    }

    /// Whether the delays fit together.
    pub(crate) fn check_delays(&self) -> Result<(), Wrong> {
        match self.longest {
            Some(longest) if longest < self.policy.delay => {
                Err(Wrong::Restart(WrongRestart::ShorterMost(self.policy.delay, longest)))
            }
            _ => Ok(()),
        }
    }

    /// What comes of it all. `None`: there are no restarts.
    pub(crate) fn policy(&self) -> Option<Restarting> {
        let when = self.when.flatten()?;
        Some(Restarting { when, ..self.policy })
    }

    /// The same where it is started again only because somebody wants that.
    pub(crate) fn on_request(&self) -> Restarting {
        Restarting { when: When::OnRequest, ..self.policy }
    }
}

fn when_named(given: Given, word: &'static str) -> Result<Option<When>, Wrong> {
    match word {
        "no" => Ok(None),
        "on-failure" => Ok(Some(When::OnFailure)),
        "always" => Ok(Some(When::Always)),
        _ => Err(Wrong::NotAChoice(given, word)),
    }
}

/// `3/10s`.
fn limit(given: Given, word: &'static str) -> Result<Limit, Wrong> {
    let wrong = || Wrong::Restart(WrongRestart::NotALimit(given, word));
    let (most, within) = word.split_once('/').ok_or_else(wrong)?;
    let digits = most.bytes().all(|byte| byte.is_ascii_digit());
    let most = most.parse().ok().filter(|most| digits && (1..=Limit::MOST).contains(most));
    let most = most.ok_or_else(wrong)?;
    match time_in(given, word, within)? {
        Duration::ZERO => Err(wrong()),
        within => Ok(Limit { most, within }),
    }
}

/// `0,143,TERM`: each is a code or, by its name, a signal.
fn ok_exit(given: Given, policy: &mut Restarting, whole: &'static str) -> Result<(), Wrong> {
    for word in whole.split(',') {
        match check::ok_exit(given, whole, word)? {
            OkExit::Code(code) => policy.successes.add_code(code),
            OkExit::Signal(signal) => policy.successes.add_signal(signal),
        }
    }
    Ok(())
}
