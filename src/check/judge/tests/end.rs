//! The end of the command itself.

use supervise_init::core::{Signal, Status};

use super::super::super::finding::{Check, Finding, Level};
use super::super::super::made_up::*;
use super::super::super::record::{EndedBy, Event, Outcome, Process, Run, State, What};
use super::super::super::scenario::{Mode, OkExit, Order, Orphan, Way};

fn app(mode: Mode, after: u64, status: Status) -> Run {
    run(mode, vec![process("app").catches(Signal::TERM).ends(after, status)])
}

fn one(run: Run, check: Check) -> Finding {
    word(&order(), vec![run], check)
}

#[test]
fn half_of_the_time_is_warned_of_and_more_than_all_fails() {
    for (after, level) in
        [(5, Level::Pass), (5_000, Level::Pass), (5_001, Level::Warn), (10_000, Level::Warn), (10_001, Level::Fail)]
    {
        assert_eq!(one(app(Mode::Child, after, Status::Exited(0)), Check::ExitsInGrace).level, level, "{after}");
    }
}

#[test]
fn a_run_that_was_not_told_is_inconclusive_and_says_why() {
    let cases = [
        (Outcome::EndedBefore(Status::Exited(3)), "ended with exit code 3 before it was told"),
        (Outcome::EndedBefore(Status::Signaled(Signal::TERM)), "was ended by SIGTERM before"),
        (Outcome::NeverReady(String::new()), "not ready within 30.000 s"),
        (Outcome::NotStarted { code: 127, why: "no such program".to_owned() }, "not started: no such program"),
        (Outcome::NotPossible("no user namespaces".to_owned()), "as process 1 here: no user namespaces"),
    ];
    for (outcome, cause) in cases {
        let found = one(not_told(Mode::Pid1, outcome), Check::ExitsInGrace);
        assert_eq!(found.level, Level::Inconclusive);
        assert!(found.cause.contains(cause), "{found:?}");
    }
    let mut with_orphan = not_told(Mode::Pid1, Outcome::EndedBefore(Status::Exited(0)));
    with_orphan.events.push(Event { at: milliseconds(600), what: What::PutIn });
    let found = one(with_orphan, Check::ExitsInGrace);
    assert!(found.cause.ends_with("after an orphan was put in, as a health check leaves one"), "{found:?}");
    // One that did end in time does not make up for it; one that did not is worse.
    let good = app(Mode::Pid1, 5, Status::Exited(0));
    let never = not_told(Mode::Pid1, Outcome::NeverReady(String::new()));
    assert_eq!(word(&order(), vec![good, never.clone()], Check::ExitsInGrace).level, Level::Inconclusive);
    let bad = run(Mode::Pid1, vec![process("app").stays()]);
    assert_eq!(word(&order(), vec![never, bad], Check::ExitsInGrace).level, Level::Fail);
}

#[test]
fn an_orphan_that_was_put_in_is_told_where_it_may_be_the_reason() {
    let hangs = |orphan: bool, main: Process| {
        let mut run = run(Mode::Pid1, vec![main]);
        let put_in = Event { at: milliseconds(600), what: What::PutIn };
        run.events.extend(orphan.then_some(put_in));
        run
    };
    let busy = || process("script -c app").catches(Signal::TERM).stays();
    let child = || app(Mode::Child, 20, Status::Exited(0));
    let told = |runs: Vec<Run>| {
        let of = |check| word(&order(), runs.clone(), check);
        (of(Check::ExitsInGrace), of(Check::ModeDifference))
    };
    let (first, third) = told(vec![hangs(true, busy()), child()]);
    assert!(
        first.cause.contains("it was given an orphan before") && first.cure.contains("supervise -- COMMAND"),
        "{first:?}"
    );
    assert!(third.cause.contains("or is not given an orphan"), "{third:?}");
    // Without one, with a reason that leaves no room for it, and where it does not end as a child either.
    let untold = [
        vec![hangs(false, busy()), child()],
        vec![hangs(true, process("app").stays()), child()],
        vec![hangs(true, busy()), run(Mode::Child, vec![busy()])],
    ];
    for runs in untold {
        let (first, third) = told(runs);
        assert!(!first.cause.contains("orphan") && !third.cause.contains("orphan"), "{first:?} {third:?}");
    }
}

