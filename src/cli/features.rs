//! The words of `supervise features`.

use supervise_init::sys::Words;

use super::Request;
use super::ctl::flag;
use super::help::Print;
use super::options::Id;
use super::subcommands::Row;
use super::wrong::Wrong;
use crate::runtime::features::Format;

/// `supervise features [--json]`
#[inline(never)]
pub(super) fn parse(subcommand: &'static Row, words: &Words) -> Result<Request, Wrong> {
    let options = subcommand.shown_options();
    let (mut format, mut level) = (Format::Text, None);
    for at in 2..words.count() {
        let Some(word) = words.get(at) else { break };
        match flag(subcommand, &options, word)?.id {
            Id::Help if word.to_bytes() == b"-h" => return Ok(Request::Print(Print::ShortHelp(Some(subcommand)))),
            Id::Help => return Ok(Request::Print(Print::LongHelp(Some(subcommand)))),
            Id::Verbose => level = Some(log::LevelFilter::Debug),
            _ => format = Format::Json,
        }
    }
    Ok(Request::Features(format, level))
}
