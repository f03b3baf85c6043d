//! Whether main does its work, as checks of it show that come one after the other. Pure; the words and the rules are those
//! of docker's `HEALTHCHECK`.
//!
//! ```text
//!   Idle ──Started──▶ (waits for main to be ready) ──Ready──▶ Waiting ──interval──▶ Checking
//!    ▲                                                           ▲                     │ succeeded, failed, or late
//!    │ Over (the check is cut)                                   └─────────────────────┤
//!    └── as many failures in a row as are too many: Restart or Stop is asked for ◀─────┘
//! ```
//!
//! Invariants, which the tests check against a simpler model:
//!
//! 1. There is one check at a time, and none but while main runs and is ready. The first comes one interval after that,
//!    each other one an interval after the end of the one before it. One that finds its place taken comes an interval
//!    later, or when who has it should be dead, if that is sooner.
//! 2. A check that has not ended long after its time ([`super::term`]) is cut, and has failed.
//! 3. What fails before anything has succeeded, and was begun within the start period, does not count.
//! 4. Main is unhealthy from as many failures in a row as are too many, until a success. What is to be done about it is
//!    ordered once, with the last of them.

use core::time::Duration;

use super::care::{Order, PATIENCE, Probe};
use super::list::Orders;
use super::machine::{Failure, Then, Time};
use super::term::Term;

/// What the options say of checks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checks {
    /// From the end of one to the beginning of the next.
    pub interval: Duration,
    /// How long one may take.
    pub timeout: Duration,
    /// So many failures in a row are too many.
    pub retries: u32,
    /// How long main may take until its first success.
    pub start_period: Duration,
    /// What follows too many; `None`: nothing is done about it.
    pub then: Option<Then>,
}

impl Checks {
    /// As docker has them.
    pub const DEFAULT: Checks = Checks {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(30),
        retries: 3,
        start_period: Duration::ZERO,
        then: Some(Then::Restart),
    };
}

/// What is known of main.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Health {
    /// Nothing has succeeded yet, and not too much has failed.
    Starting,
    /// The last checks have not failed too often.
    Healthy,
    /// They have.
    Unhealthy,
}

/// Where the checks stand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum State {
    /// Main does not run, or is being stopped.
    Idle,
    /// Main was started at that time, and is not ready.
    Started(Time),
    /// The next one begins then.
    Waiting { started: Time, next: Time },
    /// One has begun then, and must have ended in time.
    Checking { started: Time, since: Time, until: Term },
}

/// What happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Input {
    /// Main is started.
    Started,
    /// It is ready, as far as anybody wants to know.
    Ready,
    /// It is being stopped, or has ended.
    Over,
    /// The check has ended.
    Checked(Finding),
    /// It has not begun: what an earlier one has left may be there until then.
    PutOff(Time),
    /// The time has come for which we wait.
    Due,
}

/// What a check has found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finding {
    /// What it looks for is there.
    Good,
    /// It is not.
    Bad,
}

/// The checks of one main after the other.
#[derive(Clone, Debug)]
pub(super) struct Checking {
    checks: Checks,
    state: State,
    health: Health,
    /// Failures in a row that count.
    failures: u32,
}

impl Checking {
    pub(super) const fn new(checks: Checks) -> Checking {
        Checking { checks, state: State::Idle, health: Health::Starting, failures: 0 }
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// Failures in a row that count.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// When it is to be told [`Input::Due`].
    pub(super) fn wake(&self) -> Option<Time> {
        match self.state {
            State::Idle | State::Started(_) => None,
            State::Waiting { next, .. } => Some(next),
            State::Checking { until, .. } => Some(until.end()),
        }
    }

    pub(super) fn on(&mut self, now: Time, input: Input) -> Orders {
        let (next, orders) = match (self.state, input) {
            (_, Input::Started) => {
                (self.health, self.failures) = (Health::Starting, 0);
                (State::Started(now), Orders::NONE)
            }
            (State::Started(started), Input::Ready) => (self.wait(now, started), Orders::NONE),
            (State::Waiting { started, next }, Input::Due) if now >= next => {
                let until = Term::until(now.after(self.longest()));
                let checking = State::Checking { started, since: now, until };
                (checking, [Order::Probe(self.probe(started, now))].into())
            }
            (State::Checking { started, since, .. }, Input::Checked(finding)) => {
                self.judge(now, started, since, finding)
            }
            (State::Checking { started, .. }, Input::PutOff(until)) => {
                (State::Waiting { started, next: until.min(now.after(self.checks.interval)) }, Orders::NONE)
            }
            (State::Checking { started, since, mut until }, Input::Due) => {
                if until.is_over(now, self.longest()) {
                    let (next, orders) = self.judge(now, started, since, Finding::Bad);
                    (next, Orders::from([Order::Cut]).then(orders))
                } else {
                    (State::Checking { started, since, until }, Orders::NONE)
                }
            }
            (State::Checking { .. }, Input::Over) => (State::Idle, [Order::Cut].into()),
            (State::Idle | State::Started(_) | State::Waiting { .. }, Input::Over) => (State::Idle, Orders::NONE),
            // It was cut, or the clock of somebody else has rung.
            (
                State::Idle | State::Started(_) | State::Waiting { .. },
                Input::Checked(_) | Input::PutOff(_) | Input::Due,
            )
            | (State::Idle | State::Waiting { .. } | State::Checking { .. }, Input::Ready) => {
                (self.state, Orders::NONE)
            }
        };
        self.state = next;
        orders
    }

    /// What a check takes at most, until it is cut.
    fn longest(&self) -> Duration {
        self.checks.timeout.saturating_add(PATIENCE)
    }

    fn wait(&self, now: Time, started: Time) -> State {
        State::Waiting { started, next: now.after(self.checks.interval) }
    }

    fn probe(&self, started: Time, now: Time) -> Probe {
        // Who is known to be unhealthy need not be told of each time.
        let tells = self.counts(started, now) && self.health != Health::Unhealthy;
        Probe::Health { nth: tells.then(|| self.failures.saturating_add(1)) }
    }

    /// Whether a check that has begun at `since` counts if it fails.
    fn counts(&self, started: Time, since: Time) -> bool {
        self.health != Health::Starting || since.since(started) >= self.checks.start_period
    }

    fn judge(&mut self, now: Time, started: Time, since: Time, finding: Finding) -> (State, Orders) {
        let before = self.health;
        match finding {
            Finding::Good => (self.health, self.failures) = (Health::Healthy, 0),
            Finding::Bad if !self.counts(started, since) => {}
            Finding::Bad => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= self.checks.retries {
                    self.health = Health::Unhealthy;
                }
            }
        }
        if self.health == before {
            return (self.wait(now, started), Orders::NONE);
        }
        let said = Orders::from([Order::SayHealth(self.health)]);
        match self.checks.then {
            // The rest is up to the stop that comes of it.
            Some(then) if self.health == Health::Unhealthy => {
                (State::Idle, said.then([Order::Fail(Failure::Unhealthy(then))]))
            }
            _ => (self.wait(now, started), said),
        }
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
