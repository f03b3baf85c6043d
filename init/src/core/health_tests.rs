//! Against a simpler model: a list of the checks of one main, looked through from its beginning each time.

use core::time::Duration;
use std::vec::Vec;

use super::{Checking, Checks, Finding, Health, Input};
use crate::core::care::{Care, DEATH, Order, PATIENCE, Probe, Sight};
use crate::core::dice::{Dice, at, ms};
use crate::core::machine::{Failure, Then, Time};
use crate::core::notify::Message;
use crate::core::readiness::{Readiness, Terms};
use crate::core::term::SLACK;

const POLICIES: [Checks; 4] = [
    Checks { interval: ms(100), timeout: ms(50), ..Checks::DEFAULT },
    Checks { interval: ms(100), timeout: ms(50), retries: 1, then: Some(Then::Stop), ..Checks::DEFAULT },
    Checks {
        interval: ms(10),
        timeout: ms(400),
        retries: 2,
        start_period: Duration::from_secs(5),
        then: Some(Then::Restart),
    },
    Checks { interval: ms(70), timeout: ms(70), retries: 4, start_period: ms(900), then: None },
];

/// One main: what has happened to it.
#[derive(Default)]
struct Model {
    started: u64,
    ready: Option<u64>,
    /// When each check began, when it ended, and what it found.
    checks: Vec<(u64, u64, Finding)>,
    /// Since when one is under way.
    checking: Option<u64>,
    /// When the next one is to come whose place was taken.
    waits: Option<Time>,
    /// When we were told of it and had not run before, so that it began anew.
    put_off: Option<u64>,
    /// It is being stopped, for whatever reason, or does not run yet.
    is_over: bool,
}

impl Model {
    fn counts(&self, policy: &Checks, index: usize) -> bool {
        let (begun, ..) = self.checks[index];
        let is_started = self.checks[..index].iter().any(|(.., found)| *found == Finding::Good);
        is_started
            || ms(begun - self.started) >= policy.start_period
            || self.health_after(policy, index) == Health::Unhealthy
    }

    /// What is known after so many of the checks.
    fn health_after(&self, policy: &Checks, count: usize) -> Health {
        let bad = (0..count).rev().take_while(|index| self.checks[*index].2 == Finding::Bad);
        let bad = bad.filter(|index| self.counts(policy, *index)).count();
        match (bad >= policy.retries as usize, self.checks[..count].iter().any(|(.., found)| *found == Finding::Good)) {
            (true, _) => Health::Unhealthy,
            (false, true) => Health::Healthy,
            (false, false) => Health::Starting,
        }
    }

    fn health(&self, policy: &Checks) -> Health {
        self.health_after(policy, self.checks.len())
    }

    /// When the next one is to begin.
    fn next(&self, policy: &Checks) -> Option<Time> {
        let last = self.checks.last().map_or(self.ready, |(_, ended, _)| Some(*ended));
        let next = self.waits.or(last.map(|last| at(last).after(policy.interval)));
        next.filter(|_| !self.is_over && self.checking.is_none())
    }

    fn late(&self, policy: &Checks) -> Option<Time> {
        self.checking.map(|since| at(self.put_off.unwrap_or(since)).after(policy.timeout).after(PATIENCE))
    }

    /// A check has ended: what is ordered.
    fn judge(&mut self, policy: &Checks, now: u64, found: Finding) -> Vec<Order> {
        let before = self.health(policy);
        let since = self.checking.take().expect("one is under way");
        self.checks.push((since, now, found));
        let health = self.health(policy);
        let mut orders = Vec::new();
        if health != before {
            orders.push(Order::SayHealth(health));
            if let (Health::Unhealthy, Some(then)) = (health, policy.then) {
                orders.push(Order::Fail(Failure::Unhealthy(then)));
                self.is_over = true;
            }
        }
        orders
    }

