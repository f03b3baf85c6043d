//! Job control: who stops with main, and who continues it.

use super::super::actions::Actions;
use super::super::ladder::KillMode;
use super::super::machine::{Action, Pause, Terminal};
use super::super::policy::{Group, JobControl};
use super::super::signal::Signal;
use super::{MAIN, Single};

impl Single<'_> {
    /// What a stop of main's means to us.
    pub(super) fn main_stopped(&self, by: Signal, terminal: Terminal) -> Actions {
        // It may have the terminal: a shell's `fg` gave it to our group without a word, because the job was not stopped.
        if matches!(by, Signal::TTIN | Signal::TTOU) && terminal == Terminal::Ours {
            return [Action::HandTerminal(MAIN), self.continue_main()].into();
        }
        let is_in_front = matches!(terminal, Terminal::Foreground | Terminal::Ours);
        match self.policy.job_control {
            // The shell waits for us, not for main: it must see that the job has stopped, and how.
            JobControl::Caller if by.is_job_stop() && terminal != Terminal::None => {
                [Action::StopOurselves(MAIN, by)].into()
            }
            // SIGSTOP may be meant for main alone, by somebody who will continue main alone. In the foreground it is
            // `suspend`, or an editor's ^Z.
            JobControl::Caller if by == Signal::STOP && is_in_front => [Action::StopOurselves(MAIN, by)].into(),
            // Ctrl-Z where no shell could ever continue main. (The kernel ignores it for orphaned groups.)
            JobControl::Nobody if by == Signal::TSTP => [self.continue_main()].into(),
            JobControl::Caller | JobControl::Nobody => Actions::NONE,
        }
    }

    /// We go on, and main must.
    pub(super) fn resumed(&self, by: Signal, pause: Pause) -> Actions {
        match (pause, self.policy.group) {
            (Pause::Alone, _) => [self.continue_main()].into(),
            // No shell sees our group, so Ctrl-Z is to do nothing to main either, which its own group has kept from
            // being orphaned too. (After TTIN and TTOU it would only try again, for ever.)
            (Pause::Refused, Group::Own) if by == Signal::TSTP => [self.continue_main()].into(),
            // Main is continued; or it is by whoever continues the group, whom a PID 1 in it does not see.
            (Pause::Together | Pause::Refused, _) => Actions::NONE,
        }
    }

    /// A key has stopped its whole group, so that goes on with it.
    fn continue_main(&self) -> Action {
        match self.policy.group {
            Group::Own => Action::Tell(MAIN, KillMode::Group, Signal::CONT),
            Group::Shared => Action::Signal(MAIN, Signal::CONT),
        }
    }
}
