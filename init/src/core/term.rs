//! A time by which something must have happened, as long as we run ourselves. `docker pause`, a machine that sleeps, and
//! Ctrl-Z stop us together with whom we wait for, and the clock goes on. Who is woken up much later than it wanted to be
//! has not run, and cannot tell what the others would have done meanwhile: they get the whole time once more.
//!
//! 1. It is over at its time, and where we come at most [`SLACK`] later, then.
//! 2. Where we come later than that, it is put off once, by its whole length from then on. A machine that is always late
//!    makes nobody immortal.

use core::time::Duration;

use super::machine::Time;

/// So late a loaded machine wakes us up.
pub const SLACK: Duration = Duration::from_millis(250);

/// The time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Term {
    end: Time,
    is_put_off: bool,
}

impl Term {
    pub(super) const fn until(end: Time) -> Term {
        Term { end, is_put_off: false }
    }

    pub(super) const fn end(self) -> Time {
        self.end
    }

    /// The same, not over before that.
    pub(super) fn at_least(self, until: Time) -> Term {
        Term { end: self.end.max(until), ..self }
    }

    /// Whether it is over. It is put off by `length` instead, if we did not run.
    pub(super) fn is_over(&mut self, now: Time, length: Duration) -> bool {
        if now < self.end {
            return false;
        }
        let did_run = now.since(self.end) <= SLACK;
        if did_run || self.is_put_off {
            return true;
        }
        *self = Term { end: now.after(length), is_put_off: true };
        false
    }
}