#[test]
fn exit_code_143_and_death_by_sigterm_are_two_things() {
    let code = one(app(Mode::Child, 5, Status::Exited(143)), Check::Status);
    let death = one(app(Mode::Child, 5, DIED_OF_TERM), Check::Status);
    assert_eq!((code.level, death.level), (Level::Warn, Level::Warn));
    assert!(code.evidence[0].contains("exit code 143") && code.cause.contains("128 + SIGTERM"), "{code:?}");
    assert!(death.evidence[0].contains("death by SIGTERM") && !death.evidence[0].contains("143"), "{death:?}");
    let with = |ok| Order { ok_exit: vec![ok], ..order() };
    let levels = |ok| {
        let order = with(ok);
        [Status::Exited(143), DIED_OF_TERM]
            .map(|status| word(&order, vec![app(Mode::Child, 5, status)], Check::Status).level)
    };
    assert_eq!(levels(OkExit::Code(143)), [Level::Pass, Level::Warn]);
    assert_eq!(levels(OkExit::Signal(Signal::TERM)), [Level::Warn, Level::Pass]);
}

#[test]
fn a_death_by_default_is_told_from_one_by_a_handler() {
    let by_default = one(run(Mode::Child, vec![process("sleep 100").ends(1, DIED_OF_TERM)]), Check::Status);
    assert!(by_default.cause.contains("no handler for SIGTERM"), "{by_default:?}");
    let raised = one(app(Mode::Child, 5, DIED_OF_TERM), Check::Status);
    assert!(raised.cause.contains("raised it again"), "{raised:?}");
}

#[test]
fn other_codes_and_crashes_fail() {
    assert_eq!(one(app(Mode::Child, 5, Status::Exited(0)), Check::Status).level, Level::Pass);
    let failed = one(app(Mode::Child, 5, Status::Exited(2)), Check::Status);
    assert!(failed.level == Level::Fail && failed.cure.contains("--ok-exit 2"), "{failed:?}");
    let order = Order { ok_exit: vec![OkExit::Code(2)], ..order() };
    assert_eq!(word(&order, vec![app(Mode::Child, 5, Status::Exited(2))], Check::Status).level, Level::Pass);
    let segv = Signal::new(11).expect("a signal");
    let crash = one(app(Mode::Child, 5, Status::Signaled(segv)), Check::Status);
    assert!(crash.level == Level::Fail && crash.cause.starts_with("SIGSEGV ended it"), "{crash:?}");
    let mut killed = app(Mode::Child, 5, Status::Signaled(Signal::KILL));
    assert!(one(killed.clone(), Check::Status).cause.contains("it was killed while it stopped, by another process"));
    killed.is_out_of_memory = Some(true);
    assert!(one(killed, Check::Status).cause.contains("want of memory"));
}

#[test]
fn what_we_killed_fails_and_what_nobody_could_tell_is_skipped() {
    let killed = one(run(Mode::Child, vec![process("app").stays()]), Check::Status);
    assert!(killed.level == Level::Fail && killed.cause.contains("it was killed"), "{killed:?}");
    let mut alive = process("app").stays();
    alive.ended = None;
    assert_eq!(one(run(Mode::Child, vec![alive]), Check::Status).level, Level::Fail);
    let mut unknown = app(Mode::Child, 5, Status::Exited(0));
    unknown.processes[0].ended.as_mut().expect("it has ended").status = None;
    assert_eq!(one(unknown, Check::Status).level, Level::Skip);
    assert_eq!(one(not_told(Mode::Child, Outcome::NeverReady(String::new())), Check::Status).level, Level::Skip);
}

