//! Between two lives of the command: nothing of it runs, and time has to pass.
//!
//! ```text
//!   Resting ──Deadline──▶ Done (Again)
//!      │ a stop, a key, or the end of the terminal: Done, as the last life ended
//!      │ poweroff, halt: Done (0)    reboot: Done, as that is to be    exit N: Done (N)
//!      │ restart: Done (Again)
//!      │ the key that stops jobs: Resting, stopped
//! ```
//!
//! 1. A stop ends it at once: there is nobody to be told, and nothing to be waited for.
//! 2. A signal that means anything else goes nowhere, and neither does a key that the command would ignore. Where a shell
//!    above us does job control, its key stops us.
//! 3. Whoever is told to end is told after those who are told what happens.

use super::exit::{Outcome, Status, Verdict};
use super::forwarding::Rule;
use super::list::Actions;
use super::machine::{Action, Event, Heard, Machine, Note, Received, Rung, Sender, Time};
use super::policy::{JobControl, Policy, Scope};
use super::request::{Ask, Request, Standing, Wish};
use super::signal::Signal;
use super::single::MAIN;

/// The machine of a rest.
#[derive(Clone, Debug)]
pub struct Resting<'a> {
    policy: Policy<'a>,
    until: Time,
    /// What the last life would have had us end with.
    last: Outcome,
    /// The signals that the command begins with ignored: a bit for each.
    ignored: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Resting,
    /// Its time is over.
    Rested,
    /// Something else has come first: a signal, or what somebody wishes for.
    Ended(Option<Wish>),
}

impl<'a> Resting<'a> {
    /// A rest until that time, after a life that ended so.
    pub const fn new(policy: Policy<'a>, until: Time, last: Outcome) -> Resting<'a> {
        Resting { policy, until, last, ignored: 0, state: State::Resting }
    }

    /// The same where the command is started with this signal ignored (nohup(1), `&` in a script).
    #[must_use]
    pub const fn ignoring(self, signal: Signal) -> Resting<'a> {
        Resting { ignored: self.ignored | 1 << (signal.number() - 1), ..self }
    }

    /// Whether nothing else came before its time was over.
    pub fn is_over(&self) -> bool {
        self.state == State::Rested
    }

    /// What somebody inside has asked for, if that came first.
    pub fn wish(&self) -> Option<Wish> {
        match self.state {
            State::Ended(wish) => wish,
            State::Resting | State::Rested => None,
        }
    }

    fn end(&mut self, wish: Option<Wish>, outcome: Outcome) -> Actions {
        self.state = State::Ended(wish);
        // None of our children is left, but a namespace may hold others, and the kernel kills them when we end.
        let rest = [Action::Climb(Rung::Leftovers), Action::TellRest(Scope::Namespace)];
        let rest = Some(rest).filter(|_| self.policy.scope == Scope::Namespace);
        Actions::NONE.then(rest.into_iter().flatten()).and(Action::Exit(outcome))
    }

    /// The command begins before its time. Others in the namespace are none of what it has left.
    fn begin(&mut self) -> Actions {
        self.state = State::Ended(Some(Wish::Restart));
        [Action::Exit(Outcome::Again)].into()
    }

    fn signalled(&mut self, received: Received) -> Actions {
        if let Some(ask) = self.policy.ask_of(received) {
            return self.asked(ask);
        }
        let Received { signal, sender } = received;
        // There is nobody to whom a key could mean something else, or whom the end of a terminal could reach.
        let is_by_terminal = sender == Sender::Kernel;
        let is_key = match signal {
            Signal::INT => true,
            // From a shell's end too; to process 1 of a container somebody may mean its command, which is to read its files again.
            Signal::HUP => is_by_terminal || self.policy.scope == Scope::Tree,
            Signal::QUIT | Signal::TSTP => is_by_terminal,
            _ => false,
        };
        let is_ignored = self.ignored & 1 << (signal.number() - 1) != 0;
        match self.policy.forwarding.rule(signal) {
            Rule::Forward(_) if is_key && is_ignored => drop_signal(signal, Note::Ignored),
            Rule::Stop(_) => self.end(None, self.last),
            Rule::Forward(Signal::TSTP) if is_key && self.policy.job_control == JobControl::Caller => {
                [Action::StopOurselves(MAIN, Signal::TSTP)].into()
            }
            Rule::Forward(other) if is_key && other != Signal::TSTP => self.end(None, self.last),
            Rule::Ignore => drop_signal(signal, Note::Ignored),
            Rule::Forward(_) | Rule::Reserved(_) | Rule::Suspend(_) => drop_signal(signal, Note::NoMain),
        }
    }

    fn asked(&mut self, ask: Ask) -> Actions {
        match ask {
            Ask::End(Request { wish, .. }) => {
                let end = match wish {
                    Wish::Restart => self.begin(),
                    Wish::Stop => self.end(Some(wish), self.last),
                    // Nothing was in the way of it, so that it is no failure.
                    _ => self.end(Some(wish), self.policy.wished_outcome(wish, Verdict::Main(Status::Exited(0)), None)),
                };
                Actions::NONE.and(Action::Answer(ask, Heard::Begun)).then(end)
            }
            Ask::Reopen => [Action::Reopen].into(),
            Ask::Reload | Ask::Reexecute | Ask::Runlevel(_) => [Action::Answer(ask, Heard::Ignored)].into(),
        }
    }
}

impl Machine for Resting<'_> {
    fn on(&mut self, now: Time, event: Event) -> Actions {
        if self.state != State::Resting {
            return Actions::NONE;
        }
        match event {
            Event::Begin => [Action::Arm(self.until)].into(),
            Event::Deadline if now >= self.until => {
                self.state = State::Rested;
                [Action::Exit(Outcome::Again)].into()
            }
            Event::Signalled(received) => self.signalled(received),
            Event::Asked(ask, _) => self.asked(ask),
            // Orphans of `docker exec` end, and are reaped.
            Event::Deadline
            | Event::NotStarted(..)
            | Event::Failed(_)
            | Event::Extended(_)
            | Event::Pressed(_)
            | Event::Ended(..)
            | Event::Stopped(..)
            | Event::Resumed(..)
            | Event::Reaped(_) => Actions::NONE,
        }
    }

    fn standing(&self) -> Standing {
        match self.state {
            State::Resting | State::Rested => Standing::Restarting,
            State::Ended(_) => Standing::Stopping,
        }
    }
}

fn drop_signal(signal: Signal, note: Note) -> Actions {
    [Action::Drop(signal, note)].into()
}

#[cfg(test)]
#[path = "resting_tests.rs"]
mod tests;
