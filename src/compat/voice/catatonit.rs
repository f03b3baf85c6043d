//! catatonit 0.1.7's words.

use supervise_init::core::{Signal, Status};
use supervise_init::sys::{Output, controlling_tty};

use super::super::FAILURE;
use super::{Told, Voice};

/// What it takes for the word of a terminal in whose background it is.
pub(in super::super) const OF_A_TERMINAL: [Signal; 3] = [Signal::TSTP, Signal::TTOU, Signal::TTIN];

pub(in super::super) const ERROR: u32 = 1;
const INFO: u32 = 3;
pub(in super::super) const DEBUG: u32 = 4;

/// Says it if it is verbose enough.
macro_rules! say {
    ($voice:expr, $level:expr, $($text:tt)+) => {
        if $level <= $voice.speech.verbosity {
            let level = match $level {
                ERROR => "ERROR",
                INFO => "INFO",
                _ => "DEBUG",
            };
            super::say(Output::Stderr, format_args!("{level} (catatonit:{}): ", super::pid()), format_args!($($text)+));
        }
    };
}

/// What is said before the command is started.
pub(super) fn begin(voice: &Voice) {
    if voice.speech.verbosity >= DEBUG && !voice.speech.command.is_empty() && controlling_tty().is_none() {
        say!(voice, INFO, "using stdin as tty fd: could not open /dev/tty: No such device or address");
        say!(voice, DEBUG, "setting foreground process failed: no tty present: Inappropriate ioctl for device");
    }
}

/// An event, in its words.
pub(super) fn tell(voice: &Voice, told: &Told<'_>) {
    let pid = told.pid;
    match (told.event, told.status()) {
        ("started", _) if told.is_main() => say!(voice, DEBUG, "pid1 ({pid}) spawned: {}", voice.command()),
        ("ended", Some(Status::Exited(code))) if told.who == "orphan" => {
            say!(voice, DEBUG, "child process {pid} exited with code {code}");
        }
        ("ended", Some(Status::Signaled(signal))) if told.who == "orphan" => {
            say!(voice, DEBUG, "child process {pid} exited due to signal {}", signal.number());
        }
        ("empty", _) => say!(voice, DEBUG, "got ECHILD: no children left to monitor"),
        ("dropped", _) if told.signal.is_some_and(|signal| OF_A_TERMINAL.contains(&signal)) => {
            say!(voice, DEBUG, "ignoring kernel attempting to stop us: tty has TOSTOP set");
        }
        _ => {}
    }
}

pub(super) fn not_executed(voice: &Voice, phrase: &str) -> u8 {
    say!(voice, ERROR, "failed to exec pid1: {phrase}");
    FAILURE
}

pub(super) fn not_forked(voice: &Voice, phrase: &str) {
    say!(voice, ERROR, "failed to fork child: {phrase}");
    say!(voice, ERROR, "failed to spawn pid1: {phrase}");
}
