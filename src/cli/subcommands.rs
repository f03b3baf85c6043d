//! The subcommands. A first word that names one is supervise's own; `supervise -- NAME` runs a program of that name.

use std::ffi::CStr;

use super::options;

/// Which subcommand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subcommand {
    Completions,
    Man,
}

/// One subcommand.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) subcommand: Subcommand,
    pub(crate) name: &'static str,
    /// What stands behind its name.
    pub(crate) usage: &'static str,
    /// As for an option: one line for `-h`, then the rest.
    pub(crate) help: &'static str,
    /// Its own options. What runs a command takes the init's as well.
    pub(crate) options: &'static [options::Row],
}

impl Row {
    /// Whether a command follows its own words.
    pub(crate) fn runs_a_command(&self) -> bool {
        self.usage.contains("COMMAND")
    }
}

/// In the order of the help text.
pub(crate) static TABLE: [Row; 2] = [
    Row {
        subcommand: Subcommand::Completions,
        name: "completions",
        usage: "bash|zsh|fish",
        help: "Print completions for a shell\nThey complete the options, their values, and the command with its own arguments.",
        options: &[],
    },
    Row {
        subcommand: Subcommand::Man,
        name: "man",
        usage: "",
        help: "Print the man page\nIts source, for `man -l -` or a file.",
        options: &[],
    },
];

/// The subcommand of that name.
pub(crate) fn named(word: &CStr) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.as_bytes() == word.to_bytes())
}
