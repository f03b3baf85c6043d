//! What the command line and our place in the system decide before the start.

use super::exit::{ExitMap, Outcome, Status};
use super::forwarding::{Forwarding, Rule};
use super::ladder::Ladder;
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

/// What the command line and our place in the system decide. The large parts stay where they are: a copy would stay in
/// memory beside them.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// What becomes of each signal.
    pub forwarding: &'a Forwarding,
    /// What becomes of main's status.
    pub exit_map: &'a ExitMap,
    /// Main's process group.
    pub group: Group,
    /// Whether a shell above us does job control.
    pub job_control: JobControl,
    /// What is told when main has ended.
    pub scope: Scope,
    /// How a stop goes.
    pub ladder: &'a Ladder,
    /// How we end after a main that died of a signal.
    pub on_signal_death: OnSignalDeath,
}

impl Policy<'_> {
    /// What a request to stop stands for that came without a signal: what SIGTERM does.
    pub(super) fn usual_signal(&self) -> Signal {
        match self.forwarding.rule(Signal::TERM) {
            Rule::Stop(signal) => signal,
            Rule::Forward(_) | Rule::Reserved(_) | Rule::Ignore => Signal::TERM,
        }
    }

    /// How we end after a main that ended so.
    pub(super) fn outcome(&self, status: Status) -> Outcome {
        match (self.exit_map.get(status), status, self.on_signal_death) {
            (Some(code), _, _) => Outcome::Code(code),
            (None, Status::Signaled(signal), OnSignalDeath::DieOfIt) => Outcome::Signal(signal),
            (None, _, _) => Outcome::Code(status.shell_code()),
        }
    }
}
