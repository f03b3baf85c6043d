//! Whether main is ready, and whether it is still alive: what it has said, and what it has not said in time.
//!
//! ```text
//!  Idle ──main started──▶ Starting ──ready──▶ Ready ◀──ready── Reloading
//!    ▲                       │ too late: NotReady  │ reloading ───▲
//!    │                       │                     │ not fed in time: Watchdog (Reloading too)
//!    └── main is being stopped, or has ended ──────┴── stopping ──▶ Stopping
//! ```
//!
//! Invariants, which the tests check against a simpler model:
//!
//! 1. It fails at most once a life, and only while main runs and no stop is under way.
//! 2. [`Failure::NotReady`] comes when the time is over in which it was to become ready, and not before the time that it
//!    has asked for itself.
//! 3. [`Failure::Watchdog`] comes when it was ready and then not fed in time, or when it asks for it.
//! 4. There is a time to wake up at exactly while one of the two can come.
//! 5. That it ends by itself ends the watchdog, but not the time in which it was to become ready.

use core::time::Duration;

use super::machine::{Failure, Time};
use super::notify::{Bark, Message, Said};

/// What the options say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// In this time it must be ready. `None`: whenever.
    pub timeout: Option<Duration>,
    /// So often it must say that it is alive, from when it is ready on. `None`: never.
    pub watchdog: Option<Duration>,
    /// What it says itself of its readiness counts.
    pub by_message: bool,
}

/// How it stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Phase {
    /// Main does not run, or is being stopped.
    Idle,
    /// It runs, and is not ready.
    Starting,
    /// It is.
    Ready,
    /// It was, and reloads what it is told by.
    Reloading,
    /// It has begun to end by itself.
    Stopping,
}

/// What comes of what it has said.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Heard {
    /// How it stands from now on, where that is something new.
    pub change: Option<Phase>,
    /// It is to be taken as dead.
    pub failure: Option<Failure>,
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Readiness {
    terms: Terms,
    phase: Phase,
    /// It was ready in this life.
    was_ready: bool,
    /// When it must be ready.
    ready_by: Option<Time>,
    /// How often it is to be fed, as it has said itself.
    period: Option<Duration>,
    /// When it must have been fed.
    fed_by: Option<Time>,
}

impl Readiness {
    /// Before the first start.
    pub const fn new(terms: Terms) -> Readiness {
        Readiness { terms, phase: Phase::Idle, was_ready: false, ready_by: None, period: None, fed_by: None }
    }

    /// How it stands.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it was ready in this life.
    pub const fn was_ready(&self) -> bool {
        self.was_ready
    }

    /// Main was started.
    pub fn start(&mut self, now: Time) {
        let ready_by = self.terms.timeout.map(|timeout| now.after(timeout));
        *self =
            Readiness { phase: Phase::Starting, ready_by, period: self.terms.watchdog, ..Readiness::new(self.terms) };
    }

    /// A stop has begun, or main has ended.
    pub fn stop(&mut self) {
        self.phase = Phase::Idle;
        (self.ready_by, self.fed_by) = (None, None);
    }

    /// It was found to be ready. Whether that is something new.
    pub fn find_ready(&mut self, now: Time) -> bool {
        let is_new = self.phase == Phase::Starting;
        if is_new {
            self.become_ready(now);
        }
        is_new
    }

    /// It has said something.
    pub fn hear(&mut self, now: Time, message: &Message) -> Heard {
        if self.phase == Phase::Idle {
            return Heard::default();
        }
        let before = self.phase;
        match (message.said, self.phase) {
            (Some(Said::Ready), Phase::Starting) if self.terms.by_message => self.become_ready(now),
            (Some(Said::Ready), Phase::Reloading) => self.phase = Phase::Ready,
            (Some(Said::Reloading), Phase::Ready) => self.phase = Phase::Reloading,
            (Some(Said::Stopping), _) => {
                self.phase = Phase::Stopping;
                self.fed_by = None;
            }
            (Some(Said::Ready), Phase::Starting | Phase::Ready | Phase::Stopping | Phase::Idle)
            | (Some(Said::Reloading), Phase::Starting | Phase::Reloading | Phase::Stopping | Phase::Idle)
            | (None, _) => {}
        }
        if let (Some(time), Some(_)) = (message.watchdog_time, self.terms.watchdog) {
            self.period = Some(time).filter(|time| !time.is_zero());
            self.feed(now);
        }
        let failure = match message.bark {
            Some(Bark::Fed) => {
                self.feed(now);
                None
            }
            Some(Bark::Trigger) => Some(Failure::Watchdog),
            None => None,
        };
        if let Some(time) = message.extension {
            // A time that is longer already stays.
            let until = now.after(time);
            self.ready_by = self.ready_by.map(|by| by.max(until));
            self.fed_by = self.fed_by.map(|by| by.max(until));
        }
        if failure.is_some() {
            self.stop();
        }
        Heard { change: Some(self.phase).filter(|phase| *phase != before && failure.is_none()), failure }
    }

    /// When to look again.
    pub fn wake(&self) -> Option<Time> {
        match (self.ready_by, self.fed_by) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// What has not come in time, if it is time for that.
    pub fn look(&mut self, now: Time) -> Option<Failure> {
        let is_over = |by: Option<Time>| by.is_some_and(|by| now >= by);
        let failure = match () {
            () if is_over(self.ready_by) => Failure::NotReady,
            () if is_over(self.fed_by) => Failure::Watchdog,
            () => return None,
        };
        self.stop();
        Some(failure)
    }

    fn become_ready(&mut self, now: Time) {
        self.phase = Phase::Ready;
        self.was_ready = true;
        self.ready_by = None;
        self.feed(now);
    }

    /// Only who is ready is watched.
    fn feed(&mut self, now: Time) {
        let is_watched = matches!(self.phase, Phase::Ready | Phase::Reloading);
        self.fed_by = self.period.filter(|_| is_watched).map(|period| now.after(period));
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