    fn on(&mut self, policy: &Checks, now: u64, input: Input) -> Vec<Order> {
        match input {
            Input::Started => *self = Model { started: now, ..Model::default() },
            Input::Ready if self.ready.is_none() && !self.is_over => self.ready = Some(now),
            Input::Over => {
                self.is_over = true;
                return self.checking.take().map(|_| Order::Cut).into_iter().collect();
            }
            Input::Checked(finding) if self.checking.is_some() => {
                return self.judge(policy, now, finding);
            }
            Input::PutOff(until) if self.checking.take().is_some() => {
                self.waits = Some(until.min(at(now).after(policy.interval)));
            }
            Input::Due if self.next(policy).is_some_and(|next| at(now) >= next) => {
                self.waits = None;
                // What would be its number if it failed, where that counts and is news.
                self.checks.push((now, now, Finding::Bad));
                let index = self.checks.len() - 1;
                let tells = self.counts(policy, index) && self.health_after(policy, index) != Health::Unhealthy;
                self.checks.pop();
                let bad = (0..index).rev().take_while(|index| self.checks[*index].2 == Finding::Bad);
                let bad = bad.filter(|index| self.counts(policy, *index)).count();
                (self.checking, self.put_off) = (Some(now), None);
                let nth = tells.then(|| u32::try_from(bad + 1).expect("they are few"));
                return [Order::Probe(Probe::Health { nth })].into();
            }
            Input::Due
                if self.late(policy).is_some_and(|late| at(now) > late.after(SLACK)) && self.put_off.is_none() =>
            {
                self.put_off = Some(now);
            }
            Input::Due if self.late(policy).is_some_and(|late| at(now) >= late) => {
                let mut orders = self.judge(policy, now, Finding::Bad);
                orders.insert(0, Order::Cut);
                return orders;
            }
            _ => {}
        }
        Vec::new()
    }
}

#[test]
fn whatever_happens_checks_come_and_count_as_the_options_say() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut seen = [0; 5];
    for policy in POLICIES {
        for _ in 0..400 {
            let mut checking = Checking::new(policy);
            let mut model = Model { is_over: true, ..Model::default() };
            let (mut now, mut luck) = (dice.roll(10_000), dice.roll(100));
            for _ in 0..300 {
                let input = match dice.roll(40) {
                    0 if model.is_over && model.checking.is_none() => Input::Started,
                    1 if dice.roll(8) == 0 => Input::Over,
                    2 | 3 => Input::Ready,
                    4 | 5 => Input::PutOff(at(now + dice.roll(120))),
                    6..=20 => Input::Checked(if dice.roll(100) < luck { Finding::Good } else { Finding::Bad }),
                    21 => {
                        luck = dice.roll(100);
                        Input::Due
                    }
                    _ => Input::Due,
                };
                let wanted = model.on(&policy, now, input);
                let orders: Vec<Order> = checking.on(at(now), input).into_iter().collect();
                assert_eq!(orders, wanted, "{input:?} at {now} with {policy:?}");
                let wake = model.next(&policy).or(model.late(&policy));
                assert_eq!(checking.wake(), wake, "after {input:?} at {now} with {policy:?}");
                if !model.checks.is_empty() {
                    assert_eq!(checking.health(), model.health(&policy), "{policy:?}");
                }
                for order in orders {
                    seen[match order {
                        Order::Probe(_) => 0,
                        Order::Cut => 1,
                        Order::Fail(_) => 2,
                        Order::SayHealth(Health::Healthy) => 3,
                        Order::SayHealth(_) => 4,
                        Order::SayPhase(_) | Order::SayHanging => unreachable!("health does not say that"),
                    }] += 1;
                }
                // Often exactly when something is due.
                let due = wake.map_or(0, |wake| u64::try_from(wake.since(at(now)).as_millis()).expect("it is short"));
                now += match dice.roll(4) {
                    0 => due,
                    1 => due.saturating_sub(1),
                    // At the edge of what is late.
                    2 if due > 0 => due + 249 + dice.roll(4),
                    _ => dice.roll(60),
                };
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 200), "{seen:?}");
}

