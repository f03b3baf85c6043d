//! What an observer says of stops and pauses: 12.

use std::vec::Vec;

use super::Observer;
use crate::core::single::MAIN;
use crate::core::{Action, Child, JobControl, KillMode, Pause, Signal, Terminal};

impl Observer<'_> {
    /// Whoever does job control must see it; where nobody can undo Ctrl-Z, we do.
    pub(super) fn stopped(&mut self, child: Child, by: Signal, terminal: Terminal) -> Vec<Action> {
        if !self.is_awaited(child) {
            return Vec::new();
        }
        let job_stop = matches!(by, Signal::TSTP | Signal::TTIN | Signal::TTOU);
        let stop = std::vec![Action::StopOurselves(child, by)];
        let expected = match (self.options.job_control, terminal) {
            // Our group has what the child stopped for the want of.
            (_, Terminal::Ours) if job_stop && by != Signal::TSTP => {
                std::vec![Action::HandTerminal(child), self.continues(child)]
            }
            (JobControl::Caller, Terminal::Foreground | Terminal::Ours) => stop,
            (JobControl::Caller, Terminal::Background) if job_stop => stop,
            (JobControl::Nobody, _) if by == Signal::TSTP => std::vec![self.continues(child)],
            _ => Vec::new(),
        };
        if child == MAIN {
            self.seen.main_stopped = expected.is_empty();
        }
        expected
    }

    /// It goes on when we do; and where Ctrl-Z is to stop nobody, it is not stopped by it for good.
    pub(super) fn resumed(&mut self, child: Child, by: Signal, pause: Pause) -> Vec<Action> {
        if !self.is_awaited(child) {
            return Vec::new();
        }
        let expected = match pause {
            Pause::Alone => std::vec![self.continues(child)],
            Pause::Refused if by == Signal::TSTP && !self.options.shares_group() => std::vec![self.continues(child)],
            Pause::Refused | Pause::Together => Vec::new(),
        };
        if child == MAIN {
            self.seen.main_stopped = pause == Pause::Refused && expected.is_empty();
        }
        expected
    }

    fn is_awaited(&self, child: Child) -> bool {
        match child {
            MAIN => !self.seen.main_killed && self.seen.status.is_none(),
            // Nobody stops with the one before a stop.
            hook => hook != self.options.stop_hook() && self.waits_for(hook),
        }
    }

    /// A group of its own was stopped as a whole.
    fn continues(&self, child: Child) -> Action {
        match self.options.shares_group() {
            true => Action::Signal(child, Signal::CONT),
            false => Action::Tell(child, KillMode::Group, Signal::CONT),
        }
    }

    /// 12. Whoever runs gets its signal, and then we stop; where a signal would be dropped, this one is.
    pub(super) fn suspend(&mut self, signal: Signal, to: Option<Signal>) -> Vec<Action> {
        let mut expected = self.forward(to.unwrap_or(Signal::QUIT));
        match expected.first_mut() {
            Some(Action::Drop(dropped, _)) => *dropped = signal,
            Some(Action::Signal(child, _)) => {
                let pause = Action::StopOurselves(*child, Signal::STOP);
                expected.push(pause);
                if to.is_none() {
                    expected.remove(0);
                }
            }
            _ => panic!("it is either forwarded or dropped"),
        }
        expected
    }
}
