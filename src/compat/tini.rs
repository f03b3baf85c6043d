//! tini 0.19.0, which is also Docker's `docker-init`.

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::core::{Hurry, Leftovers, OnSignalDeath, Signal};
use supervise_init::driver::{ForwardTo, Kept};
use supervise_init::sys::{Output, SigSet};

use super::voice::Speech;
use super::voice::tini::{FATAL, WARN};
use super::{FAILURE, Front, Given, LICENCE, Other, Printed, is_blank};
use crate::cli::Options;
use crate::cli::options::Id;
use crate::conduct::{Conduct, Foreground, Grouping, Orphans};
use crate::getopt::{Getopt, Known, Value};

/// dockerd reads the version of its init from it: what follows `git.` up to the next ` - ` is shown by `docker info`, if
/// there is no further dot in it.
const VERSION: &str = concat!(
    "tini version 0.19.0 - git.supervise-",
    env!("CARGO_PKG_VERSION_MAJOR"),
    "_",
    env!("CARGO_PKG_VERSION_MINOR"),
    "_",
    env!("CARGO_PKG_VERSION_PATCH"),
    " - supervise ",
    env!("CARGO_PKG_VERSION"),
);

const KNOWN: Known = Known {
    short: &[
        (b'p', Value::Required),
        (b'h', Value::None),
        (b'v', Value::None),
        (b'w', Value::None),
        (b'g', Value::None),
        (b'l', Value::None),
        (b'e', Value::Required),
        (b's', Value::None),
    ],
    long: &[],
};

