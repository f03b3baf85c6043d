//! What is promised of hooks, one sentence each.

use std::vec::Vec;

use super::options::{Options, S, USR1};
use super::promises::{Run, orders, rungs, tell, told};
use super::worlds::{KILL, PROCESS};
use crate::core::single::MAIN;
use crate::core::{Action, Child, Event, Fault, Left, Leftovers, Outcome, Rung, Scope, Signal, Status};

const FIRST: Child = Child(1);
const SECOND: Child = Child(2);
const TWO: Options = Options { before: &[None, None], ..Options::NONE };
const TERM: Status = Status::Signaled(Signal::TERM);

fn succeeds(run: &mut Run, time: u64, hook: Child) -> Vec<Action> {
    run.on(time, Event::Ended(hook, Status::Exited(0)))
}

/// The round in which the last of them ended leaves nothing.
fn exit(run: &mut Run, time: u64) -> Vec<Action> {
    run.on(time, Event::Reaped(Left::None))
}

fn exits_with(code: u8) -> [Action; 1] {
    [Action::Exit(Outcome::Code(code))]
}

fn timed_out(seconds: u32) -> Fault {
    Fault::TimedOut(seconds * 1000)
}

/// With a hook before a stop, that began at 0.
fn stopping(options: Options) -> Run {
    let mut run = Run::new(Options { pre_stop: Some(5 * S), ..options });
    assert_eq!(orders(run.stop(0)), [Action::Climb(Rung::PreStop), Action::Spawn(FIRST)]);
    run
}

#[test]
fn main_is_started_behind_the_last_hook_that_succeeds() {
    let mut run = Run::new(TWO);
    assert_eq!(succeeds(&mut run, S, FIRST), [Action::Spawn(SECOND)]);
    assert_eq!(succeeds(&mut run, 2 * S, SECOND), [Action::Spawn(MAIN)]);
}

#[test]
fn a_hook_that_fails_is_how_we_end_and_no_map_is_asked() {
    for (status, outcome) in [
        (Status::Exited(7), Outcome::Code(7)),
        (TERM, Outcome::Signal(Signal::TERM)),
        (Status::Exited(255), Outcome::Code(255)),
    ] {
        let mut run = Run::new(TWO);
        assert_eq!(run.on(S, Event::Ended(FIRST, status)), [Action::Blame(FIRST, Fault::Ended(status))]);
        assert_eq!(exit(&mut run, S), [Action::Exit(outcome)]);
    }
}

#[test]
fn what_a_failed_hook_has_left_behind_is_told_and_waited_for() {
    let mut run = Run::new(TWO);
    run.on(S, Event::Ended(FIRST, Status::Exited(3)));
    assert!(run.on(S, Event::Reaped(Left::Some)).contains(&Action::TellRest(Scope::Tree)));
    assert_eq!(exit(&mut run, 2 * S), exits_with(3));
}

#[test]
fn a_hook_that_takes_too_long_is_killed_and_we_end_with_124() {
    for status in [Status::Signaled(Signal::KILL), Status::Exited(0)] {
        let mut run = Run::new(Options { before: &[Some(3 * S)], ..Options::NONE });
        let killed = [Action::Blame(FIRST, timed_out(3)), Action::KillTree(FIRST)];
        assert_eq!(run.armed, Some(3 * S));
        assert_eq!(orders(run.on(3 * S, Event::Deadline)), killed);
        // It does not matter that it came to its end in the same moment.
        assert_eq!(run.on(3 * S, Event::Ended(FIRST, status)), []);
        assert_eq!(exit(&mut run, 3 * S), exits_with(124));
    }
}

#[test]
fn each_hook_has_its_own_limit_and_main_has_none_of_them() {
    let mut run = Run::new(Options { before: &[Some(3 * S), None], ..Options::NONE });
    succeeds(&mut run, S, FIRST);
    assert_eq!(run.on(3 * S, Event::Deadline), []);
    succeeds(&mut run, 4 * S, SECOND);
    assert_eq!(run.on(4 * S, Event::Deadline), []);
}

#[test]
fn after_a_stop_during_a_hook_nothing_is_started_even_if_it_succeeds() {
    for (status, outcome) in [(Status::Exited(0), Outcome::Code(0)), (TERM, Outcome::Signal(Signal::TERM))] {
        let mut run = Run::new(TWO);
        let expected = [
            Action::Climb(Rung::PreStart),
            Action::Blame(FIRST, Fault::StopAsked),
            Action::Signal(FIRST, Signal::TERM),
            Action::Signal(FIRST, Signal::CONT),
        ];
        assert_eq!(run.stop(S), expected);
        assert_eq!(run.on(2 * S, Event::Ended(FIRST, status)), []);
        assert_eq!(exit(&mut run, 2 * S), [Action::Exit(outcome)]);
    }
}

