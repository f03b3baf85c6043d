//! Job control: who stops with main, or with the hook before it, and who continues it.

use super::super::ladder::KillMode;
use super::super::list::Actions;
use super::super::machine::{Action, Child, Pause, Terminal};
use super::super::policy::{Group, JobControl};
use super::super::signal::Signal;
use super::Single;

impl Single<'_> {
    /// What a stop of that child means to us.
    pub(super) fn child_stopped(&self, child: Child, by: Signal, terminal: Terminal) -> Actions {
        // It may have the terminal: a shell's `fg` gave it to our group without a word, because the job was not stopped.
        if matches!(by, Signal::TTIN | Signal::TTOU) && terminal == Terminal::Ours {
            return [Action::HandTerminal(child), self.proceed(child)].into();
        }
        let is_in_front = matches!(terminal, Terminal::Foreground | Terminal::Ours);
        match self.policy.job_control {
            // The shell waits for us, not for the child: it must see that the job has stopped, and how.
            JobControl::Caller if by.is_job_stop() && terminal != Terminal::None => {
                [Action::StopOurselves(child, by)].into()
            }
            // SIGSTOP may be meant for the child alone, by somebody who will continue it alone. In the foreground it is
            // `suspend`, or an editor's ^Z.
            JobControl::Caller if by == Signal::STOP && is_in_front => [Action::StopOurselves(child, by)].into(),
            // Ctrl-Z where no shell could ever continue it. (The kernel ignores it for orphaned groups.)
            JobControl::Nobody if by == Signal::TSTP => [self.proceed(child)].into(),
            JobControl::Caller | JobControl::Nobody => Actions::NONE,
        }
    }

    /// We go on, and the child must.
    pub(super) fn resumed(&self, child: Child, by: Signal, pause: Pause) -> Actions {
        match (pause, self.policy.group) {
            (Pause::Alone, _) => [self.proceed(child)].into(),
            // No shell sees our group, so Ctrl-Z is to do nothing to the child either, which its own group has kept from
            // being orphaned too. (After TTIN and TTOU it would only try again, for ever.)
            (Pause::Refused, Group::Own) if by == Signal::TSTP => [self.proceed(child)].into(),
            // The child is continued; or it is by whoever continues the group, whom a PID 1 in it does not see.
            (Pause::Together | Pause::Refused, _) => Actions::NONE,
        }
    }

    /// A key has stopped its whole group, so that goes on with it.
    fn proceed(&self, child: Child) -> Action {
        match self.policy.group {
            Group::Own => Action::Tell(child, KillMode::Group, Signal::CONT),
            Group::Shared | Group::Led => Action::Signal(child, Signal::CONT),
        }
    }
}