/// What it leaves to the kernel, or ignores, and so does not forward.
const ITS_OWN: [i32; 9] = [
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// The words and variables, checked; or what is to be printed instead.
pub(super) fn read(given: &Given<'_>) -> Result<Front, Printed> {
    let words = given.words;
    if words.count() == 2 && words.get(1) == Some(c"--version") {
        return Err(Printed { to: Output::Stdout, text: format!("{VERSION}\n"), code: 0 });
    }
    let mut options = Options::of_another_init(conduct(given));
    let mut getopt = Getopt::new(words, KNOWN, given.order());
    let Said { verbosity, names_reaped, subreaper } = read_options(given, &mut getopt, &mut options)?;
    let Some((words, first)) = getopt.command() else {
        return Err(Printed { to: Output::Stderr, text: usage(given), code: FAILURE });
    };
    options.command = first;
    if given.is_set("TINI_KILL_PROCESS_GROUP") {
        options.forward_to = ForwardTo::Group;
        options.mark_given(Id::ForwardTo);
    }
    let verbosity = given.variable("TINI_VERBOSITY").map_or(verbosity, number);
    let subreaper = subreaper || given.is_set("TINI_SUBREAPER");
    if subreaper {
        options.conduct.orphans = Orphans::Adopted;
    }
    for number in ITS_OWN {
        Signal::new(number).into_iter().for_each(|signal| options.forwarding.pass_on(signal, None));
    }
    if given.is_strict() {
        options.ladder.leftovers = Leftovers::Leave;
    }
    let needs = match verbosity {
        FATAL..=WARN if !names_reaped => LevelFilter::Off,
        _ => LevelFilter::Trace,
    };
    let speech = Speech {
        init: Other::Tini,
        manner: given.manner,
        verbosity,
        needs,
        names_reaped,
        warns_of_place: !given.is_pid_1() && !subreaper,
        registers: given.is_pid_1() && subreaper,
        rewritten: SigSet::NONE,
        term: Some(Signal::TERM),
        has_session: false,
        by_variables: [false; 2],
        command: words.get(first).unwrap_or_default(),
    };
    Ok(Front { options, words, speech })
}

/// What the options say that is none of ours.
struct Said {
    verbosity: u32,
    names_reaped: bool,
    subreaper: bool,
}

/// The options alone, without the variables.
fn read_options(given: &Given<'_>, getopt: &mut Getopt<'_>, options: &mut Options) -> Result<Said, Printed> {
    let mut said = Said { verbosity: WARN, names_reaped: false, subreaper: false };
    while let Some(found) = getopt.next_option() {
        match found {
            Ok((b'h', _)) => return Err(Printed { to: Output::Stdout, text: usage(given), code: 0 }),
            Ok((b'l', _)) => return Err(Printed { to: Output::Stdout, text: LICENCE.to_owned(), code: 0 }),
            Ok((b's', _)) => said.subreaper = true,
            Ok((b'v', _)) => said.verbosity += 1,
            Ok((b'w', _)) => said.names_reaped = true,
            Ok((b'g', _)) => {
                options.forward_to = ForwardTo::Group;
                options.mark_given(Id::ForwardTo);
            }
            Ok((b'p', value)) => {
                let value = value.unwrap_or_default();
                options.parent_death = Some(signal(value).ok_or_else(|| not_valid(given, 'p', value))?);
                options.mark_given(Id::ParentDeath);
            }
            Ok((b'e', value)) => {
                let value = value.unwrap_or_default();
                options.exit_map_to_change().map_code(status(value).ok_or_else(|| not_valid(given, 'e', value))?, 0);
                options.mark_given(Id::ExitMap);
            }
            Ok(_) => {}
            Err(fault) => {
                let text = format!("{}: {fault}\n{}", given.name(), usage(given));
                return Err(Printed { to: Output::Stderr, text, code: FAILURE });
            }
        }
    }
    Ok(said)
}

/// What it does otherwise than we do.
fn conduct(given: &Given<'_>) -> Conduct {
    let strict = given.is_strict();
    Conduct {
        grouping: Grouping::Own,
        orphans: Orphans::LeftToOthers,
        foreground: if strict { Foreground::Always } else { Foreground::IfOurs },
        on_signal_death: Some(OnSignalDeath::Code),
        hurry: Hurry::Leftovers,
        kept: Kept { descriptors: strict, directory: strict },
        names_pid: [!strict; 2],
        ..Conduct::OURS
    }
}

/// It knows the names of 1 to 31, but three, with their SIG.
fn signal(word: &CStr) -> Option<Signal> {
    let word = word.to_str().ok().filter(|word| word.starts_with("SIG"))?;
    let signal = Signal::parse(word).filter(|signal| signal.number() <= 31 && signal.to_string() == word)?;
    (!matches!(i32::from(signal.number()), libc::SIGSTKFLT | libc::SIGIO | libc::SIGPWR)).then_some(signal)
}

/// strtol(3) to the last byte, and within a code's limits. An empty word is 0.
fn status(word: &CStr) -> Option<u8> {
    let word = word.to_str().ok()?;
    if word.is_empty() {
        return Some(0);
    }
    let digits = word.trim_start_matches(is_blank);
    digits.parse::<i64>().ok().and_then(|number| u8::try_from(number).ok())
}

/// atoi(3), in an unsigned number.
fn number(word: &CStr) -> u32 {
    let word = word.to_string_lossy();
    let word = word.trim_start_matches(is_blank);
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let length = digits.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(digits.len());
    let number = digits.get(..length).unwrap_or_default().parse::<i64>().unwrap_or(0);
    // Whatever is below nothing is very much.
    u32::try_from(sign * number).unwrap_or(if digits.is_empty() { 0 } else { u32::MAX })
}

fn not_valid(given: &Given<'_>, option: char, value: &CStr) -> Printed {
    let value = value.to_string_lossy();
    let text = format!("[FATAL tini ({})] Not a valid option for -{option}: {value}\n", given.ourselves);
    Printed { to: Output::Stderr, text, code: FAILURE }
}

fn usage(given: &Given<'_>) -> String {
    let name = given.name();
    let name = name.rsplit('/').next().unwrap_or_default();
    format!(
        "{name} ({VERSION})\n\
         Usage: {name} [OPTIONS] PROGRAM -- [ARGS] | --version\n\
         \n\
         Execute a program under the supervision of a valid init process ({name})\n\
         \n\
         Command line options:\n\
         \n  \
           --version: Show version and exit.\n  \
           -h: Show this help message and exit.\n  \
           -s: Register as a process subreaper (requires Linux >= 3.4).\n  \
           -p SIGNAL: Trigger SIGNAL when parent dies, e.g. \"-p SIGKILL\".\n  \
           -v: Generate more verbose output. Repeat up to 3 times.\n  \
           -w: Print a warning when processes are getting reaped.\n  \
           -g: Send signals to the child's process group.\n  \
           -e EXIT_CODE: Remap EXIT_CODE (from 0 to 255) to 0.\n  \
           -l: Show license and exit.\n\
         \n\
         Environment variables:\n\
         \n  \
           TINI_SUBREAPER: Register as a process subreaper (requires Linux >= 3.4).\n  \
           TINI_VERBOSITY: Set the verbosity level (default: 1).\n  \
           TINI_KILL_PROCESS_GROUP: Send signals to the child's process group.\n\
         \n"
    )
}

#[cfg(test)]
mod tests {
    use super::{number, signal, status};

    #[test]
    fn a_status_is_what_strtol_reads_to_the_end() {
        for (word, code) in
            [(c"0", Some(0)), (c"143", Some(143)), (c" 7", Some(7)), (c"+7", Some(7)), (c"", Some(0)), (c"-0", Some(0))]
        {
            assert_eq!(status(word), code, "{word:?}");
        }
        for word in [c"256", c"-1", c"7 ", c"0x7", c"abc", c" ", c"99999999999999999999"] {
            assert_eq!(status(word), None, "{word:?}");
        }
    }

    #[test]
    fn a_verbosity_is_what_atoi_makes_of_it() {
        for (word, verbosity) in
            [(c"3", 3), (c" 2x", 2), (c"+1", 1), (c"", 0), (c"abc", 0), (c"-", 0), (c"-0", 0), (c"-1", u32::MAX)]
        {
            assert_eq!(number(word), verbosity, "{word:?}");
        }
    }

    #[test]
    fn a_signal_has_its_whole_name() {
        assert_eq!(signal(c"SIGTERM").map(|signal| signal.number()), Some(15));
        assert_eq!(signal(c"SIGKILL").map(|signal| signal.number()), Some(9));
        for word in
            [c"TERM", c"sigterm", c"15", c"SIGIOT", c"SIGPWR", c"SIGIO", c"SIGSTKFLT", c"SIGRTMIN", c"SIG15", c""]
        {
            assert_eq!(signal(word), None, "{word:?}");
        }
    }
}
