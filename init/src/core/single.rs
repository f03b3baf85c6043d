//! One program, its signals, its orphans and its end.
//!
//! ```text
//!  New ──Begin──▶ Running ──Stop──▶ Stopping
//!                    │ main ended      │ main ended          (not started: Done)
//!                    ▼                 ▼
//!                  MainEnded ──nothing left──▶ Done
//!                    │ something left: told, 5 s
//!                    ▼
//!                  Leftovers ──nothing left──▶ Done
//!                    │ deadline: killed, 1 s
//!                    ▼
//!                  Killing ──nothing left, or deadline──▶ Done
//! ```
//!
//! Invariants, which `single_tests` checks in every reachable state:
//!
//! 1. Main is started once, by the first action.
//! 2. Main is signalled only between its start and its end.
//! 3. While main runs, every signal reaches it exactly once, as its rule says, or is dropped with a reason.
//! 4. A stop never kills main: who asked for the stop holds the clock.
//! 5. What is left is told once, when main has ended, and killed only after the deadline that followed.
//! 6. That deadline is 5 s after main's end, but not beyond 9 s after the first request to stop, and never under 1 s.
//! 7. A deadline is armed exactly in the states that wait for one; from there deadlines alone lead to the end.
//! 8. There is one exit, the last action, after main's end or when it did not start; it is main's, as the map says.

use core::time::Duration;

use super::actions::Actions;
use super::exit::{ExitMap, Outcome, Status};
use super::forwarding::{Forwarding, Rule};
use super::machine::{Action, Child, Event, Fate, Left, Machine, Note, Received, Sender, StartError, Terminal, Time};
use super::signal::Signal;

/// The one program.
pub(super) const MAIN: Child = Child(0);

/// How long what main left behind may take.
const LEFTOVER_GRACE: Duration = Duration::from_secs(5);
/// docker kills 10 s after its request; what is left must have ended by then.
const LEFTOVER_LIMIT: Duration = Duration::from_secs(9);
/// Even when main took all the time there was.
const LEFTOVER_LEAST: Duration = Duration::from_secs(1);
/// A process that has not ended by then sits in a system call that cannot be interrupted.
const KILL_GRACE: Duration = Duration::from_secs(1);

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

/// What the command line and our place in the system decide.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What becomes of each signal.
    pub forwarding: Forwarding,
    /// What becomes of main's status.
    pub exit_map: ExitMap,
    /// Main's process group.
    pub group: Group,
    /// Whether a shell above us does job control.
    pub job_control: JobControl,
    /// What is told when main has ended.
    pub scope: Scope,
    /// How we end after a main that died of a signal.
    pub on_signal_death: OnSignalDeath,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum State {
    New,
    Running,
    Stopping { asked: Time },
    MainEnded { asked: Option<Time>, status: Status },
    Leftovers { status: Status },
    Killing { status: Status },
    Done,
}

/// An event as the table takes it: signals are judged, and there is one child.
#[derive(Clone, Copy)]
enum Input {
    Begin,
    NotStarted(StartError),
    Stop(Signal),
    Forward(Signal),
    MainEnded(Status),
    MainStopped(Signal, Terminal),
    Reaped(Left),
    Deadline,
}

/// The machine for one program.
#[derive(Clone, Debug)]
pub struct Single {
    policy: Policy,
    pub(super) state: State,
}

impl Single {
    /// A machine that has not begun.
    pub const fn new(policy: Policy) -> Single {
        Single { policy, state: State::New }
    }

    fn next(&self, now: Time, input: Input) -> (State, Actions) {
        use Input::{Begin, Deadline, Forward, MainEnded, MainStopped, NotStarted, Reaped, Stop};
        use State::{Done, Killing, Leftovers, New, Running, Stopping};

        let same = self.state;
        match (self.state, input) {
            (New, Begin) => (Running, [Action::Spawn(MAIN)].into()),
            // Nothing can happen to a program that was not started.
            (New, NotStarted(_) | Stop(_) | Forward(_) | MainEnded(_) | MainStopped(..) | Reaped(_) | Deadline) => {
                (same, Actions::NONE)
            }

            (Running | Stopping { .. }, NotStarted(why)) => (Done, [Action::Exit(Outcome::NotStarted(why))].into()),
            (Running, Stop(signal)) => (Stopping { asked: now }, [Action::Signal(MAIN, signal)].into()),
            // A stop is under way: main hears the signal again, but the clock goes on.
            (Stopping { .. }, Stop(signal)) | (Running | Stopping { .. }, Forward(signal)) => {
                (same, [Action::Signal(MAIN, signal)].into())
            }
            (Running, MainEnded(status)) => (State::MainEnded { asked: None, status }, Actions::NONE),
            (Stopping { asked }, MainEnded(status)) => (State::MainEnded { asked: Some(asked), status }, Actions::NONE),
            (Running | Stopping { .. }, MainStopped(by, terminal)) => (same, self.main_stopped(by, terminal)),
            (Running | Stopping { .. }, Begin | Reaped(_) | Deadline) => (same, Actions::NONE),

            // The round of reaping that main's end is part of shows whether anything is left.
            (State::MainEnded { status, .. }, Reaped(Left::None)) => (Done, self.end_alone(status)),
            (State::MainEnded { asked, status }, Reaped(Left::Some)) => {
                (Leftovers { status }, [Action::TellRest, Action::Arm(leftover_deadline(now, asked))].into())
            }
            (State::MainEnded { asked, status }, Stop(signal)) => {
                (State::MainEnded { asked: asked.or(Some(now)), status }, drop_signal(signal))
            }
            (State::MainEnded { .. }, Begin | NotStarted(_) | MainEnded(_) | MainStopped(..) | Deadline) => {
                (same, Actions::NONE)
            }

            (Leftovers { status } | Killing { status }, Reaped(Left::None)) => (Done, self.end(status)),
            (Leftovers { .. }, Stop(signal)) => (same, [Action::SignalRest(signal)].into()),
            (Leftovers { status }, Deadline) => {
                let actions = [Action::NameRest(Fate::Killed), Action::KillRest, Action::Arm(now.after(KILL_GRACE))];
                (Killing { status }, actions.into())
            }
            (Leftovers { .. }, Begin | NotStarted(_) | MainEnded(_) | MainStopped(..) | Reaped(Left::Some)) => {
                (same, Actions::NONE)
            }

            // A process may have forked while the others were killed.
            (Killing { .. }, Reaped(Left::Some)) => (same, [Action::KillRest].into()),
            (Killing { status }, Deadline) => (Done, self.end_naming_the_rest(status)),
            (Killing { .. }, Stop(signal))
            | (State::MainEnded { .. } | Leftovers { .. } | Killing { .. }, Forward(signal)) => {
                (same, drop_signal(signal))
            }
            (Killing { .. }, Begin | NotStarted(_) | MainEnded(_) | MainStopped(..)) => (same, Actions::NONE),

            (Done, _) => (Done, Actions::NONE),
        }
    }

