//! What comes of a message to the control socket: who may ask for what, and what is scheduled.
//!
//! 1. An end that comes now takes the place of a later one, but for a restart of the command, which is no end of what people
//!    have planned. People are told of it if whoever wants it has something to say,
//!    or if they were told of the other one.
//! 2. Of what is cancelled people are told if they were told of it, and are to be told of that.
//! 3. While all are being stopped nothing can be scheduled, and nobody is warned: the end is on its way.

use super::control::{Answer, Message, Standing, Verb};
use super::schedule::{Notice, Plan, Schedule, Steps};
use super::{Ask, Wish};

/// Keeps what is scheduled, and knows what to answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Desk {
    schedule: Schedule,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Guest {
    /// Its user.
    pub uid: u32,
    /// Whether it may ask for more than how things stand.
    pub may: bool,
}

/// What comes of a message, in this order.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Said {
    /// What is answered; `None`: what comes of `ask`.
    pub answer: Option<Answer>,
    /// What is made known.
    pub notices: [Option<Notice>; 3],
    /// What is to be done now.
    pub ask: Option<Ask>,
}

impl Desk {
    /// What is scheduled.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// A message. The time is the wall clock's, in microseconds since 1970.
    pub fn hear(&mut self, now: u64, standing: Standing, guest: Guest, message: &Message) -> Said {
        let answered = |answer| Said { answer: Some(answer), ..Said::default() };
        let Message { verb, request, wall, when, text, client: _ } = *message;
        let plan = Plan { request, when, wall, text, uid: guest.uid };
        match verb {
            Verb::Status | Verb::Events => answered(Answer::Accepted),
            _ if !guest.may => answered(Answer::Refused),
            Verb::May | Verb::Follow => answered(Answer::Accepted),
            // What becomes of it is for the machine to say.
            Verb::Signal(_) => Said::default(),
            Verb::End => self.end(standing, Plan { when: now, ..plan }),
            Verb::Schedule | Verb::Warn if standing == Standing::Stopping => answered(Answer::UnderWay),
            Verb::Schedule => Said::from(self.schedule.set(now, plan)),
            Verb::Warn => Said { notices: [Some(Notice::Warning(plan)), None, None], ..answered(Answer::Accepted) },
            Verb::Cancel => match self.schedule.forget() {
                Some(former) => {
                    let notice = Notice::Cancelled(Plan { wall: former.wall && wall, text, ..former });
                    Said { notices: [Some(notice), None, None], ..answered(Answer::Accepted) }
                }
                None => answered(Answer::NothingScheduled),
            },
        }
    }

    fn end(&mut self, standing: Standing, plan: Plan) -> Said {
        if plan.request.wish == Wish::Restart {
            return Said { ask: Some(Ask::End(plan.request)), ..Said::default() };
        }
        let is_known = self.schedule.forget().is_some_and(|replaced| replaced.wall);
        let tells = plan.wall && (is_known || !plan.text.is_empty()) && standing != Standing::Stopping;
        let notice = tells.then_some(Notice::Ending(plan));
        Said { answer: None, notices: [notice, None, None], ask: Some(Ask::End(plan.request)) }
    }

    /// What is due by now.
    pub fn look(&mut self, now: u64) -> Said {
        Said { answer: None, ..Said::from(self.schedule.look(now)) }
    }

    /// Everything ends by another way: what is scheduled will not be needed.
    pub fn close(&mut self) {
        self.schedule.forget();
    }
}

