//! How a run goes on: pure, so that every way through it can be tried.
//!
//! ```text
//! Waiting --Ready--> Settling --Settled--> Halting --Halted--> Told --MainEnded--> Left --Deadline--> Killing
//!                                                                                      --AllEnded--> Over
//! ```

/// Where a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// For the command to be ready.
    Waiting,
    /// It is ready, and is to be told when what we have put in is gone.
    Settling,
    /// It is at rest, and is to be told when it is stopped, where that is asked for.
    Halting,
    /// It has been told to stop.
    Told,
    /// Main has ended, others live on.
    Left,
    /// All were killed.
    Killing,
    /// Nothing lives, or nothing can be done.
    Over,
}

/// What has happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Ready,
    /// What we have put in is gone, or never was.
    Settled,
    /// It is stopped (SIGSTOP), or is not to be.
    Halted,
    MainEnded,
    /// Nothing lives any more.
    AllEnded,
    Deadline,
    /// We were asked to stop.
    Asked,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Action {
    Nothing,
    /// Put an orphan in, where there is a process 1.
    Settle,
    /// Stop it, where that is asked for.
    Halt,
    /// Tell it to stop; the grace time begins.
    Tell,
    /// Give what is left a moment.
    Linger,
    /// Look at what lives, and kill it.
    Kill,
    /// The run is over.
    Finish,
}

/// The next state, and what is to be done on the way there.
pub(super) fn next(state: State, event: Event) -> (State, Action) {
    use {Action as A, Event as E, State as S};
    match (state, event) {
        (S::Waiting, E::Ready) => (S::Settling, A::Settle),
        (S::Settling, E::Settled | E::Deadline) => (S::Halting, A::Halt),
        (S::Halting, E::Halted | E::Deadline) => (S::Told, A::Tell),
        // What it left behind is not what was to be looked at.
        (S::Waiting, E::MainEnded | E::Deadline | E::Asked) => (S::Killing, A::Kill),
        (S::Settling | S::Halting, E::MainEnded | E::Asked) => (S::Killing, A::Kill),
        (S::Told, E::MainEnded) => (S::Left, A::Linger),
        (S::Told | S::Left, E::Deadline | E::Asked) => (S::Killing, A::Kill),
        // It was ready once.
        (S::Settling | S::Halting | S::Told | S::Left | S::Killing, E::Ready) => (state, A::Nothing),
        (S::Waiting | S::Halting | S::Told | S::Left | S::Killing, E::Settled) => (state, A::Nothing),
        (S::Waiting | S::Settling | S::Told | S::Left | S::Killing, E::Halted) => (state, A::Nothing),
        (S::Left, E::MainEnded) => (state, A::Nothing),
        (S::Waiting | S::Settling | S::Halting | S::Told | S::Left | S::Killing, E::AllEnded) => (S::Over, A::Finish),
        (S::Killing, E::MainEnded | E::Asked) => (state, A::Nothing),
        // The kernel holds one in a call that nothing interrupts.
        (S::Killing, E::Deadline) => (S::Over, A::Finish),
        (S::Over, _) => (state, A::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Event, State, next};

    const STATES: [State; 7] =
        [State::Waiting, State::Settling, State::Halting, State::Told, State::Left, State::Killing, State::Over];
    const EVENTS: [Event; 7] =
        [Event::Ready, Event::Settled, Event::Halted, Event::MainEnded, Event::AllEnded, Event::Deadline, Event::Asked];

    #[test]
    fn the_command_is_told_once() {
        for state in STATES {
            for event in EVENTS {
                let is_told = next(state, event).1 == Action::Tell;
                let is_due = state == State::Halting && matches!(event, Event::Halted | Event::Deadline);
                assert_eq!(is_told, is_due, "{state:?} {event:?}");
            }
        }
    }

    #[test]
    fn deadlines_alone_bring_every_run_to_its_end() {
        for state in STATES {
            let after = EVENTS.iter().fold(state, |state, _| next(state, Event::Deadline).0);
            assert_eq!(after, State::Over, "{state:?}");
        }
    }

    #[test]
    fn nothing_comes_back_from_the_end() {
        for event in EVENTS {
            assert_eq!(next(State::Over, event), (State::Over, Action::Nothing));
        }
    }
}
