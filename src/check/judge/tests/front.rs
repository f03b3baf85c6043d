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
