//! What an observer says of requests from inside: 15.

use std::vec::Vec;

use super::Observer;
use crate::core::request::{Ask, Haste, Request, Wish};
use crate::core::single::MAIN;
use crate::core::single_tests::seen::{Finish, Rest, StopHook};
use crate::core::{Action, Heard, KillMode, OnReboot, Outcome, Rung, Signal, Status};

impl Observer<'_> {
    /// Each has one answer, before anything else is done; what is under way is not begun again, but by haste.
    pub(super) fn asked(&mut self, ask: Ask) -> Vec<Action> {
        let request = match ask {
            Ask::End(request) => request,
            Ask::Reopen => return std::vec![Action::Reopen],
            Ask::Reload | Ask::Reexecute | Ask::Runlevel(_) => {
                return std::vec![Action::Answer(ask, Heard::Ignored)];
            }
        };
        if self.seen.exited {
            return Vec::new();
        }
        let now = self.seen.now;
        let is_known = self.seen.wish;
        // 15, 16. It comes of what is under way.
        let comes = self.seen.failure.is_some() || (is_known, request.wish) == (Some(Wish::Restart), Wish::Restart);
        self.seen.wish.get_or_insert(request.wish);
        let orders = self.begin_end(request);
        if orders.is_none() {
            // 16. A failure is nobody's wish.
            self.seen.wish = is_known.or(self.seen.failure.map(|_| request.wish));
            if self.seen.status.is_some() && self.seen.rest == Rest::Unknown {
                self.seen.asked.get_or_insert((now, Signal::TERM));
            }
        }
        self.seen.failure = None;
        self.end_wins(request.wish);
        match orders {
            Some(orders) => [Action::Answer(ask, Heard::Begun)].into_iter().chain(orders).collect(),
            None if comes => std::vec![Action::Answer(ask, Heard::Begun)],
            None => std::vec![Action::Answer(ask, Heard::UnderWay)],
        }
    }

    /// 15. An end is not taken for a new beginning.
    pub(super) fn end_wins(&mut self, later: Wish) {
        if matches!(self.seen.wish, Some(Wish::Reboot | Wish::Restart)) {
            self.seen.wish = Some(later);
        }
    }

    /// What must come of it, unless all are ending already.
    fn begin_end(&mut self, request: Request) -> Option<Vec<Action>> {
        let now = self.seen.now;
        let immediate = request.haste == Haste::Immediate;
        if self.pauses() {
            return Some(self.end_pause(Signal::TERM));
        }
        if let Some(before) = self.seen.before {
            let is_first = self.seen.asked.is_none();
            return match (immediate, before.killed) {
                (_, Some(_)) => None,
                (true, None) => {
                    self.seen.asked.get_or_insert((now, Signal::TERM));
                    Some(self.kill_before(before))
                }
                (false, None) => is_first.then(|| self.stop_before(before, Signal::TERM)),
            };
        }
        match (self.seen.status, self.seen.rest) {
            (Some(_), Rest::May) if immediate => Some(self.kill_rest()),
            (Some(_), Rest::May) => Some(self.tell_rest(Some(now))),
            (Some(_), Rest::Told(_)) if immediate => Some(self.kill_rest()),
            (Some(_), _) => None,
            (None, _) if self.seen.main_killed => None,
            (None, _) if immediate => {
                self.seen.asked.get_or_insert((now, Signal::TERM));
                if self.seen.stop_hook == StopHook::Awaited {
                    self.seen.stop_hook = StopHook::Loose;
                }
                (self.seen.main_killed, self.seen.all_killed) = (true, true);
                let kill = Action::Tell(MAIN, KillMode::Tree, Signal::KILL);
                Some(std::vec![Action::Climb(Rung::Kill), kill, Action::ArmAfterKill])
            }
            (None, _) if self.seen.asked.is_some() => None,
            (None, _) => {
                let usual = self.options.usual_signal();
                Some(self.begin_stop(usual))
            }
        }
    }

    /// A reboot is what the option says; what was powered off and ended as it was told has not failed.
    pub(super) fn wished(&self, wish: Wish, finish: Finish) -> Outcome {
        let as_told = self.seen.told.map(|signal| 128 + signal.number());
        let code = match (wish, self.options.on_reboot, finish) {
            (Wish::Restart, ..) | (Wish::Reboot, OnReboot::Restart, _) => return Outcome::Again,
            (Wish::Reboot, OnReboot::Exit, _) => 129,
            (Wish::Reboot, OnReboot::System, _) => return Outcome::Reboot,
            (Wish::Exit(code), _, Finish::Main(_) | Finish::Hook(_)) => code,
            (Wish::Stop, ..) => return self.own_exit(finish),
            (_, _, Finish::Missing(child, why)) => return Outcome::NotStarted(child, why),
            (_, _, Finish::Late) => 124,
            (_, _, Finish::Main(Status::Exited(7))) => 70,
            (_, _, Finish::Main(Status::Signaled(signal))) if signal.number() == 10 => 71,
            (_, _, Finish::Main(status) | Finish::Hook(status)) => {
                let code = match status {
                    Status::Exited(code) => code,
                    Status::Signaled(signal) => 128 + signal.number(),
                };
                if Some(code) == as_told { 0 } else { code }
            }
        };
        Outcome::Code(code)
    }
}
