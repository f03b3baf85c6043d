//! dumb-init 1.2.5.

use std::ffi::CStr;

use log::LevelFilter;
use supervise_init::core::{Hurry, Leftovers, OnSignalDeath, Signal};
use supervise_init::driver::{ForwardTo, Kept};
use supervise_init::sys::{Output, SigSet};

use super::voice::Speech;
use super::{FAILURE, Front, Given, Other, Printed, is_blank};
use crate::cli::Options;
use crate::cli::options::Id;
use crate::conduct::{Conduct, Grouping, Orphans, Signals};
use crate::getopt::{Getopt, Known, Order, Value};

const VERSION: &str = "dumb-init v1.2.5\n";

const KNOWN: Known = Known {
    short: &[
        (b'h', Value::None),
        (b'v', Value::None),
        (b'V', Value::None),
        (b'c', Value::None),
        (b'r', Value::Required),
    ],
    long: &[("help", b'h'), ("single-child", b'c'), ("rewrite", b'r'), ("verbose", b'v'), ("version", b'V')],
};

/// What a signal becomes, by its number: `Some(None)` is nothing. It knows 1 to 31.
type Rewrites = [Option<Option<Signal>>; 32];

/// Those by which it stops itself, as the shell above it is to see.
const SUSPENDING: [Signal; 3] = [Signal::TSTP, Signal::TTOU, Signal::TTIN];

/// The words and variables, checked; or what is to be printed instead.
pub(super) fn read(given: &Given<'_>) -> Result<Front, Printed> {
    let mut getopt = Getopt::new(given.words, KNOWN, Order::First);
    let said = read_options(given, &mut getopt)?;
    let Some((words, first)) = getopt.command() else { return Err(printed(usage(given), FAILURE)) };
    let by_debug = given.variable("DUMB_INIT_DEBUG") == Some(c"1");
    let by_setsid = given.variable("DUMB_INIT_SETSID") == Some(c"0");
    let verbose = said.verbose || by_debug;
    let has_session = !said.is_single && !by_setsid;

    let grouping = if has_session { Grouping::Session } else { Grouping::Shared };
    let mut options = Options::of_another_init(conduct(given, grouping));
    options.command = first;
    options.forward_to = if has_session { ForwardTo::Group } else { ForwardTo::Main };
    if !has_session {
        options.mark_given(Id::ForwardTo);
    }
    if said.is_rewritten {
        options.mark_given(Id::Rewrite);
    }
    let rewritten = forward(&mut options, &said.rewrites, grouping);
    let term = said.rewrites.get(index(Signal::TERM)).copied().flatten().unwrap_or(Some(Signal::TERM));
    // As PID 1 we tell all that is left, and wait for it.
    if has_session && (!given.is_pid_1() || given.is_strict()) {
        options.conduct.parting = term;
    }
    if given.is_strict() {
        options.ladder.leftovers = Leftovers::Leave;
    }
    let speech = Speech {
        init: Other::DumbInit,
        manner: given.manner,
        verbosity: u32::from(verbose),
        needs: if verbose { LevelFilter::Trace } else { LevelFilter::Off },
        names_reaped: false,
        warns_of_place: false,
        registers: false,
        rewritten,
        term,
        has_session,
        by_variables: [by_debug, by_setsid],
        command: words.get(first).unwrap_or_default(),
    };
    Ok(Front { options, words, speech })
}

/// What the options say.
struct Said {
    verbose: bool,
    /// The command stays in our session and group.
    is_single: bool,
    rewrites: Rewrites,
    is_rewritten: bool,
}

fn read_options(given: &Given<'_>, getopt: &mut Getopt<'_>) -> Result<Said, Printed> {
    let mut said = Said { verbose: false, is_single: false, rewrites: [None; 32], is_rewritten: false };
    while let Some(found) = getopt.next_option() {
        match found {
            Ok((b'h', _)) => return Err(printed(help(given), 0)),
            Ok((b'V', _)) => return Err(printed(VERSION.to_owned(), 0)),
            Ok((b'v', _)) => said.verbose = true,
            Ok((b'c', _)) => said.is_single = true,
            Ok((b'r', value)) => {
                if rewrite(&mut said.rewrites, value.unwrap_or_default()).is_none() {
                    return Err(printed(REWRITE_USAGE.to_owned(), FAILURE));
                }
                said.is_rewritten = true;
            }
            Ok(_) => {}
            Err(fault) => return Err(printed(format!("{}: {fault}\n", given.name()), FAILURE)),
        }
    }
    Ok(said)
}

fn printed(text: String, code: u8) -> Printed {
    Printed { to: Output::Stderr, text, code }
}

