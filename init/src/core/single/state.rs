//! The states, and what has to be remembered in them.

use crate::core::exit::Verdict;
use crate::core::{Child, Signal, Time};

/// A hook that runs before main is started.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::core) struct Hook {
    pub(in crate::core) child: Child,
    pub(in crate::core) kill_at: Option<Time>,
}

impl Hook {
    /// Whether its time is over.
    pub(super) fn is_over(self, now: Time) -> bool {
        self.kill_at.is_some_and(|kill_at| now >= kill_at)
    }
}

/// A request to stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::core) struct Request {
    pub(in crate::core) at: Time,
    /// What main is sent where the ladder names no signal.
    pub(super) signal: Signal,
}

/// How far the ladder is climbed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::core) struct Climb {
    pub(in crate::core) asked: Time,
    /// When main got the first signal.
    pub(in crate::core) told: Time,
    /// The number of the last signal.
    pub(in crate::core) step: u8,
    pub(in crate::core) signal: Signal,
    /// When main got that one.
    pub(in crate::core) since: Time,
    pub(super) explained: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(in crate::core) enum State {
    New,
    /// There is no main: only reaping, until a stop is asked for.
    Pausing,
    PreStarting(Hook),
    /// A stop was asked for before main was started.
    Abandoning {
        hook: Hook,
        asked: Time,
    },
    KillingHook {
        asked: Option<Time>,
        verdict: Verdict,
    },
    Running,
    PreStopping(Request),
    Delaying(Request),
    Asking(Climb),
    KillingMain {
        asked: Time,
        /// And everything else.
        all: bool,
    },
    /// Or it was never started.
    MainEnded {
        asked: Option<Time>,
        verdict: Verdict,
    },
    Waiting {
        verdict: Verdict,
    },
    Leftovers {
        verdict: Verdict,
        kill_at: Time,
    },
    Killing {
        verdict: Verdict,
    },
    Done,
}
