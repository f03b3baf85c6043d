//! Against a simpler model: a list of all that main has said, looked through from its beginning each time.

use core::time::Duration;
use std::vec::Vec;

use super::{Heard, Phase, Readiness, Terms};
use crate::core::care::{Order, Probe};
use crate::core::dice::{Dice, at, ms};
use crate::core::health::Finding;
use crate::core::list::Orders;
use crate::core::machine::Failure;
use crate::core::notify::{Bark, Message, Said};
use crate::core::term::SLACK;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Ready,
    Found,
    Reloading,
    Stopping,
    Fed,
    Trigger,
    Period(u64),
    Extend(u64),
    /// We were told that the time is over so long after it that we cannot have run.
    Late,
}

impl What {
    fn any(dice: &mut Dice) -> What {
        match dice.roll(16) {
            0 => What::Stopping,
            1 => What::Trigger,
            2..=4 => What::Ready,
            5 => What::Found,
            6 | 7 => What::Reloading,
            8..=11 => What::Fed,
            12 | 13 => What::Period(dice.roll(4) * 500),
            _ => What::Extend(dice.roll(4) * 700),
        }
    }

    fn message(self) -> Message {
        let nothing = Message::default();
        match self {
            What::Ready => Message { said: Some(Said::Ready), ..nothing },
            What::Found | What::Late => nothing,
            What::Reloading => Message { said: Some(Said::Reloading), ..nothing },
            What::Stopping => Message { said: Some(Said::Stopping), ..nothing },
            What::Fed => Message { bark: Some(Bark::Fed), ..nothing },
            What::Trigger => Message { bark: Some(Bark::Trigger), ..nothing },
            What::Period(time) => Message { watchdog_time: Some(ms(time)), ..nothing },
            What::Extend(time) => Message { extension: Some(ms(time)), ..nothing },
        }
    }
}

/// A life so far: when it began, and what was said and found in it.
struct Story<'a> {
    terms: Terms,
    began: u64,
    said: &'a [(u64, What)],
}

impl Story<'_> {
    fn first(&self, is: impl Fn(What) -> bool) -> Option<usize> {
        self.said.iter().position(|(_, what)| is(*what))
    }

    fn became_ready(&self) -> Option<usize> {
        let ready = self.first(|what| what == What::Found || (what == What::Ready && self.terms.by_message))?;
        self.first(|what| what == What::Stopping).is_none_or(|stopping| stopping > ready).then_some(ready)
    }

    fn longest_extension(&self, from: usize) -> u64 {
        let until = |(time, what): &(u64, What)| if let What::Extend(more) = what { time + more } else { 0 };
        self.said[from..].iter().map(until).max().unwrap_or(0)
    }

    fn ready_by(&self) -> Option<u64> {
        let timeout = u64::try_from(self.terms.timeout?.as_millis()).expect("it is short");
        let late = self.late_since(0).map_or(0, |late| late + timeout);
        self.became_ready().is_none().then(|| (self.began + timeout).max(self.longest_extension(0)).max(late))
    }

    fn fed_by(&self) -> Option<u64> {
        let watchdog = u64::try_from(self.terms.watchdog?.as_millis()).expect("it is short");
        let ready = self.became_ready()?;
        if self.first(|what| what == What::Stopping).is_some() {
            return None;
        }
        let feeds = |what| matches!(what, What::Fed | What::Period(_));
        let fed = self.said.iter().rposition(|(_, what)| feeds(*what)).map_or(ready, |fed| fed.max(ready));
        let period = self.said.iter().rev().find_map(|(_, what)| match what {
            What::Period(time) => Some(*time),
            _ => None,
        });
        let period = Some(period.unwrap_or(watchdog)).filter(|period| *period != 0)?;
        let late = self.late_since(fed).map_or(0, |late| late + period);
        Some((self.said[fed].0 + period).max(self.longest_extension(fed)).max(late))
    }

    /// When we came late, if we did since then.
    fn late_since(&self, from: usize) -> Option<u64> {
        self.said[from..].iter().find(|(_, what)| *what == What::Late).map(|(time, _)| *time)
    }

    /// Whether the time that runs now was put off already.
    fn is_put_off(&self) -> bool {
        let feeds = |what| matches!(what, What::Fed | What::Period(_));
        let from = self.became_ready().map_or(0, |ready| {
            self.said.iter().rposition(|(_, what)| feeds(*what)).map_or(ready, |fed| fed.max(ready))
        });
        self.late_since(from).is_some()
    }
}

const TERMS: [Terms; 5] = [
    Terms { timeout: None, watchdog: None, by_message: true, by_tries: false },
    Terms { timeout: Some(Duration::from_secs(2)), watchdog: None, by_message: true, by_tries: false },
    Terms { timeout: Some(Duration::from_secs(2)), watchdog: None, by_message: false, by_tries: false },
    Terms { timeout: None, watchdog: Some(Duration::from_secs(1)), by_message: true, by_tries: false },
    Terms {
        timeout: Some(Duration::from_secs(1)),
        watchdog: Some(Duration::from_secs(1)),
        by_message: true,
        by_tries: false,
    },
];

