//! Whether the command is started again when it has ended, and after how long. Pure, and about one command: a set of them
//! has one of these each.
//!
//! ```text
//!   a life ends ──asked for, or a success where only failures count──▶ Stay
//!        │      ──as many restarts as the limit allows within its time──▶ GiveUp
//!        ▼
//!   Again after a delay: the first one, twice as long each time, at most the longest; the first one again after a life
//!   that was long enough to count as healthy
//! ```
//!
//! Invariants, which the tests check against a simpler model:
//!
//! 1. What was asked to end is never started again, and neither is what could not be started the first time.
//! 2. In no span of [`Limit::within`] begin more than [`Limit::most`] restarts.
//! 3. A delay is never shorter than the first one, nor longer than the longest and a quarter of it.

use core::time::Duration;

use super::exit::Status;
use super::machine::{Failure, Then, Time};
use super::signal::Signal;

/// Which ends are followed by a start (`--restart`; `no` is that there is no [`Restarting`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// Those that are no success.
    OnFailure,
    /// All that were not asked for.
    Always,
    /// Those of a command that was stopped to be started again ([`Failure::Unhealthy`]), and no others.
    OnRequest,
}

/// What counts as a success (`--ok-exit`). Code 0 always does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Successes {
    codes: [u64; 4],
    signals: u64,
}

impl Successes {
    /// Code 0 alone.
    pub const ZERO: Successes = Successes { codes: [1, 0, 0, 0], signals: 0 };

    /// Whoever exits with `code` has succeeded; who dies of the signal that a shell shows so has not.
    pub fn add_code(&mut self, code: u8) {
        if let Some(word) = self.codes.get_mut(usize::from(code / 64)) {
            *word |= 1 << (code % 64);
        }
    }

    /// Whoever dies of `signal` has succeeded; who ends with 128 + its number has not.
    pub fn add_signal(&mut self, signal: Signal) {
        self.signals |= 1 << (signal.number() - 1);
    }

    /// Whether this is one.
    pub fn has(&self, status: Status) -> bool {
        match status {
            Status::Exited(code) => {
                self.codes.get(usize::from(code / 64)).is_some_and(|word| word & (1 << (code % 64)) != 0)
            }
            Status::Signaled(signal) => self.signals & (1 << (signal.number() - 1)) != 0,
        }
    }
}

/// How many restarts are too many (`--restart-limit 3/10s`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// At most this many.
    pub most: u8,
    /// In any span of this length.
    pub within: Duration,
}

impl Limit {
    /// Each is remembered by its time.
    pub const MOST: u8 = 64;
}

/// What the options say of restarts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restarting {
    /// After which ends.
    pub when: When,
    /// Before the first restart.
    pub delay: Duration,
    /// However often it was doubled.
    pub longest_delay: Duration,
    /// A life of this length is healthy: the delays begin anew.
    pub healthy_after: Duration,
    /// `None`: for ever.
    pub limit: Option<Limit>,
    /// What is no failure.
    pub successes: Successes,
}

impl Restarting {
    /// As docker has it: 100 ms, twice as long each time up to a minute, and anew after a life of ten seconds.
    pub const fn new(when: When) -> Restarting {
        Restarting {
            when,
            delay: Duration::from_millis(100),
            longest_delay: Duration::from_secs(60),
            healthy_after: Duration::from_secs(10),
            limit: None,
            successes: Successes::ZERO,
        }
    }

    /// Before the next restart, where so many have followed each other.
    fn delay_after(&self, doubled: u32) -> Duration {
        let factor = 1_u32.checked_shl(doubled).unwrap_or(u32::MAX);
        self.delay.saturating_mul(factor).min(self.longest_delay.max(self.delay))
    }

    /// The shortest time from a restart to the one that is too many by the limit, where each life ends at once. (`None` without
    /// a limit.)
    pub fn shortest_to_limit(&self) -> Option<Duration> {
        let between = (1..=u32::from(self.limit?.most)).map(|doubled| self.delay_after(doubled));
        Some(between.fold(Duration::ZERO, Duration::saturating_add))
    }
}

