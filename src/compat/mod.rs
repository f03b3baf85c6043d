//! Called by the name of another init, we are that init: tini, dumb-init or catatonit, flag for flag. Each has a module
//! that turns its words and variables into the options and the conduct that ours are made of too, and knows its texts.
//!
//! What the others do wrong is done right, unless `SUPERVISE_STRICT=1` asks for that where anybody could depend on it: see
//! [`Manner`]. `SUPERVISE_` variables stand for options here too.
//!
//! 1. The front-ends are pure: the words, the variables and our place go in, and what is to be done comes out.
//! 2. What they make is all that the init knows of them. It asks their [`Voice`] alone: what is said, and the code of a
//!    failure.

mod catatonit;
mod dumb_init;
mod phrases;
mod tini;
mod voice;

use std::ffi::CStr;

use log::{LevelFilter, debug, error};
use supervise_init::core::{Signal, StartError, Step};
use supervise_init::sys::{self, Entry, Environment, Errno, Output, Pid, Sleep, Words};

pub(crate) use self::voice::Voice;

use self::voice::Speech;
use crate::cli::{Options, Wrong};
use crate::conduct::Grouping;
use crate::diagnose::start::Reason;
use crate::getopt;
use crate::init;
use crate::surroundings::Surroundings;

/// Another init that we can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Other {
    Tini,
    DumbInit,
    Catatonit,
}

/// The names, and what they stand for.
pub(crate) const NAMES: [(&str, Other); 5] = [
    ("tini", Other::Tini),
    ("tini-static", Other::Tini),
    ("docker-init", Other::Tini),
    ("dumb-init", Other::DumbInit),
    ("catatonit", Other::Catatonit),
];

/// isspace(3), as it is without a locale: what strtol(3) and scanf(3) skip before a number.
fn is_blank(letter: char) -> bool {
    matches!(letter, ' ' | '\t'..='\r')
}

/// What our own failures end with under these names, as all of theirs do.
pub(crate) const FAILURE: u8 = 1;

/// The init of that name.
pub(crate) fn named(name: &[u8]) -> Option<Other> {
    NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, init)| *init)
}

/// How faithful we are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Manner {
    /// What they do wrong is done right.
    Mended,
    /// So is what nobody could depend on (a hang, a lost signal). All else is as they do it.
    Strict,
}

/// What the words are read with.
struct Given<'a> {
    words: &'a Words,
    environment: Environment,
    manner: Manner,
    ourselves: Pid,
}

impl Given<'_> {
    /// A variable's value, as getenv(3) has it.
    fn variable(&self, name: &str) -> Option<&'static CStr> {
        self.environment.value(name)
    }

    fn is_set(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    fn is_pid_1(&self) -> bool {
        self.ourselves.number() == 1
    }

    fn is_strict(&self) -> bool {
        self.manner == Manner::Strict
    }

    /// Where their options may stand: getopt(3) asks this variable.
    fn order(&self) -> getopt::Order {
        if self.is_set("POSIXLY_CORRECT") { getopt::Order::First } else { getopt::Order::Anywhere }
    }

    /// The name that messages of getopt(3) begin with.
    fn name(&self) -> String {
        self.words.get(0).unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// A command to run.
struct Front {
    options: Options,
    words: Words,
    speech: Speech,
}

/// Something to print, and to end with.
struct Printed {
    to: Output,
    text: String,
    code: u8,
}

/// The licence under which this may be passed on, for those who ask an init for its own. (The other one is as good.)
const LICENCE: &str = include_str!("../../LICENSE-MIT");

/// Everything from the name on. Not in our caller's frame, which stays in memory where we have a name of our own too.
#[inline(never)]
pub(crate) fn run(
    init: Other,
    words: Words,
    environment: Environment,
    entry: Entry,
    surroundings: &Surroundings,
) -> u8 {
    let manner = match surroundings.strict() {
        Ok(true) => Manner::Strict,
        Ok(false) => Manner::Mended,
        Err(value) => {
            surroundings.install_log();
            let value = value.to_string_lossy();
            error!("SUPERVISE_STRICT={value}: it is 1 or 0 (also true, yes, false, no); nothing was started");
            return FAILURE;
        }
    };
    let given = Given { words: &words, environment, manner, ourselves: surroundings.ourselves() };
    match read(init, &given) {
        Ok(mut front) => run_front(&mut front, environment, entry, surroundings),
        Err(printed) => {
            // They do not look whether it could be written either.
            let _ = crate::cli::help::write(printed.to, printed.text.as_bytes());
            printed.code
        }
    }
}

/// What the words ask for. Not in our caller's frame, which stays in memory as long as the command runs.
#[inline(never)]
fn read(init: Other, given: &Given<'_>) -> Result<Front, Printed> {
    match init {
        Other::Tini => tini::read(given),
        Other::DumbInit => dumb_init::read(given),
        Other::Catatonit => catatonit::read(given),
    }
}

fn run_front(front: &mut Front, environment: Environment, entry: Entry, surroundings: &Surroundings) -> u8 {
    let Front { options, words, speech } = front;
    surroundings.prepare_log();
    let Some(voice) = voice::install(*speech) else { return FAILURE };
    options.conduct.voice = Some(voice);
    if (voice.is_silent() || voice.is_strict()) && !surroundings.has_level() {
        options.level = Some(LevelFilter::Error);
    }
    if let Err(wrong) = options.complete(surroundings.variables()) {
        let wrong: Wrong = wrong;
        error!("{wrong}");
        return FAILURE;
    }
    voice.begin();
    init::run(*words, environment, entry, surroundings, options)
}

/// Gives our terminal up, if we have one, for a command that leads a session.
pub(crate) fn leave_terminal(grouping: Grouping, ourselves: Pid) {
    if grouping != Grouping::Session {
        return;
    }
    match sys::leave_terminal() {
        Err(errno) => debug!(event = "terminal-kept", errno = errno.0; "there is no terminal to hand on: {errno}"),
        Ok(sys::LeftTerminal::Session) => {
            debug!(event = "terminal-left", leader = 0; "left the terminal, which stays our session's");
        }
        Ok(sys::LeftTerminal::Terminal) => {
            debug!(event = "terminal-left", leader = 1; "left the terminal, for the command's session to have");
            // They are the kernel's word for that, and nobody's request.
            let mut sleep = Sleep::new(ourselves);
            for signal in [Signal::HUP, Signal::CONT] {
                if sleep.take(signal) {
                    debug!(event = "hand-off", signal = signal.number(); "took {signal} back, which came of it");
                }
            }
        }
    }
}

/// Says why the command could not be started, as the init that we are called as does, and what we know beyond that; the
/// code to end with.
pub(crate) fn explain_start(voice: &Voice, name: &CStr, why: StartError, reason: &Reason) -> u8 {
    let name = name.to_string_lossy();
    let phrase = phrases::of_error(Errno(why.errno));
    let code = match why.step {
        Step::Exec | Step::ExecForeign | Step::ExecShell => voice.not_executed(&name, Errno(why.errno), phrase),
        Step::Fork => voice.not_forked(phrase),
        Step::Alter(_) => {
            error!("{reason}");
            return FAILURE;
        }
    };
    if !reason.is_plain() && !voice.is_strict() {
        error!("{reason}");
    }
    code
}
