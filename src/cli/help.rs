//! What is printed on demand: help, the version, the man page, completions. Never on the path to the payload.

mod page;
mod plain;
mod roff;
mod texts;

use nix::errno::Errno;
use supervise_init::sys::Output;

use super::completions::{self, Shell};
use super::subcommands::Subcommand;
use super::{exit, subcommands};

use page::Page;

use crate::request::{Called, Client};

/// What is to be printed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Print {
    /// `-h`: one line an option.
    ShortHelp(Option<&'static subcommands::Row>),
    /// `--help`.
    LongHelp(Option<&'static subcommands::Row>),
    Version,
    Man,
    Completions(Shell),
}

/// Prints it on stdout. Not in our caller's frame, which stays in memory as long as a command runs.
#[inline(never)]
pub(crate) fn print(what: Print) -> u8 {
    let text = match what {
        Print::ShortHelp(subcommand) => plain::short(&Page::of(subcommand)),
        Print::LongHelp(subcommand) => plain::long(&Page::of(subcommand)),
        Print::Version => concat!("supervise ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
        Print::Man => roff::man(&Page::of(None)),
        Print::Completions(shell) => completions::script(shell),
    };
    print_text(&text)
}

/// Writes it to stdout; returns the code to end with.
pub(crate) fn print_text(text: &str) -> u8 {
    match write(Output::Stdout, text.as_bytes()) {
        Ok(()) => exit::SUCCESS,
        Err(errno) => {
            log::error!("cannot write to stdout: {}", supervise_init::sys::Errno(errno as i32));
            exit::FAILURE
        }
    }
}

/// Prints what there is to know of a client, by the name that it is called by.
#[inline(never)]
pub(crate) fn print_client(client: Client, called: Called) -> u8 {
    let is_its = |row: &&subcommands::Row| row.subcommand == Subcommand::Client(client);
    let mut page = Page::of(subcommands::TABLE.iter().find(is_its));
    if called == Called::Alone {
        page.name = client.name().to_owned();
    }
    match write(Output::Stdout, plain::long(&page).as_bytes()) {
        Ok(()) => exit::SUCCESS,
        Err(_) => exit::NOT_DONE,
    }
}

/// Not by std, which takes a closed stdout for one that has taken everything.
pub(crate) fn write(to: Output, mut text: &[u8]) -> Result<(), Errno> {
    while !text.is_empty() {
        let written = match to {
            Output::Stdout => nix::unistd::write(std::io::stdout(), text),
            Output::Stderr => nix::unistd::write(std::io::stderr(), text),
        };
        match written {
            Ok(written) => text = text.get(written..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// The line that `-h` shows.
pub(super) fn brief(help: &'static str) -> &'static str {
    help.split_once('\n').map_or(help, |(brief, _)| brief)
}

/// All of it, as sentences.
fn sentences(help: &str) -> String {
    help.replacen('\n', ". ", 1) + if help.ends_with('.') { "" } else { "." }
}
