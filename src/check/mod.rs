//! `supervise check`: runs a command, tells it to stop, and says what happened.
//!
//! `scenario` is what is asked for, `observe` runs it and writes down what it sees in a `record`. From there on nothing is
//! looked at but that: `judge` makes `finding`s of it, and `report` shows them.

mod explain;
mod finding;
mod judge;
#[cfg(test)]
mod made_up;
mod observe;
mod ready;
mod record;
mod report;
mod safe;
pub(crate) mod scenario;

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{IsTerminal as _, Read as _, stdout};
use std::path::Path;

use log::error;
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use supervise_init::core::Signal;
use supervise_init::sys::{Entry, Environment, Output, Placement, Program, SigSet, Words, is_ignored};

use self::observe::{Interrupted, Payload};
use self::record::{Inherited, Run};
use self::report::Paint;
use self::scenario::{Mode, Order, Orphan, Ready, Scenario, Way};
use crate::cli::{exit, help};
use crate::surroundings::Surroundings;

/// Does what was ordered, and returns the code to end with.
#[inline(never)]
pub(crate) fn run(
    order: &Order,
    words: Words,
    environment: Environment,
    entry: Entry,
    surroundings: &Surroundings,
) -> u8 {
    if let Err(why) = find_proc() {
        error!("{why}; without it no process can be watched");
        return exit::FAILURE;
    }
    if let Some(why) = order.state_dirs.iter().find_map(|path| not_a_directory(path)) {
        error!("{why}");
        return exit::FAILURE;
    }
    let _heir = observe::settle_inheritance();
    let inherited = inherited(entry);
    let notify = (order.ready == Ready::SdNotify).then(name_of_socket);
    let program = Program {
        words,
        first: order.command,
        environment: environment_of(environment, notify.as_deref()),
        path: surroundings.path,
        pid_entries: [None; 2],
        named: None,
        given: None,
        entry: entry.without_child_signal().with_mask(SigSet::NONE),
        placement: Placement::Session,
        alterations: None,
    };
    let command: Vec<&CStr> = words_from(words, order.command).collect();
    let payload = Payload {
        program,
        words_of_init: [c"supervise", c"--"].into_iter().chain(words_from(words, order.command)).collect(),
        ourselves: ourselves(),
        notify,
        descriptors: raise_descriptors(),
        state_dirs: order.state_dirs.iter().map(|path| (*path).to_owned()).collect(),
        inherited,
    };
    match make_runs(order, &payload) {
        Ok(runs) => conclude(order, &command, runs),
        Err(Interrupted::Asked(signal)) => {
            error!("{signal} came; the run was ended, and there is no verdict");
            128 + signal.number()
        }
        Err(Interrupted::Failed(why)) => {
            error!("{why}");
            exit::FAILURE
        }
    }
}

/// All runs: the usual ones of each mode and signal, and behind them the further ones.
fn make_runs(order: &Order, payload: &Payload) -> Result<Vec<Run>, Interrupted> {
    let mut runs = Vec::new();
    for mode in &order.modes {
        for signal in &order.signals {
            let run = |way, orphan, repetition| {
                let scenario = scenario(order, (*mode, *signal), (way, orphan));
                observe::run(&scenario, repetition, payload)
            };
            let first = runs.len();
            let mut orphan = Orphan::PutIn;
            for repetition in 1..=order.repeat {
                loop {
                    let mut made = run(Way::Usual, orphan, repetition)?;
                    let is_lost = judge::ends_by_orphan(&made).is_some();
                    if is_lost {
                        // That is told; what else there is to say of it is seen without one.
                        (made.scenario.way, orphan) = (Way::Orphaned, Orphan::LeftOut);
                    }
                    runs.push(made);
                    if !is_lost {
                        break;
                    }
                }
            }
            let usual = || runs.iter().skip(first).filter(|run| run.scenario.way == Way::Usual);
            // What hangs as it is would hang again, for the whole of its time.
            if usual().all(judge::ended_in_time) {
                let listens = usual().any(|run| !run.listeners.is_empty());
                for way in order.also.iter().filter(|way| **way != Way::Visited || listens) {
                    runs.push(run(*way, Orphan::LeftOut, 1)?);
                }
            }
        }
    }
    Ok(runs)
}

fn scenario(order: &Order, (mode, signal): (Mode, Signal), (way, orphan): (Way, Orphan)) -> Scenario {
    Scenario {
        mode,
        way,
        orphan,
        signal,
        target: order.target,
        grace: order.grace,
        extension: order.extension,
        ready: order.ready.clone(),
        ready_timeout: order.ready_timeout,
    }
}

