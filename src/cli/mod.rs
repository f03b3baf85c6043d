//! Words into checked types. The path of `supervise [options] -- command` allocates nothing and touches no library:
//! it is most of what happens before the first fork. clap, built from the same table, serves help and suggestions.

pub(crate) mod exit;
pub(crate) mod help;
mod maps;
mod options;
mod wrong;

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::core::{ExitMap, Forwarding, Signal};
use supervise_init::driver::ForwardTo;
use supervise_init::sys::{Words, set_log_format};

use options::{Id, Row, TABLE};
use wrong::Wrong;

/// What the words ask for.
#[expect(clippy::large_enum_variant, reason = "one exists, and boxing would be the only allocation on this path")]
pub(crate) enum Request {
    Run(Options),
    Help,
    Version,
}

/// The options of the init, checked.
pub(crate) struct Options {
    /// `None`: as `SUPERVISE_LOG` says.
    pub(crate) level: Option<LevelFilter>,
    pub(crate) forward_to: ForwardTo,
    pub(crate) forwarding: Forwarding,
    pub(crate) exit_map: ExitMap,
    pub(crate) parent_death: Option<Signal>,
    /// Where in the words the command begins; at least 1.
    pub(crate) command: usize,
}

impl Options {
    const DEFAULT: Options = Options {
        level: None,
        forward_to: ForwardTo::Main,
        forwarding: Forwarding::DEFAULT,
        exit_map: ExitMap::NONE,
        parent_death: None,
        command: 0,
    };

    fn set(&mut self, row: &'static Row, value: &'static CStr) -> Result<(), Wrong> {
        let text = || value.to_str().map_err(|_| Wrong::NotUtf8(row.long, value));
        match row.id {
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            // At once: what is wrong with the words behind it is said so already.
            Id::LogFormat => set_log_format(choice(row, text()?, crate::format_named)?),
            Id::ForwardTo => self.forward_to = choice(row, text()?, forward_to_named)?,
            Id::Rewrite => maps::rewrite(&mut self.forwarding, text()?)?,
            Id::ExitMap => maps::exit_map(&mut self.exit_map, text()?)?,
            Id::ParentDeath => self.parent_death = Some(maps::parent_death(text()?)?),
            Id::Help | Id::Version => {}
        }
        Ok(())
    }
}

/// Reads the words after the first.
pub(crate) fn parse(words: &Words) -> Result<Request, Wrong> {
    let mut options = Options::DEFAULT;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let bytes = word.to_bytes();
        if bytes == b"--" {
            at += 1;
            break;
        }
        let asked = match bytes {
            [b'-', b'-', ..] => long(words, &mut at, word, &mut options)?,
            [b'-', _, ..] => short(words, word, &mut options)?,
            _ => break,
        };
        match asked {
            Some(Id::Help) => return Ok(Request::Help),
            Some(Id::Version) => return Ok(Request::Version),
            Some(Id::ForwardTo | Id::Rewrite | Id::ExitMap | Id::ParentDeath | Id::Verbose | Id::LogFormat) | None => {
                at += 1;
            }
        }
    }
    if at >= words.count() {
        return Err(Wrong::NoCommand);
    }
    options.command = at;
    Ok(Request::Run(options))
}

/// `--name`, `--name value` or `--name=value`. Moves `at` to the value if that is a word of its own.
fn long(words: &Words, at: &mut usize, word: &'static CStr, options: &mut Options) -> Result<Option<Id>, Wrong> {
    let bytes = word.to_bytes_with_nul().get(2..).unwrap_or_default();
    let name_length = bytes.iter().position(|byte| matches!(byte, b'=' | 0)).unwrap_or(0);
    let (name, rest) = bytes.split_at(name_length);
    let row = TABLE.iter().find(|row| row.long.as_bytes() == name).ok_or_else(|| Wrong::unknown(words, word))?;
    let attached = match rest {
        [b'=', value @ ..] => CStr::from_bytes_with_nul(value).ok(),
        _ => None,
    };
    let value = match (row.value, attached) {
        (None, None) => c"",
        (None, Some(_)) => return Err(Wrong::UnwantedValue(row.long)),
        (Some(_), Some(value)) => value,
        (Some(_), None) => next_word(words, at).ok_or(Wrong::NoValue(row))?,
    };
    options.set(row, value)?;
    Ok(Some(row.id))
}

/// `-v`, `-vv`: no short option takes a value.
fn short(words: &Words, word: &'static CStr, options: &mut Options) -> Result<Option<Id>, Wrong> {
    let mut last = None;
    for letter in word.to_bytes().iter().skip(1) {
        let row = TABLE
            .iter()
            .find(|row| row.short.is_some_and(|short| short.is_ascii() && short as u8 == *letter))
            .ok_or_else(|| Wrong::unknown(words, word))?;
        options.set(row, c"")?;
        last = Some(row.id);
        if matches!(row.id, Id::Help | Id::Version) {
            break;
        }
    }
    Ok(last)
}

fn next_word(words: &Words, at: &mut usize) -> Option<&'static CStr> {
    *at += 1;
    words.get(*at)
}

fn forward_to_named(word: &str) -> Option<ForwardTo> {
    match word {
        "main" => Some(ForwardTo::Main),
        "group" => Some(ForwardTo::Group),
        _ => None,
    }
}

fn choice<T>(row: &'static Row, word: &'static str, named: fn(&str) -> Option<T>) -> Result<T, Wrong> {
    named(word).ok_or(Wrong::NotAChoice(row, word))
}
