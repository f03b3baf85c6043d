//! The words of `supervise ctl`.

use std::ffi::CStr;
use std::time::Duration;

use log::LevelFilter;
use supervise_init::core::Signal;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id};
use super::subcommands::Row;
use super::wrong::{Given, Wrong};
use super::{Request, named, stop, value};
use crate::request::{Ctl, Form, Format, Patience};

/// What it can be asked, in the order of the help text.
pub(super) const VERBS: &str = "status|stop|restart|signal|events";

/// The words that have been read.
#[derive(Default)]
struct Said {
    verb: Option<&'static CStr>,
    signal: Option<&'static CStr>,
    /// The words of these options.
    json: Option<&'static CStr>,
    check: Option<&'static CStr>,
    wait: Option<&'static CStr>,
    limit: Option<Duration>,
    level: Option<LevelFilter>,
}

/// `supervise ctl VERB [SIGNAL] [OPTIONS]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let options = subcommand.shown_options();
    let mut said = Said::default();
    let mut at = 2;
    while let Some(word) = words.get(at) {
        match word.to_bytes() {
            [b'-', b'-', _, ..] => {
                let (row, attached) =
                    named(word, options.iter().copied()).ok_or_else(|| said.unknown(subcommand, word))?;
                let value = value(words, &mut at, row, attached)?;
                if let Some(print) = said.option(subcommand, row, word, value)? {
                    return Ok(Request::Print(print));
                }
            }
            [b'-', _, ..] => {
                let row = flag(subcommand, &options, word).map_err(|_| said.unknown(subcommand, word))?;
                if let Some(print) = said.option(subcommand, row, word, c"")? {
                    return Ok(Request::Print(print));
                }
            }
            _ => said.word(subcommand, word)?,
        }
        at += 1;
    }
    Ok(Request::Ctl(said.ctl()?, said.level))
}

impl Said {
    /// An option: what is to be printed instead of all else, if it asks for that.
    fn option(
        &mut self,
        subcommand: &'static Row,
        row: &'static options::Row,
        word: &'static CStr,
        value: &'static CStr,
    ) -> Result<Option<Print>, Wrong> {
        match row.id {
            Id::Help if word == c"-h" => return Ok(Some(Print::ShortHelp(Some(subcommand)))),
            Id::Help => return Ok(Some(Print::LongHelp(Some(subcommand)))),
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            Id::Json => self.json = Some(word),
            Id::Check => self.check = Some(word),
            Id::Wait => self.wait = Some(word),
            _ => {
                let given = Given::Option(row);
                let limit = stop::time(given, value.to_str().map_err(|_| Wrong::NotUtf8(given, value))?)?;
                (self.wait, self.limit) = (self.wait.or(Some(word)), Some(limit));
            }
        }
        Ok(None)
    }

    /// What nothing here takes.
    fn unknown(&self, subcommand: &'static Row, word: &'static CStr) -> Wrong {
        match (Wrong::unknown_to(subcommand, word), self.verb) {
            (Wrong::NotTaken { .. }, Some(verb)) => Wrong::NotOfThisVerb { verb, word },
            (wrong, _) => wrong,
        }
    }

    /// The verb, or its signal.
    fn word(&mut self, subcommand: &'static Row, word: &'static CStr) -> Result<(), Wrong> {
        match self.verb {
            None if VERBS.split('|').any(|verb| verb.as_bytes() == word.to_bytes()) => self.verb = Some(word),
            None => return Err(Wrong::NotAVerb(word)),
            Some(verb) if verb == c"signal" && self.signal.is_none() => self.signal = Some(word),
            Some(_) => return Err(self.unknown(subcommand, word)),
        }
        Ok(())
    }

    fn ctl(&self) -> Result<Ctl, Wrong> {
        let verb = self.verb.ok_or(Wrong::NoVerb)?;
        let (ctl, taken) = match verb.to_bytes() {
            b"status" => {
                let format = match (self.json, self.check) {
                    (None, None) => Format::Text,
                    (Some(_), None) => Format::Json,
                    (None, Some(_)) => Format::Check,
                    (Some(_), Some(_)) => Format::CheckedJson,
                };
                (Ctl::Status(format), [self.json, self.check])
            }
            b"stop" => (Ctl::Stop(self.patience()), [self.wait, None]),
            b"restart" => (Ctl::Restart(self.patience()), [self.wait, None]),
            b"events" => (Ctl::Events(if self.json.is_some() { Form::Json } else { Form::Lines }), [self.json, None]),
            _ => {
                let word = self.signal.ok_or(Wrong::NoSignal)?;
                let signal = word.to_str().ok().and_then(Signal::parse).ok_or(Wrong::NotASignalToSend(word))?;
                (Ctl::Signal(signal), [None; 2])
            }
        };
        let given = [self.json, self.check, self.wait];
        match given.into_iter().flatten().find(|word| !taken.contains(&Some(*word))) {
            Some(word) => Err(Wrong::NotOfThisVerb { verb, word }),
            None => Ok(ctl),
        }
    }

    fn patience(&self) -> Patience {
        match self.wait {
            None => Patience::None,
            Some(_) => Patience::Until(self.limit.filter(|limit| !limit.is_zero())),
        }
    }
}

/// The option without a value that the word is.
pub(super) fn flag(
    subcommand: &'static Row,
    options: &[&'static options::Row],
    word: &'static CStr,
) -> Result<&'static options::Row, Wrong> {
    let unknown = || Wrong::unknown_to(subcommand, word);
    match word.to_bytes() {
        [b'-', b'-', _, ..] => match named(word, options.iter().copied()).ok_or_else(unknown)? {
            (row, None) => Ok(row),
            (row, Some(_)) => Err(Wrong::UnwantedValue(row.long)),
        },
        [b'-', letter] => {
            let row = options.iter().find(|row| row.short == Some(char::from(*letter)));
            row.copied().ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}