/// Says what these checks mean; returns the code to end with.
pub(crate) fn explain(checks: &[&str]) -> u8 {
    let mut texts = Vec::new();
    for check in checks {
        let Some(text) = explain::print(check) else {
            error!("--explain {check}: there is no such check; `supervise check --explain all` lists them");
            return exit::FAILURE;
        };
        texts.push(text);
    }
    help::print_text(&texts.join("\n"))
}

/// What is to be said of the runs, and the code to end with.
fn conclude(order: &Order, command: &[&CStr], runs: Vec<Run>) -> u8 {
    let judged = judge::judge(order, runs);
    let mut text = Vec::new();
    // no-color.org: present and not empty, whatever it says.
    let is_coloured = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|word| word.is_empty());
    let paint = if is_coloured { Paint::Coloured } else { Paint::Plain };
    // Into memory, where there is room.
    let _ = report::write(order.format, order, command, &judged, &mut text, paint);
    match help::write(Output::Stdout, &text) {
        // Who reads no further has read enough.
        Ok(()) | Err(Errno::EPIPE) => judge::verdict(order, &judged).exit_code(),
        Err(errno) => {
            error!("cannot write to stdout: {}", supervise_init::sys::Errno(errno as i32));
            exit::FAILURE
        }
    }
}

/// What is wrong with a directory of `--state-dir`.
fn not_a_directory(path: &Path) -> Option<String> {
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(file) if file.is_dir() => None,
        Ok(_) => Some(format!("--state-dir {shown}: it is no directory")),
        Err(error) => {
            let errno = supervise_init::sys::Errno(error.raw_os_error().unwrap_or(libc::EIO));
            Some(format!("--state-dir {shown}: {errno}; name one that is there before the command starts"))
        }
    }
}

/// That /proc shows us, by the number that we know.
fn find_proc() -> Result<(), String> {
    let ours = std::process::id().to_string();
    match std::fs::read_link("/proc/self") {
        Ok(path) if path.as_os_str() == ours.as_str() => Ok(()),
        Ok(_) => Err("/proc is that of another PID namespace".to_owned()),
        Err(error) => {
            let errno = supervise_init::sys::Errno(error.raw_os_error().unwrap_or(libc::EIO));
            Err(format!("cannot read /proc: {errno}"))
        }
    }
}

/// One for each process. Returns what was given to us, if there was less than could be.
fn raise_descriptors() -> Option<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok().map(|()| (soft, hard))
}

/// What our caller had ignored or blocked.
fn inherited(entry: Entry) -> Inherited {
    // Without a name are those that belong to the threads of a C library: musl's posix_spawn(3) leaves them ignored.
    let is_somebodys = |signal: &Signal| !matches!(signal.number(), 32 | 33);
    let ignored = Signal::all().filter(is_somebodys).filter(|signal| is_ignored(*signal));
    Inherited { ignored: ignored.fold(SigSet::NONE, SigSet::with), blocked: entry.mask() }
}

/// A name that nobody can know before.
fn name_of_socket() -> String {
    let mut bytes = [0; 8];
    // Without it the name is only less of a secret.
    let _ = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    format!("supervise-check-{}-{:016x}", std::process::id(), u64::from_ne_bytes(bytes))
}

/// Ours, but a socket that somebody has given us to tell that we are ready: that is not the command's.
fn environment_of(ours: Environment, notify: Option<&str>) -> Environment {
    let entry = notify.and_then(|name| CString::new(format!("NOTIFY_SOCKET=@{name}")).ok());
    let entry: Option<&'static CStr> = entry.map(|entry| &*Box::leak(entry.into_boxed_c_str()));
    let kept = || ours.entries().filter(|entry| !entry.to_bytes().starts_with(b"NOTIFY_SOCKET="));
    let places = crate::places(kept().count() + usize::from(entry.is_some()));
    Environment::new(places, kept().chain(entry)).unwrap_or(ours)
}

fn words_from(words: Words, first: usize) -> impl Iterator<Item = &'static CStr> {
    (first..words.count()).filter_map(move |at| words.get(at))
}

/// The file that we are, which a /proc of another namespace shows as well.
fn ourselves() -> CString {
    let path = std::fs::read_link("/proc/self/exe").ok().filter(|path| path.exists());
    let path = path.and_then(|path| CString::new(path.into_os_string().into_encoded_bytes()).ok());
    path.unwrap_or_else(|| CStr::to_owned(c"/proc/self/exe"))
}
