//! One event around the table: what it means to who has asked for an end before it is looked up, and after.

use super::state::State;
use super::{Input, Single};
use crate::core::list::Actions;
use crate::core::machine::{Action, Event, Heard, Machine, Time};
use crate::core::request::{Ask, Standing, Wish};

impl Machine for Single<'_> {
    fn on(&mut self, now: Time, event: Event) -> Actions {
        let input = match self.input(now, event) {
            Ok(input) => input,
            Err(answer) => return answer,
        };
        // When main is killed depends on it.
        let wish = self.wish;
        if let Input::End(request) = input {
            self.wish.get_or_insert(request.wish);
        }
        match input {
            Input::Fail(failure) if self.state == State::Running => self.failure = Some(failure),
            Input::Extend(until) => self.remember_extension(until),
            // Whoever asks holds the clock, and does not want it back.
            Input::Stop(_) | Input::Hurry => self.failure = None,
            _ => {}
        }
        let (next, mut actions) = self.next(now, input);
        if let Input::End(request) = input
            && self.state != State::Done
        {
            let [begun, under_way] =
                [Heard::Begun, Heard::UnderWay].map(|heard| Action::Answer(Ask::End(request), heard));
            if !actions.contains(begun) {
                // A failure is nobody's wish: the first one takes its place.
                self.wish = wish.or(self.failure.map(|_| request.wish));
                // It comes of the stop that is under way: who has asked for it is not told that it does not.
                let comes_again = (wish, request.wish) == (Some(Wish::Restart), Wish::Restart);
                if self.failure.is_some() || comes_again {
                    actions = actions.with(under_way, begun);
                }
            }
            self.failure = None;
        }
        // An end is not taken for a new beginning.
        let end = match input {
            Input::Stop(_) => Some(Wish::Stop),
            Input::End(request) => Some(request.wish),
            _ => None,
        };
        if self.wish.is_some_and(Wish::is_a_beginning) {
            self.wish = end.or(self.wish);
        }
        self.state = next;
        self.remember(now, input, actions);
        actions
    }

    fn is_last_life(&self) -> bool {
        !self.may_begin_again()
    }

    fn standing(&self) -> Standing {
        match self.state {
            State::New | State::PreStarting(_) => Standing::Starting,
            State::Running => Standing::Running,
            State::Pausing => Standing::Pausing,
            State::Waiting { .. } => Standing::Waiting,
            State::Abandoning { .. }
            | State::KillingHook { .. }
            | State::PreStopping(_)
            | State::Delaying(_)
            | State::Asking(_)
            | State::KillingMain { .. }
            | State::MainEnded { .. }
            | State::Leftovers { .. }
            | State::Killing { .. }
            | State::Done => Standing::Stopping,
        }
    }
}
