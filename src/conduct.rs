//! How we stand to the command where another init would stand otherwise: what no option of ours is about, because under
//! our own name it follows from where we are.

use supervise_init::core::{Hurry, OnSignalDeath, Signal};
use supervise_init::driver::Kept;
use supervise_init::sys::SigSet;

use crate::compat::Voice;

/// Which process group the command is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Grouping {
    /// Ours, or one of its own where that is needed.
    AsNeeded,
    /// Ours.
    Shared,
    /// One that it leads.
    Own,
    /// That of a session that it leads, with our terminal if we can give that away.
    Session,
}

/// Who becomes the parent of orphans where we are not PID 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Orphans {
    Adopted,
    LeftToOthers,
}

/// When the command's group is put into the foreground of our terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Foreground {
    /// If ours is in it.
    IfOurs,
    /// Whoever is in it.
    Always,
}

/// The signal state that the command gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Signals {
    /// What we were given.
    AsGiven,
    /// The same, and these are blocked besides.
    Blocking(SigSet),
    /// Nothing is blocked, and all do what they do by default.
    Reset,
}

/// What we do otherwise than under our own name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conduct {
    pub(crate) grouping: Grouping,
    pub(crate) orphans: Orphans,
    pub(crate) foreground: Foreground,
    pub(crate) signals: Signals,
    /// `None`: as our place says.
    pub(crate) on_signal_death: Option<OnSignalDeath>,
    pub(crate) hurry: Hurry,
    /// What the command's group is sent when the command has ended.
    pub(crate) parting: Option<Signal>,
    pub(crate) kept: Kept,
    /// Whether `LISTEN_PID` and `WATCHDOG_PID` name the command where they named us.
    pub(crate) names_pid: [bool; 2],
    /// Whether there is a command.
    pub(crate) has_main: bool,
    /// The init that we are called as speaks by it.
    pub(crate) voice: Option<&'static Voice>,
}

impl Conduct {
    /// Under our own name.
    pub(crate) const OURS: Conduct = Conduct {
        grouping: Grouping::AsNeeded,
        orphans: Orphans::Adopted,
        foreground: Foreground::IfOurs,
        signals: Signals::AsGiven,
        on_signal_death: None,
        hurry: Hurry::All,
        parting: None,
        kept: Kept { descriptors: false, directory: false },
        names_pid: [true; 2],
        has_main: true,
        voice: None,
    };
}
