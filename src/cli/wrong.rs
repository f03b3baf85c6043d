//! What can be wrong with the words, each in one line: what, where, why, what to do.

use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

use supervise_init::core::{Signal, StopSignals};

use super::check::WrongCheck;
use super::health::WrongHealth;
use super::options::{Row, TABLE};
use super::ready::WrongReady;
use super::restart::WrongRestart;
use super::run::WrongRun;
use super::{completions, ctl, subcommands, suggest};

use crate::outfit::Unfit;
use crate::wait_for::NotATarget;

/// Where a value was given. Shown as what stands before the value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Given {
    /// `--name VALUE`
    Option(&'static Row),
    /// `SUPERVISE_NAME=VALUE`
    Variable(&'static Row),
}

impl Given {
    pub(crate) fn row(self) -> &'static Row {
        match self {
            Given::Option(row) | Given::Variable(row) => row,
        }
    }
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Given::Option(row) => write!(f, "--{} ", row.long),
            Given::Variable(row) => write!(f, "{}=", row.variable()),
        }
    }
}

/// A reason to start nothing.
#[derive(Debug)]
pub(crate) enum Wrong {
    NoCommand,
    NoTarget,
    NotATarget(&'static CStr, NotATarget),
    ForNoCommand(&'static Row),
    /// With the subcommand that does not know it, if it is one.
    Unknown {
        word: &'static CStr,
        nearest: Option<&'static str>,
        of: Option<&'static str>,
    },
    NoValue(&'static Row),
    UnwantedValue(&'static str),
    NotUtf8(Given, &'static CStr),
    NotAChoice(Given, &'static str),
    NotAPair(Given, &'static str),
    NotASignal {
        given: Given,
        whole: &'static str,
        word: &'static str,
    },
    NotACode(Given, &'static str, &'static str),
    NeitherCodeNorSignal(Given, &'static str, &'static str),
    NeverForwarded {
        given: Given,
        whole: &'static str,
        signal: Signal,
    },
    NotATime {
        given: Given,
        whole: &'static str,
        word: &'static str,
    },
    StopsNothing {
        given: Given,
        whole: &'static str,
        signal: Signal,
    },
    AfterKill {
        given: Given,
        whole: &'static str,
    },
    NoTime {
        given: Given,
        whole: &'static str,
        signal: Signal,
    },
    TimeForNothing {
        given: Given,
        whole: &'static str,
        signal: Signal,
    },
    TooManySignals {
        given: Given,
        whole: &'static str,
    },
    KilledUntold {
        grace: Duration,
        delay: Duration,
        hook: Duration,
    },
    Restart(WrongRestart),
    Health(WrongHealth),
    Ready(WrongReady),
    NotAFlag(Given, &'static str),
    Unfit(Given, &'static CStr, Box<Unfit>),
    NothingToRun(Given),
    NoTimeAtAll(Given, &'static str),
    TooManyHooks(usize),
    NotTaken {
        subcommand: &'static subcommands::Row,
        word: &'static CStr,
    },
    NoShell,
    NotAShell(&'static CStr),
    NoShims,
    TwoPlaces(&'static CStr, &'static CStr),
    NoVerb,
    NotAVerb(&'static CStr),
    NotOfThisVerb {
        verb: &'static CStr,
        word: &'static CStr,
    },
    NoSignal,
    NotASignalToSend(&'static CStr),
    Run(WrongRun),
    Check(Box<WrongCheck>),
}

impl Wrong {
    /// An option that the table does not have, with the nearest that it has.
    /// A subcommand has some of its `own` besides.
    pub(crate) fn unknown(word: &'static CStr, own: &'static [Row]) -> Wrong {
        let nearest = suggest::nearest_option(&mut TABLE.iter().chain(own), word.to_bytes());
        let is_it = |row: &&subcommands::Row| !own.is_empty() && std::ptr::eq(row.options, own);
        Wrong::Unknown { word, nearest, of: subcommands::TABLE.iter().find(is_it).map(|row| row.name) }
    }

    /// The same of a subcommand that has these options alone, and a command.
    pub(crate) fn unknown_to_runner(
        subcommand: &'static subcommands::Row,
        word: &'static CStr,
        rows: &[&'static Row],
    ) -> Wrong {
        let nearest = suggest::nearest_option(&mut rows.iter().copied(), word.to_bytes());
        Wrong::Unknown { word, nearest, of: Some(subcommand.name) }
    }

    /// The same of a subcommand that takes nothing else.
    pub(crate) fn unknown_to(subcommand: &'static subcommands::Row, word: &'static CStr) -> Wrong {
        match suggest::nearest_option(&mut subcommand.shown_options().into_iter(), word.to_bytes()) {
            Some(nearest) => Wrong::Unknown { word, nearest: Some(nearest), of: Some(subcommand.name) },
            None => Wrong::NotTaken { subcommand, word },
        }
    }
}

/// The signal that the word is most like.
fn nearest_signal(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_uppercase();
    suggest::nearest(word.strip_prefix("SIG").unwrap_or(&word), Signal::names())
}

/// What is wanted instead of the word, of which one may have been meant.
fn one_of(f: &mut fmt::Formatter<'_>, word: &str, choices: &str) -> fmt::Result {
    write!(f, "it is one of {choices}")?;
    match suggest::nearest(word, choices.split('|')) {
        Some(nearest) => write!(f, "; did you mean {nearest}?"),
        None => Ok(()),
    }
}

fn a_signal(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    match nearest_signal(word) {
        Some(nearest) => write!(f, "did you mean {nearest}?"),
        None => f.write_str("it is a name like TERM or RTMIN+3, or 1 to 64"),
    }
}

fn a_time(f: &mut fmt::Formatter<'_>, word: &str) -> fmt::Result {
    match word.parse::<u64>() {
        Ok(number) => write!(f, "say {number}s, {number}ms, {number}m or {number}h"),
        Err(_) => f.write_str("it is a number and a unit, like 500ms, 10s, 1.5s, 2m or 1h, at most 5000000h"),
    }
}

const NO_TARGET: &str = "wait-for what? say `supervise wait-for tcp:HOST:PORT -- command`, or `supervise --help`; for a \
     program of that name `supervise -- wait-for`";
const NO_SHIMS: &str =
    "shims where? say `supervise shims DIR`, or with the names of inits `supervise shims --inits DIR`";

impl fmt::Display for Wrong {
    #[expect(clippy::too_many_lines, reason = "a sentence for each")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wrong::NoCommand => {
                f.write_str("no command given; say `supervise [options] -- command`, or `supervise --help`")
            }
            Wrong::NoTarget => f.write_str(NO_TARGET),
            Wrong::NotATarget(word, why) => write!(f, "wait-for {}: {why}", word.to_string_lossy()),
            Wrong::ForNoCommand(row) => {
                write!(
                    f,
                    "--{} is about a command, and there is none; say `supervise wait-for ... -- command`",
                    row.long
                )
            }
            Wrong::Unknown { word, nearest, of } => {
                write!(f, "unknown option {}", word.to_string_lossy())?;
                match (nearest, of) {
                    (Some(nearest), _) => write!(f, "; did you mean --{nearest}?"),
                    (None, Some(of)) => write!(f, "; `supervise {of} --help` lists them, and `--` ends ours"),
                    (None, None) => f.write_str("; `supervise --help` lists them, and `--` ends ours"),
                }
            }
            Wrong::NoValue(row) => {
                write!(f, "--{} needs a value: --{} {}", row.long, row.long, row.value.unwrap_or_default())
            }
            Wrong::UnwantedValue(option) => write!(f, "--{option} takes no value"),
            Wrong::NotUtf8(given, value) => write!(f, "{given}{}: not UTF-8", value.to_string_lossy()),
            Wrong::NotAChoice(given, word) => {
                write!(f, "{given}{word}: ")?;
                one_of(f, word, given.row().value.unwrap_or_default())
            }
            Wrong::NotAPair(given, whole) => write!(f, "{given}{whole}: not of the form FROM=TO"),
            Wrong::NotASignal { given, whole, word } => {
                write!(f, "{given}{whole}: no signal is called {word:?}; ")?;
                a_signal(f, word)
            }
            Wrong::NotACode(given, whole, word) => {
                write!(f, "{given}{whole}: {word:?} is no exit code; those are 0 to 255")
            }
            Wrong::NeitherCodeNorSignal(given, whole, word) => {
                write!(f, "{given}{whole}: {word:?} is neither an exit code, 0 to 255, nor the name of a signal")
            }
            Wrong::NeverForwarded { given, whole, signal } => {
                write!(f, "{given}{whole}: {signal} is never forwarded")?;
                f.write_str(match *signal {
                    Signal::CHLD => "; it is about our own children",
                    _ => "; the kernel acts on it itself",
                })
            }
            Wrong::NotATime { given, whole, word } => {
                write!(f, "{given}{whole}: {word:?} is no time; ")?;
                a_time(f, word)
            }
            Wrong::StopsNothing { given, whole, signal } => write!(f, "{given}{whole}: {signal} ends no program"),
            Wrong::AfterKill { given, whole } => write!(f, "{given}{whole}: nothing can come after KILL"),
            Wrong::NoTime { given, whole, signal } => {
                write!(f, "{given}{whole}: how long after {signal} comes the next one? say {signal}:10s")
            }
            Wrong::TimeForNothing { given, whole, signal } => {
                write!(f, "{given}{whole}: nothing comes after {signal}'s time; add KILL, or leave the time out")
            }
            Wrong::TooManySignals { given, whole } => {
                write!(f, "{given}{whole}: too many signals; there can be {}", StopSignals::MOST)
            }
            Wrong::Restart(wrong) => wrong.fmt(f),
            Wrong::Health(wrong) => wrong.fmt(f),
            Wrong::Ready(wrong) => wrong.fmt(f),
            Wrong::NotAFlag(given, word) => write!(f, "{given}{word}: it is 1 or 0 (also true, yes, false, no)"),
            Wrong::Unfit(given, value, why) => write!(f, "{given}{}: {why}", value.to_string_lossy()),
            Wrong::NothingToRun(given) => write!(f, "{given}\"\": there is nothing to run in it"),
            Wrong::NoTimeAtAll(given, word) => write!(f, "{given}{word}: the hook needs some time; say 5s"),
            Wrong::TooManyHooks(most) => write!(f, "too many --pre-start; there can be {most}"),
            Wrong::KilledUntold { grace, delay, hook } => killed_untold(f, *grace, *delay, *hook),
            Wrong::NotTaken { subcommand, word } => {
                let (name, word) = (subcommand.name, word.to_string_lossy());
                write!(f, "{name} {word}: it takes nothing like that; `supervise {name} --help` says what, ")?;
                write!(f, "and `supervise -- {name} {word}` runs a program called {name}")
            }
            Wrong::NoShell => {
                write!(f, "completions for which shell? say `supervise completions {}`", completions::SHELLS)
            }
            Wrong::NotAShell(word) => {
                let word = word.to_string_lossy();
                write!(f, "completions {word}: ")?;
                one_of(f, &word, completions::SHELLS)
            }
            Wrong::NoVerb => {
                let verbs = ctl::VERBS;
                write!(f, "ctl what? say `supervise ctl {verbs}`; for a program of that name `supervise -- ctl`")
            }
            Wrong::NotAVerb(word) => {
                let word = word.to_string_lossy();
                write!(f, "ctl {word}: ")?;
                one_of(f, &word, ctl::VERBS)
            }
            Wrong::NotOfThisVerb { verb, word } => {
                let (verb, word) = (verb.to_string_lossy(), word.to_string_lossy());
                write!(f, "ctl {verb} {word}: {verb} takes nothing like that; `supervise ctl --help` says what")
            }
            Wrong::NoSignal => f.write_str("ctl signal which? say `supervise ctl signal HUP`"),
            Wrong::NotASignalToSend(word) => {
                let word = word.to_string_lossy();
                write!(f, "ctl signal {word}: no signal is called {word:?}; ")?;
                match nearest_signal(&word) {
                    Some(nearest) => write!(f, "did you mean {nearest}?"),
                    None => f.write_str("it is a name like TERM or RTMIN+3, or 1 to 64"),
                }
            }
            Wrong::TwoPlaces(first, second) => {
                let (first, second) = (first.to_string_lossy(), second.to_string_lossy());
                write!(
                    f,
                    "shims makes links in one place: {first} or {second}? say one of them, and the other in a second call"
                )
            }
            Wrong::Run(wrong) => wrong.fmt(f),
            Wrong::Check(wrong) => wrong.fmt(f),
            Wrong::NoShims => f.write_str(NO_SHIMS),
        }
    }
}

fn killed_untold(f: &mut fmt::Formatter<'_>, grace: Duration, delay: Duration, hook: Duration) -> fmt::Result {
    write!(f, "a grace of {grace:?} with ")?;
    match (delay.is_zero(), hook.is_zero()) {
        (false, true) => write!(f, "a delay of {delay:?}")?,
        (true, true) => f.write_str("a --pre-stop")?,
        (true, false) => write!(f, "{hook:?} for --pre-stop")?,
        (false, false) => write!(f, "{hook:?} for --pre-stop and a delay of {delay:?}")?,
    }
    f.write_str(": the command would be killed before it is told; ")?;
    f.write_str("the grace counts from the request, so it must be longer")
}
