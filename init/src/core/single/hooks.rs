//! What runs before main is started, and before it is told to stop.

use core::time::Duration;

use super::state::{Hook, Request, State};
use super::{KILLED, Single};
use crate::core::exit::Verdict;
use crate::core::list::Actions;
use crate::core::machine::{Action, Child, Failure, Fault, Rung, StartError, Time};
use crate::core::request::Wish;
use crate::core::signal::Signal;

impl Single<'_> {
    /// Starts the hook of that place in their list, or main behind the last one.
    pub(super) fn start_from(&self, now: Time, place: u8) -> (State, Actions) {
        let Some(limit) = self.policy.before.get(usize::from(place)) else {
            return (State::Running, self.start_main(now));
        };
        let hook = Hook { child: Child(place.saturating_add(1)), kill_at: limit.map(|limit| now.after(limit)) };
        let spawn = Actions::from([Action::Spawn(hook.child)]);
        (State::PreStarting(hook), spawn.then(hook.kill_at.map(Action::Arm)))
    }

    /// What came before it may have left something behind; before the first there was nothing.
    pub(super) fn not_started(&self, child: Child, why: StartError) -> (State, Actions) {
        let verdict = Verdict::NotStarted(child, why);
        let is_first = child.0 == 1 || self.policy.before.is_empty();
        if is_first {
            (State::Done, self.end(verdict))
        } else {
            (State::MainEnded { asked: None, verdict }, Actions::NONE)
        }
    }

    /// A stop before main was started: it never is. The hook has the time that main would have; it is most likely a
    /// shell, which knows nothing of main's own stop signals.
    pub(super) fn abandon(&self, now: Time, hook: Hook, wish: Option<Wish>) -> (State, Actions) {
        let ladder = self.policy.ladder;
        let by_wish = wish.map(|_| ladder.own_grace());
        let by_option = [ladder.grace, ladder.signals.until_kill(0), by_wish].into_iter().flatten().min();
        let kill_at = [hook.kill_at, by_option.map(|time| now.after(time))].into_iter().flatten().min();
        let child = hook.child;
        let actions = [
            Action::Climb(Rung::PreStart),
            Action::Blame(child, Fault::StopAsked),
            Action::Signal(child, Signal::TERM),
            // It may have been stopped.
            Action::Signal(child, Signal::CONT),
        ];
        let actions = Actions::from(actions).then(kill_at.map(Action::Arm));
        (State::Abandoning { hook: Hook { child, kill_at }, asked: now }, actions)
    }

    /// The limit of a hook before main is over.
    pub(super) fn kill_late_hook(&self, hook: Hook) -> (State, Actions) {
        let place = usize::from(hook.child.0.saturating_sub(1));
        let limit = self.policy.before.get(place).copied().flatten().unwrap_or(Duration::ZERO);
        let blame = Action::Blame(hook.child, Fault::timed_out(limit));
        let actions = [blame, Action::KillTree(hook.child), Action::ArmAfterKill];
        (State::KillingHook { asked: None, verdict: Verdict::TimedOut }, actions.into())
    }

    /// What main is told to stop with that has failed so. Who hangs is to leave a core dump, as systemd has it
    /// (`WatchdogSignal=` in systemd.service(5)).
    pub(super) fn signal_of(&self, failure: Failure) -> Signal {
        match failure {
            Failure::Watchdog => Signal::ABRT,
            Failure::NotReady | Failure::Unhealthy(_) => self.policy.usual_signal(),
        }
    }

    /// A stop begins: with its hook, if there is one.
    pub(super) fn begin_stop(&self, now: Time, signal: Signal) -> (State, Actions) {
        let request = Request { at: now, signal };
        let Some(limit) = self.policy.ladder.pre_stop else { return self.delay(now, request, Actions::NONE) };
        let spawn = Action::Spawn(self.policy.stop_hook());
        (State::PreStopping(request), [Action::Climb(Rung::PreStop), Action::Arm(now.after(limit)), spawn].into())
    }

    /// The stop goes on without what its hook was to do.
    pub(super) fn delay_for(&self, now: Time, request: Request, fault: Fault) -> (State, Actions) {
        self.delay(now, request, [Action::Blame(self.policy.stop_hook(), fault)].into())
    }

    /// The same where its time is over. Nobody waits for it to die.
    pub(super) fn delay_after_limit(&self, now: Time, request: Request) -> (State, Actions) {
        let hook = self.policy.stop_hook();
        let fault = Fault::timed_out(self.policy.ladder.pre_stop.unwrap_or(Duration::ZERO));
        self.delay(now, request, [Action::Blame(hook, fault), Action::KillTree(hook)].into())
    }
}

/// Kills the hook that is in the way of a stop.
pub(super) fn kill(hook: Hook, asked: Time) -> (State, Actions) {
    let actions = [Action::Climb(Rung::Kill), Action::KillTree(hook.child), Action::ArmAfterKill];
    (State::KillingHook { asked: Some(asked), verdict: Verdict::Hook(KILLED) }, actions.into())
}
