//! Between the sign that a command is ready and the signal: what listens may have its handlers and workers only a moment
//! later, and who is told in that moment shows how it starts, not how it stops.

use std::time::Duration;

use supervise_init::core::Time;

use super::orphan;
use crate::check::ready::{Calm, LONGEST, Stir};
use crate::check::scenario::Ready;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// It is at rest when so many looks find nothing new.
const LOOKS: u32 = 4;

/// What the signal waits for.
pub(super) struct Settling {
    calm: Calm,
    is_calm: bool,
    /// The orphan that was put in has so long.
    orphan_until: Option<Time>,
    until: Time,
}

impl Settling {
    pub(super) fn begin(ready: &Ready, now: Time, has_orphan: bool) -> Settling {
        Settling {
            calm: Calm::begin(now, LOOK, LOOKS),
            // The one was quiet for longer; the other says its own time.
            is_calm: matches!(ready, Ready::Quiet | Ready::Delay(_)),
            orphan_until: has_orphan.then(|| now.after(orphan::TIME)),
            until: now.after(LONGEST),
        }
    }

    /// When there is something to look at.
    pub(super) fn next(&self) -> Option<Time> {
        let calm = Some(self.calm.next()).filter(|_| !self.is_calm);
        [calm, self.orphan_until].into_iter().flatten().min()
    }

    /// The orphan is gone.
    pub(super) fn see_reaped(&mut self) {
        self.orphan_until = None;
    }

    /// Whether it is over.
    pub(super) fn is_over(&mut self, now: Time, stir: impl FnOnce() -> Stir) -> bool {
        self.is_calm = self.is_calm || now >= self.until || self.calm.see(now, stir);
        self.orphan_until = self.orphan_until.filter(|until| now < *until);
        self.is_calm && self.orphan_until.is_none()
    }
}
