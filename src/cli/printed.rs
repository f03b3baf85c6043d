//! The words of the subcommands that only print something.

use std::ffi::CStr;

use supervise_init::sys::Words;

use super::completions::Shell;
use super::help::Print;
use super::subcommands::Row;
use super::wrong::Wrong;

/// `supervise man`
#[inline(never)]
pub(super) fn man(subcommand: &'static Row, words: &Words) -> Result<Print, Wrong> {
    help(subcommand, words).map_or_else(|| nothing_behind(subcommand, words, 2).map(|()| Print::Man), Ok)
}

/// `supervise completions SHELL`
#[inline(never)]
pub(super) fn completions(subcommand: &'static Row, words: &Words) -> Result<Print, Wrong> {
    if let Some(print) = help(subcommand, words) {
        return Ok(print);
    }
    let word = words.get(2).ok_or(Wrong::NoShell)?;
    let shell = word.to_str().ok().and_then(Shell::named).ok_or(Wrong::NotAShell(word))?;
    nothing_behind(subcommand, words, 3).map(|()| Print::Completions(shell))
}

fn help(subcommand: &'static Row, words: &Words) -> Option<Print> {
    match words.get(2).map(CStr::to_bytes)? {
        b"-h" => Some(Print::ShortHelp(Some(subcommand))),
        b"--help" => Some(Print::LongHelp(Some(subcommand))),
        _ => None,
    }
}

fn nothing_behind(subcommand: &'static Row, words: &Words, at: usize) -> Result<(), Wrong> {
    words.get(at).map_or(Ok(()), |word| Err(Wrong::NotTaken { subcommand, word }))
}
