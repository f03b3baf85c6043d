//! catatonit 0.1.7.

use log::LevelFilter;
use supervise_init::core::{Forwarding, Hurry, Leftovers, OnSignalDeath, Signal};
use supervise_init::driver::{ForwardTo, Kept};
use supervise_init::sys::{Output, SigSet};

use super::voice::Speech;
use super::voice::catatonit::{DEBUG, ERROR, OF_A_TERMINAL};
use super::{FAILURE, Front, Given, LICENCE, Other, Printed};
use crate::cli::Options;
use crate::cli::options::Id;
use crate::conduct::{Conduct, Foreground, Grouping, Signals};
use crate::getopt::{Getopt, Known, Value};

/// Called so because dockerd knows tini only.
const VERSION: &str = "tini version 0.1.7_catatonit\n";

const USAGE: &str = "usage: catatonit [-ghLPV] [--] <progname> [<arguments>...]\n";

const HELP: &str = "
options:
  -g              Forward signals to pid1's process group.
  -h              Print this help page.
  -L              Print license information.
  -P              Run in pause mode (no program is run and quit on SIGINT).
  -V, --version   Print version information.

The source code can be found at <https://github.com/openSUSE/catatonit/>.
For bug reporting instructions, please see: <https://bugs.opensuse.org/>.
";

const KNOWN: Known = Known {
    short: &[(b'g', Value::None), (b'h', Value::None), (b'L', Value::None), (b'P', Value::None), (b'V', Value::None)],
    long: &[("version", b'V')],
};

/// What it leaves to the kernel.
const ITS_OWN: [i32; 7] =
    [libc::SIGFPE, libc::SIGILL, libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS];

/// The words and variables, checked; or what is to be printed instead.
pub(super) fn read(given: &Given<'_>) -> Result<Front, Printed> {
    let printed = |to, text: String, code| Err(Printed { to, text, code });
    let mark = || format!("ERROR (catatonit:{}): ", given.ourselves);
    if given.is_set("CATATONIT_LOG") {
        let text = format!("{}CATATONIT_LOG is reserved for future use\n", mark());
        return printed(Output::Stderr, text, FAILURE);
    }
    let (mut to_group, mut pauses) = (false, false);
    let mut getopt = Getopt::new(given.words, KNOWN, given.order());
    while let Some(found) = getopt.next_option() {
        match found {
            Ok((b'g', _)) => to_group = true,
            Ok((b'P', _)) => pauses = true,
            Ok((b'h', _)) => return printed(Output::Stderr, format!("{USAGE}{HELP}"), 0),
            Ok((b'L', _)) => return printed(Output::Stdout, LICENCE.to_owned(), 0),
            Ok((b'V', _)) => return printed(Output::Stdout, VERSION.to_owned(), 0),
            Ok(_) => {}
            Err(fault) => {
                return printed(Output::Stderr, format!("{}: {fault}\n{USAGE}", given.name()), FAILURE);
            }
        }
    }
    let (words, first) = match getopt.command() {
        Some(command) => command,
        None if pauses => (*given.words, 1),
        None => return printed(Output::Stderr, format!("{}missing program name\n{USAGE}", mark()), FAILURE),
    };
    let mut options = Options::of_another_init(Conduct { has_main: !pauses, ..conduct(given) });
    options.command = first;
    if to_group {
        options.forward_to = ForwardTo::Group;
        options.mark_given(Id::ForwardTo);
    }
    if pauses {
        pause(&mut options.forwarding);
    } else {
        let own = ITS_OWN.iter().filter_map(|number| Signal::new(*number));
        own.chain(OF_A_TERMINAL).for_each(|signal| options.forwarding.pass_on(signal, None));
    }
    if given.is_strict() {
        options.ladder.leftovers = Leftovers::Leave;
    }
    let is_verbose = given.is_set("CATATONIT_DEBUG");
    let speech = Speech {
        init: Other::Catatonit,
        manner: given.manner,
        verbosity: if is_verbose { DEBUG } else { ERROR },
        needs: if is_verbose { LevelFilter::Debug } else { LevelFilter::Off },
        names_reaped: false,
        warns_of_place: false,
        registers: false,
        rewritten: SigSet::NONE,
        term: Some(Signal::TERM),
        has_session: false,
        by_variables: [false; 2],
        command: if pauses { c"" } else { words.get(first).unwrap_or_default() },
    };
    Ok(Front { options, words, speech })
}

/// SIGTERM and SIGINT end it; nothing else does anything.
fn pause(forwarding: &mut Forwarding) {
    for signal in Signal::all() {
        match signal {
            Signal::TERM => {}
            Signal::INT => forwarding.make_stop(signal),
            _ => forwarding.pass_on(signal, None),
        }
    }
}

/// What it does otherwise than we do.
fn conduct(given: &Given<'_>) -> Conduct {
    let strict = given.is_strict();
    let blocked = OF_A_TERMINAL.into_iter().fold(SigSet::NONE, SigSet::with);
    Conduct {
        grouping: Grouping::Own,
        foreground: if strict { Foreground::Always } else { Foreground::IfOurs },
        signals: if strict { Signals::Blocking(blocked) } else { Signals::AsGiven },
        on_signal_death: Some(OnSignalDeath::Code),
        hurry: Hurry::Leftovers,
        kept: Kept { descriptors: false, directory: strict },
        names_pid: [true, !strict],
        ..Conduct::OURS
    }
}
