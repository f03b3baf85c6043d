//! What can be wrong with the words, each in one line: what, where, why, what to do.

use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use supervise_init::core::{Signal, StopSignals};
use supervise_init::sys::Words;

use super::help;
use super::options::Row;
use crate::outfit::{Unfit, nearest};

/// Where a value was given. Shown as what stands before the value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    /// `--name VALUE`
    Option(&'static Row),
    /// `SUPERVISE_NAME=VALUE`
    Variable(&'static Row),
}

impl Given {
    pub(crate) fn row(self) -> &'static Row {
        match self {
            Given::Option(row) | Given::Variable(row) => row,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Option(row) => write!(f, "--{} ", row.long),
            Given::Variable(row) => write!(f, "{}=", row.variable()),
        }
    }
}

/// A reason to start nothing.
#[derive(Debug)]
pub(crate) enum Wrong {
    NoCommand,
    Unknown { word: &'static CStr, nearest: Option<String> },
    NoValue(&'static Row),
    UnwantedValue(&'static str),
    NotUtf8(Given, &'static CStr),
    NotAChoice(Given, &'static str),
    NotAPair(Given, &'static str),
    NotASignal { given: Given, whole: &'static str, word: &'static str },
    NotACode(Given, &'static str, &'static str),
    NeitherCodeNorSignal(Given, &'static str, &'static str),
    NeverForwarded { given: Given, whole: &'static str, signal: Signal },
    NotATime { given: Given, whole: &'static str, word: &'static str },
    StopsNothing { given: Given, whole: &'static str, signal: Signal },
    AfterKill { given: Given, whole: &'static str },
    NoTime { given: Given, whole: &'static str, signal: Signal },
    TimeForNothing { given: Given, whole: &'static str, signal: Signal },
    TooManySignals { given: Given, whole: &'static str },
    NotAFlag(Given, &'static str),
    Unfit(Given, &'static CStr, Box<Unfit>),
    KilledUntold { grace: Duration, delay: Duration },
}

impl Wrong {
    /// An option that the table does not have, with the nearest that it has.
    pub(crate) fn unknown(words: &Words, word: &'static CStr) -> Wrong {
        Wrong::Unknown { word, nearest: help::nearest_option(words) }
    }
}

/// The signal whose name the word is most like.
fn nearest_signal(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_uppercase();
    nearest(word.strip_prefix("SIG").unwrap_or(&word), &mut Signal::names())
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::NoCommand => {
                f.write_str("no command given; say `supervise [options] -- command`, or `supervise --help`")
            }
            Wrong::Unknown { word, nearest } => {
                write!(f, "unknown option {}", word.to_string_lossy())?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => f.write_str("; `supervise --help` lists them, and `--` ends ours"),
                }
            }
            Wrong::NoValue(row) => {
                write!(f, "--{} needs a value: --{} {}", row.long, row.long, row.value.unwrap_or_default())
            }
            Wrong::UnwantedValue(option) => write!(f, "--{option} takes no value"),
            Wrong::NotUtf8(given, value) => write!(f, "{given}{}: not UTF-8", value.to_string_lossy()),
            Wrong::NotAChoice(given, word) => {
                write!(f, "{given}{word}: it is one of {}", given.row().value.unwrap_or_default())
            }
            Wrong::NotAPair(given, whole) => write!(f, "{given}{whole}: not of the form FROM=TO"),
            Wrong::NotASignal { given, whole, word } => {
                write!(f, "{given}{whole}: no signal is called {word:?}; ")?;
                match nearest_signal(word) {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => f.write_str("it is a name like TERM or RTMIN+3, or 1 to 64"),
                }
            }
            Wrong::NotACode(given, whole, word) => {
                write!(f, "{given}{whole}: {word:?} is no exit code; those are 0 to 255")
            }
            Wrong::NeitherCodeNorSignal(given, whole, word) => {
                write!(f, "{given}{whole}: {word:?} is neither an exit code, 0 to 255, nor the name of a signal")
            }
            Wrong::NeverForwarded { given, whole, signal } => {
                write!(f, "{given}{whole}: {signal} is never forwarded")?;
                f.write_str(match *signal {
                    Signal::CHLD => "; it is about our own children",
                    _ => "; the kernel acts on it itself",
                })
            }
            Wrong::NotATime { given, whole, word } => {
                write!(f, "{given}{whole}: {word:?} is no time; ")?;
                match word.parse::<u64>() {
                    Ok(number) => write!(f, "say {number}s, {number}ms, {number}m or {number}h"),
                    Err(_) => f.write_str("it is a number and a unit, like 500ms, 10s, 1.5s, 2m or 1h"),
                }
            }
            Wrong::StopsNothing { given, whole, signal } => write!(f, "{given}{whole}: {signal} ends no program"),
            Wrong::AfterKill { given, whole } => write!(f, "{given}{whole}: nothing can come after KILL"),
            Wrong::NoTime { given, whole, signal } => {
                write!(f, "{given}{whole}: how long after {signal} comes the next one? say {signal}:10s")
            }
            Wrong::TimeForNothing { given, whole, signal } => {
                write!(f, "{given}{whole}: nothing comes after {signal}'s time; add KILL, or leave the time out")
            }
            Wrong::TooManySignals { given, whole } => {
                write!(f, "{given}{whole}: too many signals; there can be {}", StopSignals::MOST)
            }
            Wrong::NotAFlag(given, word) => write!(f, "{given}{word}: it is 1 or 0 (also true, yes, false, no)"),
            Wrong::Unfit(given, value, why) => write!(f, "{given}{}: {why}", value.to_string_lossy()),
            Wrong::KilledUntold { grace, delay } => {
                write!(
                    f,
                    "a grace of {grace:?} with a delay of {delay:?}: the command would be killed before it is told; "
                )?;
                f.write_str("the grace counts from the request, so it must be longer")
            }
        }
    }
}