/// What was killed dies later, or hangs and never does, and whoever should look meanwhile does not begin.
#[test]
fn who_looks_waits_for_the_one_before_it_until_that_is_known_to_hang() {
    let looks_at_readiness = Terms { timeout: None, watchdog: None, by_message: false, by_tries: true };
    let checks = |interval| Checks { interval, retries: 1, then: None, ..Checks::DEFAULT };
    let often = (None, Some(checks(ms(7))), ms(7));
    let seldom = (None, Some(checks(ms(300))), ms(300));
    let tries = (Some(looks_at_readiness), Some(checks(ms(7))), Readiness::INTERVAL);
    for (terms, checks, interval) in [often, seldom, tries] {
        for (dies, hangs) in
            [(None, true), (Some(1), false), (Some(250), false), (Some(999), false), (Some(1100), true)]
        {
            let killed = at(10_000);
            let dies = dies.map(|time| killed.after(ms(time)));
            let mut care = Care::new(terms, checks);
            care.on(killed, Sight::Started);
            // The life before has left it.
            if terms.is_some() {
                assert!(care.on(killed, Sight::Occupied(killed)).is_empty());
            }
            let mut said = 0;
            let begun = (0..2000).find_map(|_| {
                let now = care.wake().expect("another look comes");
                assert!(care.on(now, Sight::Due).iter().any(|order| matches!(order, Order::Probe(_))));
                if dies.is_some_and(|dies| now >= dies) {
                    return Some(now);
                }
                let orders = care.on(now, Sight::Occupied(killed));
                assert_eq!(orders.contains(Order::SayHanging), now >= killed.after(DEATH), "{now:?}");
                assert!(!orders.iter().any(|order| matches!(order, Order::Probe(_))), "{orders:?}");
                said += u32::from(!orders.is_empty());
                assert_eq!(care.failures(), if terms.is_some() { 0 } else { said });
                assert!(care.wake() <= Some(now.after(interval)), "{:?}", care.wake());
                None
            });
            assert_eq!((begun.is_none(), said > 0), (dies.is_none(), hangs), "{dies:?}");
            if let (Some(begun), Some(dies)) = (begun, dies) {
                assert!(begun.since(dies) < interval, "{begun:?} {dies:?}");
            }
        }
    }
}

/// Three failures with docker's own times.
#[test]
fn three_failures_in_a_row_are_a_restart_and_a_success_in_between_is_none() {
    let mut care = Care::new(None, Some(Checks::DEFAULT));
    let failure = Order::Fail(Failure::Unhealthy(Then::Restart));
    let mut now = at(7);
    care.on(now, Sight::Started);
    let mut check = |care: &mut Care, finding| {
        now = care.wake().expect("a check comes");
        let orders: Vec<Order> = care.on(now, Sight::Due).into_iter().collect();
        assert!(matches!(orders[..], [Order::Probe(_)]), "{orders:?}");
        care.on(now, Sight::Probed(finding)).into_iter().collect::<Vec<Order>>()
    };
    for finding in [Finding::Bad, Finding::Bad, Finding::Good, Finding::Bad, Finding::Bad] {
        assert!(!check(&mut care, finding).contains(&failure));
    }
    assert_eq!(care.health(), Some(Health::Healthy));
    assert!(check(&mut care, Finding::Bad).contains(&failure));
    assert_eq!((care.health(), care.failures(), care.wake()), (Some(Health::Unhealthy), 3, None));
}

#[test]
fn where_nobody_looks_there_is_nothing_to_do() {
    let mut care = Care::new(None, None);
    for sight in [Sight::Started, Sight::Due, Sight::Probed(Finding::Bad), Sight::Over] {
        assert_eq!(care.on(at(1), sight).into_iter().count(), 0);
        assert_eq!((care.wake(), care.health()), (None, None));
    }
}

/// A command that says that it ends does its work no more, and that is no failure.
#[test]
fn who_says_that_it_stops_is_not_checked_any_more() {
    let terms = Terms { timeout: None, watchdog: None, by_message: true, by_tries: false };
    let mut care = Care::new(Some(terms), Some(Checks::DEFAULT));
    care.on(at(1), Sight::Started);
    care.on(at(2), Sight::Heard(Message::parse(b"READY=1")));
    assert_eq!(care.wake(), Some(at(2).after(Checks::DEFAULT.interval)));
    care.on(at(3), Sight::Heard(Message::parse(b"STOPPING=1")));
    assert_eq!(care.wake(), None);
}
