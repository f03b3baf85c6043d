//! `supervise check`: runs a command, tells it to stop, and says what happened.
//!
//! `scenario` is what is asked for, `observe` runs it and writes down what it sees in a `record`, in which there is no
//! judgement.

#[expect(dead_code, reason = "nothing is judged yet")]
mod finding;
pub(crate) mod observe;
pub(crate) mod ready;
#[expect(dead_code, reason = "not everything is looked at yet")]
pub(crate) mod record;
mod safe;
pub(crate) mod scenario;

use std::ffi::{CStr, CString};

use log::error;
use supervise_init::sys::{Entry, Environment, Placement, Program, SigSet, Words, is_ignored};

use self::observe::{Interrupted, Payload};
use self::record::{Inherited, Outcome, Run};
use self::scenario::{Order, Scenario};
use crate::cli::exit;
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
    let inherited = Inherited {
        ignored: supervise_init::core::Signal::all()
            .filter(|signal| is_ignored(*signal))
            .fold(SigSet::NONE, SigSet::with),
        blocked: entry.mask(),
    };
    let program = Program {
        words,
        first: order.command,
        environment,
        path: surroundings.path,
        pid_entries: [None; 2],
        named: None,
        entry: entry.without_child_signal().with_mask(SigSet::NONE),
        placement: Placement::Session,
        alterations: None,
    };
    let command = (order.command..words.count()).filter_map(|at| words.get(at));
    let payload = Payload {
        program,
        words_of_init: [c"supervise", c"--"].into_iter().chain(command).collect(),
        ourselves: ourselves(),
        inherited,
    };
    let mut runs = Vec::new();
    for mode in &order.modes {
        for signal in &order.signals {
            for repetition in 1..=order.repeat {
                let scenario = Scenario {
                    mode: *mode,
                    signal: *signal,
                    target: order.target,
                    grace: order.grace,
                    ready: order.ready.clone(),
                    ready_timeout: order.ready_timeout,
                };
                match observe::run(&scenario, repetition, &payload) {
                    Ok(run) => runs.push(run),
                    Err(Interrupted::Asked(signal)) => {
                        error!("{signal} came; the run was ended, and there is no verdict");
                        return 128 + signal.number();
                    }
                    Err(Interrupted::Failed(why)) => {
                        error!("{why}");
                        return exit::FAILURE;
                    }
                }
            }
        }
    }
    print(&runs)
}

/// Until there are reports.
fn print(runs: &[Run]) -> u8 {
    let mut code = exit::SUCCESS;
    for run in runs {
        crate::cli::help::print_text(&text_of(run));
        code = match run.outcome {
            Outcome::NotStarted { code, .. } => code,
            Outcome::Stopped => code,
            _ => 2,
        };
    }
    code
}

fn text_of(run: &Run) -> String {
    let mut text = format!("{} {}: {:?}\n", run.scenario.mode.name(), run.scenario.signal, run.outcome);
    for event in &run.events {
        text += &format!("{:10.3} {:?}\n", event.at.as_secs_f64(), event.what);
    }
    for process in &run.processes {
        text += &format!("  pid {} {}: {:?}\n", process.pid, process.words, process.ended);
    }
    text
}

/// The file that we are, which a /proc of another namespace shows as well.
fn ourselves() -> CString {
    let path = std::fs::read_link("/proc/self/exe").ok().filter(|path| path.exists());
    let path = path.and_then(|path| CString::new(path.into_os_string().into_encoded_bytes()).ok());
    path.unwrap_or_else(|| CStr::to_owned(c"/proc/self/exe"))
}
