//! How it went, for who decides whether it begins again.

use core::time::Duration;

use super::{Input, MAIN};
use crate::core::exit::Status;
use crate::core::list::Actions;
use crate::core::machine::{Action, Failure, Heard, Received, Rung, Sender, Time};
use crate::core::request::Ask;
use crate::core::restart::{Death, Life};
use crate::core::signal::Signal;

/// What is remembered of a life, and decides nothing in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    started: Option<Time>,
    ended: Option<Status>,
    is_not_started: bool,
    /// Something was left when main had ended, and was told to end.
    has_left: bool,
    is_asked: bool,
    failure: Option<Failure>,
    /// The signals of keys, and of the end of a terminal, that came: a bit for each.
    pressed: u64,
    /// When the kernel sent the last of them, for a terminal.
    key: Option<Time>,
    /// Main has ended no later than [`Course::OBEYS`] after that.
    has_obeyed: bool,
}

impl Course {
    pub(super) const NONE: Course = Course {
        started: None,
        ended: None,
        is_not_started: false,
        has_left: false,
        is_asked: false,
        failure: None,
        pressed: 0,
        key: None,
        has_obeyed: false,
    };

    /// Whoever ends so soon after a key does so because of it, with whatever code: many a server makes a success of it.
    const OBEYS: Duration = Duration::from_secs(10);

    /// A signal has come. Who dies of a key that was pressed was asked to by that.
    pub(super) fn press(&mut self, now: Time, received: Received) {
        let Received { signal, sender } = received;
        // By its name it is no hang-up, but what reads files again.
        if signal == Signal::HUP && matches!(sender, Sender::Client { .. }) {
            return;
        }
        if matches!(signal, Signal::INT | Signal::QUIT | Signal::HUP) {
            self.pressed |= bit(signal);
            if sender == Sender::Kernel {
                self.key = Some(now);
            }
        }
    }

    pub(super) fn remember(&mut self, now: Time, input: Input, actions: Actions) {
        if actions.contains(Action::Spawn(MAIN)) {
            self.started = Some(now);
        }
        match input {
            Input::MainEnded(status) => {
                self.ended = self.ended.or(Some(status));
                self.has_obeyed |= self.key.is_some_and(|key| now.since(key) <= Course::OBEYS);
            }
            Input::Reaped(_) => self.has_left |= actions.contains(Action::Climb(Rung::Leftovers)),
            Input::NotStarted(_) => (self.is_not_started, self.started) = (true, None),
            Input::Stop(_) | Input::Hurry => self.is_asked = true,
            // A new beginning that is not begun changes nothing.
            Input::End(request) => {
                let is_begun = actions.contains(Action::Answer(Ask::End(request), Heard::Begun));
                self.is_asked |= is_begun || !request.wish.is_a_beginning();
            }
            Input::Fail(failure) if !actions.is_empty() => self.failure = Some(failure),
            _ => {}
        }
        if self.failure.is_some() {
            // The stop goes on by itself.
            return;
        }
        // The longest time asks too.
        let climbs = |action| {
            matches!(action, Action::Climb(Rung::PreStart | Rung::PreStop | Rung::Delay | Rung::Signal(_) | Rung::Kill))
        };
        self.is_asked |= actions.into_iter().any(climbs);
    }

    /// Whether somebody has asked for its end.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
    }

    /// Whether it has left something behind that was told to end.
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// The life, which is over.
    pub fn life(&self) -> Life {
        let by_key = |signal: Signal| self.pressed & bit(signal) != 0;
        let death = match self.ended {
            _ if self.is_asked => Death::Asked,
            _ if let Some(failure) = self.failure => Death::Failed(failure),
            Some(Status::Signaled(Signal::HUP)) if by_key(Signal::HUP) => Death::Asked,
            Some(status) if status.key().is_some_and(by_key) => Death::Asked,
            Some(_) if self.has_obeyed => Death::Asked,
            Some(status) => Death::Ended(status),
            None if self.is_not_started => Death::NotStarted,
            None => Death::Unprepared,
        };
        Life { started: self.started, death }
    }
}

fn bit(signal: Signal) -> u64 {
    1 << (signal.number() - 1)
}
