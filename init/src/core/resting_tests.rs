//! Every event that can come while nothing runs.

use core::time::Duration;
use std::boxed::Box;
use std::vec::Vec;

use super::{MAIN, Resting};
use crate::core::request::{Ask, Haste, Manager, Program, Request, Standing, Way, Wish};
use crate::core::{
    Action, Event, ExitMap, Forwarding, Group, Heard, Hurry, JobControl, Ladder, Left, Machine, Note, OnReboot,
    OnSignalDeath, Outcome, Pause, Policy, Received, Rung, Scope, Sender, Signal, Time,
};

const LAST: Outcome = Outcome::Code(7);
const UNTIL: Time = Time::from_start(Duration::from_secs(10));
const BEFORE: Time = Time::from_start(Duration::from_secs(3));

fn resting(scope: Scope, on_reboot: OnReboot) -> Resting<'static> {
    let policy = Policy {
        before: &[],
        forwarding: Box::leak(Box::new(Forwarding::DEFAULT)),
        exit_map: Box::leak(Box::new(ExitMap::NONE)),
        group: Group::Own,
        job_control: JobControl::Nobody,
        scope,
        may_restart: true,
        ladder: Box::leak(Box::new(Ladder::DEFAULT)),
        on_signal_death: OnSignalDeath::Code,
        hurry: Hurry::All,
        parting: None,
        requests: Some(Manager::Other),
        on_reboot,
    };
    Resting::new(policy, UNTIL, LAST)
}

fn on(machine: &mut Resting, now: Time, event: Event) -> Vec<Action> {
    machine.on(now, event).into_iter().collect()
}

fn signalled(signal: Signal, sender: Sender) -> Event {
    Event::Signalled(Received { signal, sender })
}

#[test]
fn a_rest_ends_when_its_time_is_over_and_not_before() {
    let mut machine = resting(Scope::Tree, OnReboot::Restart);
    assert_eq!(on(&mut machine, BEFORE, Event::Begin), [Action::Arm(UNTIL)]);
    assert_eq!(on(&mut machine, BEFORE, Event::Deadline), []);
    assert_eq!(on(&mut machine, BEFORE, Event::Reaped(Left::None)), []);
    assert_eq!(machine.standing(), Standing::Restarting);
    assert!(!machine.is_over());
    assert_eq!(on(&mut machine, UNTIL, Event::Deadline), [Action::Exit(Outcome::Again)]);
    assert!(machine.is_over());
}

#[test]
fn a_stop_or_a_key_ends_all_as_the_last_life_did() {
    let program = Program::Other;
    let senders = [Sender::Kernel, Sender::Outside, Sender::Process { pid: 5, uid: 0, program }];
    for sender in senders {
        for signal in [Signal::TERM, Signal::INT] {
            let mut machine = resting(Scope::Namespace, OnReboot::Restart);
            let rest = Action::TellRest(Scope::Namespace);
            let told = [Action::Climb(Rung::Leftovers), rest, Action::Exit(LAST)];
            assert_eq!(on(&mut machine, BEFORE, signalled(signal, sender)), told, "{signal} {sender}");
            assert!(!machine.is_over());
            assert_eq!(machine.standing(), Standing::Stopping);
            assert_eq!(on(&mut machine, UNTIL, Event::Deadline), []);
        }
    }
    let mut machine = resting(Scope::Tree, OnReboot::Restart);
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::QUIT, Sender::Outside)), dropped(Signal::QUIT));
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::QUIT, Sender::Kernel)), [Action::Exit(LAST)]);
    for sender in senders {
        let mut machine = resting(Scope::Tree, OnReboot::Restart);
        assert_eq!(on(&mut machine, BEFORE, signalled(Signal::HUP, sender)), [Action::Exit(LAST)]);
        // Somebody may mean a process 1 so; but not a terminal.
        let mut machine = resting(Scope::Namespace, OnReboot::Restart);
        let said = on(&mut machine, BEFORE, signalled(Signal::HUP, sender));
        assert_eq!(said == dropped(Signal::HUP), sender != Sender::Kernel, "{sender}");
    }
}

