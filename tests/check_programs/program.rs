//! What a program is and how it is known to end: the rows of the tables.
//!
//! In files, scripts and words `{dir}` is a folder of the case's own, `{port}` a free port, `{rust}` and `{go}` our
//! programs that are told to stop, `{supervise}` the binary, and `{postgres}` the folder of that server's programs.

use crate::by_hand::End;
use crate::harness::Exit;

/// A program, as it is started and stopped.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Written into the folder.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Run by `sh` in the folder before anything else.
    pub(crate) setup: &'static str,
    pub(crate) words: &'static [&'static str],
    /// As `--ready` takes it.
    pub(crate) ready: &'static str,
    /// Whether it reaps what it did not start, as process 1 has to.
    pub(crate) reaps: bool,
    pub(crate) stops: &'static [Stop],
}

impl Program {
    /// What most are: nothing to prepare, and a line when it is ready.
    pub(crate) const PLAIN: Program =
        Program { name: "", files: &[], setup: "", words: &[], ready: "log:ready", reaps: true, stops: &[] };
}

/// A signal, and what is known of the program that is told to stop by it.
pub(crate) struct Stop {
    pub(crate) signal: i32,
    pub(crate) pid1: Known,
    pub(crate) child: Known,
}

/// How it ends, who outlives it, and how good that is, as one knows from the program's manual and source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    pub(crate) end: End,
    /// The names of those that outlive it, or that the kernel kills with process 1.
    pub(crate) left: &'static [&'static str],
    pub(crate) class: Class,
}

/// How good.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    Pass,
    Warn,
    Fail,
}

/// It ends with 0 and takes all of its own with it.
pub(crate) const CLEAN: Known = Known { end: End::By(Exit::Code(0)), left: &[], class: Class::Pass };

/// It does not end: the signal is dropped, or waits for something that does not come.
pub(crate) const HANGS: Known = Known { end: End::Never, left: &[], class: Class::Fail };

/// It dies of the signal, which is its default action.
pub(crate) const fn dies(signal: i32) -> Known {
    Known { end: End::By(Exit::Signal(signal)), left: &[], class: Class::Warn }
}

/// It ends with 128 + n by its own exit, as Java does.
pub(crate) const SAYS_143: Known = Known { end: End::By(Exit::Code(143)), left: &[], class: Class::Warn };

/// It ends with a code that is a failure to whoever asks.
pub(crate) const fn fails(code: i32) -> Known {
    Known { end: End::By(Exit::Code(code)), left: &[], class: Class::Fail }
}

impl Known {
    /// How good it is, if it does not reap orphans where it ought to.
    pub(crate) fn or_piles_up(self, reaps: Option<bool>) -> Class {
        if reaps == Some(false) { self.class.max(Class::Warn) } else { self.class }
    }

    /// It leaves these behind.
    pub(crate) const fn leaves(self, left: &'static [&'static str]) -> Known {
        Known { left, class: Class::Fail, ..self }
    }
}

/// A table's row of a signal.
pub(crate) const fn stop(signal: i32, pid1: Known, child: Known) -> Stop {
    Stop { signal, pid1, child }
}
