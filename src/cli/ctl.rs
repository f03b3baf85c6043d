//! The words of `supervise ctl`.

use log::LevelFilter;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::Id;
use super::subcommands::Row;
use super::wrong::Wrong;
use super::{Request, named};
use crate::request::{Ctl, Format};

/// `supervise ctl status [--json | --check]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let options = subcommand.shown_options();
    let (mut asked, mut format, mut level) = (false, Format::Text, None);
    for at in 2..words.count() {
        let Some(word) = words.get(at) else { break };
        let unknown = || Wrong::unknown_to(subcommand, word);
        let found = match word.to_bytes() {
            b"status" if !asked => {
                asked = true;
                continue;
            }
            [b'-', b'-', _, ..] => match named(word, options.iter().copied()).ok_or_else(unknown)? {
                (row, None) => row,
                (row, Some(_)) => return Err(Wrong::UnwantedValue(row.long)),
            },
            [b'-', letter] => {
                let row = options.iter().find(|row| row.short == Some(char::from(*letter)));
                row.ok_or_else(unknown)?
            }
            _ => return Err(unknown()),
        };
        match found.id {
            Id::Help if word.to_bytes() == b"-h" => return Ok(Request::Print(Print::ShortHelp(Some(subcommand)))),
            Id::Help => return Ok(Request::Print(Print::LongHelp(Some(subcommand)))),
            Id::Verbose => level = Some(LevelFilter::Debug),
            Id::Json if format == Format::Text => format = Format::Json,
            Id::Check if format == Format::Text => format = Format::Check,
            // It is told in one way.
            _ => return Err(Wrong::NotTaken { subcommand, word }),
        }
    }
    if asked { Ok(Request::Ctl(Ctl { format }, level)) } else { Err(Wrong::NoStatus) }
}