#[test]
fn a_raise_that_process_1_survives_gives_a_code_of_the_runtime() {
    let runs = vec![app(Mode::Pid1, 5, Status::Exited(2)), app(Mode::Child, 5, DIED_OF_TERM)];
    let status = word(&order(), runs.clone(), Check::Status);
    assert!(status.level == Level::Fail && status.cause.contains("raises SIGTERM again"), "{status:?}");
    let difference = word(&order(), runs, Check::ModeDifference);
    assert_eq!(difference.level, Level::Warn);
    assert_eq!(difference.evidence, ["as process 1: exit code 2", "as a child: death by SIGTERM"]);
}

#[test]
fn a_code_without_a_handler_is_no_answer_to_the_signal() {
    let ends = |words| run(Mode::Pid1, vec![process(words).ends(3_000, Status::Exited(7))]);
    let child = || run(Mode::Child, vec![process("sh -c x").ends(5, DIED_OF_TERM)]);
    let found = word(&order(), vec![ends("sh -c x"), child()], Check::Status);
    assert!(found.cause.contains("ended with exit code 7 of its own accord"), "{found:?}");
    assert!(!found.cause.contains("raises"), "{found:?}");
    assert_eq!(word(&order(), vec![ends("sh -c x"), child()], Check::Disposition).level, Level::Warn);
    let found = word(&order(), vec![ends("app"), child()], Check::Status);
    assert!(found.cause.contains("of its own accord") && found.cause.contains("or it takes SIGTERM"), "{found:?}");
    let found = word(&order(), vec![ends("app"), child()], Check::Disposition);
    assert!(found.level == Level::Info && found.cause.contains("of its own accord, or it takes"), "{found:?}");
}

#[test]
fn the_kernel_is_no_cause_of_every_difference_between_modes() {
    let segv = Status::Signaled(Signal::new(11).expect("a signal"));
    let abrt = Status::Signaled(Signal::new(6).expect("a signal"));
    for (one, other) in [(segv, abrt), (Status::Exited(1), Status::Exited(0)), (Status::Exited(0), Status::Exited(1))] {
        let found = word(&order(), vec![app(Mode::Pid1, 5, one), app(Mode::Child, 5, other)], Check::ModeDifference);
        assert!(found.level == Level::Warn && found.cause.starts_with("it ends otherwise as process 1"), "{found:?}");
    }
    let now_and_then = [Status::Exited(1), Status::Exited(0)].map(|status| app(Mode::Pid1, 5, status));
    let runs = now_and_then.into_iter().chain([app(Mode::Child, 5, Status::Exited(0))]).collect();
    let found = word(&order(), runs, Check::ModeDifference);
    assert!(found.cause.contains("does not end alike in each run"), "{found:?}");
}

#[test]
fn what_puts_itself_in_the_background_is_told_so() {
    let with = |mode, other: Process| {
        let mut run = not_told(mode, Outcome::EndedBefore(Status::Exited(0)));
        run.processes.push(other);
        one(run, Check::ExitsInGrace)
    };
    let found = with(Mode::Child, child(1, "daemon").ends_by(0, Status::Signaled(Signal::KILL), EndedBy::Us));
    assert_eq!(found.level, Level::Inconclusive);
    assert!(found.cause.contains("left pid 101 (`daemon`): it puts itself in the background"), "{found:?}");
    assert!(found.cure.contains("in the foreground"), "{found:?}");
    let found = with(Mode::Pid1, child(1, "daemon").cut_off(0));
    assert!(found.cause.contains("which the kernel kills with process 1"), "{found:?}");
    // Told in one turn, they have one time: what an init ends is left all the same.
    let mut run = not_told(Mode::Init, Outcome::EndedBefore(Status::Exited(0)));
    run.processes[0] = process("app").ends(0, Status::Exited(0));
    run.processes.push(child(1, "daemon").ends_by(0, DIED_OF_TERM, EndedBy::Signal));
    assert!(one(run, Check::ExitsInGrace).cause.contains("in the background"));
    // Its helper was done before.
    let found = with(Mode::Child, child(1, "helper").ends(0, Status::Exited(0)));
    assert!(!found.cause.contains("background"), "{found:?}");
    // One that ends when it sees that main has.
    let mut run = not_told(Mode::Child, Outcome::EndedBefore(Status::Exited(0)));
    run.processes[0] = process("iex").ends(0, Status::Exited(0));
    run.processes.push(child(1, "erl_child_setup").ends(9, Status::Exited(0)));
    let found = one(run, Check::ExitsInGrace);
    assert!(!found.cause.contains("background") && found.cure.contains("its stdin is /dev/null"), "{found:?}");
}

