//! The words of `supervise shims`.

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id};
use super::subcommands::Row;
use super::wrong::Wrong;
use super::{Request, named, value};
use crate::shims::{Names, Order, Shims, Where};

/// A place for the links, and the word that says so.
struct Place {
    place: Where,
    word: &'static CStr,
}

/// What was said so far.
struct Said {
    names: Names,
    place: Option<Place>,
    order: Order,
    level: Option<LevelFilter>,
}

/// `supervise shims [DIR | --inits DIR | --divert] [--remove]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let mut said = Said { names: Names::Clients, place: None, order: Order::Install, level: None };
    let options = subcommand.shown_options();
    let mut at = 2;
    while let Some(word) = words.get(at) {
        let unknown = || Wrong::unknown_to(subcommand, word);
        match word.to_bytes() {
            b"-" | b"--" => return Err(unknown()),
            b"--help" => return Ok(Request::Print(Print::LongHelp(Some(subcommand)))),
            [b'-', b'-', ..] => {
                let (row, attached) = named(word, options.iter().copied()).ok_or_else(unknown)?;
                let value = value(words, &mut at, row, attached)?;
                said.set(row, value, word)?.ok_or_else(unknown)?;
            }
            [b'-', letters @ ..] => {
                for letter in letters {
                    let row = options.iter().find(|row| row.short == Some(char::from(*letter)));
                    let row = row.ok_or_else(unknown)?;
                    if row.id == Id::Help {
                        return Ok(Request::Print(Print::ShortHelp(Some(subcommand))));
                    }
                    said.set(row, c"", word)?.ok_or_else(unknown)?;
                }
            }
            _ => said.put(Where::Directory(word), word)?,
        }
        at += 1;
    }
    let Said { names, place, order, level } = said;
    let place = place.map_or(Where::Path, |place| place.place);
    if matches!(place, Where::Directory(dir) if dir.is_empty()) {
        return Err(Wrong::NoShims);
    }
    Ok(Request::Shims(Shims { names, place, order }, level))
}

impl Said {
    /// `None` where that is no option of ours.
    fn set(&mut self, row: &options::Row, value: &'static CStr, word: &'static CStr) -> Result<Option<()>, Wrong> {
        match row.id {
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            Id::Remove => self.order = Order::Remove,
            Id::Inits => {
                self.put(Where::Directory(value), value)?;
                self.names = Names::Inits;
            }
            Id::Divert => self.put(Where::Diverted, word)?,
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// They can be in one place only; to say the same again is no more than that.
    fn put(&mut self, place: Where, word: &'static CStr) -> Result<(), Wrong> {
        match &self.place {
            Some(first) if first.place != place || self.names == Names::Inits => {
                Err(Wrong::TwoPlaces(first.word, word))
            }
            _ => {
                self.place = Some(Place { place, word });
                Ok(())
            }
        }
    }
}