/// One life, up to its end by a failure or by us. How it failed.
fn live(readiness: &mut Readiness, terms: Terms, began: u64, dice: &mut Dice, late: &mut u32) -> Option<Failure> {
    readiness.start(at(began));
    let mut said: Vec<(u64, What)> = Vec::new();
    let mut now = began;
    for _ in 0..40 {
        now += dice.roll(600);
        let story = Story { terms, began, said: &said };
        let wake = [story.ready_by(), story.fed_by()].into_iter().flatten().min();
        assert_eq!(readiness.wake(), wake.map(at), "{terms:?} {began} {said:?}");
        if let Some(due) = wake.filter(|due| *due <= now) {
            assert_eq!(readiness.look(at(due - 1)), None);
            let failure = if story.ready_by() == Some(due) { Failure::NotReady } else { Failure::Watchdog };
            let when = if dice.roll(2) == 0 { due } else { now };
            if at(when) > at(due).after(SLACK) && !story.is_put_off() {
                assert_eq!(readiness.look(at(when)), None, "{terms:?} {began} {said:?}");
                said.push((when, What::Late));
                *late += 1;
                continue;
            }
            assert_eq!(readiness.look(at(when)), Some(failure), "{terms:?} {began} {said:?}");
            return Some(failure);
        }
        assert_eq!(readiness.look(at(now)), None, "{terms:?} {began} {said:?}");
        let what = What::any(dice);
        let heard = match what {
            What::Found => {
                readiness.find_ready(at(now));
                Heard::default()
            }
            _ => readiness.hear(at(now), &what.message()),
        };
        assert_eq!(heard.failure, (what == What::Trigger).then_some(Failure::Watchdog));
        if heard.failure.is_some() {
            return heard.failure;
        }
        said.push((now, what));
        assert_eq!(readiness.was_ready(), Story { terms, began, said: &said }.became_ready().is_some());
    }
    readiness.stop();
    None
}

#[test]
fn every_life_goes_as_its_story_says() {
    let mut dice = Dice(1);
    let mut failures = [0; 2];
    let mut late = 0;
    for round in 0..4000 {
        let terms = TERMS[round % TERMS.len()];
        let mut readiness = Readiness::new(terms);
        for life in 0..3 {
            match live(&mut readiness, terms, 1000 + life * 100_000, &mut dice, &mut late) {
                Some(Failure::NotReady) => failures[0] += 1,
                Some(_) => failures[1] += 1,
                None => {}
            }
            // 1. Nothing more comes of it.
            assert_eq!((readiness.phase(), readiness.wake()), (Phase::Idle, None));
            assert_eq!(readiness.look(at(1_000_000)), None);
            assert_eq!(readiness.hear(at(1_000_000), &What::Trigger.message()), Heard::default());
            assert!(!readiness.find_ready(at(1_000_000)));
        }
    }
    assert!(failures.iter().all(|count| *count > 500) && late > 300, "{failures:?} {late}");
}

#[test]
fn each_change_is_told_once() {
    let mut readiness = Readiness::new(TERMS[0]);
    readiness.start(at(0));
    let mut hear = |what: What| readiness.hear(at(1), &what.message()).change;
    assert_eq!(hear(What::Reloading), None);
    assert_eq!(hear(What::Ready), Some(Phase::Ready));
    assert_eq!(hear(What::Ready), None);
    assert_eq!(hear(What::Reloading), Some(Phase::Reloading));
    assert_eq!(hear(What::Reloading), None);
    assert_eq!(hear(What::Ready), Some(Phase::Ready));
    assert_eq!(hear(What::Stopping), Some(Phase::Stopping));
    assert_eq!(hear(What::Ready), None);
}

#[test]
fn who_is_not_asked_does_not_say_that_it_is_ready() {
    let mut readiness = Readiness::new(TERMS[2]);
    readiness.start(at(0));
    assert_eq!(readiness.hear(at(1), &What::Ready.message()), Heard::default());
    assert!(readiness.find_ready(at(2)));
    assert!(!readiness.find_ready(at(3)));
    assert_eq!(readiness.wake(), None);
}

/// 6.
#[test]
fn tries_follow_one_another_until_one_succeeds() {
    let terms = Terms { timeout: Some(ms(20_000)), by_tries: true, by_message: false, ..TERMS[0] };
    let probe = |left| Orders::from([Order::Probe(Probe::Readiness { left: Some(ms(left)) })]);
    let mut readiness = Readiness::new(terms);
    assert_eq!(readiness.start(at(0)), probe(20_000));
    assert_eq!(readiness.look_at_tries(at(11_999)), Orders::NONE);
    assert!(readiness.is_trying());
    assert_eq!(readiness.wake(), Some(at(12_000)));
    assert_eq!(readiness.look_at_tries(at(12_000)), Orders::from([Order::Cut]));
    assert_eq!((readiness.is_trying(), readiness.wake()), (false, Some(at(12_500))));
    assert_eq!(readiness.look_at_tries(at(12_500)), probe(7_500));
    assert!(!readiness.tried(at(19_000), Finding::Bad));
    assert_eq!(readiness.look_at_tries(at(19_499)), Orders::NONE);
    assert_eq!(readiness.look_at_tries(at(19_500)), probe(500));
    assert!(readiness.tried(at(19_600), Finding::Good));
    assert_eq!((readiness.phase(), readiness.wake()), (Phase::Ready, None));
    // And again, to be too late.
    readiness.start(at(30_000));
    assert_eq!(readiness.look(at(50_000)), Some(Failure::NotReady));
    assert_eq!(readiness.stop(), Orders::from([Order::Cut]));
    assert_eq!((readiness.stop(), readiness.wake()), (Orders::NONE, None));
}

#[test]
fn a_try_does_not_outlive_the_stop_of_main() {
    let mut readiness = Readiness::new(Terms { by_tries: true, ..TERMS[0] });
    readiness.start(at(0));
    assert_eq!(readiness.stop(), Orders::from([Order::Cut]));
    readiness.start(at(0));
    // It says itself that it is ready, and is ready by the try that runs no more.
    readiness.hear(at(1), &What::Ready.message());
    assert_eq!((readiness.phase(), readiness.wake()), (Phase::Ready, None));
}
