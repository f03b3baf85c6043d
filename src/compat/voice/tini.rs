//! tini 0.19.0's words.

use std::fmt::Display;

use supervise_init::core::Status;
use supervise_init::sys::{Errno, Output, controlling_tty, is_subreaper};

use super::super::{FAILURE, phrases};
use super::{Told, Voice};

pub(in super::super) const FATAL: u32 = 0;
pub(in super::super) const WARN: u32 = 1;
const INFO: u32 = 2;
const DEBUG: u32 = 3;
const TRACE: u32 = 4;

/// Says it if it is verbose enough.
macro_rules! say {
    ($voice:expr, $level:expr, $($text:tt)+) => {
        if $level <= $voice.speech.verbosity {
            let (mark, to) = mark($voice, $level);
            super::say(to, format_args!("[{mark} tini ({})] ", super::pid()), format_args!($($text)+));
        }
    };
}

/// What is said before the command is started.
pub(super) fn begin(voice: &Voice) {
    if voice.speech.warns_of_place && !is_subreaper() {
        say!(
            voice,
            WARN,
            "Tini is not running as PID 1 and isn't registered as a child subreaper.\n\
             Zombie processes will not be re-parented to Tini, so zombie reaping won't work.\n\
             To fix the problem, use the -s option or set the environment variable TINI_SUBREAPER to register Tini as a \
             child subreaper, or run Tini as PID 1."
        );
    }
    if voice.speech.registers {
        // As PID 1 it is none, but makes itself one.
        say!(voice, TRACE, "Registered as child subreaper");
    }
    if voice.speech.verbosity >= DEBUG && controlling_tty().is_none() {
        say!(voice, DEBUG, "tcsetpgrp failed: no tty (ok to proceed)");
    }
}

/// An event, in its words.
pub(super) fn tell(voice: &Voice, told: &Told<'_>) {
    match told.event {
        "subreaper" => say!(voice, TRACE, "Registered as child subreaper"),
        "started" if told.is_main() => {
            say!(voice, INFO, "Spawned child process '{}' with pid '{}'", voice.command(), told.pid);
        }
        "child-signal" => say!(voice, DEBUG, "Received SIGCHLD"),
        "forwarded" => {
            if let Some(signal) = told.signal {
                let (phrase, number) = phrases::of_signal(signal);
                match number {
                    None => say!(voice, DEBUG, "Passing signal: '{phrase}'"),
                    Some(number) => say!(voice, DEBUG, "Passing signal: '{phrase}{number}'"),
                }
            }
        }
        "ended" => ended(voice, told),
        "left" => say!(voice, TRACE, "No child to reap"),
        "empty" => say!(voice, TRACE, "No child to wait"),
        "exit" => say!(voice, TRACE, "Exiting: child has exited"),
        _ => {}
    }
}

fn ended(voice: &Voice, told: &Told<'_>) {
    let pid = told.pid;
    say!(voice, DEBUG, "Reaped child with pid: '{pid}'");
    match told.status() {
        Some(Status::Exited(code)) if told.is_main() => {
            say!(voice, INFO, "Main child exited normally (with status '{code}')");
        }
        Some(Status::Signaled(signal)) if told.is_main() => {
            let (phrase, number) = phrases::of_signal(signal);
            match number {
                None => say!(voice, INFO, "Main child exited with signal (with signal '{phrase}')"),
                Some(number) => say!(voice, INFO, "Main child exited with signal (with signal '{phrase}{number}')"),
            }
        }
        _ if voice.speech.names_reaped && told.who == "orphan" => {
            say!(voice, WARN, "Reaped zombie process with pid={pid}");
        }
        _ => {}
    }
}

pub(super) fn not_executed(voice: &Voice, name: &dyn Display, errno: Errno, phrase: &str) -> u8 {
    say!(voice, FATAL, "exec {name} failed: {phrase}");
    match errno.0 {
        libc::ENOENT => 127,
        libc::EACCES => 126,
        _ => FAILURE,
    }
}

pub(super) fn not_forked(voice: &Voice, phrase: &str) {
    say!(voice, FATAL, "fork failed: {phrase}");
}

/// The mark of a level, and where it goes: what is no warning goes to stdout, where it mixes with what the command
/// writes. That is mended.
fn mark(voice: &Voice, level: u32) -> (&'static str, Output) {
    let chatter = if voice.is_strict() { Output::Stdout } else { Output::Stderr };
    match level {
        FATAL => ("FATAL", Output::Stderr),
        WARN => ("WARN ", Output::Stderr),
        INFO => ("INFO ", chatter),
        DEBUG => ("DEBUG", chatter),
        _ => ("TRACE", chatter),
    }
}
