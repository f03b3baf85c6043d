//! The words of `supervise shims`.

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id};
use super::subcommands::Row;
use super::wrong::Wrong;
use super::{Request, named, value};
use crate::shims::{Names, Order, Shims};

/// What was said so far.
struct Said {
    names: Names,
    dir: Option<&'static CStr>,
    order: Order,
    level: Option<LevelFilter>,
}

/// `supervise shims [DIR | --inits DIR] [--remove]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let mut said = Said { names: Names::Clients, dir: None, order: Order::Install, level: None };
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
                // Only a second directory is too much.
                said.set(row, value).ok_or(Wrong::NotTaken { subcommand, word: value })?;
            }
            [b'-', letters @ ..] => {
                for letter in letters {
                    let row = options.iter().find(|row| row.short == Some(char::from(*letter)));
                    let row = row.ok_or_else(unknown)?;
                    if row.id == Id::Help {
                        return Ok(Request::Print(Print::ShortHelp(Some(subcommand))));
                    }
                    said.set(row, c"").ok_or_else(unknown)?;
                }
            }
            _ if said.dir.is_none() => said.dir = Some(word),
            _ => return Err(unknown()),
        }
        at += 1;
    }
    let Said { names, dir, order, level } = said;
    if dir.is_some_and(CStr::is_empty) {
        return Err(Wrong::NoShims);
    }
    Ok(Request::Shims(Shims { names, dir, order }, level))
}

impl Said {
    /// `None` where that cannot be said as well.
    fn set(&mut self, row: &options::Row, value: &'static CStr) -> Option<()> {
        match row.id {
            Id::Verbose => self.level = Some(LevelFilter::Debug),
            Id::Remove => self.order = Order::Remove,
            Id::Inits if self.dir.is_none() => {
                self.names = Names::Inits;
                self.dir = Some(value);
            }
            _ => return None,
        }
        Some(())
    }
}
