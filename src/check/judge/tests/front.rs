//! What is said of who stands in front of another program: wrappers, and shells in a loop.

use supervise_init::core::Signal;

use super::super::super::finding::Check;
use super::super::super::made_up::*;
use super::super::super::record::{Process, Run};
use super::super::super::scenario::Mode;

/// Cause and cure.
#[track_caller]
fn told(runs: Vec<Run>, check: Check) -> (String, String) {
    let found = word(&order(), runs, check);
    (found.cause, found.cure)
}

fn of(mode: Mode, processes: Vec<Process>) -> (String, String) {
    told(vec![run(mode, processes)], Check::ExitsInGrace)
}

#[test]
fn a_wrapper_that_ignores_the_signal_by_design_needs_no_handler() {
    let strace = || process("strace -o /dev/null sleep 9").ignores(Signal::TERM).stays();
    let with = |mode, sleep: Process| of(mode, vec![strace(), sleep.stays()]);
    let tree = "start it under an init that tells all: supervise --kill-mode tree -- strace -o /dev/null sleep 9";
    let (cause, cure) = with(Mode::Child, child(1, "sleep 9"));
    assert!(cause.ends_with("ignores SIGTERM, and pid 101 (`sleep 9`) never gets it"), "{cause}");
    assert_eq!(cure, format!("start `sleep 9` itself, not by strace, or {tree}"));
    // As process 1 it would get nothing in the place of strace.
    assert_eq!(with(Mode::Pid1, child(1, "sleep 9")).1, tree);
    for deaf in [with(Mode::Child, child(1, "sleep 9").ignores(Signal::TERM)), of(Mode::Child, vec![strace()])] {
        assert!(deaf.0.ends_with("ignores SIGTERM") && deaf.1.starts_with("install a handler"), "{deaf:?}");
    }
}

#[test]
fn what_has_no_handler_is_not_to_be_told_as_process_1_of_another_namespace() {
    let with = |mode, program: Process| {
        let mut unshare = process("unshare --fork --pid sleep 9").stays().at_deadline(|seen| seen.is_pending = true);
        unshare.with_signals(|signals| signals.blocked = signals.blocked.with(Signal::TERM));
        of(mode, vec![unshare, program.stays()]).1
    };
    for mode in [Mode::Pid1, Mode::Child] {
        assert_eq!(
            with(mode, child(1, "sleep 9")),
            "start `sleep 9` itself, not by unshare, under an init: supervise -- COMMAND"
        );
        assert!(with(mode, child(1, "app").catches(Signal::TERM)).contains("supervise --kill-mode tree -- "));
    }
}

#[test]
fn a_loop_is_not_to_be_ended_by_exec() {
    const A_TRAP: &str =
        "a trap that ends its loop: `trap 'kill $!; wait; exit 0' TERM` in it and `sleep 60 & wait`, or start";
    let written = "bash -c while :; do sleep 60; done";
    let left = || run(Mode::Child, vec![process(written).ends(1, DIED_OF_TERM), child(1, "sleep 60").stays()]);
    let trapped = run(Mode::Child, vec![process(written).catches(Signal::TERM).stays(), child(1, "sleep 60").stays()]);
    let dropped = run(Mode::Pid1, vec![process(written).stays(), child(1, "sleep 60").stays()]);
    for (run, check, cure) in [
        (left(), Check::ExecForm, A_TRAP),
        (left(), Check::TreeGone, A_TRAP),
        (trapped, Check::ExitsInGrace, "start `sleep 60` with `&` and `wait` for it"),
        (dropped, Check::ExitsInGrace, A_TRAP),
    ] {
        let told = told(vec![run], check);
        assert!(told.1.contains(cure) && !told.1.contains("exec"), "{check:?}: {told:?}");
    }
    // What is told too early to be seen again was seen so in another mode; and once is no loop.
    let of = |mode, seen: &[(i32, u64, u64)]| {
        let each = seen.iter().map(|(number, from, to)| Process {
            first_seen_at: milliseconds(*from),
            ..child(*number, "sleep 1").ends(*to, DIED_OF_TERM)
        });
        run(mode, std::iter::once(process("bash loop.sh").ends(1, DIED_OF_TERM)).chain(each).collect())
    };
    let again = of(Mode::Pid1, &[(1, 100, 100), (2, 1_101, 1_101)]);
    let once = || of(Mode::Child, &[(1, 100, 9_000)]);
    assert!(told(vec![once(), again], Check::ExecForm).1.contains("ends its loop"));
    assert!(told(vec![once()], Check::ExecForm).1.contains("begin with exec"));
    // A loop before the last command is over.
    let over = process("bash -c for i in 1 2; do true; done; sleep 60").ends(1, DIED_OF_TERM);
    assert!(told(vec![run(Mode::Child, vec![over, child(1, "sleep 60").stays()])], Check::ExecForm).1.contains("exec"));
}
