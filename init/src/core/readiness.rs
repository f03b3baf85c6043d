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
//!    has asked for itself. Each of these times is a [`super::term`]: it is put off once where we did not run ourselves.
//! 3. [`Failure::Watchdog`] comes when it was ready and then not fed in time, or when it asks for it.
//! 4. There is a time to wake up at exactly while one of the two can come.
//! 5. That it ends by itself ends the watchdog, but not the time in which it was to become ready.
//! 6. Where it is found to be ready by tries, there is one at a time, from the start on until one succeeds or main is
//!    stopped: the next one begins [`Readiness::INTERVAL`] after the end of the one before it, or so much later where its
//!    place is taken. One that has not ended long after [`Readiness::TRY`] is cut, and has failed.

use core::time::Duration;

use super::care::{Order, PATIENCE, Probe};
use super::health::Finding;
use super::list::Orders;
use super::machine::{Failure, Time};
use super::notify::{Bark, Message, Said};
use super::term::Term;

/// What the options say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terms {
    /// In this time it must be ready. `None`: whenever.
    pub timeout: Option<Duration>,
    /// So often it must say that it is alive, from when it is ready on. `None`: never.
    pub watchdog: Option<Duration>,
    /// What it says itself of its readiness counts.
    pub by_message: bool,
    /// It is tried whether it is.
    pub by_tries: bool,
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

/// Where the tries stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Try {
    /// There are none, or none any more.
    No,
    /// The next one begins then.
    Next(Time),
    /// One is under way, and must have ended by then.
    Until(Term),
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Readiness {
    terms: Terms,
    phase: Phase,
    /// It was ready in this life.
    was_ready: bool,
    /// When it must be ready.
    ready_by: Option<Term>,
    /// How often it is to be fed, as it has said itself.
    period: Option<Duration>,
    /// When it must have been fed.
    fed_by: Option<Term>,
    tries: Try,
}

impl Readiness {
    /// Between the end of a try that failed and the next one.
    pub const INTERVAL: Duration = Duration::from_millis(500);
    /// How long one may take.
    pub const TRY: Duration = Duration::from_secs(10);
    /// Until it is cut.
    const LONGEST_TRY: Duration = Readiness::TRY.saturating_add(PATIENCE);

    /// Before the first start.
    pub const fn new(terms: Terms) -> Readiness {
        let (ready_by, period, fed_by) = (None, None, None);
        Readiness { terms, phase: Phase::Idle, was_ready: false, ready_by, period, fed_by, tries: Try::No }
    }

    /// What the options say.
    pub const fn terms(&self) -> Terms {
        self.terms
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
    pub fn start(&mut self, now: Time) -> Orders {
        let ready_by = self.terms.timeout.map(|timeout| Term::until(now.after(timeout)));
        *self =
            Readiness { phase: Phase::Starting, ready_by, period: self.terms.watchdog, ..Readiness::new(self.terms) };
        if self.terms.by_tries { self.begin_try(now) } else { Orders::NONE }
    }

    fn begin_try(&mut self, now: Time) -> Orders {
        self.tries = Try::Until(Term::until(now.after(Readiness::LONGEST_TRY)));
        let left = self.ready_by.map(|by| by.end().since(now));
        [Order::Probe(Probe::Readiness { left })].into()
    }

    /// Whether what looks at main tries whether it is ready.
    pub(super) const fn is_trying(&self) -> bool {
        matches!(self.tries, Try::Until(_))
    }

    /// The try has ended. Whether main has become ready by it.
    pub(super) fn tried(&mut self, now: Time, finding: Finding) -> bool {
        let goes_on = self.phase == Phase::Starting;
        self.tries = if goes_on { Try::Next(now.after(Readiness::INTERVAL)) } else { Try::No };
        finding == Finding::Good && self.find_ready(now)
    }

    /// The try has not begun: what an earlier one has left may be there until then.
    pub(super) fn put_off(&mut self, now: Time, until: Time) {
        self.tries = Try::Next(until.min(now.after(Readiness::INTERVAL)));
    }

    /// What is to be done about the tries, if it is time for that.
    pub(super) fn look_at_tries(&mut self, now: Time) -> Orders {
        match &mut self.tries {
            Try::Next(next) if now >= *next => self.begin_try(now),
            Try::Until(term) => {
                if !term.is_over(now, Readiness::LONGEST_TRY) {
                    return Orders::NONE;
                }
                self.tried(now, Finding::Bad);
                [Order::Cut].into()
            }
            Try::No | Try::Next(_) => Orders::NONE,
        }
    }

    fn try_wake(&self) -> Option<Time> {
        match self.tries {
            Try::No => None,
            Try::Next(next) => Some(next),
            Try::Until(term) => Some(term.end()),
        }
    }

    /// A stop has begun, or main has ended.
    pub fn stop(&mut self) -> Orders {
        let cut = self.is_trying().then_some(Order::Cut);
        self.phase = Phase::Idle;
        (self.ready_by, self.fed_by, self.tries) = (None, None, Try::No);
        Orders::NONE.then(cut)
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
                // What ends need not be looked at.
                if let Try::Next(_) = self.tries {
                    self.tries = Try::No;
                }
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
            self.ready_by = self.ready_by.map(|by| by.at_least(until));
            self.fed_by = self.fed_by.map(|by| by.at_least(until));
        }
        if failure.is_some() {
            self.fail();
        }
        Heard { change: Some(self.phase).filter(|phase| *phase != before && failure.is_none()), failure }
    }

    /// When to look again.
    pub fn wake(&self) -> Option<Time> {
        [self.ready_by, self.fed_by].into_iter().flatten().map(Term::end).chain(self.try_wake()).min()
    }

    /// What has not come in time, if it is time for that.
    pub fn look(&mut self, now: Time) -> Option<Failure> {
        let is_over = |by: &mut Option<Term>, length: Option<Duration>| {
            by.as_mut().is_some_and(|by| by.is_over(now, length.unwrap_or_default()))
        };
        let failure = match () {
            () if is_over(&mut self.ready_by, self.terms.timeout) => Failure::NotReady,
            () if is_over(&mut self.fed_by, self.period) => Failure::Watchdog,
            () => return None,
        };
        self.fail();
        Some(failure)
    }

    /// Nothing more is waited for. A try that runs is cut when main is stopped for it.
    fn fail(&mut self) {
        self.phase = Phase::Idle;
        (self.ready_by, self.fed_by) = (None, None);
        if let Try::Next(_) = self.tries {
            self.tries = Try::No;
        }
    }

    fn become_ready(&mut self, now: Time) {
        self.phase = Phase::Ready;
        self.was_ready = true;
        (self.ready_by, self.tries) = (None, Try::No);
        self.feed(now);
    }

    /// Only who is ready is watched.
    fn feed(&mut self, now: Time) {
        let is_watched = matches!(self.phase, Phase::Ready | Phase::Reloading);
        self.fed_by = self.period.filter(|_| is_watched).map(|period| Term::until(now.after(period)));
    }
}

#[cfg(test)]
#[path = "readiness_tests.rs"]
mod tests;
