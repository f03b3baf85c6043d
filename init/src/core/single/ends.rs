//! When main is no more: what it left behind, and our own end.

use core::time::Duration;

use super::Single;
use super::state::State;
use crate::core::exit::Verdict;
use crate::core::ladder::Leftovers;
use crate::core::list::Actions;
use crate::core::machine::{Action, Failure, Fate, Rung, Then, Time};
use crate::core::policy::{OnReboot, Scope};
use crate::core::request::Wish;

impl Single<'_> {
    /// Main is no more, and something is left.
    pub(super) fn main_left(&self, now: Time, asked: Option<Time>, verdict: Verdict) -> (State, Actions) {
        match (self.policy.ladder.leftovers, asked) {
            (Leftovers::Leave, _) => (State::Done, self.end(verdict)),
            (Leftovers::Wait, None) => (State::Waiting { verdict }, [Action::Climb(Rung::Wait)].into()),
            (Leftovers::Stop, _) | (Leftovers::Wait, Some(_)) => self.tell_leftovers(now, asked, verdict),
        }
    }

    pub(super) fn tell_leftovers(&self, now: Time, asked: Option<Time>, verdict: Verdict) -> (State, Actions) {
        let time = self.policy.ladder.leftover_time(asked.map(|asked| now.since(asked)));
        let kill_at = now.after(time);
        let actions = [
            Action::Climb(Rung::Leftovers),
            Action::TellRest(self.scope_of_rest(asked)),
            Action::Arm(now.midway(kill_at)),
        ];
        (State::Leftovers { verdict, kill_at }, actions.into())
    }

    pub(super) fn end(&self, verdict: Verdict) -> Actions {
        [self.exit(verdict)].into()
    }

    /// None of our children is left, but a namespace may hold others, and the kernel kills them when we end.
    pub(super) fn end_alone(&self, asked: Option<Time>, verdict: Verdict) -> Actions {
        let scope = self.scope_of_rest(asked);
        match (scope, self.policy.ladder.leftovers) {
            (Scope::Namespace, Leftovers::Stop | Leftovers::Wait) => {
                [Action::TellRest(scope), self.exit(verdict)].into()
            }
            (Scope::Namespace, Leftovers::Leave) | (Scope::Tree, _) => self.end(verdict),
        }
    }

    pub(super) fn end_naming_the_rest(&self, verdict: Verdict) -> Actions {
        [Action::NameRest(Fate::LeftBehind), self.exit(verdict)].into()
    }

    /// Who is told to end when main has ended. Where main may be started again, what others have started in our namespace
    /// (`docker exec`) is none of what it left.
    fn scope_of_rest(&self, asked: Option<Time>) -> Scope {
        if self.may_restart(asked) { Scope::Tree } else { self.policy.scope }
    }

    /// Whether main may be started again after an end that was asked for then, or by nobody.
    fn may_restart(&self, asked: Option<Time>) -> bool {
        match (self.wish, self.failure) {
            (Some(wish), _) => wish == Wish::Restart,
            (None, Some(Failure::Unhealthy(then))) => then == Then::Restart,
            (None, Some(Failure::NotReady | Failure::Watchdog)) => self.policy.may_restart,
            (None, None) => self.policy.may_restart && asked.is_none(),
        }
    }

    /// Whether main may be started again after an end that comes now, by a restart or by a reboot.
    pub(super) fn may_begin_again(&self) -> bool {
        match self.wish {
            Some(Wish::Reboot) => self.policy.on_reboot == OnReboot::Restart,
            Some(wish) => wish == Wish::Restart,
            // Who fails its checks is stopped for it: by then there is that failure.
            None => self.may_restart(self.course.is_asked().then_some(Time::from_start(Duration::ZERO))),
        }
    }

    fn exit(&self, verdict: Verdict) -> Action {
        Action::Exit(match (self.wish, self.failure) {
            (Some(wish), _) => self.policy.wished_outcome(wish, verdict, self.told),
            (None, Some(_)) => self.policy.failed_outcome(verdict),
            (None, None) => self.policy.outcome(verdict),
        })
    }
}

pub(super) fn kill(verdict: Verdict) -> (State, Actions) {
    let actions =
        [Action::Climb(Rung::KillLeftovers), Action::NameRest(Fate::Killed), Action::KillRest, Action::ArmAfterKill];
    (State::Killing { verdict }, actions.into())
}
