//! The subcommands. A first word that names one is supervise's own; `supervise -- NAME` runs a program of that name.

use std::ffi::CStr;

use std::path::Path;

use log::warn;
use supervise_init::sys::Words;

use super::options::{self, WAIT_FOR};
use crate::diagnose;
use crate::init::Surroundings;

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
