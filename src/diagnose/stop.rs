//! Why a stop is slow: which process is still there, what becomes of the signal in it, and what would help. Runs in a
//! process of its own, which may allocate and block, because reading /proc can.
//!
//! `read` turns /proc into values, `judge` says what of them keeps the stop waiting, `text` says it in words; `memory`
//! asks whether the kernel killed main. The files are read by hand: the `procfs` crate would add 94 kB for the same, twice
//! what all of this takes.

mod judge;
#[cfg(test)]
mod judge_tests;
mod memory;
mod process;
mod read;
#[cfg(test)]
mod real_tests;
mod text;

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use log::{debug, warn};
use supervise_init::core::{KillMode, Scope, Signal, Slow, Status};
use supervise_init::driver::Situation;
use supervise_init::sys::{Pid, Program, session_of};

use self::judge::{Finding, Scene, Told, Why};
use self::process::shorten;
use self::read::Whose;
pub(crate) use self::text::Settings;
use self::text::{Line, Seconds, Shell};
use crate::diagnose::{program, start};
use crate::proc::are_shell_words;
use crate::sys::end_by_panic;

/// What is known before the start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context {
    pub(crate) ourselves: Pid,
    pub(crate) scope: Scope,
    /// Whom the signals of a stop reach.
    pub(crate) kill_mode: KillMode,
    /// The main program.
    pub(crate) program: Program,
    pub(crate) settings: Settings,
}

/// So many lines at most, then how many there would be more.
const LINES: usize = 10;

/// Says what is slow and why, in a few lines.
pub(crate) fn explain(situation: &Situation<'_>, context: &Context) {
    end_by_panic();
    let (told, signal) = match situation.slow {
        Slow::Main(signal) => (Told::Main(context.kill_mode), signal),
        Slow::Leftovers(_) => (Told::Leftovers, Signal::TERM),
        Slow::MainKilled => return explain_kill(situation.main),
    };
    let whose = Whose {
        scope: context.scope,
        ourselves: context.ourselves,
        inherited: situation.inherited,
        waited: situation.waited,
        next: situation.next,
    };
    let processes = match read::processes(&whose) {
        Ok(processes) => processes,
        Err(error) => return say_unknown(situation, signal, &error),
    };
    let scene = Scene {
        told,
        signal,
        main: situation.main.number(),
        ourselves: context.ourselves.number(),
        blocked_at_entry: context.program.entry.mask(),
        ignored_at_entry: read::ignored_at_entry(),
        processes: &processes,
    };
    let findings = scene.judge();
    if findings.is_empty() {
        return say_nothing_found(situation, signal);
    }
    let shell = main_was_shell(situation.slow, &context.program);
    let settings = context.settings;
    for finding in findings.iter().take(LINES) {
        // Whose parent is still there is that one's affair.
        let is_orphan = finding.process.parent == context.ourselves.number();
        let shell = shell.as_ref().filter(|_| is_orphan && matches!(finding.why, Why::AtWork(_) | Why::Unread));
        let line = Line { finding, told, signal, waited: situation.waited, next: situation.next, shell, settings };
        let Finding { process, why, .. } = finding;
        warn!(event = "explain", pid = process.pid, comm = process.comm.as_str(), signal = signal.number(), why = why.name(); "{line}");
    }
    let more: usize = findings.iter().skip(LINES).map(|finding| 1 + finding.same.len()).sum();
    if more > 0 {
        warn!("{} after {signal}: {more} more processes are still there", Seconds(situation.waited));
    }
}

/// No more than this can be said where processes cannot be seen.
fn say_unknown(situation: &Situation<'_>, signal: Signal, cause: &dyn fmt::Display) {
    let who = match situation.slow {
        Slow::Main(_) => "the main program",
        Slow::Leftovers(_) | Slow::MainKilled => "what the main program left",
    };
    let waited = Seconds(situation.waited);
    warn!(event = "explain", signal = signal.number(), why = "unknown"; "{waited} after {signal}: {who} is still there, and why cannot be seen: {cause}");
}

/// All has ended in the meantime, or /proc hides it from us.
fn say_nothing_found(situation: &Situation<'_>, signal: Signal) {
    let main = situation.main;
    match situation.slow {
        Slow::Main(_) if session_of(main).is_some() && !read::is_shown(main) => {
            say_unknown(situation, signal, &"/proc does not show it (hidepid)");
        }
        _ => debug!("what was slow has ended in the meantime"),
    }
}

/// Main was killed, and not by us.
fn explain_kill(main: Pid) {
    match memory::kills() {
        Some(kills) if kills.count > 0 => {
            let cure = kills.cure();
            warn!(event = "explain", pid = main.number(), why = "memory", count = kills.count; "the main program (pid {main}) was killed by SIGKILL, and not by supervise: by the kernel for want of memory? ({kills}): {cure}");
        }
        Some(_) => debug!("the main program (pid {main}) was killed by somebody, and not for want of memory"),
        None => debug!("the main program (pid {main}) was killed; whether for want of memory cannot be seen"),
    }
}

/// The shell that main was, if it has ended by itself or of a signal that it could have handled.
fn main_was_shell(slow: Slow, program: &Program) -> Option<Shell> {
    let Slow::Leftovers(Some(status)) = slow else { return None };
    if status == Status::Signaled(Signal::KILL) {
        return None;
    }
    let mut words = String::new();
    for word in (program.first..program.words.count()).filter_map(|index| program.words.get(index)) {
        words.push_str(&word.to_string_lossy());
        words.push('\0');
    }
    let is_shell = are_shell_words(&words) || is_shell_script(program);
    is_shell.then(|| Shell { words: shorten(&words) })
}

/// Whether the program is a file that a shell interprets. A relative path is not looked at: we have left the folder.
fn is_shell_script(program: &Program) -> bool {
    let name = Path::new(OsStr::from_bytes(program.name().to_bytes()));
    let file = start::find(name, program.search_path(), 0).filter(|file| file.is_absolute());
    let line = file.and_then(|file| program::script_line(&program::read_start(&file)));
    line.is_some_and(|line| {
        let line = line.strip_prefix("/usr/bin/env ").unwrap_or(&line);
        are_shell_words(&line.replace(' ', "\0"))
    })
}