/// Has each signal passed on as `rewrites` say, and returns those that are not passed on as they came.
fn forward(options: &mut Options, rewrites: &Rewrites, grouping: Grouping) -> SigSet {
    let has_session = grouping == Grouping::Session;
    let mut rewritten = SigSet::NONE;
    for (signal, to) in Signal::all().filter_map(|signal| Some((signal, rewrites.get(index(signal)).copied()??))) {
        options.forwarding.pass_on(signal, to);
        rewritten = rewritten.with(signal);
    }
    for signal in SUSPENDING {
        let default = Some(if has_session { Signal::STOP } else { signal });
        let to = rewrites.get(index(signal)).copied().flatten().unwrap_or(default);
        options.forwarding.suspend(signal, to);
        if has_session {
            rewritten = rewritten.with(signal);
        }
    }
    rewritten
}

/// What it does otherwise than we do.
fn conduct(given: &Given<'_>, grouping: Grouping) -> Conduct {
    let strict = given.is_strict();
    Conduct {
        grouping,
        orphans: Orphans::LeftToOthers,
        signals: if strict { Signals::Reset } else { Signals::AsGiven },
        on_signal_death: Some(OnSignalDeath::Code),
        hurry: Hurry::Leftovers,
        kept: Kept { descriptors: strict, directory: false },
        names_pid: [!strict; 2],
        ..Conduct::OURS
    }
}

fn index(signal: Signal) -> usize {
    usize::from(signal.number())
}

/// sscanf(3) of `%d:%d`: blanks may stand before each number, and anything behind the second.
fn rewrite(rewrites: &mut Rewrites, value: &CStr) -> Option<()> {
    let (from, rest) = number(value.to_bytes())?;
    let (to, _) = number(rest.strip_prefix(b":")?)?;
    let from = Signal::new(from).filter(|signal| signal.number() <= 31)?;
    let to = match to {
        0 => None,
        to => Some(Signal::new(to).filter(|signal| signal.number() <= 31)?),
    };
    *rewrites.get_mut(index(from))? = Some(to);
    Some(())
}

/// A number of scanf(3), and what is behind it.
fn number(bytes: &[u8]) -> Option<(i32, &[u8])> {
    let blanks = bytes.iter().take_while(|byte| is_blank(char::from(**byte))).count();
    let word = bytes.get(blanks..)?;
    let sign = usize::from(matches!(word.first(), Some(b'+' | b'-')));
    let digits = word.get(sign..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = word.split_at(sign + digits);
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

const REWRITE_USAGE: &str = "\
Usage: -r option takes <signum>:<signum>, where <signum> is between 1 and 31.
This option can be specified multiple times.
Use --help for full usage.
";

fn usage(given: &Given<'_>) -> String {
    let name = given.name();
    format!("Usage: {name} [option] program [args]\nTry {name} --help for full usage.\n")
}

fn help(given: &Given<'_>) -> String {
    let name = given.name();
    format!(
        "{VERSION}\
         Usage: {name} [option] command [[arg] ...]\n\
         \n\
         dumb-init is a simple process supervisor that forwards signals to children.\n\
         It is designed to run as PID1 in minimal container environments.\n\
         \n\
         Optional arguments:\n   \
            -c, --single-child   Run in single-child mode.\n                        \
                                 In this mode, signals are only proxied to the\n                        \
                                 direct child and not any of its descendants.\n   \
            -r, --rewrite s:r    Rewrite received signal s to new signal r before proxying.\n                        \
                                 To ignore (not proxy) a signal, rewrite it to 0.\n                        \
                                 This option can be specified multiple times.\n   \
            -v, --verbose        Print debugging information to stderr.\n   \
            -h, --help           Print this help message and exit.\n   \
            -V, --version        Print the current version and exit.\n\
         \n\
         Full help is available online at https://github.com/Yelp/dumb-init\n"
    )
}

#[cfg(test)]
mod tests {
    use supervise_init::core::Signal;

    use super::rewrite;

    #[test]
    fn a_rewrite_is_what_scanf_reads_at_its_beginning() {
        for (value, from, to) in [
            (c"15:3", 15, Some(3)),
            (c"15:0", 15, None),
            (c" 15: 3", 15, Some(3)),
            (c"15:3xyz", 15, Some(3)),
            (c"+1:31", 1, Some(31)),
        ] {
            let mut rewrites = [None; 32];
            assert_eq!(rewrite(&mut rewrites, value), Some(()), "{value:?}");
            assert_eq!(rewrites[from], Some(to.and_then(Signal::new)), "{value:?}");
            assert_eq!(rewrites.iter().flatten().count(), 1);
        }
        for value in [
            c"",
            c"15",
            c"15:",
            c":3",
            c"15::3",
            c"15 :3",
            c"0:3",
            c"32:3",
            c"15:32",
            c"-1:3",
            c"15:-1",
            c"a:b",
            c"99999999999:1",
        ] {
            assert_eq!(rewrite(&mut [None; 32], value), None, "{value:?}");
        }
    }
}
