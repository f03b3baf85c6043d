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
    NeitherCodeNorSignal(&'static str, &'static str),
    NeverForwarded { option: &'static str, whole: &'static str, signal: Signal },
}

impl Wrong {
    /// An option that the table does not have, with the nearest that it has.
    pub(crate) fn unknown(words: &Words, word: &'static CStr) -> Wrong {
        Wrong::Unknown { word, nearest: help::nearest_option(words) }
    }
}

/// The name that the word is most like, if it is like one at all (as near as clap asks of options).
fn nearest_signal(word: &str) -> Option<&'static str> {
    const NEAR: f64 = 0.7;
    let word = word.to_ascii_uppercase();
    let word = word.strip_prefix("SIG").unwrap_or(&word);
    let names = Signal::names().map(|name| (strsim::jaro(word, name), name)).filter(|(near, _)| *near > NEAR);
    names.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, name)| name)
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
            Wrong::NotASignal { option, whole, word } => {
                write!(f, "--{option} {whole}: no signal is called {word:?}; ")?;
                match nearest_signal(word) {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => f.write_str("it is a name like TERM or RTMIN+3, or 1 to 64"),
                }
            }
            Wrong::NotACode(whole, word) => {
                write!(f, "--exit-map {whole}: {word:?} is no exit code; those are 0 to 255")
            }
            Wrong::NeitherCodeNorSignal(whole, word) => {
                write!(f, "--exit-map {whole}: {word:?} is neither an exit code, 0 to 255, nor the name of a signal")
            }
            Wrong::NeverForwarded { option, whole, signal } => {
                write!(f, "--{option} {whole}: {signal} is never forwarded")?;
                f.write_str(match *signal {
                    Signal::CHLD => "; it is about our own children",
                    _ => "; the kernel acts on it itself",
                })
            }
        }
    }
}
