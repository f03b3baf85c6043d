//! What is remembered of a life when it is over.

use super::options::{Options, S, USR1, at};
use super::promises::Run;
use crate::core::request::{Ask, Request, Way, Wish};
use crate::core::single::MAIN;
use crate::core::{
    Action, Child, Death, Event, Failure, Heard, Left, Life, OnReboot, Outcome, Received, Sender, Signal, StartError,
    Status, Step, Then,
};

#[test]
fn a_life_tells_whether_its_end_was_asked_for() {
    let key = Event::Signalled(Received { signal: Signal::INT, sender: Sender::Kernel });
    let by_key = [Status::Signaled(Signal::INT), Status::Exited(130)];
    for status in [Status::Exited(0), Status::Exited(1), Status::Signaled(Signal::KILL)].into_iter().chain(by_key) {
        let life = |before: fn(&mut Run)| {
            let mut run = Run::new(Options { max_time: Some(60 * S), ..Options::NONE });
            before(&mut run);
            run.ended(70 * S, status);
            run.life()
        };
        assert_eq!(life(|_| ()), Life { started: Some(at(0)), death: Death::Ended(status) });
        assert_eq!(life(|run| drop(run.signal(S, USR1))).death, Death::Ended(status));
        assert_eq!(life(|run| drop(run.stop(S))).death, Death::Asked);
        assert_eq!(life(|run| drop(run.on(60 * S, Event::Deadline))).death, Death::Asked);
        let poweroff = Event::Asked(Ask::End(Request::orderly(Wish::Poweroff)), Way::Control);
        let mut run = Run::new(Options::NONE);
        run.on(S, poweroff);
        assert_eq!(run.life().death, Death::Asked);
        let died_of_it = by_key.contains(&status);
        let by = |event: Event, ended: u64| {
            let mut run = Run::new(Options::NONE);
            run.on(S, event);
            run.ended(ended, status);
            run.life().death == Death::Asked
        };
        // However it says so, it has ended by a key that was pressed just before; and after a while only if it says so.
        let sent = Event::Signalled(Received { signal: Signal::INT, sender: Sender::Outside });
        assert!(by(key, 2 * S) && by(Event::Pressed(Signal::INT), S), "{status:?}");
        assert_eq!([by(key, 12 * S), by(sent, 2 * S)], [died_of_it; 2], "{status:?}");
    }
}

#[test]
fn a_life_tells_why_there_was_none() {
    let why = StartError { step: Step::Exec, errno: 2 };
    let mut run = Run::new(Options::NONE);
    run.on(0, Event::NotStarted(MAIN, why));
    assert_eq!(run.life(), Life { started: None, death: Death::NotStarted });
    let mut run = Run::new(Options { before: &[None], ..Options::NONE });
    run.on(0, Event::Ended(Child(1), Status::Exited(3)));
    assert_eq!(run.life(), Life { started: None, death: Death::Unprepared });
}

#[test]
fn what_is_wished_for_takes_the_place_of_a_failure() {
    let failed = |asks: Option<Wish>| {
        let mut run = Run::new(Options { may_restart: true, ..Options::NONE });
        run.on(S, Event::Failed(Failure::Unhealthy(Then::Stop)));
        if let Some(wish) = asks {
            run.on(2 * S, Event::Asked(Ask::End(Request::orderly(wish)), Way::Control));
        }
        run.ended(3 * S, Status::Signaled(Signal::TERM));
        let actions = run.on(3 * S, Event::Reaped(Left::None));
        (actions, run.life().death)
    };
    let ends = |actions: &[Action], outcome| actions.contains(&Action::Exit(outcome));
    let (actions, death) = failed(None);
    assert_eq!(death, Death::Failed(Failure::Unhealthy(Then::Stop)));
    assert!(!ends(&actions, Outcome::Code(0)), "{actions:?}");
    // It ended as it was told: nothing is to bring it back.
    let (actions, death) = failed(Some(Wish::Poweroff));
    assert_eq!(death, Death::Asked);
    assert!(ends(&actions, Outcome::Code(0)), "{actions:?}");
    let (actions, _) = failed(Some(Wish::Reboot));
    // As that option says.
    assert!(ends(&actions, Outcome::Code(129)), "{actions:?}");
}

