//! The subcommands. A first word that names one is supervise's own; `supervise -- NAME` runs a program of that name.

use std::ffi::CStr;
use std::path::Path;

use log::warn;
use supervise_init::sys::Words;

use super::options::{self, Id, SHIMS, WAIT_FOR};
use crate::diagnose;
use crate::surroundings::Surroundings;

/// Which subcommand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subcommand {
    WaitFor,
    Shims,
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

    /// The words of which one stands behind its name, with `|` between.
    pub(crate) fn choices(&self) -> Option<&'static str> {
        Some(self.usage).filter(|usage| usage.contains('|'))
    }

    /// The options that its help tells of: its own, and those of the init that are not about a command. All have help,
    /// and what does something can say what.
    #[inline(never)]
    pub(crate) fn shown_options(&self) -> Vec<&'static options::Row> {
        let has_a_log = !self.options.is_empty();
        let of_the_init = |row: &&options::Row| row.id == Id::Help || row.id == Id::Verbose && has_a_log;
        self.options.iter().chain(options::TABLE.iter().filter(of_the_init)).collect()
    }
}

/// In the order of the help text.
pub(crate) static TABLE: [Row; 4] = [
    Row {
        subcommand: Subcommand::WaitFor,
        name: "wait-for",
        usage: "[OPTIONS] TARGET... [-- COMMAND [ARG]...]",
        help: "Wait until all are ready, then run COMMAND\nWithout a COMMAND it ends there.",
        options: &WAIT_FOR,
    },
    Row {
        subcommand: Subcommand::Shims,
        name: "shims",
        usage: "--inits DIR [--remove]",
        help: "Give it the names of other inits, by links\nFor images that call tini, docker-init, dumb-init or catatonit by name.",
        options: &SHIMS,
    },
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

/// As PID 1 a first word may be the command of an image, that nobody thought of as ours: says so if there is a program
/// of that name.
pub(crate) fn warn_of_program(words: &Words, surroundings: &Surroundings) {
    if let Some(row) = words.get(1).and_then(named)
        && surroundings.is_pid_1()
    {
        warn_if_program(row.name, surroundings);
    }
}

#[inline(never)]
fn warn_if_program(name: &str, surroundings: &Surroundings) {
    if let Some(file) = diagnose::start::find(Path::new(name), surroundings.search_path(), libc::EACCES)
        && file.is_file()
    {
        let file = file.display();
        warn!("{name:?} is taken as supervise's own command; for the program {file} say: supervise -- {name}");
    }
}