    /// What a signal asks for, or why it asks for nothing.
    fn judge(&self, received: Received) -> Result<Input, Note> {
        let Received { signal, sender } = received;
        if sender == Sender::Kernel && signal.is_from_terminals() && self.policy.group == Group::Shared {
            return Err(Note::SentToGroup);
        }
        match self.policy.forwarding.rule(signal) {
            Rule::Forward(signal) | Rule::Reserved(signal) => Ok(Input::Forward(signal)),
            Rule::Stop(signal) => Ok(Input::Stop(signal)),
            Rule::Ignore => Err(Note::Ignored),
        }
    }

    fn main_stopped(&self, by: Signal, terminal: Terminal) -> Actions {
        match self.policy.job_control {
            // The shell waits for us, not for main: it must see that the job has stopped.
            JobControl::Caller if by.is_job_stop() && terminal != Terminal::None => {
                [Action::StopOurselves(MAIN)].into()
            }
            // SIGSTOP may be meant for main alone, by somebody who will continue main alone. In the foreground it is
            // `suspend`, or an editor's ^Z.
            JobControl::Caller if by == Signal::STOP && terminal == Terminal::Foreground => {
                [Action::StopOurselves(MAIN)].into()
            }
            // Ctrl-Z where no shell could ever continue main. (The kernel ignores it for orphaned groups.)
            JobControl::Nobody if by == Signal::TSTP => [Action::Signal(MAIN, Signal::CONT)].into(),
            JobControl::Caller | JobControl::Nobody => Actions::NONE,
        }
    }

    fn end(&self, status: Status) -> Actions {
        [self.exit(status)].into()
    }

    /// None of our children is left, but a namespace may hold others, and the kernel kills them when we end.
    fn end_alone(&self, status: Status) -> Actions {
        match self.policy.scope {
            Scope::Namespace => [Action::TellRest, self.exit(status)].into(),
            Scope::Tree => self.end(status),
        }
    }

    fn end_naming_the_rest(&self, status: Status) -> Actions {
        [Action::NameRest(Fate::LeftBehind), self.exit(status)].into()
    }

    fn exit(&self, status: Status) -> Action {
        let outcome = match (self.policy.exit_map.get(status), status, self.policy.on_signal_death) {
            (Some(code), _, _) => Outcome::Code(code),
            (None, Status::Signaled(signal), OnSignalDeath::DieOfIt) => Outcome::Signal(signal),
            (None, _, _) => Outcome::Code(status.shell_code()),
        };
        Action::Exit(outcome)
    }
}

impl Machine for Single {
    fn on(&mut self, now: Time, event: Event) -> Actions {
        let input = match event {
            Event::Begin => Input::Begin,
            Event::NotStarted(_, why) => Input::NotStarted(why),
            Event::Signalled(received) => match self.judge(received) {
                Ok(input) => input,
                Err(note) => return [Action::Drop(received.signal, note)].into(),
            },
            Event::Ended(_, status) => Input::MainEnded(status),
            Event::Stopped(_, by, terminal) => Input::MainStopped(by, terminal),
            Event::Reaped(left) => Input::Reaped(left),
            Event::Deadline => Input::Deadline,
        };
        let (next, actions) = self.next(now, input);
        self.state = next;
        actions
    }
}

fn drop_signal(signal: Signal) -> Actions {
    [Action::Drop(signal, Note::MainHasEnded)].into()
}

fn leftover_deadline(now: Time, asked: Option<Time>) -> Time {
    let grace = now.after(LEFTOVER_GRACE);
    let limit = asked.map_or(grace, |asked| grace.min(asked.after(LEFTOVER_LIMIT)));
    limit.max(now.after(LEFTOVER_LEAST))
}
