//! What an observer says of what main leaves behind: 5 and 6.

use std::vec::Vec;

use super::Observer;
use crate::core::request::Wish;
use crate::core::single_tests::options::{S, at};
use crate::core::single_tests::seen::{Finish, Rest};
use crate::core::{Action, Failure, Fate, Left, Leftovers, Rung, Scope, Then};

impl Observer<'_> {
    /// 5. What is left is told once, when main has ended; or waited for; or left.
    pub(super) fn reaped(&mut self, left: Left) -> Vec<Action> {
        let Some(status) = self.seen.status else {
            let forks = self.seen.all_killed && left == Left::Some;
            return if forks { std::vec![Action::KillRest] } else { Vec::new() };
        };
        match (left, self.seen.rest) {
            (Left::None, Rest::Unknown | Rest::May) => {
                // A namespace may hold others than our children, and nobody has told them yet.
                let scope = self.scope_of_rest(self.seen.asked.is_some());
                let others = scope == Scope::Namespace && self.options.leftovers != Leftovers::Leave;
                let told = others.then_some(Action::TellRest(scope));
                told.into_iter().chain([self.exit(status)]).collect()
            }
            (Left::None, Rest::Told(_) | Rest::Killed) => std::vec![self.exit(status)],
            (Left::Some, Rest::Unknown) => self.main_is_gone(status),
            (Left::Some, Rest::May | Rest::Told(_)) => Vec::new(),
            (Left::Some, Rest::Killed) => std::vec![Action::KillRest],
        }
    }

    pub(super) fn main_is_gone(&mut self, status: Finish) -> Vec<Action> {
        let asked = self.seen.asked.map(|(asked, _)| asked);
        match self.options.leftovers {
            Leftovers::Leave => std::vec![self.exit(status)],
            Leftovers::Wait if asked.is_none() => {
                self.seen.rest = Rest::May;
                std::vec![Action::Climb(Rung::Wait)]
            }
            Leftovers::Wait | Leftovers::Stop => self.tell_rest(asked),
        }
    }

    /// 6. As long as was said; else 5 s, but not beyond 9 s or the grace after the request, and never under 1 s.
    pub(super) fn tell_rest(&mut self, asked: Option<u64>) -> Vec<Action> {
        let now = self.seen.now;
        let limit = asked.map_or(u64::MAX, |asked| asked + self.options.grace.unwrap_or(0).max(9 * S));
        let kill_at = match self.options.leftover_grace {
            Some(time) => now + time,
            None => (now + 5 * S).min(limit).max(now + S),
        };
        self.seen.rest = Rest::Told(kill_at);
        let half = now + (kill_at - now) / 2;
        let scope = self.scope_of_rest(asked.is_some());
        std::vec![Action::Climb(Rung::Leftovers), Action::TellRest(scope), Action::Arm(at(half))]
    }

    /// 5. Where main may come again, others in the namespace are told of an end that was asked for alone.
    fn scope_of_rest(&self, is_asked: bool) -> Scope {
        let comes_again = match (self.seen.wish, self.seen.failure) {
            (Some(wish), _) => wish == Wish::Restart,
            (None, Some(Failure::Unhealthy(then))) => then == Then::Restart,
            (None, Some(_)) => self.options.may_restart,
            (None, None) => self.options.may_restart && !is_asked,
        };
        if comes_again { Scope::Tree } else { self.options.scope }
    }

    pub(super) fn kill_rest(&mut self) -> Vec<Action> {
        self.seen.rest = Rest::Killed;
        let name = Action::NameRest(Fate::Killed);
        std::vec![Action::Climb(Rung::KillLeftovers), name, Action::KillRest, Action::ArmAfterKill]
    }
}
