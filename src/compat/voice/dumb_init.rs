//! dumb-init 1.2.5's words.

use std::fmt::Display;
use std::sync::atomic::Ordering::Relaxed;

use supervise_init::core::{Signal, Status};
use supervise_init::sys::Output;

use super::super::phrases;
use super::{Told, Voice};

/// What its lines begin with.
const MARK: &str = "[dumb-init] ";

/// What it ends with if it cannot execute the command.
const NOT_EXECUTED: u8 = 2;

/// Says it if it is verbose.
macro_rules! say {
    ($voice:expr, $($text:tt)+) => {
        if $voice.speech.verbosity > 0 {
            super::say(Output::Stderr, format_args!("{MARK}"), format_args!($($text)+));
        }
    };
}

/// What is said before the command is started.
pub(super) fn begin(voice: &Voice) {
    let [by_debug, by_setsid] = voice.speech.by_variables;
    if by_debug {
        say!(voice, "Running in debug mode.");
    }
    if by_setsid {
        say!(voice, "Not running in setsid mode.");
    }
}

/// An event, in its words.
pub(super) fn tell(voice: &Voice, told: &Told<'_>) {
    let number = told.signal.map_or(0, Signal::number);
    match (told.event, told.errno) {
        ("terminal-kept", Some(errno)) => {
            let phrase = phrases::of_error(errno);
            say!(voice, "Unable to detach from controlling tty (errno={} {phrase}).", errno.0);
        }
        ("terminal-left", _) if told.leader => {
            say!(voice, "Detached from controlling tty, ignoring the first SIGHUP and SIGCONT we receive.");
        }
        ("terminal-left", _) => say!(voice, "Detached from controlling tty, but was not session leader."),
        ("hand-off", _) => {
            say!(voice, "Received signal {number}.");
            say!(voice, "Ignoring tty hand-off signal {number}.");
        }
        ("no-terminal", Some(errno)) => {
            let phrase = phrases::of_error(errno);
            say!(voice, "Unable to attach to controlling tty (errno={} {phrase}).", errno.0);
        }
        ("started", _) if told.is_main() => {
            say!(voice, "Child spawned with PID {}.", told.pid);
            if voice.speech.has_session {
                say!(voice, "setsid complete.");
            }
        }
        ("child-signal", _) => say!(voice, "Received signal {}.", libc::SIGCHLD),
        ("signal", _) => {
            say!(voice, "Received signal {number}.");
            voice.received.store(number, Relaxed);
        }
        ("forwarded", _) => {
            translated(voice, voice.received.swap(0, Relaxed), number);
            say!(voice, "Forwarded signal {number} to children.");
        }
        ("dropped", _) if !voice.main_has_ended.load(Relaxed) => {
            not_forwarded(voice);
        }
        ("pause", _) => {
            if voice.received.load(Relaxed) != 0 {
                not_forwarded(voice);
            }
            say!(voice, "Suspending self due to TTY signal.");
        }
        ("ended", _) => ended(voice, told),
        ("exit", _) => {
            if let Some(code) = told.code {
                say!(voice, "Child exited with status {code}. Goodbye.");
            }
        }
        _ => {}
    }
}

fn not_forwarded(voice: &Voice) {
    translated(voice, voice.received.swap(0, Relaxed), 0);
    say!(voice, "Not forwarding signal 0 to children (ignored).");
}

fn translated(voice: &Voice, from: u8, to: u8) {
    if Signal::new(i32::from(from)).is_some_and(|from| voice.speech.rewritten.contains(from)) {
        say!(voice, "Translating signal {from} to {to}.");
    }
}

fn ended(voice: &Voice, told: &Told<'_>) {
    let pid = told.pid;
    match told.status() {
        Some(Status::Exited(code)) => say!(voice, "A child with PID {pid} exited with exit status {code}."),
        Some(Status::Signaled(signal)) => {
            say!(voice, "A child with PID {pid} was terminated by signal {}.", signal.number());
        }
        None => {}
    }
    if told.is_main() {
        voice.main_has_ended.store(true, Relaxed);
        let term = voice.speech.term.map_or(0, Signal::number);
        translated(voice, Signal::TERM.number(), term);
        match term {
            0 => say!(voice, "Not forwarding signal 0 to children (ignored)."),
            term => say!(voice, "Forwarded signal {term} to children."),
        }
    }
}

pub(super) fn not_executed(_: &Voice, name: &dyn Display, phrase: &str) -> u8 {
    super::say(Output::Stderr, format_args!("{MARK}"), format_args!("{name}: {phrase}"));
    NOT_EXECUTED
}

pub(super) fn not_forked(_: &Voice) {
    super::say(Output::Stderr, format_args!("{MARK}"), format_args!("Unable to fork. Exiting."));
}
