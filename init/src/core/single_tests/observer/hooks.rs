//! What an observer says of hooks: 10 and 11.

use std::vec::Vec;

use super::Observer;
use crate::core::single_tests::options::at;
use crate::core::single_tests::seen::{Before, Finish, StopHook};
use crate::core::{Action, Child, Fault, Note, Rung, Signal, StartError, Status};

impl Observer<'_> {
    /// 10. One after the other, then main.
    pub(super) fn start_from(&mut self, place: usize) -> Vec<Action> {
        self.seen.before = None;
        let Some(limit) = self.options.before.get(place) else { return self.start_main() };
        let child = Child(u8::try_from(place + 1).expect("they are few"));
        let kill_at = limit.map(|limit| self.seen.now + limit);
        self.seen.before = Some(Before { child, kill_at, killed: None });
        [Action::Spawn(child)].into_iter().chain(kill_at.map(|time| Action::Arm(at(time)))).collect()
    }

    /// 8. Where nothing ran before, nothing can be left.
    pub(super) fn not_started(&mut self, child: Child, why: StartError) -> Vec<Action> {
        if self.seen.stop_hook == StopHook::Awaited {
            self.seen.stop_hook = StopHook::No;
            return self.go_on(&[Action::Blame(child, Fault::NotStarted(why))]);
        }
        let finish = Finish::Missing(child, why);
        let is_first = self.options.before.is_empty() || child == Child(1);
        self.seen.before = None;
        self.seen.main_started = false;
        self.seen.status = Some(finish);
        if is_first { std::vec![self.exit(finish)] } else { Vec::new() }
    }

    pub(super) fn hook_ended(&mut self, hook: Child, status: Status) -> Vec<Action> {
        if self.seen.stuck == Some(hook) {
            self.seen.stuck = None;
            return Vec::new();
        }
        match self.seen.before {
            Some(before) => self.before_ended(before, status),
            None => {
                let is_awaited = self.seen.stop_hook == StopHook::Awaited;
                self.seen.stop_hook = StopHook::No;
                match status {
                    _ if !is_awaited => Vec::new(),
                    Status::Exited(0) => self.go_on(&[]),
                    status => self.go_on(&[Action::Blame(hook, Fault::Ended(status))]),
                }
            }
        }
    }

    /// 10. The next one follows only a success, and no request.
    fn before_ended(&mut self, before: Before, status: Status) -> Vec<Action> {
        let is_asked = self.seen.asked.is_some();
        if before.killed.is_none() && !is_asked && status == Status::Exited(0) {
            return self.start_from(usize::from(before.child.0));
        }
        self.seen.before = None;
        self.seen.status = Some(if before.killed == Some(Finish::Late) { Finish::Late } else { Finish::Hook(status) });
        let is_fault = before.killed.is_none() && !is_asked;
        is_fault.then_some(Action::Blame(before.child, Fault::Ended(status))).into_iter().collect()
    }

    pub(super) fn forward_to_hook(&self, signal: Signal) -> Vec<Action> {
        self.seen
            .before
            .map(|before| match before.killed {
                Some(_) => Action::Drop(signal, Note::HookIsKilled),
                None => Action::Signal(before.child, signal),
            })
            .into_iter()
            .collect()
    }

    /// 10. A request is told as SIGTERM, and main is never started.
    pub(super) fn stop_before(&mut self, before: Before, signal: Signal) -> Vec<Action> {
        let now = self.seen.now;
        let is_first = self.seen.asked.is_none();
        self.seen.asked.get_or_insert((now, signal));
        let Before { child, kill_at, killed } = before;
        if killed.is_some() {
            return std::vec![Action::Drop(signal, Note::HookIsKilled)];
        }
        let told = Action::Signal(child, Signal::TERM);
        if !is_first {
            return std::vec![told];
        }
        let rungs = self.options.rungs;
        let by_ladder = rungs.iter().position(|(signal, _)| *signal == Signal::KILL);
        let by_ladder = by_ladder.map(|place| rungs[..place].iter().map(|(_, then)| then).sum::<u64>());
        // 15. Nobody outside will end it.
        let by_wish = self.seen.wish.map(|_| self.own_grace());
        let by_option = by_ladder.into_iter().chain(self.options.grace).chain(by_wish).min().map(|time| now + time);
        let kill_at = kill_at.into_iter().chain(by_option).min();
        self.seen.before = Some(Before { kill_at, ..before });
        let continued = Action::Signal(child, Signal::CONT);
        let orders = [Action::Climb(Rung::PreStart), Action::Blame(child, Fault::StopAsked), told, continued];
        orders.into_iter().chain(kill_at.map(|time| Action::Arm(at(time)))).collect()
    }

    /// It is in the way of a stop.
    pub(super) fn kill_before(&mut self, before: Before) -> Vec<Action> {
        let killed = Some(Finish::Hook(Status::Signaled(Signal::KILL)));
        self.seen.before = Some(Before { killed, ..before });
        std::vec![Action::Climb(Rung::Kill), Action::KillTree(before.child), Action::ArmAfterKill]
    }

    pub(super) fn deadline_of_hook(&mut self) -> Vec<Action> {
        let Some(before) = self.seen.before else { return Vec::new() };
        if let Some(killed) = before.killed {
            // 8. Not even SIGKILL ends it: it counts as killed, and as one of those that are left.
            self.seen.before = None;
            self.seen.stuck = Some(before.child);
            self.seen.status = Some(killed);
            // Nobody waits for it without a limit.
            self.seen.asked.get_or_insert((self.seen.now, Signal::TERM));
            return self.main_is_gone(killed);
        }
        if before.kill_at.is_none_or(|kill_at| self.seen.now < kill_at) {
            return self.late_for_a_hook();
        }
        if self.seen.asked.is_some() {
            return self.kill_before(before);
        }
        self.seen.before = Some(Before { killed: Some(Finish::Late), ..before });
        let limit = self.options.before[usize::from(before.child.0) - 1].expect("it is what is over");
        let blame = Action::Blame(before.child, Fault::TimedOut(u32::try_from(limit).expect("it is short")));
        std::vec![blame, Action::KillTree(before.child), Action::ArmAfterKill]
    }

    /// 7. The deadline of a hook that has ended finds nothing to do.
    pub(super) fn late_for_a_hook(&self) -> Vec<Action> {
        assert!(self.options.before.iter().any(Option::is_some), "7: nothing to wait for");
        Vec::new()
    }

    /// 11. Once, when a stop begins.
    pub(super) fn start_stop_hook(&mut self, limit: u64) -> Vec<Action> {
        self.seen.stop_hook = StopHook::Awaited;
        let arm = Action::Arm(at(self.seen.now + limit));
        std::vec![Action::Climb(Rung::PreStop), arm, Action::Spawn(self.options.stop_hook())]
    }

    /// 11. Killed at its limit alone.
    pub(super) fn stop_hook_is_late(&mut self) -> Vec<Action> {
        let hook = self.options.stop_hook();
        let limit = self.options.pre_stop.expect("it runs");
        let fault = Fault::TimedOut(u32::try_from(limit).expect("it is short"));
        self.go_on(&[Action::Blame(hook, fault), Action::KillTree(hook)])
    }

    /// The stop goes on, whether its hook has ended or not.
    pub(super) fn go_on(&mut self, said: &[Action]) -> Vec<Action> {
        if self.seen.stop_hook == StopHook::Awaited {
            self.seen.stop_hook = StopHook::Loose;
        }
        let more = self.delay();
        said.iter().copied().chain(more).collect()
    }

    /// Whether anything follows what becomes of the hook.
    pub(super) fn waits_for(&self, hook: Child) -> bool {
        match self.seen.before {
            Some(before) => before.child == hook && before.killed.is_none(),
            None => {
                self.seen.stop_hook == StopHook::Awaited && self.seen.stuck != Some(hook) && self.seen.status.is_none()
            }
        }
    }
}
