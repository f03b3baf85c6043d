//! Against a simpler model: a list of all that has happened, looked through from its beginning each time.

use core::time::Duration;
use std::vec::Vec;

use super::{Death, Life, Limit, Next, Restarting, Restarts, Successes, When};
use crate::core::dice::{Dice, at, ms};
use crate::core::exit::Status;
use crate::core::machine::{Failure, Then};
use crate::core::signal::Signal;

const POLICIES: [Restarting; 5] = [
    Restarting::new(When::OnRequest),
    Restarting::new(When::Always),
    Restarting::new(When::OnFailure),
    Restarting { limit: Some(Limit { most: 3, within: Duration::from_secs(10) }), ..Restarting::new(When::Always) },
    Restarting {
        delay: Duration::from_secs(1),
        longest_delay: Duration::from_secs(4),
        healthy_after: Duration::from_secs(2),
        limit: Some(Limit { most: Limit::MOST, within: Duration::from_secs(300) }),
        ..Restarting::new(When::OnFailure)
    },
];

const DEATHS: [Death; 11] = [
    Death::Asked,
    Death::Ended(Status::Exited(0)),
    Death::Ended(Status::Exited(1)),
    Death::Ended(Status::Exited(1)),
    Death::Ended(Status::Signaled(Signal::KILL)),
    Death::NotStarted,
    Death::Unprepared,
    Death::Failed(Failure::NotReady),
    Death::Failed(Failure::Watchdog),
    Death::Failed(Failure::Unhealthy(Then::Restart)),
    Death::Failed(Failure::Unhealthy(Then::Stop)),
];

/// What came before: when each restart began, and after how long a life.
#[derive(Default)]
struct Model {
    began: Vec<(u64, Option<u64>)>,
}

impl Model {
    /// Whether there is another life.
    fn is_wanted(&self, policy: &Restarting, death: Death) -> bool {
        match death {
            Death::Asked | Death::Failed(Failure::Unhealthy(Then::Stop)) => false,
            Death::Failed(Failure::Unhealthy(Then::Restart)) => true,
            _ if policy.when == When::OnRequest => false,
            Death::NotStarted => !self.began.is_empty(),
            Death::Ended(Status::Exited(0)) => policy.when == When::Always,
            Death::Ended(_) | Death::Unprepared | Death::Failed(_) => true,
        }
    }

    /// The shortest delay: doubled for each restart since the last life that was healthy.
    fn delay(&self, policy: &Restarting, lived: Option<u64>) -> Duration {
        let is_healthy = |lived: &Option<u64>| lived.is_some_and(|lived| ms(lived) >= policy.healthy_after);
        if is_healthy(&lived) {
            return policy.delay;
        }
        let since = self.began.iter().rev().take_while(|(_, lived)| !is_healthy(lived)).count();
        let healthy = usize::from(since < self.began.len());
        (0..since + healthy).fold(policy.delay, |delay, _| (delay * 2).min(policy.longest_delay))
    }
}

#[test]
fn whatever_happens_restarts_come_as_the_options_say() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let (mut again, mut given_up) = (0, 0);
    for policy in POLICIES {
        for _ in 0..500 {
            let (mut restarts, mut model, mut now) = (Restarts::new(policy), Model::default(), dice.roll(100_000));
            for _ in 0..200 {
                // Most are not asked for.
                let first = usize::from(dice.roll(20) != 0);
                let death = dice.one_of(&DEATHS[first..]);
                let lived = matches!(death, Death::Ended(_) | Death::Failed(_))
                    .then(|| dice.one_of(&[0, 5, 900, 3_000, 11_000]));
                let started = lived.map(|_| at(now));
                now += lived.unwrap_or(3);
                let next = restarts.ended(at(now), Life { started, death });
                if !model.is_wanted(&policy, death) {
                    assert_eq!(next, Next::Stay, "1: {death:?}");
                    break;
                }
                let shortest = model.delay(&policy, lived);
                let Next::Again(delay) = next else {
                    let limit = policy.limit.expect("nothing else gives up");
                    assert_eq!(next, Next::GiveUp(limit));
                    // With the longest delay it would have been too early all the same.
                    let earliest = at(now).after(shortest);
                    let nth = model.began.len() - usize::from(limit.most);
                    assert!(earliest.since(at(model.began[nth].0)) < limit.within, "2: {policy:?}");
                    given_up += 1;
                    break;
                };
                assert!(delay >= shortest && delay <= shortest + shortest / 4, "3: {delay:?} {shortest:?}");
                now += u64::try_from(delay.as_millis()).expect("it is short");
                model.began.push((now, lived));
                assert_eq!(restarts.count() as usize, model.began.len());
                if let Some(limit) = policy.limit {
                    // Rounded to milliseconds.
                    let within = model.began.iter().filter(|(began, _)| ms(now - began) + ms(1) < limit.within).count();
                    assert!(within <= usize::from(limit.most), "2: {within} in {policy:?}");
                }
                again += 1;
            }
        }
    }
    assert!(again > 8_000 && given_up > 200, "{again} restarts, {given_up} limits reached");
}

