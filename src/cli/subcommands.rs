//! The subcommands. A first word that names one is supervise's own; `supervise -- NAME` runs a program of that name.

use std::ffi::CStr;
use std::path::Path;

use log::warn;
use supervise_init::sys::Words;

use super::ctl;
use super::options::{
    self, CHECK, CTL, FEATURES, HALT, Id, RUN, RUNLEVEL, SHIMS, SHUTDOWN, SYSTEMCTL, TELINIT, WAIT_FOR,
};
use crate::diagnose;
use crate::request::Client;
use crate::surroundings::Surroundings;

/// Which subcommand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subcommand {
    WaitFor,
    Run,
    Check,
    Shims,
    Client(Client),
    Ctl,
    Features,
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
    /// Its own options. What runs a command takes the init's as well, a client has all that it takes.
    pub(crate) options: &'static [options::Row],
}

impl Row {
    /// Whether a command follows its own words.
    pub(crate) fn runs_a_command(&self) -> bool {
        self.usage.contains("COMMAND")
    }

    /// Whether it takes the init's options too.
    pub(crate) fn takes_inits_options(&self) -> bool {
        self.runs_a_command() && self.subcommand != Subcommand::Check
    }

    /// The words of which one stands behind its name, with `|` between.
    pub(crate) fn choices(&self) -> Option<&'static str> {
        if self.subcommand == Subcommand::Ctl {
            return Some(ctl::VERBS);
        }
        // In brackets it is about options.
        Some(self.usage).filter(|usage| usage.contains('|') && !usage.contains('['))
    }

    /// The options that its help tells of: its own, and those of the init that are not about a command. All have help,
    /// and what does something can say what.
    #[inline(never)]
    pub(crate) fn shown_options(&self) -> Vec<&'static options::Row> {
        if matches!(self.subcommand, Subcommand::Client(_)) {
            return self.options.iter().collect();
        }
        let has_a_log = !self.options.is_empty();
        let of_the_init = |row: &&options::Row| row.id == Id::Help || row.id == Id::Verbose && has_a_log;
        self.options.iter().chain(options::TABLE.iter().filter(of_the_init)).collect()
    }
}

/// In the order of the help text.
pub(crate) static TABLE: [Row; 16] = [
    Row {
        subcommand: Subcommand::WaitFor,
        name: "wait-for",
        usage: "[OPTIONS] TARGET... [-- COMMAND [ARG]...]",
        help: "Wait until all are ready, then run COMMAND\nWithout a COMMAND it ends there.",
        options: &WAIT_FOR,
    },
    Row {
        subcommand: Subcommand::Run,
        name: "run",
        usage: "[OPTIONS] ROOTFS [-- COMMAND [ARG]...]",
        help: "Run COMMAND in a container made of ROOTFS\nROOTFS is a directory with the files of a distribution. Without a COMMAND its shell runs.",
        options: &RUN,
    },
    Row {
        subcommand: Subcommand::Check,
        name: "check",
        usage: "[OPTIONS] [--] COMMAND [ARG]...",
        help: "Tell how COMMAND stops, and why\nIt is run, told to stop, and watched from outside with all its processes. It ends with 0 if all is well, 1 if a check failed, and 2 if nothing can be said.",
        options: &CHECK,
    },
    Row {
        subcommand: Subcommand::Features,
        name: "features",
        usage: "[--json]",
        help: "Tell what there is for containers\nWhat this kernel lets this user have of what `supervise run` is made of. It is tried, and nothing is changed.",
        options: &FEATURES,
    },
    Row {
        subcommand: Subcommand::Shims,
        name: "shims",
        usage: "[DIR | --inits DIR | --divert] [--remove]",
        help: "Give it more names, by links\nAs an image is built. Those of poweroff, halt, reboot, shutdown, telinit, init, runlevel and systemctl, in DIR (default: the first directory of PATH that is there); or of other inits, for images that call these.",
        options: &SHIMS,
    },
    Row {
        subcommand: Subcommand::Ctl,
        name: "ctl",
        usage: "VERB [SIGNAL] [OPTIONS]",
        help: "Ask process 1: status, stop, restart, ...\nHow it stands, and what happens there, everybody may ask; to stop or restart its command, or to pass a signal on to it, root and the user of process 1.",
        options: &CTL,
    },
    Row {
        subcommand: Subcommand::Client(Client::Poweroff),
        name: "poweroff",
        usage: "[OPTIONS]",
        help: "Ask process 1 to stop all\nIt takes the words of systemd's and sysvinit's poweroff. So does a link to supervise of that name.",
        options: &HALT,
    },
    Row {
        subcommand: Subcommand::Client(Client::Halt),
        name: "halt",
        usage: "[OPTIONS]",
        help: "The same, which is all that a halt is here",
        options: &HALT,
    },
    Row {
        subcommand: Subcommand::Client(Client::Reboot),
        name: "reboot",
        usage: "[OPTIONS] [ARG]",
        help: "Ask process 1 to stop all and begin again\nARG is for a boot loader, and ignored.",
        options: &HALT,
    },
    Row {
        subcommand: Subcommand::Client(Client::Shutdown),
        name: "shutdown",
        usage: "[OPTIONS] [WHEN] [MESSAGE]...",
        help: "Ask for it now or later, or cancel that\nWHEN is now, +5 or 5 (minutes), or 23:59, in the container's time zone; without it +1. It returns at once.",
        options: &SHUTDOWN,
    },
    Row {
        subcommand: Subcommand::Client(Client::Telinit),
        name: "telinit",
        usage: "0|1|2|3|4|5|6|S|q|u",
        help: "Ask for a runlevel: 0 stops, 6 reboots\nq and u are harmless, and a container has no others: process 1 logs them.",
        options: &TELINIT,
    },
    Row {
        subcommand: Subcommand::Client(Client::Init),
        name: "init",
        usage: "0|1|2|3|4|5|6|S|q|u",
        help: "The same; as process 1 a link is the init\nA link of that name that is process 1 is `supervise`.",
        options: &TELINIT,
    },
    Row {
        subcommand: Subcommand::Client(Client::Runlevel),
        name: "runlevel",
        usage: "",
        help: "Print `unknown`: a container has no runlevel",
        options: &RUNLEVEL,
    },
    Row {
        subcommand: Subcommand::Client(Client::Systemctl),
        name: "systemctl",
        usage: "[OPTIONS] VERB [ARG]...",
        help: "Know systemctl's verbs of a shutdown\nThe rest is a real systemctl's, if there is one.",
        options: &SYSTEMCTL,
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