#[test]
fn repetitions_with_several_statuses_say_so_and_the_worst_counts() {
    let runs = vec![app(Mode::Child, 5, Status::Exited(0)), app(Mode::Child, 5, Status::Exited(1))];
    let found = word(&order(), runs, Check::Status);
    assert_eq!(found.level, Level::Fail);
    assert!(found.evidence.contains(&"not the same in each run: exit code 0, exit code 1".to_owned()), "{found:?}");
}

#[test]
fn modes_are_compared_by_time_and_status() {
    let hangs = |mode| run(mode, vec![process("app").stays()]);
    let ends = |mode, status| app(mode, 5, status);
    let zero = Status::Exited(0);
    let cases = [
        (ends(Mode::Pid1, zero), ends(Mode::Child, zero), Level::Pass),
        (hangs(Mode::Pid1), hangs(Mode::Child), Level::Pass),
        (hangs(Mode::Pid1), ends(Mode::Child, zero), Level::Warn),
        (ends(Mode::Pid1, zero), hangs(Mode::Child), Level::Warn),
        (ends(Mode::Pid1, Status::Exited(1)), ends(Mode::Child, zero), Level::Warn),
        (ends(Mode::Pid1, Status::Exited(143)), ends(Mode::Child, DIED_OF_TERM), Level::Info),
        (ends(Mode::Pid1, zero), not_told(Mode::Child, Outcome::NeverReady(String::new())), Level::Skip),
    ];
    for (one, other, level) in cases {
        let found = word(&order(), vec![one, other], Check::ModeDifference);
        assert_eq!(found.level, level, "{found:?}");
    }
    assert_eq!(one(ends(Mode::Pid1, zero), Check::ModeDifference).level, Level::Skip);
    let judged = super::super::judge(&order(), vec![ends(Mode::Child, zero)]);
    assert_eq!(found(&judged[0], Check::ModeDifference), None);
}

#[test]
fn the_slowest_repetition_is_held_against_the_time() {
    let of = |times: &[u64]| {
        let runs = times.iter().map(|after| app(Mode::Child, *after, Status::Exited(0))).collect();
        word(&order(), runs, Check::GraceMargin)
    };
    assert_eq!(of(&[10, 20, 8_000]).level, Level::Pass);
    let late = of(&[8_100, 30, 10]);
    assert_eq!(late.level, Level::Warn);
    assert_eq!(
        late.evidence,
        ["3 runs: median 0.030 s, p95 8.100 s, max 8.100 s", "the slowest took 81 % of 10.000 s"]
    );
    assert_eq!(one(run(Mode::Child, vec![process("app").stays()]), Check::GraceMargin).level, Level::Skip);
}

/// The same run, in which the command was stopped first.
fn stopped_first(mut run: Run) -> Run {
    run.scenario.way = Way::StoppedFirst;
    run.events.push(Event { at: SIGNAL_AT, what: What::Halted });
    run
}

