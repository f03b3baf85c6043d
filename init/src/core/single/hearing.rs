//! What events mean to the table, and what is remembered of them.

use core::mem::discriminant;

use super::state::{Request as Stopping, State};
use super::{IN_A_ROW, Input, MAIN, Single, drop_signal};
use crate::core::forwarding::Rule;
use crate::core::list::Actions;
use crate::core::machine::{Action, Event, Heard, Note, Pause, Received, Rung, Sender, Time};
use crate::core::policy::Hurry;
use crate::core::request::Ask;
use crate::core::signal::Signal;

impl Single<'_> {
    /// Whether the signal is the second SIGINT in a row, which goes nowhere but one rung up. What is rewritten is none.
    fn is_hurry(&self, now: Time, received: Received) -> bool {
        let stopping = match self.state {
            State::Abandoning { .. } | State::PreStopping(_) | State::Delaying(_) | State::Asking(_) => {
                self.policy.hurry == Hurry::All
            }
            State::Waiting { .. } | State::Leftovers { .. } => true,
            State::New
            | State::Pausing
            | State::PreStarting(_)
            | State::KillingHook { .. }
            | State::Running
            | State::KillingMain { .. }
            | State::MainEnded { .. }
            | State::Killing { .. }
            | State::Done => false,
        };
        // A key that is pressed once comes from the terminal and, forwarded, from a parent that got it too.
        let again = self
            .interrupt
            .is_some_and(|(last, kind)| kind == discriminant(&received.sender) && now.since(last) <= IN_A_ROW);
        stopping && again && is_interrupt(received.signal, self.policy.forwarding.rule(received.signal))
    }

    /// When the stop that is under way was asked for.
    pub(super) fn asked_at(&self) -> Option<Time> {
        match self.state {
            State::PreStopping(Stopping { at, .. }) | State::Delaying(Stopping { at, .. }) => Some(at),
            State::Asking(climb) => Some(climb.asked),
            _ => None,
        }
    }

    /// What a signal asks for, or why it asks for nothing.
    fn judge(&self, received: Received) -> Result<Input, Note> {
        let Received { signal, sender } = received;
        if sender == Sender::Kernel && self.policy.group.has_it_from_kernel(signal) {
            return Err(Note::SentToGroup);
        }
        match self.policy.forwarding.rule(signal) {
            Rule::Forward(signal) | Rule::Reserved(signal) => Ok(Input::Forward(signal)),
            Rule::Stop(signal) => Ok(Input::Stop(signal)),
            Rule::Suspend(to) => Ok(Input::Suspend(signal, to)),
            Rule::Ignore => Err(Note::Ignored),
        }
    }

    /// The event as the table takes it, or the answer where none is needed.
    pub(super) fn input(&mut self, now: Time, event: Event) -> Result<Input, Actions> {
        Ok(match event {
            Event::Begin => Input::Begin,
            Event::NotStarted(_, why) => Input::NotStarted(why),
            Event::Asked(ask, _) => return asked(ask),
            Event::Signalled(received) => {
                if let Some(ask) = self.policy.ask_of(received) {
                    return asked(ask);
                }
                let hurry = self.is_hurry(now, received);
                self.course.press(now, received);
                if received.signal == Signal::INT {
                    self.interrupt = Some((now, discriminant(&received.sender)));
                }
                match self.judge(received) {
                    _ if hurry => Input::Hurry,
                    Ok(input) => input,
                    Err(note) => return Err(self.drop_received(received.signal, note)),
                }
            }
            Event::Failed(failure) => Input::Fail(failure),
            Event::Pressed(signal) => {
                self.course.press(now, Received { signal, sender: Sender::Kernel });
                return Err(Actions::NONE);
            }
            Event::Extended(time) => Input::Extend(now.after(time)),
            Event::Ended(MAIN, status) => Input::MainEnded(status),
            Event::Ended(_, status) => Input::HookEnded(status),
            Event::Stopped(MAIN, by, terminal) => Input::MainStopped(by, terminal),
            Event::Stopped(_, by, terminal) => Input::HookStopped(by, terminal),
            Event::Resumed(MAIN, by, pause) => Input::MainResumed(by, pause),
            Event::Resumed(_, by, pause) => Input::HookResumed(by, pause),
            Event::Reaped(left) => Input::Reaped(left),
            Event::Deadline => Input::Deadline,
        })
    }

    /// What later orders depend on.
    pub(super) fn remember(&mut self, now: Time, input: Input, actions: Actions) {
        self.course.remember(now, input, actions);
        if actions.contains(Action::Spawn(MAIN)) {
            self.limit = self.policy.ladder.max_time.map(|time| now.after(time));
        }
        let mode = self.policy.ladder.kill_mode;
        let continued = [Action::Signal(MAIN, Signal::CONT), Action::Tell(MAIN, mode, Signal::CONT)];
        self.main_is_stopped = match input {
            // Otherwise we have continued it, or hear of it when we go on ourselves.
            Input::MainStopped(..) => actions.is_empty(),
            Input::MainResumed(_, Pause::Together) => false,
            Input::MainResumed(_, Pause::Alone | Pause::Refused) => actions.is_empty(),
            _ => self.main_is_stopped && !continued.into_iter().any(|action| actions.contains(action)),
        };
        self.kill_is_passed_on |= actions.contains(Action::Signal(MAIN, Signal::KILL));
        for action in actions {
            match action {
                Action::Climb(Rung::Signal(signal)) => self.told = Some(signal),
                Action::Climb(Rung::PreStart) => self.told = Some(Signal::TERM),
                _ => {}
            }
        }
    }

    fn drop_received(&mut self, signal: Signal, note: Note) -> Actions {
        // Main has it all the same.
        if signal == Signal::CONT && note == Note::SentToGroup {
            self.main_is_stopped = false;
        }
        drop_signal(signal, note)
    }
}

/// Only the end of all is a matter of the state.
fn asked(ask: Ask) -> Result<Input, Actions> {
    match ask {
        Ask::End(request) => Ok(Input::End(request)),
        Ask::Reopen => Err([Action::Reopen].into()),
        Ask::Reload | Ask::Reexecute | Ask::Runlevel(_) => Err([Action::Answer(ask, Heard::Ignored)].into()),
    }
}

fn is_interrupt(signal: Signal, rule: Rule) -> bool {
    signal == Signal::INT && matches!(rule, Rule::Forward(Signal::INT) | Rule::Stop(Signal::INT))
}
