//! The states, and what has to be remembered in them.

use crate::core::{Signal, Status, Time};

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
    Running,
    Delaying(Request),
    Asking(Climb),
    KillingMain { asked: Time },
    MainEnded { asked: Option<Time>, status: Status },
    Waiting { status: Status },
    Leftovers { status: Status, kill_at: Time },
    Killing { status: Status },
    Done,
}