/// How a life has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// Somebody has asked for it.
    Asked,
    /// The command ended so by itself.
    Ended(Status),
    /// The command, or what is to run before it, could not be started.
    NotStarted,
    /// What runs before the command has failed.
    Unprepared,
    /// It was stopped, because it had failed in this.
    Failed(Failure),
}

/// A life, from the start of the command, or of what runs before it, to the end of all that it left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Life {
    /// When the command was started; `None`: it never was.
    pub started: Option<Time>,
    /// How it ended.
    pub death: Death,
}

/// What follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// The command is started again after this long.
    Again(Duration),
    /// It is not: that is how it was to end.
    Stay,
    /// It is not, although it should be: this limit is reached.
    GiveUp(Limit),
}

/// What is remembered from one life to the next.
#[derive(Clone, Debug)]
pub struct Restarts {
    policy: Restarting,
    /// When the last restarts began, in a ring.
    began: [Option<Time>; Limit::MOST as usize],
    next: u8,
    /// How often the delay is doubled the next time.
    doubled: u32,
    /// Restarts, in all.
    count: u32,
    /// The command has been started before.
    has_lived: bool,
}

impl Restarts {
    /// Before the first life.
    pub const fn new(policy: Restarting) -> Restarts {
        Restarts { policy, began: [None; Limit::MOST as usize], next: 0, doubled: 0, count: 0, has_lived: false }
    }

    /// All begins anew after that life, as by a reboot. Not in our caller's frame, which stays in memory.
    #[inline(never)]
    pub fn forget(&mut self, life: Life) {
        let has_lived = self.has_lived || life.started.is_some();
        *self = Restarts { has_lived, ..Restarts::new(self.policy) };
    }

    /// How often the command was started again.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// What comes after a life that has ended just now.
    pub fn ended(&mut self, now: Time, life: Life) -> Next {
        self.has_lived |= life.started.is_some();
        let Restarting { when, limit, healthy_after, successes, .. } = self.policy;
        match (life.death, when) {
            (Death::Asked, _) => return Next::Stay,
            (Death::Failed(Failure::Unhealthy(then)), _) => match then {
                Then::Restart => {}
                Then::Stop => return Next::Stay,
            },
            (_, When::OnRequest) => return Next::Stay,
            (Death::Ended(status), When::OnFailure) if successes.has(status) => return Next::Stay,
            // Most likely it is misspelt. Later its file may only be about to be replaced.
            (Death::NotStarted, _) if self.count == 0 && !self.has_lived => return Next::Stay,
            (
                Death::Ended(_) | Death::NotStarted | Death::Unprepared | Death::Failed(_),
                When::OnFailure | When::Always,
            ) => {}
        }
        if life.started.is_some_and(|started| now.since(started) >= healthy_after) {
            self.doubled = 0;
        }
        let delay = self.delay(now);
        let begin = now.after(delay);
        if let Some(limit) = limit
            && let Some(earlier) = self.last(limit.most)
            && begin.since(earlier) < limit.within
        {
            return Next::GiveUp(limit);
        }
        self.remember(begin);
        self.doubled = self.doubled.saturating_add(1);
        self.count = self.count.saturating_add(1);
        Next::Again(delay)
    }

    /// With up to a quarter more, so that what failed together does not come back together.
    fn delay(&self, now: Time) -> Duration {
        let delay = self.policy.delay_after(self.doubled);
        let part = delay.checked_div(1024).unwrap_or_default();
        delay.saturating_add(part.saturating_mul(u32::from(now.spread())))
    }

    fn remember(&mut self, begin: Time) {
        if let Some(place) = self.began.get_mut(usize::from(self.next)) {
            *place = Some(begin);
        }
        self.next = (self.next + 1) % Limit::MOST;
    }

    /// When the last one began, with 1; the one before it, with 2; `None` if there were not so many.
    fn last(&self, back: u8) -> Option<Time> {
        let place = (self.next + Limit::MOST - back % Limit::MOST) % Limit::MOST;
        self.began.get(usize::from(place)).copied().flatten()
    }
}

#[cfg(test)]
#[path = "restart_tests.rs"]
mod tests;
