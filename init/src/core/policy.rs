//! What the command line and our place in the system decide before the start.

use core::time::Duration;

use super::exit::{ExitMap, Outcome, Status, Verdict};
use super::forwarding::{Forwarding, Rule};
use super::ladder::Ladder;
use super::machine::{Child, Received};
use super::request::{Ask, Manager, Wish};
use super::signal::Signal;

/// What can be told to end when main has ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scope {
    /// We are PID 1: everything in the PID namespace, also what is not our child (`docker exec`).
    Namespace,
    /// Our descendants.
    Tree,
}

/// Which process group main is in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Group {
    /// Ours, and so our caller's: what the terminal sends reaches main by itself.
    Shared,
    /// Ours, in a session that we lead: the kernel tells us alone that its terminal is gone.
    Led,
    /// One of its own.
    Own,
}

/// Who continues a stopped job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum JobControl {
    /// The shell that started us.
    Caller,
    /// Nobody: we are PID 1 or lead the session.
    Nobody,
}

/// What to do if main died of a signal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OnSignalDeath {
    /// Die of the same one.
    DieOfIt,
    /// End with 128 + its number.
    Code,
}

/// Whom two SIGINTs in a row, during a stop, take one step further.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hurry {
    /// Main, and what it left behind.
    All,
    /// What main left behind. Main gets both.
    Leftovers,
}

/// What a reboot is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OnReboot {
    /// Main is started again, in the same container.
    Restart,
    /// We end with [`OnReboot::CODE`].
    Exit,
    /// We call reboot(2).
    System,
}

impl OnReboot {
    /// 128 + SIGHUP, as runc tells of a container that called reboot(2).
    pub const CODE: u8 = 129;
}

/// What the command line and our place in the system decide. The large parts stay where they are: a copy would stay in
/// memory beside them.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What becomes of each signal.
    pub forwarding: &'a Forwarding,
    /// What becomes of main's status.
    pub exit_map: &'a ExitMap,
    /// What runs before main is started, one after the other: how long each may take. They are the children from 1 on.
    pub before: &'a [Option<Duration>],
    /// Main's process group.
    pub group: Group,
    /// Whether a shell above us does job control.
    pub job_control: JobControl,
    /// What is told when main has ended.
    pub scope: Scope,
    /// Whether main may be started again when it has ended by itself.
    pub may_restart: bool,
    /// How a stop goes.
    pub ladder: &'a Ladder,
    /// How we end after a main that died of a signal.
    pub on_signal_death: OnSignalDeath,
    /// Whom two SIGINTs in a row are about.
    pub hurry: Hurry,
    /// What main's group is sent when main has ended, wherever its members are by then: we need not be their parent.
    pub parting: Option<Signal>,
    /// Who runs the container, where signals may be requests; `None`: they are only forwarded.
    pub requests: Option<Manager>,
    /// What comes of a request for a reboot.
    pub on_reboot: OnReboot,
}

impl Group {
    /// Whether what the kernel sends us reaches main by itself.
    pub(super) fn has_it_from_kernel(self, signal: Signal) -> bool {
        match self {
            Group::Shared => signal.is_from_terminals(),
            Group::Led => signal.is_from_terminals() && signal != Signal::HUP && signal != Signal::CONT,
            Group::Own => false,
        }
    }
}

impl Policy<'_> {
    /// What a signal asks for, if it is known to be a request.
    pub(super) fn ask_of(&self, received: Received) -> Option<Ask> {
        let Received { signal, sender } = received;
        let manager = self.requests.filter(|_| self.forwarding.is_default(signal))?;
        Ask::of_signal(signal, sender, manager)
    }

    /// What a request to stop stands for that came without a signal: what SIGTERM does.
    pub(super) fn usual_signal(&self) -> Signal {
        match self.forwarding.rule(Signal::TERM) {
            Rule::Stop(signal) => signal,
            Rule::Forward(_) | Rule::Reserved(_) | Rule::Suspend(_) | Rule::Ignore => Signal::TERM,
        }
    }

    /// The hook before a stop, behind those before main in the driver's table.
    pub(super) fn stop_hook(&self) -> Child {
        Child(u8::try_from(self.before.len()).unwrap_or(u8::MAX).saturating_add(1))
    }

    /// What our end is, whose matter is `verdict`. The map is about main.
    pub(super) fn outcome(&self, verdict: Verdict) -> Outcome {
        let (mapped, status) = match verdict {
            Verdict::Main(status) => (self.exit_map.get(status), status),
            Verdict::Hook(status) => (None, status),
            Verdict::TimedOut => return Outcome::Code(Verdict::TIMED_OUT),
            Verdict::NotStarted(child, why) => return Outcome::NotStarted(child, why),
        };
        match (mapped, status, self.on_signal_death) {
            (Some(code), _, _) => Outcome::Code(code),
            (None, Status::Signaled(signal), OnSignalDeath::DieOfIt) => Outcome::Signal(signal),
            (None, _, _) => Outcome::Code(status.shell_code()),
        }
    }

    /// What our end is where main was stopped because it had failed: no success, whatever it made of that.
    pub(super) fn failed_outcome(&self, verdict: Verdict) -> Outcome {
        match self.outcome(verdict) {
            Outcome::Code(0) => Outcome::Code(1),
            outcome => outcome,
        }
    }

    /// What our end is that somebody has wished for. A code that comes with the wish is taken as it is. Who ends by the signal that we sent, or with the code that a shell
    /// makes of that, has done as it was told: a container that was powered off is not to be started again as a failure.
    pub(super) fn wished_outcome(&self, wish: Wish, verdict: Verdict, told: Option<Signal>) -> Outcome {
        let status = match (wish, self.on_reboot, verdict) {
            (Wish::Restart, ..) | (Wish::Reboot, OnReboot::Restart, _) => return Outcome::Again,
            (Wish::Reboot, OnReboot::Exit, _) => return Outcome::Code(OnReboot::CODE),
            (Wish::Reboot, OnReboot::System, _) => return Outcome::Reboot,
            (Wish::Exit(code), _, Verdict::Main(_) | Verdict::Hook(_)) => return Outcome::Code(code),
            (Wish::Stop, ..) => return self.outcome(verdict),
            (_, _, Verdict::Main(status) | Verdict::Hook(status)) => status,
            (_, _, Verdict::TimedOut | Verdict::NotStarted(..)) => return self.outcome(verdict),
        };
        let mapped = if let Verdict::Main(status) = verdict { self.exit_map.get(status) } else { None };
        let as_told = told.is_some_and(|signal| status.shell_code() == Status::Signaled(signal).shell_code());
        Outcome::Code(mapped.unwrap_or(if as_told { 0 } else { status.shell_code() }))
    }
}
