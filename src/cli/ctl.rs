//! The words of `supervise ctl`.

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::sys::Words;

use super::help::Print;
use super::options::{self, Id};
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
        if word == c"status" && !asked {
            asked = true;
            continue;
        }
        match flag(subcommand, &options, word)?.id {
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
