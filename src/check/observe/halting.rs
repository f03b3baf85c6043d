//! The stop by SIGSTOP before the command is told to end: whether it has come to pass. A signal that continues a process
//! takes back a stop that has not, so it is waited for.

use std::time::Duration;

use supervise_init::core::Time;

use super::tree::{Life, Tree};
use crate::proc::Stat;

/// Between two looks. Only a parent is told.
const LOOK: Duration = Duration::from_millis(5);

/// What does not stop in this time is told all the same.
pub(super) const LONGEST: Duration = Duration::from_secs(1);

/// Those that were sent SIGSTOP.
pub(super) struct Halting {
    places: Vec<usize>,
    next: Time,
}

impl Halting {
    /// By their places in the tree.
    pub(super) fn begin(places: Vec<usize>, now: Time) -> Halting {
        Halting { places, next: now }
    }

    /// When they are to be looked at.
    pub(super) fn next(&self) -> Time {
        self.next
    }

    /// Looks, where it is time for that; whether all that live are stopped.
    pub(super) fn is_over(&mut self, now: Time, tree: &Tree) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now.after(LOOK);
        let is_stopped = |pid: i32| Stat::read(pid).is_none_or(|stat| matches!(stat.state, b'T' | b'Z' | b'X'));
        let living =
            self.places.iter().filter_map(|place| tree.seen.get(*place)).filter(|seen| seen.life == Life::Lives);
        living.map(|seen| seen.process.pid).all(is_stopped)
    }
}
