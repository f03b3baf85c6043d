//! What comes of clients, what is killed for want of memory, and what this machine does not tell.

use supervise_init::core::{Signal, Status};

use super::super::super::finding::{Check, Level};
use super::super::super::made_up::*;
use super::super::super::record::{Connection, EndedBy, Hindrance, Listener, Outcome, Process, Run, Served};
use super::super::super::scenario::{Mode, Way};
use super::super::judge;

const ZERO: Status = Status::Exited(0);
const KILLED: Status = Status::Signaled(Signal::KILL);

/// A run of so many milliseconds in which one client came after 50 ms, and its connection ended then.
fn visited(took: u64, served: Served, ended: Option<u64>, closed: Option<u64>) -> Vec<Run> {
    let usual = run(Mode::Child, vec![process("app").catches(Signal::TERM).ends(took, ZERO)]);
    let mut visited = usual.clone();
    visited.scenario.way = Way::Visited;
    let address = "tcp 127.0.0.1:80".to_owned();
    let at = |after| SIGNAL_AT + milliseconds(after);
    visited.listeners.push(Listener { address: address.clone(), pids: vec![MAIN], closed_at: closed.map(at) });
    visited.connections.push(Connection { address, at: at(50), ended_at: ended.map(at), served });
    vec![usual, visited]
}

#[test]
fn clients_that_are_taken_and_cut_off_fail() {
    for (served, ended, closed, took, level) in [
        (Served::Refused, Some(51), Some(1), 9_000, Level::Pass),
        (Served::Answered, Some(60), Some(100), 9_000, Level::Pass),
        (Served::Answered, Some(60), None, 200, Level::Pass),
        (Served::Answered, Some(60), None, 9_000, Level::Warn),
        (Served::Reset, Some(60), Some(100), 9_000, Level::Fail),
        // That may be the answer of a protocol of its own.
        (Served::Closed, Some(60), Some(100), 9_000, Level::Pass),
        (Served::Closed, Some(8_990), Some(100), 9_000, Level::Fail),
        (Served::Unanswered, None, Some(100), 9_000, Level::Fail),
    ] {
        let found = word(&order(), visited(took, served, ended, closed), Check::Listener);
        assert_eq!(found.level, level, "{served:?} {ended:?} {closed:?}: {found:?}");
    }
    let mut never = visited(200, Served::Answered, Some(60), None);
    never[1].outcome = Outcome::NeverReady(String::new());
    assert_eq!(word(&order(), never, Check::Listener).level, Level::Inconclusive);
}

#[test]
fn a_kill_for_want_of_memory_is_the_cause() {
    let worker = |by| {
        let main = process("app").catches(Signal::TERM).ends(50, ZERO);
        let mut run = run(Mode::Child, vec![main, child(1, "work").ends_by(20, KILLED, by)]);
        run.is_out_of_memory = Some(true);
        run
    };
    let found = word(&order(), vec![worker(EndedBy::Itself)], Check::ChildrenStatus);
    assert!(found.level == Level::Fail && found.cause.contains("pid 101 (`work`) for want of memory"), "{found:?}");
    let unknown = Run { is_out_of_memory: None, ..worker(EndedBy::Itself) };
    assert_eq!(word(&order(), vec![unknown], Check::ChildrenStatus).level, Level::Warn);
    // Those of us and of the kernel have another reason.
    for by in [EndedBy::Us, EndedBy::Kernel] {
        let found = word(&order(), vec![worker(by)], Check::ChildrenStatus);
        assert!(!found.cause.contains("memory"), "{found:?}");
    }
}

#[test]
fn what_is_left_of_a_main_that_was_killed_so_is_not_its_fault() {
    let mut run = run(Mode::Pid1, vec![process("app").ends(20, KILLED), child(1, "work").cut_off(20)]);
    run.is_out_of_memory = Some(true);
    let found = word(&order(), vec![run], Check::TreeGone);
    assert!(
        found.level == Level::Fail && found.cause.contains("killed pid 100 (`app`) for want of memory"),
        "{found:?}"
    );
}

#[test]
fn what_could_not_be_seen_has_its_reason_and_no_verdict() {
    let mut killed = not_told(Mode::Child, Outcome::EndedBefore(KILLED));
    killed.is_out_of_memory = Some(true);
    let taken = Hindrance::AnswersAlready { target: "tcp:db:1".to_owned(), by: Some("pid 7 (`x`)".to_owned()) };
    for (run, said) in [
        (killed, "for want of memory before it was told"),
        (not_told(Mode::Child, Outcome::Hindered(taken)), "pid 7 (`x`) answers at tcp:db:1 before"),
        (not_told(Mode::Child, Outcome::Hindered(Hindrance::NotExecuted(GRACE))), "not executed within 10.000 s"),
    ] {
        let found = word(&order(), vec![run], Check::ExitsInGrace);
        assert!(found.level == Level::Inconclusive && found.cause.contains(said), "{found:?}");
    }
}

#[test]
fn what_ended_with_process_1_in_a_way_that_nobody_could_tell_is_no_pass() {
    let unknown = |mut process: Process| {
        process.ended.iter_mut().for_each(|ended| (ended.status, ended.by) = (None, EndedBy::Itself));
        process
    };
    let of = |mode, after| {
        let main = process("app").catches(Signal::TERM).ends(500, ZERO);
        let mut run = run(mode, vec![main, unknown(child(1, "work").ends(after, ZERO))]);
        (run.files.left, run.files.open_when_killed) = (Some(Vec::new()), Some(Vec::new()));
        run
    };
    for check in [Check::TreeGone, Check::Forwarded, Check::Files] {
        let word = word(&order(), vec![of(Mode::Pid1, 499)], check);
        assert!(word.level == Level::Skip && word.cause.contains("whether the kernel killed pid 101"), "{word:?}");
        // Nobody else has all killed by its end; and so long before that it is not because of it.
        for run in [of(Mode::Child, 499), of(Mode::Pid1, 300)] {
            let found = judge(&order(), vec![run]).first().and_then(|judged| found(judged, check));
            assert!(found.is_some_and(|found| found.level != Level::Skip), "{check:?}");
        }
    }
    let reaction = word(&order(), vec![of(Mode::Pid1, 499)], Check::Reaction);
    assert!(!reaction.evidence.concat().contains("pid 101"), "{reaction:?}");
}
