//! The subcommands. A first word that names one is supervise's own; `supervise -- NAME` runs a program of that name.

use std::ffi::CStr;

use super::options::{self, WAIT_FOR};

/// Which subcommand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subcommand {
    WaitFor,
}

/// One subcommand.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) subcommand: Subcommand,
    pub(crate) name: &'static str,
    /// What stands behind its name.
    #[expect(dead_code, reason = "the help text is to show it")]
    pub(crate) usage: &'static str,
    #[expect(dead_code, reason = "the help text is to show it")]
    pub(crate) help: &'static str,
    /// Its own options. What runs a command takes the init's as well.
    pub(crate) options: &'static [options::Row],
}

/// In the order of the help text.
pub(crate) static TABLE: [Row; 1] = [Row {
    subcommand: Subcommand::WaitFor,
    name: "wait-for",
    usage: "[OPTIONS] TARGET... [-- COMMAND [ARG]...]",
    help: "Wait until each TARGET is ready (tcp:HOST:PORT, unix:PATH, http://HOST[:PORT]/PATH, file:PATH, \
           exec:COMMAND), then run the command, if any",
    options: &WAIT_FOR,
}];

/// The subcommand of that name.
pub(crate) fn named(word: &CStr) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.as_bytes() == word.to_bytes())
}