impl From<Steps> for Said {
    fn from(steps: Steps) -> Said {
        Said { answer: Some(Answer::Accepted), notices: steps.notices, ask: steps.due.map(Ask::End) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Ask, Desk, Guest, Message, Notice, Plan, Said, Standing, Verb};
    use crate::core::request::{Request, Text, Wish};

    const NOW: u64 = 1_700_000_000_000_000;
    const ROOT: Guest = Guest { uid: 0, may: true };
    const USER: Guest = Guest { uid: 1000, may: false };

    fn message(verb: Verb, minutes: u64) -> Message {
        let request = Request::orderly(Wish::Poweroff);
        Message { verb, request, wall: true, when: NOW + minutes * 60_000_000, client: None, text: Text::new("bye") }
    }

    #[test]
    fn everybody_may_ask_how_things_stand_and_no_more() {
        let mut desk = Desk::default();
        let signal = Verb::Signal(crate::core::Signal::USR1);
        for verb in [Verb::End, Verb::Schedule, Verb::Warn, Verb::Cancel, Verb::May, Verb::Follow, signal] {
            let refused = Said { answer: Some(Answer::Refused), ..Said::default() };
            assert_eq!(desk.hear(NOW, Standing::Running, USER, &message(verb, 1)), refused, "{verb:?}");
        }
        assert_eq!(desk, Desk::default());
        for verb in [Verb::Status, Verb::Events] {
            let said = desk.hear(NOW, Standing::Running, USER, &message(verb, 0));
            assert_eq!(said, Said { answer: Some(Answer::Accepted), ..Said::default() });
        }
        for verb in [Verb::May, Verb::Follow] {
            assert_eq!(desk.hear(NOW, Standing::Running, ROOT, &message(verb, 0)).answer, Some(Answer::Accepted));
        }
        assert_eq!(desk, Desk::default(), "to be told that one may does nothing");
    }

    #[test]
    fn a_restart_takes_the_place_of_nothing() {
        let mut desk = Desk::default();
        desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Schedule, 10));
        let planned = desk;
        let restart = Message { request: Request::orderly(Wish::Restart), ..message(Verb::End, 0) };
        let said = desk.hear(NOW, Standing::Running, ROOT, &restart);
        assert_eq!(said, Said { ask: Some(Ask::End(restart.request)), ..Said::default() });
        assert_eq!(desk, planned);
    }

    #[test]
    fn an_end_at_once_takes_the_place_of_a_later_one() {
        let quiet = Message { wall: false, ..message(Verb::Schedule, 10) };
        let silent = Message { text: Text::EMPTY, ..message(Verb::End, 0) };
        let not_told = Message { wall: false, ..message(Verb::End, 0) };
        let ask = Some(Ask::End(Request::orderly(Wish::Poweroff)));
        for (first, second, is_told) in [
            (None, message(Verb::End, 0), true),
            (None, silent, false),
            (None, not_told, false),
            (Some(message(Verb::Schedule, 10)), silent, true),
            (Some(message(Verb::Schedule, 10)), not_told, false),
            (Some(quiet), silent, false),
        ] {
            let mut desk = Desk::default();
            if let Some(first) = first {
                desk.hear(NOW, Standing::Running, ROOT, &first);
            }
            let said = desk.hear(NOW, Standing::Running, ROOT, &second);
            assert_eq!((said.answer, said.ask), (None, ask));
            let told = said.notices.map(|notice| {
                notice.map(
                    |notice| matches!(notice, Notice::Ending(plan) if plan.when == NOW && plan.text == second.text),
                )
            });
            assert_eq!(told, [is_told.then_some(true), None, None], "{first:?} {second:?}");
            assert_eq!(desk, Desk::default());
        }
    }

    #[test]
    fn nothing_is_promised_while_all_are_being_stopped() {
        for verb in [Verb::Schedule, Verb::Warn] {
            let mut desk = Desk::default();
            let under_way = Said { answer: Some(Answer::UnderWay), ..Said::default() };
            assert_eq!(desk.hear(NOW, Standing::Stopping, ROOT, &message(verb, 1)), under_way);
            assert_eq!(desk, Desk::default());
        }
        let mut desk = Desk::default();
        desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Schedule, 1));
        let said = desk.hear(NOW, Standing::Stopping, ROOT, &message(Verb::End, 0));
        assert_eq!(said.notices, [None; 3]);
        assert_eq!(said.ask, Some(Ask::End(Request::orderly(Wish::Poweroff))));
    }

    #[test]
    fn what_is_scheduled_comes_unless_it_is_cancelled() {
        let mut desk = Desk::default();
        assert_eq!(
            desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Cancel, 0)).answer,
            Some(Answer::NothingScheduled)
        );
        let said = desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Schedule, 1));
        assert_eq!((said.answer, said.ask), (Some(Answer::Accepted), None));
        assert_eq!(desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Cancel, 0)).answer, Some(Answer::Accepted));
        assert_eq!(desk.look(NOW + 120_000_000), Said::default());
        desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Schedule, 1));
        assert_eq!(desk.look(NOW + 59_000_000).ask, None);
        assert_eq!(desk.look(NOW + 60_000_000).ask, Some(Ask::End(Request::orderly(Wish::Poweroff))));
    }

    #[test]
    fn who_was_told_of_it_is_told_that_it_does_not_come_unless_that_is_not_wanted() {
        for (is_told, tells) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut desk = Desk::default();
            let planned = Message { wall: is_told, ..message(Verb::Schedule, 10) };
            desk.hear(NOW, Standing::Running, ROOT, &planned);
            let cancels = Message { wall: tells, text: Text::new("we stay"), ..message(Verb::Cancel, 0) };
            let said = desk.hear(NOW, Standing::Running, ROOT, &cancels);
            let plan = Plan {
                wall: is_told && tells,
                text: cancels.text,
                ..Plan::new(Wish::Poweroff, planned.when, Text::EMPTY)
            };
            assert_eq!(said.notices, [Some(Notice::Cancelled(plan)), None, None]);
            assert_eq!(desk, Desk::default());
        }
    }

    #[test]
    fn a_mere_warning_leaves_nothing_behind() {
        let mut desk = Desk::default();
        let said = desk.hear(NOW, Standing::Running, ROOT, &message(Verb::Warn, 1));
        assert!(matches!(said.notices, [Some(Notice::Warning(_)), None, None]));
        assert_eq!(desk, Desk::default());
    }
}
