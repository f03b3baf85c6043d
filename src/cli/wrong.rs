//! What can be wrong with the words, each in one line: what, where, why, what to do.

use std::ffi::CStr;
use std::fmt;

use supervise_init::core::Signal;
use supervise_init::sys::Words;

use super::help;
use super::options::Row;

/// A reason to start nothing.
#[derive(Debug)]
pub(crate) enum Wrong {
    NoCommand,
    Unknown { word: &'static CStr, nearest: Option<String> },
    NoValue(&'static Row),
    UnwantedValue(&'static str),
    NotUtf8(&'static str, &'static CStr),
    NotAChoice(&'static Row, &'static str),
    NotAPair(&'static str, &'static str),
    NotASignal { option: &'static str, whole: &'static str, word: &'static str },
    NotACode(&'static str, &'static str),
    CannotBeCaught(&'static str, Signal),
}

impl Wrong {
    /// An option that the table does not have, with the nearest that it has.
    pub(crate) fn unknown(words: &Words, word: &'static CStr) -> Wrong {
        Wrong::Unknown { word, nearest: help::nearest_option(words) }
    }
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
            Wrong::NotUtf8(option, value) => write!(f, "--{option} {}: not UTF-8", value.to_string_lossy()),
            Wrong::NotAChoice(row, word) => {
                write!(f, "--{} {word}: it is one of {}", row.long, row.value.unwrap_or_default())
            }
            Wrong::NotAPair(option, whole) => write!(f, "--{option} {whole}: not of the form FROM=TO"),
            Wrong::NotASignal { option, whole, word } => write!(
                f,
                "--{option} {whole}: no signal is called {word:?}; it is a name like TERM or RTMIN+3, or 1 to 64"
            ),
            Wrong::NotACode(whole, word) => {
                write!(f, "--exit-map {whole}: {word:?} is no exit code; those are 0 to 255")
            }
            Wrong::CannotBeCaught(whole, signal) => {
                write!(f, "--rewrite {whole}: {signal} never reaches us; the kernel acts on it itself")
            }
        }
    }
}
