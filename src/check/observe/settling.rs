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

/// Who catches every signal from its start on, as Go's runtime does, does not show when its own handlers are there. It has
/// as long as process 1 has with an orphan, so that the modes are told alike.
const UNSHOWN: Duration = orphan::TIME;

/// What the signal waits for.
pub(super) struct Settling {
    calm: Calm,
    is_calm: bool,
    /// The orphan that was put in has so long.
    orphan_until: Option<Time>,
    /// The handlers that do not show have so long.
    handlers_until: Option<Time>,
    /// Who is dead and not reaped has so long.
    dead_until: Option<Time>,
    has_waited_for_dead: bool,
    until: Time,
    began: Time,
}

impl Settling {
    pub(super) fn begin(ready: &Ready, now: Time) -> Settling {
        Settling {
            calm: Calm::begin(now, LOOK, LOOKS),
            // The one was quiet for longer; the other says its own time.
            is_calm: matches!(ready, Ready::Quiet | Ready::Delay(_)),
            orphan_until: None,
            handlers_until: None,
            dead_until: None,
            has_waited_for_dead: false,
            until: now.after(LONGEST),
            began: now,
        }
    }

    /// One was put in, which is waited for as well.
    pub(super) fn with_orphan(self) -> Settling {
        Settling { orphan_until: Some(self.began.after(orphan::TIME)), ..self }
    }

    /// It catches every signal. What says itself that it is ready, or was given its time, is taken at its word.
    pub(super) fn with_unshown_handlers(self, ready: &Ready) -> Settling {
        match ready {
            Ready::Probe(_) | Ready::Quiet => Settling { handlers_until: Some(self.began.after(UNSHOWN)), ..self },
            Ready::SdNotify | Ready::Fd(_) | Ready::Log(_) | Ready::Delay(_) => self,
        }
    }

    /// When there is something to look at: at once, where nothing is waited for. There is always such a time, as nothing
    /// else may ever happen.
    pub(super) fn next(&self) -> Time {
        let calm = Some(self.calm.next()).filter(|_| !self.is_calm);
        [calm, self.orphan_until, self.handlers_until, self.dead_until]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.began)
    }

    /// The orphan is gone. Who ends because a child has ended does so now, and not of the signal: it has to rest again.
    pub(super) fn see_reaped(&mut self, now: Time) {
        self.orphan_until = None;
        self.calm = Calm::begin(now, LOOK, LOOKS);
        self.is_calm = false;
        self.until = now.after(LONGEST);
    }

    /// Somebody is dead and not reaped, and until then that is no zombie. Whether that is waited for: once.
    pub(super) fn wait_for_dead(&mut self, until: Time) -> bool {
        let waits = !self.has_waited_for_dead;
        if waits {
            (self.has_waited_for_dead, self.dead_until) = (true, Some(until));
        }
        waits
    }

    /// Whether it is over.
    pub(super) fn is_over(&mut self, now: Time, stir: impl FnOnce() -> Stir) -> bool {
        self.is_calm = self.is_calm || now >= self.until || self.calm.see(now, stir);
        self.orphan_until = self.orphan_until.filter(|until| now < *until);
        self.handlers_until = self.handlers_until.filter(|until| now < *until);
        self.dead_until = self.dead_until.filter(|until| now < *until);
        self.is_calm && [self.orphan_until, self.handlers_until, self.dead_until] == [None; 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(ready: &Ready) -> Settling {
        Settling::begin(ready, Time::from_start(Duration::from_secs(1)))
    }

    /// How many of the times that it names pass until it is over.
    fn looks(mut settling: Settling) -> u32 {
        let mut looks = 1;
        while !settling.is_over(settling.next(), Stir::default) {
            looks += 1;
            assert!(looks < 1000, "it comes to no end");
        }
        looks
    }

    #[test]
    fn it_rests_again_when_the_orphan_is_reaped() {
        let mut settling = begun(&Ready::Quiet).with_orphan();
        let began = settling.began;
        assert!(!settling.is_over(began, Stir::default));
        let reaped = began.after(Duration::from_millis(5));
        settling.see_reaped(reaped);
        let mut now = reaped;
        while !settling.is_over(now, Stir::default) {
            now = settling.next();
        }
        assert!(now >= reaped.after(LOOK * LOOKS));
    }

    #[test]
    fn handlers_that_do_not_show_have_their_time_where_nothing_is_said_of_them() {
        let ends_at = |ready: &Ready| {
            let mut settling = begun(ready).with_unshown_handlers(ready);
            let mut now = settling.began;
            while !settling.is_over(now, Stir::default) {
                now = settling.next();
            }
            now.since(settling.began)
        };
        assert!([Ready::Quiet, Ready::Probe(c"tcp:127.0.0.1:80")].iter().all(|ready| ends_at(ready) >= UNSHOWN));
        assert!([Ready::SdNotify, Ready::Log("up")].iter().all(|ready| ends_at(ready) < UNSHOWN));
    }

    #[test]
    fn the_times_that_it_names_bring_it_to_its_end() {
        for change in [Settling::with_orphan, |settling| settling] {
            assert_eq!(looks(change(begun(&Ready::Quiet))), 1);
            assert_eq!(looks(change(begun(&Ready::Delay(Duration::ZERO)))), 1);
            assert!(looks(change(begun(&Ready::SdNotify))) >= LOOKS);
        }
    }
}