#[test]
fn a_stop_kills_a_hook_only_where_it_would_kill_main() {
    let armed = |options| {
        let mut run = Run::new(options);
        run.stop(S);
        run.armed
    };
    assert_eq!(armed(TWO), None);
    assert_eq!(armed(Options { grace: Some(4 * S), ..TWO }), Some(5 * S));
    assert_eq!(armed(Options { rungs: KILL, ..TWO }), Some(S));
    assert_eq!(armed(Options { before: &[Some(3 * S)], grace: Some(4 * S), ..TWO }), Some(3 * S));
}

#[test]
fn two_keys_in_a_row_kill_the_hook_that_is_in_the_way_of_a_stop() {
    let mut run = Run::new(TWO);
    assert_eq!(run.key(0, PROCESS), [Action::Signal(FIRST, Signal::INT)]);
    assert_eq!(run.key(S, PROCESS), [Action::Signal(FIRST, Signal::INT)]);
    run.stop(S);
    assert_eq!(orders(run.key(2 * S, PROCESS)), [Action::Climb(Rung::Kill), Action::KillTree(FIRST)]);
}

#[test]
fn the_longest_time_counts_from_the_start_of_main() {
    let mut run = Run::new(Options { max_time: Some(60 * S), ..TWO });
    succeeds(&mut run, 100 * S, FIRST);
    succeeds(&mut run, 200 * S, SECOND);
    assert_eq!(rungs(&run.wait())[0], (260 * S, Rung::Signal(Signal::TERM)));
}

#[test]
fn a_stop_runs_its_hook_then_the_delay_then_main_is_told() {
    let mut run = stopping(Options { delay: 2 * S, ..Options::NONE });
    assert_eq!(run.signal(S, USR1), [Action::Signal(MAIN, USR1)]);
    assert_eq!(orders(succeeds(&mut run, 3 * S, FIRST)), [Action::Climb(Rung::Delay)]);
    assert_eq!(run.armed, Some(5 * S));
    assert_eq!(orders(run.on(5 * S, Event::Deadline)), told(Signal::TERM));
}

#[test]
fn a_hook_that_fails_or_takes_too_long_holds_no_stop_up() {
    let mut run = stopping(Options::NONE);
    let ended = Event::Ended(FIRST, Status::Exited(1));
    let blamed = [Action::Blame(FIRST, Fault::Ended(Status::Exited(1)))];
    assert_eq!(orders(run.on(S, ended)), [&blamed[..], &told(Signal::TERM)].concat());

    let mut run = stopping(Options::NONE);
    assert_eq!(run.armed, Some(5 * S));
    let killed = [Action::Blame(FIRST, timed_out(5)), Action::KillTree(FIRST)];
    assert_eq!(orders(run.on(5 * S, Event::Deadline)), [&killed[..], &told(Signal::TERM)].concat());
    // Nobody waits for it to die.
    assert_eq!(run.on(5 * S, Event::Ended(FIRST, Status::Signaled(Signal::KILL))), []);
}

#[test]
fn a_second_request_goes_on_and_leaves_the_hook_alone() {
    let mut run = stopping(Options::NONE);
    assert_eq!(orders(run.stop(S)), told(Signal::TERM));
    assert_eq!(run.stop(2 * S), [tell(Signal::TERM)]);
    assert_eq!(succeeds(&mut run, 3 * S, FIRST), []);
}

#[test]
fn a_hook_that_outlives_main_is_one_of_the_leftovers() {
    let mut run = stopping(Options::NONE);
    assert!(run.left_behind(S).contains(&Action::TellRest(Scope::Tree)));
    let mut run = stopping(Options { leftovers: Leftovers::Leave, ..Options::NONE });
    assert_eq!(run.left_behind(S), exits_with(0));
}

#[test]
fn the_grace_counts_from_the_request_and_not_from_the_hook() {
    let mut run = stopping(Options { grace: Some(8 * S), ..Options::NONE });
    succeeds(&mut run, 4 * S, FIRST);
    assert_eq!(rungs(&run.wait())[0], (8 * S, Rung::Kill));
}

#[test]
fn no_stop_no_hook() {
    let mut run = Run::new(Options { pre_stop: Some(5 * S), ..Options::NONE });
    assert_eq!(run.ended(S, Status::Exited(1)), []);
    assert_eq!(exit(&mut run, S), exits_with(1));
    // And the longest time asks for one.
    let mut run = Run::new(Options { pre_stop: Some(5 * S), max_time: Some(60 * S), ..Options::NONE });
    assert_eq!(orders(run.on(60 * S, Event::Deadline)), [Action::Climb(Rung::PreStop), Action::Spawn(FIRST)]);
}