#[test]
fn who_asks_for_what_comes_of_the_stop_that_is_under_way_is_not_refused() {
    let restart = Ask::End(Request::orderly(Wish::Restart));
    let asks = |run: &mut Run, time| run.on(time, Event::Asked(restart, Way::Control));
    let ends = |mut run: Run| {
        run.ended(4 * S, Status::Signaled(Signal::TERM));
        run.on(4 * S, Event::Reaped(Left::None))
    };
    // A failure has begun it.
    for failure in [Failure::Unhealthy(Then::Stop), Failure::NotReady, Failure::Watchdog] {
        let mut run = Run::new(Options::NONE);
        run.on(S, Event::Failed(failure));
        assert_eq!(asks(&mut run, 2 * S), [Action::Answer(restart, Heard::Begun)], "{failure:?}");
        assert_eq!(asks(&mut run, 3 * S), [Action::Answer(restart, Heard::Begun)], "{failure:?}");
        assert_eq!(ends(run), [Action::Exit(Outcome::Again)], "{failure:?}");
    }
    // Somebody has, and it ends all.
    let mut run = Run::new(Options::NONE);
    run.on(S, Event::Failed(Failure::NotReady));
    run.stop(2 * S);
    assert_eq!(asks(&mut run, 3 * S), [Action::Answer(restart, Heard::UnderWay)]);
    assert!(!ends(run).contains(&Action::Exit(Outcome::Again)));
}

#[test]
fn a_new_beginning_that_comes_too_late_is_not_the_end() {
    for wish in [Wish::Restart, Wish::Reboot] {
        let mut run = Run::new(Options::NONE);
        run.on(S, Event::Ended(MAIN, Status::Exited(3)));
        run.on(S, Event::Reaped(Left::Some));
        run.on(2 * S, Event::Asked(Ask::End(Request::orderly(wish)), Way::Control));
        assert_eq!(run.life().death, Death::Ended(Status::Exited(3)));
    }
}

#[test]
fn whether_another_life_may_follow_is_known_at_any_time() {
    let asked = |wish| Event::Asked(Ask::End(Request::orderly(wish)), Way::Control);
    let stop = Event::Signalled(Received { signal: Signal::TERM, sender: Sender::Outside });
    let unhealthy = |then| Event::Failed(Failure::Unhealthy(then));
    for (may_restart, on_reboot, event, is_last) in [
        (false, OnReboot::Exit, None, true),
        (true, OnReboot::Exit, None, false),
        (true, OnReboot::Exit, Some(stop), true),
        (false, OnReboot::Exit, Some(asked(Wish::Restart)), false),
        (false, OnReboot::Restart, Some(asked(Wish::Reboot)), false),
        (true, OnReboot::Exit, Some(asked(Wish::Reboot)), true),
        (true, OnReboot::System, Some(asked(Wish::Reboot)), true),
        (true, OnReboot::Restart, Some(asked(Wish::Poweroff)), true),
        (false, OnReboot::Exit, Some(unhealthy(Then::Restart)), false),
        (true, OnReboot::Exit, Some(unhealthy(Then::Stop)), true),
        (true, OnReboot::Exit, Some(Event::Failed(Failure::Watchdog)), false),
        (false, OnReboot::Exit, Some(Event::Failed(Failure::NotReady)), true),
    ] {
        let mut run = Run::new(Options { may_restart, on_reboot, ..Options::NONE });
        if let Some(event) = event {
            run.on(S, event);
        }
        assert_eq!(run.is_last_life(), is_last, "{may_restart} {on_reboot:?} {event:?}");
        // Its end changes nothing of that.
        run.ended(2 * S, Status::Exited(1));
        assert_eq!(run.is_last_life(), is_last, "{may_restart} {on_reboot:?} {event:?}");
    }
}