#[test]
fn a_run_that_was_stopped_first_is_judged_for_itself() {
    let good = || app(Mode::Child, 5, Status::Exited(0));
    assert_eq!(one(good(), Check::Stopped).level, Level::Skip);
    let ends = stopped_first(run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(9, Status::Exited(0))]));
    assert_eq!(word(&order(), vec![good(), ends.clone()], Check::Stopped).level, Level::Pass);
    let hangs = vec![good(), stopped_first(run(Mode::Child, vec![process("app").stays()]))];
    assert_eq!(word(&order(), hangs.clone(), Check::Stopped).level, Level::Warn);
    assert_eq!(word(&order(), hangs, Check::ExitsInGrace).level, Level::Pass);
    let never = stopped_first(not_told(Mode::Child, Outcome::NeverReady(String::new())));
    assert_eq!(word(&order(), vec![good(), never], Check::Stopped).level, Level::Inconclusive);
    let unmoved = Run { events: Vec::new(), ..ends };
    assert_eq!(word(&order(), vec![good(), unmoved], Check::Stopped).level, Level::Skip);
}

#[test]
fn an_end_by_another_is_no_end_in_time() {
    let by_us = process("app").ends_by(20, Status::Signaled(Signal::KILL), EndedBy::Us);
    assert_eq!(one(run(Mode::Child, vec![by_us]), Check::ExitsInGrace).level, Level::Fail);
}

#[test]
fn who_is_continued_and_stops_itself_again_is_told_so() {
    let halted = |continued: bool| {
        let main = process("runuser nobody -s /bin/sh").catches(Signal::TERM).stays();
        let mut run = run(Mode::Child, vec![main.at_deadline(|seen| seen.state = State::Stopped)]);
        run.scenario.way = Way::StoppedFirst;
        run.events.push(Event { at: SIGNAL_AT, what: What::Halted });
        run.events.extend(continued.then_some(Event { at: SIGNAL_AT, what: What::Continued }));
        word(&order(), vec![app(Mode::Child, 5, Status::Exited(0)), run], Check::Stopped)
    };
    let found = halted(true);
    assert_eq!(found.level, Level::Warn);
    assert!(found.cause.contains("was continued, and has stopped again, as su and runuser do"), "{found:?}");
    assert!(!found.cure.contains("SIGCONT") && found.cure.contains("in the place of runuser"), "{found:?}");
    assert!(halted(false).cure.contains("send SIGCONT"));
}

#[test]
fn who_does_not_survive_an_orphan_fails_by_that_whatever_the_code() {
    let early = |code, way, orphan| {
        let mut run = not_told(Mode::Pid1, Outcome::EndedBefore(Status::Exited(code)));
        (run.scenario.way, run.scenario.orphan) = (way, orphan);
        run.processes[0] = process("app").ends(0, Status::Exited(code));
        let put_in = Event { at: SIGNAL_AT - milliseconds(20), what: What::PutIn };
        run.events.extend((orphan == Orphan::PutIn).then_some(put_in));
        run
    };
    for code in [0, 1] {
        let orphaned = early(code, Way::Orphaned, Orphan::PutIn);
        let mut without = app(Mode::Pid1, 5, Status::Exited(0));
        without.scenario.orphan = Orphan::LeftOut;
        let of = |run, check| word(&order(), vec![orphaned.clone(), run], check);
        let found = of(without.clone(), Check::Zombies);
        assert!(found.level == Level::Fail && found.cause.contains("does not survive an orphan"), "{found:?}");
        assert!(found.evidence[0].contains(&format!("exit code {code}, 0.020 s after")), "{found:?}");
        assert_eq!(of(without, Check::ExitsInGrace).level, Level::Pass);
        // It ends as early without one.
        let ends = early(code, Way::Usual, Orphan::LeftOut);
        assert_eq!(of(ends.clone(), Check::Zombies).level, Level::Skip);
        assert_eq!(of(ends, Check::ExitsInGrace).level, Level::Inconclusive);
    }
}
