//! What comes of a message to the control socket: who may ask for what, and what is scheduled.

use super::Ask;
use super::control::{Answer, Message, Text, Verb};
use super::schedule::{Notice, Plan, Schedule, Steps};

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
    pub fn hear(&mut self, now: u64, guest: Guest, message: &Message) -> Said {
        let answered = |answer| Said { answer: Some(answer), ..Said::default() };
        let Message { verb, request, wall, when, text, client: _ } = *message;
        let plan = Plan { request, when, wall, text, uid: guest.uid };
        match verb {
            Verb::Status => answered(Answer::Accepted),
            _ if !guest.may => answered(Answer::Refused),
            Verb::May => answered(Answer::Accepted),
            Verb::End => Said {
                answer: None,
                notices: [self.schedule.cancel(true, Text::EMPTY), None, None],
                ask: Some(Ask::End(request)),
            },
            Verb::Schedule => Said::from(self.schedule.set(now, plan)),
            Verb::Warn => Said { notices: [Some(Notice::Warning(plan)), None, None], ..answered(Answer::Accepted) },
            Verb::Cancel => match self.schedule.cancel(wall, text) {
                Some(notice) => Said { notices: [Some(notice), None, None], ..answered(Answer::Accepted) },
                None => answered(Answer::NothingScheduled),
            },
        }
    }

    /// What is due by now.
    pub fn look(&mut self, now: u64) -> Said {
        Said { answer: None, ..Said::from(self.schedule.look(now)) }
    }

    /// Everything ends by another way: what is scheduled will not be needed.
    pub fn close(&mut self) -> Option<Notice> {
        self.schedule.cancel(true, Text::EMPTY)
    }
}

impl From<Steps> for Said {
    fn from(steps: Steps) -> Said {
        Said { answer: Some(Answer::Accepted), notices: steps.notices, ask: steps.due.map(Ask::End) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Ask, Desk, Guest, Message, Notice, Said, Verb};
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
        for verb in [Verb::End, Verb::Schedule, Verb::Warn, Verb::Cancel, Verb::May] {
            let refused = Said { answer: Some(Answer::Refused), ..Said::default() };
            assert_eq!(desk.hear(NOW, USER, &message(verb, 1)), refused, "{verb:?}");
        }
        assert_eq!(desk, Desk::default());
        assert_eq!(desk.hear(NOW, USER, &message(Verb::Status, 0)).answer, Some(Answer::Accepted));
        assert_eq!(desk.hear(NOW, ROOT, &message(Verb::May, 0)).answer, Some(Answer::Accepted));
        assert_eq!(desk, Desk::default(), "to be told that one may does nothing");
    }

    #[test]
    fn an_end_at_once_takes_the_place_of_a_later_one() {
        let mut desk = Desk::default();
        desk.hear(NOW, ROOT, &message(Verb::Schedule, 10));
        let said = desk.hear(NOW, ROOT, &message(Verb::End, 0));
        assert_eq!((said.answer, said.ask), (None, Some(Ask::End(Request::orderly(Wish::Poweroff)))));
        assert!(matches!(said.notices[0], Some(Notice::Cancelled(_))));
        assert_eq!(desk.schedule().plan(), None);
    }

    #[test]
    fn what_is_scheduled_comes_unless_it_is_cancelled() {
        let mut desk = Desk::default();
        assert_eq!(desk.hear(NOW, ROOT, &message(Verb::Cancel, 0)).answer, Some(Answer::NothingScheduled));
        let said = desk.hear(NOW, ROOT, &message(Verb::Schedule, 1));
        assert_eq!((said.answer, said.ask), (Some(Answer::Accepted), None));
        assert_eq!(desk.hear(NOW, ROOT, &message(Verb::Cancel, 0)).answer, Some(Answer::Accepted));
        assert_eq!(desk.look(NOW + 120_000_000), Said::default());
        desk.hear(NOW, ROOT, &message(Verb::Schedule, 1));
        assert_eq!(desk.look(NOW + 59_000_000).ask, None);
        assert_eq!(desk.look(NOW + 60_000_000).ask, Some(Ask::End(Request::orderly(Wish::Poweroff))));
    }

    #[test]
    fn a_mere_warning_leaves_nothing_behind() {
        let mut desk = Desk::default();
        let said = desk.hear(NOW, ROOT, &message(Verb::Warn, 1));
        assert!(matches!(said.notices, [Some(Notice::Warning(_)), None, None]));
        assert_eq!(desk, Desk::default());
    }
}
