//! `supervise`: an init for containers and shells. What is process 1 itself is the crate `supervise-init`; this one
//! reads the command line, prepares what allocates before the payload starts, and says what went wrong.
//!
//! `cli` turns words into checked types, and `compat` those of other inits; [`run`] puts the parts together, `diagnose` explains a program that does not
//! start.

mod cli;
mod compat;
mod conduct;
mod diagnose;
mod end;
mod getopt;
mod hooks;
mod init;
mod outfit;
mod place;
mod report;
mod shims;
mod sys;
mod wait_for;

use std::ffi::c_char;

use log::error;
use supervise_init::sys::{Environment, Format, Words, block_all};

/// Everything from `main` on; returns the exit code, unless we die of the signal that main died of.
pub fn run(words: Words, mut environment: Environment) -> u8 {
    // First of all: a signal that finds no mask is lost, and a PID 1 would never know.
    let entry = block_all();
    let surroundings = init::Surroundings::take(&mut environment);
    let other = compat::called_as(&words);
    let entry = match entry {
        Ok(entry) => entry,
        Err(errno) => {
            surroundings.install_log();
            error!("cannot block signals: {errno} (a seccomp filter?); nothing was started");
            return if other.is_some() { compat::FAILURE } else { cli::exit::FAILURE };
        }
    };
    if let Some(init) = other {
        return compat::run(init, words, environment, entry, &surroundings);
    }
    surroundings.install_log();
    // Looked at where it is: a copy of the options would stay in memory as long as the command runs.
    cli::subcommands::warn_of_program(&words, &surroundings);
    match &cli::parse(&words, surroundings.variables()) {
        Ok(cli::Request::Run(options)) => init::run(words, environment, entry, &surroundings, options),
        Ok(cli::Request::Wait(wait_for, level)) => {
            surroundings.set_level(*level);
            wait_for.run(entry.mask())
        }
        Ok(cli::Request::Shims(shims, level)) => {
            surroundings.set_level(*level);
            shims.run()
        }
        Ok(cli::Request::Print(what)) => cli::help::print(*what),
        Err(wrong) => {
            error!("{wrong}");
            cli::exit::FAILURE
        }
    }
}

/// What `SUPERVISE_LOG_FORMAT` and `--log-format` take.
fn format_named(word: &str) -> Option<Format> {
    match word {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    }
}

/// Room for so many strings and the end, for as long as we run.
pub(crate) fn places(count: usize) -> &'static mut [*mut c_char] {
    vec![std::ptr::null_mut(); count + 1].leak()
}