#[test]
fn a_key_that_the_command_would_ignore_ends_nothing() {
    for signal in [Signal::INT, Signal::QUIT, Signal::HUP, Signal::TSTP] {
        let mut machine = resting(Scope::Tree, OnReboot::Restart).ignoring(signal).ignoring(Signal::USR1);
        machine.policy.job_control = JobControl::Caller;
        let ignored = [Action::Drop(signal, Note::Ignored)];
        assert_eq!(on(&mut machine, BEFORE, signalled(signal, Sender::Kernel)), ignored);
        assert_eq!(machine.standing(), Standing::Restarting);
        let other = if signal == Signal::INT { Signal::QUIT } else { Signal::INT };
        assert_eq!(on(&mut machine, BEFORE, signalled(other, Sender::Kernel)), [Action::Exit(LAST)]);
    }
    // A stop is for us.
    let mut machine = resting(Scope::Tree, OnReboot::Restart).ignoring(Signal::TERM);
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::TERM, Sender::Kernel)), [Action::Exit(LAST)]);
}

fn dropped(signal: Signal) -> [Action; 1] {
    [Action::Drop(signal, Note::NoMain)]
}

#[test]
fn other_signals_go_nowhere() {
    for signal in Signal::all() {
        let mut machine = resting(Scope::Namespace, OnReboot::Restart);
        let actions = on(&mut machine, BEFORE, signalled(signal, Sender::Outside));
        let asks = matches!(signal.number(), 37..=41 | 47..=51 | 30) || matches!(signal, Signal::TERM | Signal::INT);
        if !asks && signal != Signal::CHLD {
            assert_eq!(actions, dropped(signal), "{signal}");
        }
    }
}

#[test]
fn the_key_of_a_shell_above_us_stops_us_and_the_rest_goes_on() {
    let mut machine = resting(Scope::Tree, OnReboot::Restart);
    machine.policy.job_control = JobControl::Caller;
    let stop = Action::StopOurselves(MAIN, Signal::TSTP);
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::TSTP, Sender::Kernel)), [stop]);
    assert_eq!(on(&mut machine, BEFORE, Event::Resumed(MAIN, Signal::TSTP, Pause::Alone)), []);
    assert_eq!(machine.standing(), Standing::Restarting);
    // Where there is no terminal nobody would continue us.
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::TSTP, Sender::Outside)), dropped(Signal::TSTP));
    assert_eq!(on(&mut machine, UNTIL, Event::Deadline), [Action::Exit(Outcome::Again)]);
    let mut machine = resting(Scope::Tree, OnReboot::Restart);
    assert_eq!(on(&mut machine, BEFORE, signalled(Signal::TSTP, Sender::Kernel)), dropped(Signal::TSTP));
}

#[test]
fn what_somebody_inside_asks_for_is_done_at_once() {
    let cases = [
        (Wish::Poweroff, OnReboot::Restart, Outcome::Code(0)),
        (Wish::Halt, OnReboot::Restart, Outcome::Code(0)),
        (Wish::Exit(9), OnReboot::Restart, Outcome::Code(9)),
        (Wish::Reboot, OnReboot::Restart, Outcome::Again),
        (Wish::Reboot, OnReboot::Exit, Outcome::Code(129)),
        (Wish::Reboot, OnReboot::System, Outcome::Reboot),
    ];
    for (wish, on_reboot, outcome) in
        cases.into_iter().chain([(Wish::Stop, OnReboot::Exit, LAST), (Wish::Restart, OnReboot::Exit, Outcome::Again)])
    {
        for haste in [Haste::Orderly, Haste::Immediate] {
            let ask = Ask::End(Request { wish, haste });
            let mut machine = resting(Scope::Tree, on_reboot);
            let actions = on(&mut machine, BEFORE, Event::Asked(ask, Way::Control));
            assert_eq!(actions, [Action::Answer(ask, Heard::Begun), Action::Exit(outcome)]);
            assert!(!machine.is_over(), "a reboot is no restart");
        }
    }
    // Whoever asks for a restart is not told to end by it.
    for (wish, is_told) in [(Wish::Restart, false), (Wish::Stop, true), (Wish::Reboot, true)] {
        let ask = Ask::End(Request::orderly(wish));
        let mut machine = resting(Scope::Namespace, OnReboot::Restart);
        let actions = on(&mut machine, BEFORE, Event::Asked(ask, Way::Control));
        assert_eq!(actions.contains(&Action::TellRest(Scope::Namespace)), is_told, "{wish}");
    }
    let mut machine = resting(Scope::Tree, OnReboot::Restart);
    let ignored = [Action::Answer(Ask::Reload, Heard::Ignored)];
    assert_eq!(on(&mut machine, BEFORE, Event::Asked(Ask::Reload, Way::Initctl)), ignored);
}
