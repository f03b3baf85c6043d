//! `supervise`: an init for containers and shells. What is process 1 itself is the crate `supervise-init`; this one
//! reads the command line, prepares what allocates before the payload starts, and says what went wrong.
//!
//! `cli` turns words into checked types, and `compat` those of other inits; [`run`] puts the parts together, `diagnose`
//! explains a program that does not start.

mod check;
mod cli;
mod compat;
mod conduct;
mod diagnose;
mod end;
mod getopt;
mod health;
mod hooks;
mod init;
mod json;
mod lives;
mod offer;
mod outfit;
mod place;
mod proc;
mod ready;
mod report;
mod request;
mod runtime;
mod shims;
mod surroundings;
mod sys;
mod wait_for;

use std::ffi::c_char;

use log::error;
use supervise_init::sys::{Environment, Format, Static, Words, block_all};

/// Everything from `main` on; returns the exit code, unless we die of the signal that main died of.
pub fn run(words: Words, mut environment: Environment) -> u8 {
    // First of all: a signal that finds no mask is lost, and a PID 1 would never know.
    let entry = block_all();
    let surroundings = surroundings::Surroundings::take(&mut environment);
    if surroundings.is_in_our_container() {
        forbid_tracing();
    }
    let called = called_as(&words).filter(|name| !(surroundings.is_pid_1() && name.is_process_1s()));
    let entry = match entry {
        Ok(entry) => entry,
        Err(errno) => {
            surroundings.install_log();
            error!("cannot block signals: {errno} (a seccomp filter?); nothing was started");
            return if called.is_some() { compat::FAILURE } else { cli::exit::FAILURE };
        }
    };
    let ask = |client, how| request::run(client, how, &words, environment, surroundings.ourselves(), entry.mask());
    match called {
        Some(Name::Init(init)) => return compat::run(init, words, environment, entry, &surroundings),
        Some(Name::Client(client)) => return ask(client, request::Called::Alone),
        None => {}
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
        Ok(cli::Request::Contain(order)) => {
            surroundings.set_level(order.options.level);
            runtime::run(order, environment, &surroundings)
        }
        Ok(cli::Request::Check(order, level)) => {
            surroundings.set_level(*level);
            check::run(order, words, environment, entry, &surroundings)
        }
        Ok(cli::Request::Explain(check)) => check::explain(check),
        Ok(cli::Request::Shims(shims, level)) => {
            surroundings.set_level(*level);
            shims.run(entry.mask())
        }
        Ok(cli::Request::Client(client)) => ask(*client, request::Called::AsSubcommand),
        Ok(cli::Request::Ctl(ctl, level)) => {
            surroundings.set_level(*level);
            ctl.run(&environment, entry.mask())
        }
        Ok(cli::Request::Features(format, level)) => {
            surroundings.set_level(*level);
            runtime::features::run(*format)
        }
        Ok(cli::Request::Print(what)) => cli::help::print(*what),
        Err(wrong) => {
            error!("{wrong}");
            cli::exit::FAILURE
        }
    }
}

/// Who traces process 1 stops it, and what is asked of it then is never done. execve(2) has allowed it again, and nothing
/// else is in the container yet.
fn forbid_tracing() {
    if let Err(errno) = nix::sys::prctl::set_dumpable(false) {
        log::warn!(
            "cannot forbid to be traced: {}; root in the container can",
            supervise_init::sys::Errno(errno as i32)
        );
    }
}

/// Another program that we can be.
#[derive(Clone, Copy)]
enum Name {
    Init(compat::Other),
    Client(request::Client),
}

impl Name {
    /// Whether it is the one by which a client and process 1 itself are called: as process 1 `init` is the init.
    fn is_process_1s(self) -> bool {
        matches!(self, Name::Client(request::Client::Init))
    }
}

/// The program that the first word names, if it is not supervise.
fn called_as(words: &Words) -> Option<Name> {
    let path = words.get(0)?.to_bytes();
    let name = path.rsplit(|byte| *byte == b'/').next()?;
    compat::named(name).map(Name::Init).or_else(|| request::named(name).map(Name::Client))
}

/// What `SUPERVISE_LOG_FORMAT` and `--log-format` take.
fn format_named(word: &str) -> Option<Format> {
    match word {
        "text" => Some(Format::Text),
        "json" => Some(Format::Json),
        _ => None,
    }
}

/// Room for one value, for as long as we run: `place`, unless that is taken.
pub(crate) fn room<T>(place: &'static Static<T>, value: fn() -> T) -> &'static mut T {
    place.put(value()).unwrap_or_else(|| Box::leak(Box::new(value())))
}

/// Room for so many strings and the end, for as long as we run.
pub(crate) fn places(count: usize) -> &'static mut [*mut c_char] {
    vec![std::ptr::null_mut(); count + 1].leak()
}
