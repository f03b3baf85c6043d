//! The words of the subcommands that only print something.

use std::ffi::CStr;

use supervise_init::sys::Words;

use super::completions::Shell;
use super::help::Print;
use super::subcommands::{Row, Subcommand};
use super::wrong::Wrong;

/// Reads the words after the subcommand.
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Print, Wrong> {
    let mut operands = (2..).map_while(|at| words.get(at));
    let first = operands.next();
    match first.map(CStr::to_bytes) {
        Some(b"-h") => return Ok(Print::ShortHelp(Some(subcommand))),
        Some(b"--help") => return Ok(Print::LongHelp(Some(subcommand))),
        _ => {}
    }
    let (print, unwanted) = match (subcommand.subcommand, first) {
        (Subcommand::Man, first) => (Print::Man, first),
        (Subcommand::Completions, None) => return Err(Wrong::NoShell),
        (Subcommand::Completions, Some(word)) => {
            let shell = word.to_str().ok().and_then(Shell::named).ok_or(Wrong::NotAShell(word))?;
            (Print::Completions(shell), operands.next())
        }
    };
    match unwanted {
        Some(word) => Err(Wrong::NotTaken { subcommand, word }),
        None => Ok(print),
    }
}