#[test]
fn what_was_started_once_is_tried_again_however_all_begins_anew() {
    for (started, is_tried) in [(None, false), (Some(at(0)), true)] {
        let mut restarts = Restarts::new(Restarting::new(When::Always));
        restarts.forget(Life { started, death: Death::Asked });
        restarts.forget(Life { started: None, death: Death::Asked });
        let next = restarts.ended(at(1), Life { started: None, death: Death::NotStarted });
        assert_eq!(matches!(next, Next::Again(_)), is_tried, "{started:?} {next:?}");
    }
}

#[test]
fn a_limit_is_in_reach_of_lives_that_end_at_once_or_is_not() {
    let limited = |most, within| Restarting { limit: Some(Limit { most, within }), ..POLICIES[1] };
    for (most, shortest) in [(1, 200), (2, 600), (3, 1_400), (10, 162_200), (11, 222_200)] {
        for (within, is_in_reach) in [(ms(shortest), false), (ms(shortest * 2), true)] {
            let policy = limited(most, within);
            assert_eq!(policy.shortest_to_limit(), Some(ms(shortest)));
            let (mut restarts, mut now) = (Restarts::new(policy), at(0));
            let mut lives = core::iter::from_fn(|| {
                let life = Life { started: Some(now), death: Death::Ended(Status::Exited(1)) };
                let Next::Again(delay) = restarts.ended(now, life) else { return None };
                now = now.after(delay);
                Some(())
            });
            assert_eq!(lives.by_ref().take(usize::from(most) + 1).count() == usize::from(most), is_in_reach);
        }
    }
    assert_eq!(POLICIES[1].shortest_to_limit(), None);
}

#[test]
fn three_restarts_in_ten_seconds_are_four_runs() {
    let limit = Limit { most: 3, within: Duration::from_secs(10) };
    let mut restarts = Restarts::new(Restarting { limit: Some(limit), ..Restarting::new(When::OnFailure) });
    let life = |now| Life { started: Some(at(now)), death: Death::Ended(Status::Exited(1)) };
    for run in 1..=3 {
        assert!(matches!(restarts.ended(at(run * 500), life(run * 500)), Next::Again(_)), "{run}");
    }
    assert_eq!(restarts.ended(at(2000), life(2000)), Next::GiveUp(limit));
}

#[test]
fn no_delay_stays_none() {
    let mut restarts = Restarts::new(Restarting { delay: Duration::ZERO, ..Restarting::new(When::Always) });
    for run in 0..100_000 {
        let life = Life { started: Some(at(run)), death: Death::Ended(Status::Exited(0)) };
        assert_eq!(restarts.ended(at(run), life), Next::Again(Duration::ZERO));
    }
    assert_eq!(restarts.count(), 100_000);
}

#[test]
fn a_code_and_a_death_by_its_signal_are_two_things() {
    let mut successes = Successes::ZERO;
    successes.add_code(143);
    successes.add_signal(Signal::INT);
    for status in [Status::Exited(0), Status::Exited(143), Status::Signaled(Signal::INT)] {
        assert!(successes.has(status), "{status:?}");
    }
    for status in [Status::Exited(1), Status::Exited(130), Status::Exited(255), Status::Signaled(Signal::TERM)] {
        assert!(!successes.has(status), "{status:?}");
    }
}
